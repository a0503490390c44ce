/* config.json's mounts as rows. Pure: nothing is opened here. The one table below is all that is
 * known about option words; `features` prints it. */
#include "runtime/mounts.h"

#include <stdio.h>
#include <string.h>

#include "base/kernel.h"
#include "base/path.h"
#include "base/text.h"

#ifndef MOUNT_ATTR_NOSYMFOLLOW
#define MOUNT_ATTR_NOSYMFOLLOW 0x00200000 /* Linux 5.14 */
#endif
#ifndef MS_I_VERSION
#define MS_I_VERSION (1 << 23)
#endif

enum word_kind { ATTR, TREE_ATTR, SUPER, NO_SUPER, PROPAGATION, TREE_PROPAGATION, FLAG, NOTHING };

struct word {
	const char *text;
	enum word_kind kind;
	uint64_t set;
	uint64_t clear;
};

#define ATIME MOUNT_ATTR__ATIME

/* clang-format off */
static const struct word words[] = {
	/* bind or not is decided by these two, whatever the type says */
	{ "bind",          FLAG,             0 },
	{ "rbind",         FLAG,             MOUNT_RECURSIVE },
	{ "remount",       FLAG,             0 },
	{ "defaults",      ATTR,             0,                         MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC },
	{ "ro",            ATTR,             MOUNT_ATTR_RDONLY },
	{ "rw",            ATTR,             0,                         MOUNT_ATTR_RDONLY },
	{ "nosuid",        ATTR,             MOUNT_ATTR_NOSUID },
	{ "suid",          ATTR,             0,                         MOUNT_ATTR_NOSUID },
	{ "nodev",         ATTR,             MOUNT_ATTR_NODEV },
	{ "dev",           ATTR,             0,                         MOUNT_ATTR_NODEV },
	{ "noexec",        ATTR,             MOUNT_ATTR_NOEXEC },
	{ "exec",          ATTR,             0,                         MOUNT_ATTR_NOEXEC },
	{ "nodiratime",    ATTR,             MOUNT_ATTR_NODIRATIME },
	{ "diratime",      ATTR,             0,                         MOUNT_ATTR_NODIRATIME },
	{ "nosymfollow",   ATTR,             MOUNT_ATTR_NOSYMFOLLOW },
	{ "symfollow",     ATTR,             0,                         MOUNT_ATTR_NOSYMFOLLOW },
	{ "noatime",       ATTR,             MOUNT_ATTR_NOATIME,        ATIME },
	{ "atime",         ATTR,             MOUNT_ATTR_RELATIME,       ATIME },
	{ "relatime",      ATTR,             MOUNT_ATTR_RELATIME,       ATIME },
	{ "norelatime",    ATTR,             MOUNT_ATTR_STRICTATIME,    ATIME },
	{ "strictatime",   ATTR,             MOUNT_ATTR_STRICTATIME,    ATIME },
	{ "nostrictatime", ATTR,             MOUNT_ATTR_RELATIME,       ATIME },
	/* the same for everything below: mount_setattr(2) with AT_RECURSIVE */
	{ "rro",           TREE_ATTR,        MOUNT_ATTR_RDONLY },
	{ "rrw",           TREE_ATTR,        0,                         MOUNT_ATTR_RDONLY },
	{ "rnosuid",       TREE_ATTR,        MOUNT_ATTR_NOSUID },
	{ "rsuid",         TREE_ATTR,        0,                         MOUNT_ATTR_NOSUID },
	{ "rnodev",        TREE_ATTR,        MOUNT_ATTR_NODEV },
	{ "rdev",          TREE_ATTR,        0,                         MOUNT_ATTR_NODEV },
	{ "rnoexec",       TREE_ATTR,        MOUNT_ATTR_NOEXEC },
	{ "rexec",         TREE_ATTR,        0,                         MOUNT_ATTR_NOEXEC },
	{ "rnodiratime",   TREE_ATTR,        MOUNT_ATTR_NODIRATIME },
	{ "rdiratime",     TREE_ATTR,        0,                         MOUNT_ATTR_NODIRATIME },
	{ "rnosymfollow",  TREE_ATTR,        MOUNT_ATTR_NOSYMFOLLOW },
	{ "rsymfollow",    TREE_ATTR,        0,                         MOUNT_ATTR_NOSYMFOLLOW },
	{ "rnoatime",      TREE_ATTR,        MOUNT_ATTR_NOATIME,        ATIME },
	{ "ratime",        TREE_ATTR,        MOUNT_ATTR_RELATIME,       ATIME },
	{ "rrelatime",     TREE_ATTR,        MOUNT_ATTR_RELATIME,       ATIME },
	{ "rnorelatime",   TREE_ATTR,        MOUNT_ATTR_STRICTATIME,    ATIME },
	{ "rstrictatime",  TREE_ATTR,        MOUNT_ATTR_STRICTATIME,    ATIME },
	{ "rnostrictatime", TREE_ATTR,       MOUNT_ATTR_RELATIME,       ATIME },
	/* of the file system, not of the mount */
	{ "sync",          SUPER,            MS_SYNCHRONOUS },
	{ "async",         NO_SUPER,         MS_SYNCHRONOUS },
	{ "dirsync",       SUPER,            MS_DIRSYNC },
	{ "mand",          SUPER,            MS_MANDLOCK },
	{ "nomand",        NO_SUPER,         MS_MANDLOCK },
	{ "lazytime",      SUPER,            MS_LAZYTIME },
	{ "nolazytime",    NO_SUPER,         MS_LAZYTIME },
	{ "iversion",      SUPER,            MS_I_VERSION },
	{ "noiversion",    NO_SUPER,         MS_I_VERSION },
	/* only about messages of mount(2), which the newer calls do not print */
	{ "silent",        NOTHING },
	{ "loud",          NOTHING },
	{ "acl",           NOTHING },
	{ "private",       PROPAGATION,      MS_PRIVATE },
	{ "shared",        PROPAGATION,      MS_SHARED },
	{ "slave",         PROPAGATION,      MS_SLAVE },
	{ "unbindable",    PROPAGATION,      MS_UNBINDABLE },
	{ "rprivate",      TREE_PROPAGATION, MS_PRIVATE },
	{ "rshared",       TREE_PROPAGATION, MS_SHARED },
	{ "rslave",        TREE_PROPAGATION, MS_SLAVE },
	{ "runbindable",   TREE_PROPAGATION, MS_UNBINDABLE },
	{ "tmpcopyup",     FLAG,             MOUNT_COPY_UP },
	{ "copy-symlink",  FLAG,             MOUNT_COPY_SYMLINK },
	{ "src-nofollow",  FLAG,             MOUNT_SOURCE_NOFOLLOW },
	{ "dest-nofollow", FLAG,             MOUNT_TARGET_NOFOLLOW },
	{ "idmap",         FLAG,             MOUNT_IDMAP },
	{ "ridmap",        FLAG,             MOUNT_IDMAP | MOUNT_IDMAP_RECURSIVE },
};
/* clang-format on */

