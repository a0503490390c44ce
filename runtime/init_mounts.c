/* INIT: carries out the rows of mounts.c inside the root, which may be hostile: every target is
 * resolved to a descriptor beneath the root, and mounted on by that descriptor (CVE-2019-16884,
 * CVE-2021-30465). */
#include "runtime/init_mounts.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

#include "base/fd.h"
#include "base/kernel.h"
#include "base/overlay.h"
#include "base/path.h"
#include "base/text.h"
#include "runtime/steps.h"

/* The source of a bind that the host could not open for us: it is ours to open, with the rights of
 * the container's user namespace. */
static error *open_source(struct mount_row *row)
{
	unsigned flags = OPEN_TREE_CLONE | (row->flags & MOUNT_RECURSIVE ? AT_RECURSIVE : 0) |
			 (row->flags & MOUNT_SOURCE_NOFOLLOW ? AT_SYMLINK_NOFOLLOW : 0);

	if (row->fd >= 0)
		return NULL;
	row->fd = sys_open_tree(AT_FDCWD, row->source, flags);
	if (row->fd < 0)
		return error_errno("open %s", row->source);
	return NULL;
}

error *mount_set_attributes(const struct mount_row *row, int mount)
{
	struct mount_attr own = { .attr_set = row->attr_set, .attr_clr = row->attr_clear };
	struct mount_attr tree = { .attr_set = row->tree_attr_set,
				   .attr_clr = row->tree_attr_clear };

	*(row->tree_propagation ? &tree.propagation : &own.propagation) = row->propagation;
	if ((own.attr_set || own.attr_clr || own.propagation) &&
	    sys_mount_setattr(mount, "", AT_EMPTY_PATH, &own) < 0)
		return error_errno("set the attributes of the mount");
	if ((tree.attr_set || tree.attr_clr || tree.propagation) &&
	    sys_mount_setattr(mount, "", AT_EMPTY_PATH | AT_RECURSIVE, &tree) < 0)
		return error_errno("set the attributes of the mount and those below it");
	return NULL;
}

/* The place in the container, made when it is missing: a folder, or a file for a source that is
 * none. */
static error *open_target(struct life *l, const struct mount_row *row, bool is_file, int *out)
{
	int root = l->fd[FD_ROOT];

	if (row->flags & MOUNT_TARGET_LINKED)
		return root_ensure_linked(root, row->target, out);
	if (!(row->flags & (MOUNT_KERNEL_FS | MOUNT_TARGET_NOFOLLOW)))
		return root_ensure(root, row->target, is_file, out);
	/* "/proc" may not be a link to somewhere else: labels and sysctls would go there */
	int fd = sys_openat2(root, row->target, O_PATH | O_CLOEXEC, 0,
			     RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS);
	if (fd < 0 && errno == ENOENT) {
		auto_fd int parent = -1;
		const char *name;
		auto_free char *clean = path_clean(row->target);
		if (!clean)
			return error_new(ENOMEM, "%s", row->target);
		try(root_ensure_parent(root, clean, &parent, &name));
		if (is_file) {
			int made = openat(parent, name, O_CREAT | O_EXCL | O_CLOEXEC, 0644);
			if (made >= 0)
				close(made);
		} else {
			mkdirat(parent, name, 0755);
		}
		fd = sys_openat2(root, row->target, O_PATH | O_CLOEXEC, 0,
				 RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS);
	}
	if (fd < 0 && errno == ELOOP)
		return error_new(0, "%s is a symbolic link in the root file system", row->target);
	if (fd < 0)
		return error_errno("open %s in the root", row->target);
	*out = fd;
	return NULL;
}