void mounts_each_option(void (*visit)(const char *word, void *context), void *context)
{
	for (size_t i = 0; i < COUNT(words); i++)
		visit(words[i].text, context);
}

static const struct word *find_word(const char *text)
{
	for (size_t i = 0; i < COUNT(words); i++)
		if (strcmp(words[i].text, text) == 0)
			return &words[i];
	return NULL;
}

/* The last word about a thing wins. */
static void apply(const struct word *w, struct mount_row *row)
{
	switch (w->kind) {
	case ATTR:
		row->attr_set = (row->attr_set & ~w->clear) | w->set;
		row->attr_clear = (row->attr_clear & ~w->set) | w->clear;
		break;
	case TREE_ATTR:
		row->tree_attr_set = (row->tree_attr_set & ~w->clear) | w->set;
		row->tree_attr_clear = (row->tree_attr_clear & ~w->set) | w->clear;
		break;
	case SUPER:
		row->super_flags |= (uint32_t)w->set;
		break;
	case NO_SUPER:
		row->super_flags &= ~(uint32_t)w->set;
		break;
	case PROPAGATION:
	case TREE_PROPAGATION:
		row->propagation = w->set;
		row->tree_propagation = w->kind == TREE_PROPAGATION;
		break;
	case FLAG:
		row->flags |= (uint32_t)w->set;
		break;
	case NOTHING:
		break;
	}
}

static bool has_option(const struct spec_mount *m, const char *word)
{
	for (size_t i = 0; i < m->options.n; i++)
		if (strcmp(m->options.v[i], word) == 0)
			return true;
	return false;
}

/* File systems whose superblock is the kernel's or the namespace's: "ro" is for the mount alone. */
static bool is_virtual(const char *type)
{
	static const char *const types[] = { "proc",      "sysfs",    "tmpfs",   "devpts",
					     "mqueue",    "cgroup",   "cgroup2", "ramfs",
					     "bpf",       "debugfs",  "tracefs", "securityfs",
					     "hugetlbfs", "configfs", "fusectl" };

	for (size_t i = 0; i < COUNT(types); i++)
		if (strcmp(types[i], type) == 0)
			return true;
	return false;
}

static error *read_options(const struct spec_mount *m, struct arena *arena, struct mount_row *row)
{
	/* what is no word is the file system's own option */
	row->data.v = arena_array_of(arena, char *, m->options.n + 1);
	if (!row->data.v)
		return arena_exhausted();
	for (size_t i = 0; i < m->options.n; i++) {
		char *option = m->options.v[i];
		const struct word *w = find_word(option);
		if (w) {
			apply(w, row);
		} else if (text_starts(option, "idmap=")) {
			row->flags |= MOUNT_IDMAP;
		} else {
			row->data.v[row->data.n++] = option;
			if (strlen(option) > 255)
				row->flags |= MOUNT_OLD_API;
		}
	}
	/* the whole atime field is replaced or left alone; the kernel refuses anything between */
	if (row->attr_set & ATIME || row->attr_clear & ATIME)
		row->attr_clear |= ATIME;
	if (row->tree_attr_set & ATIME || row->tree_attr_clear & ATIME)
		row->tree_attr_clear |= ATIME;
	return NULL;
}

static error *bind_row(const struct spec_mount *m, const struct mounts_facts *facts,
		       struct arena *arena, struct mount_row *row)
{
	if (!m->source || !*m->source)
		return error_said(EINVAL, ".source: is required for a bind mount");
	if (row->data.n)
		return error_said(EINVAL, ".options: '%s' means nothing to a bind mount",
				  row->data.v[0]);
	row->op = MOUNT_BIND;
	row->source = m->source[0] == '/' ? m->source
					  : arena_printf(arena, "%s/%s", facts->bundle, m->source);
	/* towards the host a slave, unless said otherwise: what the host mounts shows, not the
	 * reverse */
	if (!row->propagation) {
		row->propagation = MS_SLAVE;
		row->tree_propagation = true;
	}
	return row->source ? NULL : arena_exhausted();
}

static error *fs_row(const struct spec_mount *m, const struct mounts_facts *facts,
		     struct arena *arena, struct mount_row *row)
{
	if (!m->type || !*m->type)
		return error_said(EINVAL,
				  ".type: is required unless the options hold bind or rbind");
	row->op = MOUNT_FS;
	row->type = m->type;
	row->source = m->source;
	if (strcmp(m->type, "cgroup") == 0 || strcmp(m->type, "cgroup2") == 0) {
		row->op = MOUNT_CGROUP;
		row->type = arena_strdup(arena, "cgroup2");
		row->source = facts->cgroup_root ? arena_strdup(arena, facts->cgroup_root) : NULL;
		row->data.n = 0; /* options of version 1 */
		return row->type ? NULL : arena_exhausted();
	}
	if (strcmp(m->type, "proc") == 0 || strcmp(m->type, "sysfs") == 0)
		row->flags |= MOUNT_KERNEL_FS;
	if (row->attr_set & MOUNT_ATTR_RDONLY && !is_virtual(m->type))
		row->super_flags |= MS_RDONLY;
	if (row->super_flags & MS_I_VERSION)
		row->flags |= MOUNT_OLD_API;
	if (row->flags & MOUNT_COPY_UP && strcmp(m->type, "tmpfs") != 0)
		return error_said(EINVAL, ".options: tmpcopyup needs type tmpfs");
	/* fsmount() takes the attributes: it starts from none */
	row->attr_clear = 0;
	return NULL;
}