static error *move_to(int mount, int target)
{
	if (sys_move_mount(mount, "", target, "",
			   MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return error_errno("move_mount");
	return NULL;
}

/* What the file system itself says about the last failure, else the errno. */
static error *fs_error(int context, const char *what)
{
	char text[256];
	int code = errno;
	ssize_t n = read(context, text, sizeof(text) - 1);

	if (n <= 2)
		return error_new(code, "%s", what);
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return error_new(code, "%s: %s", what, text + 2); /* after "e " */
}

static error *fs_option(int context, const char *option)
{
	auto_free char *key = strdup(option);
	char *value = key ? strchr(key, '=') : NULL;

	if (!key)
		return error_new(ENOMEM, "mount option");
	if (value)
		*value++ = '\0';
	if (sys_fsconfig(context, value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, key, value, 0) <
	    0)
		return fs_error(context, option);
	return NULL;
}

static const struct {
	uint32_t flag;
	const char *word;
} super_words[] = {
	{ MS_RDONLY, "ro" },     { MS_SYNCHRONOUS, "sync" },  { MS_DIRSYNC, "dirsync" },
	{ MS_MANDLOCK, "mand" }, { MS_LAZYTIME, "lazytime" },
};

error *mount_new_fs(const struct mount_row *row, int *out)
{
	auto_fd int context = sys_fsopen(row->type);

	if (context < 0)
		return error_errno("fsopen %s", row->type);
	if (row->source && *row->source &&
	    sys_fsconfig(context, FSCONFIG_SET_STRING, "source", row->source, 0) < 0)
		return fs_error(context, "source");
	for (size_t i = 0; i < COUNT(super_words); i++)
		if (row->super_flags & super_words[i].flag &&
		    sys_fsconfig(context, FSCONFIG_SET_FLAG, super_words[i].word, NULL, 0) < 0)
			return fs_error(context, super_words[i].word);
	for (size_t i = 0; i < row->data.n; i++)
		try(fs_option(context, row->data.v[i]));
	if (sys_fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return fs_error(context, row->type);
	int mount = sys_fsmount(context, (unsigned)row->attr_set);
	if (mount < 0)
		return fs_error(context, "fsmount");
	*out = mount;
	return NULL;
}

/* mount(2) through the descriptor, for what the newer calls cannot say. */
static error *mount_old(const struct mount_row *row, int target, int *out)
{
	char path[40];
	auto_free char *data = calloc(1, 4096);
	size_t used = 0;

	if (!data)
		return error_new(ENOMEM, "mount options");
	for (size_t i = 0; i < row->data.n; i++) {
		int n = snprintf(data + used, 4096 - used, "%s%s", i ? "," : "", row->data.v[i]);
		used += n > 0 ? (size_t)n : 0;
		if (used >= 4096)
			return error_new(E2BIG, "mount options of more than 4095 bytes");
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", target);
	if (sys_mount(row->source, path, row->type, row->super_flags, data) < 0)
		return error_errno("mount");
	try(mounted_on(target, out));
	return mount_set_attributes(row, *out);
}

static error *mount_layers(struct mount_row *row, int target)
{
	try(overlay_mount_on(row->data.v, row->data.n, row->super_flags, target, &row->fd));
	return mount_set_attributes(row, row->fd);
}

/* Where the kernel will not make a new one for a user namespace, the host's stands in, read-only
 * for what is not the container's own. */
static error *bind_instead(struct life *l, struct mount_row *row, int *out)
{
	static const struct {
		const char *type, *path;
		enum namespace_type owner;
	} hosts[] = {
		{ "sysfs", "/sys", NS_NETWORK },
		{ "mqueue", "/dev/mqueue", NS_IPC },
		{ "proc", "/proc", NS_PID },
	};

	for (size_t i = 0; i < COUNT(hosts); i++) {
		if (strcmp(row->type, hosts[i].type) != 0 || makes_namespace(l, hosts[i].owner))
			continue;
		int tree = sys_open_tree(AT_FDCWD, hosts[i].path, OPEN_TREE_CLONE | AT_RECURSIVE);
		if (tree < 0)
			return error_errno("open the host's %s", hosts[i].path);
		row->tree_attr_set |= row->attr_set;
		row->attr_set = 0;
		*out = tree;
		return mount_set_attributes(row, tree);
	}
	return error_new(EPERM, "mount %s", row->type);
}

static error *mount_fs(struct life *l, struct mount_row *row)
{
	auto_fd int target = -1;

	try(open_target(l, row, false, &target));
	bool is_layered = row->flags & MOUNT_OLD_API && strcmp(row->type, "overlay") == 0;
	if (row->flags & MOUNT_OLD_API && !is_layered)
		return mount_old(row, target, &row->fd);
	error *e = is_layered ? overlay_new(row->data.v, row->data.n, row->attr_set, &row->fd)
			      : mount_new_fs(row, &row->fd);
	if (!e && row->fd < 0) /* an older kernel */
		return mount_layers(row, target);
	if (e && error_code(e) == EPERM) {
		error_free(e);
		e = bind_instead(l, row, &row->fd);
	}
	try(e);
	struct mount_row rest = *row;
	rest.attr_set = rest.attr_clear = 0; /* they were given to fsmount */
	try(mount_set_attributes(&rest, row->fd));
	if (row->flags & MOUNT_COPY_UP)
		try_as(copy_up(target, row->fd), "copy the content of %s", row->target);
	return move_to(row->fd, target);
}

/* The container's cgroup: as the root of its own namespace, or its one folder out of the host's
 * tree. */
static error *mount_cgroup(struct life *l, struct mount_row *row)
{
	auto_fd int target = -1;

	try(open_target(l, row, false, &target));
	if (row->fd < 0 && spec_namespace(l->spec, NS_CGROUP)) {
		auto_error error *e = mount_new_fs(row, &row->fd);
		if (e && error_code(e) != EPERM && error_code(e) != EBUSY)
			return take_ptr(&e);
	}
	if (row->fd < 0) {
		if (!row->source)
			return error_new(0, "cgroup2 is not mounted on this host");
		row->fd = sys_open_tree(AT_FDCWD, row->source, OPEN_TREE_CLONE | AT_RECURSIVE);
		if (row->fd < 0)
			return error_errno("open %s", row->source);
		row->attr_set |= MOUNT_ATTR_RDONLY; /* it is the host's */
		row->tree_attr_set |= MOUNT_ATTR_RDONLY;
	}
	try(mount_set_attributes(row, row->fd));
	return move_to(row->fd, target);
}

/* A link as source: the container gets the same link. */
static error *copy_link(struct life *l, const struct mount_row *row, bool *done)
{
	char text[4096];
	auto_fd int parent = -1;
	const char *name;
	ssize_t n = readlink(row->source, text, sizeof(text) - 1);

	if (n < 0)
		return NULL; /* not a link: an ordinary bind */
	text[n] = '\0';
	auto_free char *clean = path_clean(row->target);
	if (!clean)
		return error_new(ENOMEM, "%s", row->target);
	try(root_ensure_parent(l->fd[FD_ROOT], clean, &parent, &name));
	if (symlinkat(text, parent, name) < 0 && errno != EEXIST)
		return error_errno("make the link %s", row->target);
	*done = true;
	return NULL;
}

static error *mount_bind(struct life *l, struct mount_row *row)
{
	struct stat st;
	auto_fd int target = -1;
	bool done = false;

	if (row->flags & MOUNT_COPY_SYMLINK)
		try(copy_link(l, row, &done));
	if (done)
		return NULL;
	try(open_source(row));
	if (fstat(row->fd, &st) < 0)
		return error_errno("look at %s", row->source);
	try(mount_set_attributes(row, row->fd));
	try(open_target(l, row, !S_ISDIR(st.st_mode), &target));
	return move_to(row->fd, target);
}

static error *mount_change(struct life *l, struct mount_row *row)
{
	auto_fd int target = -1;

	try(root_open(l->fd[FD_ROOT], row->target, O_PATH, &target));
	return mount_set_attributes(row, target);
}

/* The row of the devices stands right behind /dev's own, whose mount is at hand; without one they
 * go into the root's. */
static int dev_mount(const struct life *l, const struct mount_row *devices)
{
	const struct mount_row *before = devices > l->mounts.v ? devices - 1 : NULL;
	auto_free char *clean = before ? path_clean(before->target) : NULL;

	return clean && strcmp(clean, devices->target) == 0 ? before->fd : -1;
}

static error *mount_one(struct life *l, struct mount_row *row)
{
	switch (row->op) {
	case MOUNT_FS:
		return mount_fs(l, row);
	case MOUNT_BIND:
		return mount_bind(l, row);
	case MOUNT_CHANGE:
		return mount_change(l, row);
	case MOUNT_CGROUP:
		return mount_cgroup(l, row);
	case MOUNT_DEVICES:
		return devices_make(l, dev_mount(l, row));
	}
	return NULL;
}

static error *mount_and_name(struct life *l, struct mount_row *row)
{
	error *e = mount_one(l, row);

	if (!e && strcmp(row->target, "/") == 0) { /* it is the root now */
		close(l->fd[FD_ROOT]);
		l->fd[FD_ROOT] = take_fd(&row->fd);
	}
	if (e && row->spec)
		return error_wrap(e, "mounts[%zu] (%s)", row->index, row->target);
	return e ? error_wrap(e, "%s", row->target) : NULL;
}

error *init_mounts(struct life *l)
{
	for (size_t i = 0; i < l->mounts.n; i++)
		try(mount_and_name(l, &l->mounts.v[i]));
	return NULL;
}

error *init_mount_root(struct life *l)
{
	for (size_t i = 0; i < l->mounts.n; i++)
		if (mount_is_root(&l->mounts.v[i]))
			try(mount_and_name(l, &l->mounts.v[i]));
	return NULL;
}

/* Puts `*thing` on the target. What is detached can be moved once; after that copies can be taken
 * of it. */
static error *cover(int *thing, bool *attached, int target)
{
	auto_fd int copy = -1;

	if (!*attached) {
		*attached = true;
		return move_to(*thing, target);
	}
	copy = sys_open_tree(*thing, "", AT_EMPTY_PATH | OPEN_TREE_CLONE);
	if (copy < 0)
		return error_errno("open_tree");
	return move_to(copy, target);
}

struct covers {
	int empty; /* one folder for all masks, read-only */
	bool empty_attached;
	bool null_attached;
};

static error *mask(struct life *l, struct covers *c, const char *path)
{
	char no_blocks[] = "nr_blocks=1";
	char no_inodes[] = "nr_inodes=1";
	char *options[] = { no_blocks, no_inodes, NULL };
	char type[] = "tmpfs";
	struct mount_row empty = { .type = type,
				   .data = { options, 2 },
				   .attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID |
					       MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC };
	auto_fd int target = -1;
	struct stat st;
	auto_error error *e = root_open(l->fd[FD_ROOT], path, O_PATH, &target);

	if (e) /* what is not there need not be hidden */
		return error_code(e) == ENOENT || error_code(e) == ENOTDIR ? NULL : take_ptr(&e);
	if (fstat(target, &st) < 0)
		return error_errno("look at %s", path);
	if (!S_ISDIR(st.st_mode))
		return cover(&l->fd[FD_NULL], &c->null_attached, target);
	if (c->empty < 0)
		try(mount_new_fs(&empty, &c->empty));
	return cover(&c->empty, &c->empty_attached, target);
}

static error *make_readonly(struct life *l, const char *path)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };
	auto_fd int target = -1;
	auto_fd int tree = -1;
	auto_error error *e = root_open(l->fd[FD_ROOT], path, O_PATH, &target);

	if (e)
		return error_code(e) == ENOENT || error_code(e) == ENOTDIR ? NULL : take_ptr(&e);
	tree = sys_open_tree(target, "", AT_EMPTY_PATH | AT_RECURSIVE | OPEN_TREE_CLONE);
	if (tree < 0)
		return error_errno("open_tree %s", path);
	if (sys_mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr) < 0)
		return error_errno("make %s read-only", path);
	return move_to(tree, target);
}

/* The thing that hides files is the host's /dev/null, and really that: what the root has under the
 * name may be anything (CVE-2025-31133). */
static error *open_null(struct life *l)
{
	struct stat st;
	int *null = &l->fd[FD_NULL];

	if (*null < 0)
		*null = sys_open_tree(AT_FDCWD, "/dev/null", OPEN_TREE_CLONE);
	if (*null < 0 || fstat(*null, &st) < 0)
		return error_errno("open the host's /dev/null");
	if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3))
		return error_new(0, "the host's /dev/null is not the null device");
	return NULL;
}

error *init_masks(struct life *l)
{
	const struct texts *masked = &l->spec->linux_->masked_paths;
	const struct texts *readonly = &l->spec->linux_->readonly_paths;
	struct covers covers = { .empty = -1 };
	error *e = masked->n ? open_null(l) : NULL;

	for (size_t i = 0; !e && i < masked->n; i++)
		if ((e = mask(l, &covers, masked->v[i])))
			e = error_wrap(e, "maskedPaths[%zu] (%s)", i, masked->v[i]);
	for (size_t i = 0; !e && i < readonly->n; i++)
		if ((e = make_readonly(l, readonly->v[i])))
			e = error_wrap(e, "readonlyPaths[%zu] (%s)", i, readonly->v[i]);
	if (covers.empty >= 0)
		close(covers.empty);
	return e;
}