static error *mount_row_of(const struct spec_mount *m, const struct mounts_facts *facts,
			   struct arena *arena, struct mount_row *row)
{
	*row = (struct mount_row){ .target = m->destination, .spec = m, .fd = -1, .idmap_fd = -1 };
	try(read_options(m, arena, row));
	if (m->uid_mappings.n)
		row->flags |= MOUNT_IDMAP;
	if (has_option(m, "remount")) {
		row->op = MOUNT_CHANGE;
		return NULL;
	}
	if (has_option(m, "bind") || has_option(m, "rbind"))
		return bind_row(m, facts, arena, row);
	if (m->type && strcmp(m->type, "bind") == 0) {
		row->flags |= MOUNT_RECURSIVE; /* as the peers read a type alone */
		return bind_row(m, facts, arena, row);
	}
	return fs_row(m, facts, arena, row);
}

static bool is_mounted(const struct spec *spec, const char *target)
{
	for (size_t i = 0; i < spec->mounts.n; i++) {
		auto_free char *clean = path_clean(spec->mounts.v[i].destination);
		if (clean && strcmp(clean, target) == 0)
			return true;
	}
	return false;
}

/* What config.json mounts there itself is left alone. */
static error *add_names(const struct spec *spec, const char *folder, struct arena *arena,
			struct mount_row *rows, size_t *n)
{
	static const char *const files[] = { "hosts", "resolv.conf", "hostname" };
	uint64_t read_only = spec->root && spec->root->readonly ? MOUNT_ATTR_RDONLY : 0;

	for (size_t i = 0; i < COUNT(files); i++) {
		struct mount_row row = { .op = MOUNT_BIND,
					 .flags = MOUNT_TARGET_LINKED,
					 .source = arena_printf(arena, "%s/%s", folder, files[i]),
					 .target = arena_printf(arena, "/etc/%s", files[i]),
					 .attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
						     MOUNT_ATTR_NOEXEC | read_only,
					 .propagation = MS_PRIVATE,
					 .fd = -1,
					 .idmap_fd = -1 };
		if (!row.source || !row.target)
			return arena_exhausted();
		if (!is_mounted(spec, row.target))
			rows[(*n)++] = row;
	}
	return NULL;
}

error *mounts_plan(const struct spec *spec, const struct mounts_facts *facts, struct arena *arena,
		   struct mount_rows *out)
{
	struct mount_row *rows = arena_array_of(arena, struct mount_row, spec->mounts.n + 5);
	struct mount_row devices = { .op = MOUNT_DEVICES, .fd = -1, .idmap_fd = -1 };
	bool devices_done = false;
	size_t n = 0;

	devices.target = arena_strdup(arena, "/dev");
	if (!rows || !devices.target)
		return arena_exhausted();
	for (size_t i = 0; i < spec->mounts.n; i++) {
		struct mount_row *row = &rows[n++];
		auto_free char *clean = path_clean(spec->mounts.v[i].destination);
		auto_error error *e = mount_row_of(&spec->mounts.v[i], facts, arena, row);
		if (e)
			return error_said(error_code(e), ".mounts[%zu]%s%s", i,
					  error_message(e)[0] == '.' ? "" : ": ", error_message(e));
		row->index = i;
		if (!clean)
			return error_new(ENOMEM, "mounts");
		if (strcmp(clean, "/dev") != 0 || devices_done)
			continue;
		/* a /dev that is the host's brings its own devices */
		if (row->op == MOUNT_FS)
			rows[n++] = devices;
		devices_done = true;
	}
	if (!devices_done)
		rows[n++] = devices;
	if (facts->names)
		try(add_names(spec, facts->names, arena, rows, &n));
	if (facts->notify)
		rows[n++] = (struct mount_row){ .op = MOUNT_BIND,
						.source = arena_strdup(arena, facts->notify),
						.target = arena_strdup(arena, facts->notify_target),
						.attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
							    MOUNT_ATTR_NOEXEC,
						.propagation = MS_PRIVATE,
						.fd = -1,
						.idmap_fd = -1 };
	*out = (struct mount_rows){ rows, n };
	return NULL;
}
