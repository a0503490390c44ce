#include "image/extract.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "image/object.h"
#include "image/remove.h"
#include "image/whiteout.h"

struct extract {
	struct tree tree;
	struct extract_options o;
	struct extract_result result;
	struct metadata_losses losses;
	char path[PLACE_PATH_MAX + 1];   /* of the entry, normalized */
	char target[PLACE_PATH_MAX + 1]; /* of a hard link */
	char folder[PLACE_PATH_MAX + 1]; /* the path without its last part */
	const char *leaf;                /* that last part; "" for the root */
};

error *extract_new(int root, const struct extract_options *options, struct extract **out)
{
	struct extract *x = calloc(1, sizeof(*x));

	if (!x)
		return error_new(ENOMEM, "unpack");
	x->o = *options;
	x->tree = (struct tree){ .root = root,
				 .form = options->form,
				 .userxattr = options->userxattr,
				 .is_bottom = options->is_bottom,
				 .lowers = options->lowers,
				 .wants_made = options->form == FORM_FLAT && !options->is_bottom,
				 .parent = -1 };
	x->result.is_exact = true;
	*out = x;
	return NULL;
}

void extract_free(struct extract *x)
{
	if (!x)
		return;
	tree_release(&x->tree);
	free(x);
}

const char *extract_path(const struct extract *x)
{
	return x->path;
}

/* Splits a normalized path: the folder into buffer, the last part is returned. */
static const char *split(const char *path, char *folder)
{
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) : 0;

	memcpy(folder, path, len);
	folder[len] = '\0';
	return slash ? slash + 1 : path;
}

static error *note_made(struct extract *x, int dir, int fd)
{
	struct stat st;

	if (!x->tree.wants_made)
		return NULL;
	if (fd >= 0 ? fstat(fd, &st) < 0 : fstatat(dir, x->leaf, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return error_errno("look at it");
	return inodes_put(&x->tree.made, st.st_ino, 1);
}

/* Something has the name already: an older layer's (flat), or an earlier entry's, which loses. */
static error *make_room(struct extract *x, int dir, bool *was_whiteout)
{
	struct stat st;

	*was_whiteout = false;
	if (fstatat(dir, x->leaf, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? NULL : error_errno("look at what is there");
	*was_whiteout = x->o.form == FORM_OVERLAY && overlay_is_whiteout(&st);
	if (x->o.form == FORM_OVERLAY && !*was_whiteout)
		x->result.is_exact = false;
	return remove_all(dir, x->leaf);
}

/* --- one function for each kind of object; dir is its folder --- */

static error *write_content(int fd, const struct entry *e, struct content *content)
{
	uint64_t at = 0; /* where the file's own position is */

	if (e->is_sparse && ftruncate(fd, (off_t)e->size) < 0)
		return error_errno("set the size");
	for (;;) {
		const char *chunk;
		size_t len;
		uint64_t offset;
		try(content->next(content, (const void **)&chunk, &len, &offset));
		if (len == 0)
			return NULL;
		if (offset != at && lseek(fd, (off_t)offset, SEEK_SET) < 0)
			return error_errno("seek");
		at = offset + len;
		for (ssize_t n; len; chunk += n, len -= (size_t)n) {
			n = write(fd, chunk, len);
			if (n < 0 && errno != EINTR)
				return error_errno("write");
			n = n < 0 ? 0 : n;
		}
	}
}

/* O_EXCL: what is written is always a new inode, never one that a link leads to. */
static int create_file(int dir, const char *name)
{
	return openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
}

static error *make_file(struct extract *x, int dir, const struct entry *e, struct content *content)
{
	auto_fd int fd = create_file(dir, x->leaf);
	bool was_whiteout;

	if (fd < 0 && errno == EEXIST) {
		try(make_room(x, dir, &was_whiteout));
		fd = create_file(dir, x->leaf);
	}
	if (fd < 0)
		return error_errno("make the file");
	try(write_content(fd, e, content));
	try(metadata_set(fd, e, &x->o.metadata, x->tree.parent_has_default_acl, &x->losses));
	return note_made(x, dir, fd);
}

static error *make_folder(struct extract *x, int dir, const struct entry *e)
{
	bool was_whiteout = false;
	bool is_new = true;
	struct stat st;

	if (mkdirat(dir, x->leaf, 0700) < 0) {
		if (errno != EEXIST || fstatat(dir, x->leaf, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return error_errno("make the folder");
		is_new = !S_ISDIR(st.st_mode);
		if (is_new) {
			try(make_room(x, dir, &was_whiteout));
			if (mkdirat(dir, x->leaf, 0700) < 0)
				return error_errno("make the folder");
		}
	}
	auto_fd int fd = openat(dir, x->leaf, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return error_errno("open the folder");
	if (was_whiteout)
		try(overlay_set_opaque(fd, x->o.userxattr));
	try(metadata_set(fd, e, &x->o.metadata, x->tree.parent_has_default_acl && is_new,
			 &x->losses));
	try(note_made(x, dir, fd));
	if (fstat(fd, &st) < 0)
		return error_errno("look at the folder");
	try(tree_note_time(&x->tree, x->path, st.st_ino, e->mtime));
	return tree_entered(&x->tree, x->path, take_fd(&fd));
}

static int create_link(int dir, const char *name, const struct entry *e)
{
	return symlinkat(e->target, dir, name);
}

static int create_node(int dir, const char *name, const struct entry *e)
{
	mode_t type = e->type == ENTRY_CHAR ? S_IFCHR : e->type == ENTRY_BLOCK ? S_IFBLK : S_IFIFO;
	dev_t device = e->type == ENTRY_FIFO ? 0 : makedev(e->major, e->minor);

	return mknodat(dir, name, type | 0600, device);
}

/* Links, devices and fifos: made by a call of their own, described afterwards. */
static error *make_special(struct extract *x, int dir, const struct entry *e,
			   int (*create)(int, const char *, const struct entry *))
{
	bool was_whiteout;

	if (create(dir, x->leaf, e) < 0) {
		if (errno != EEXIST)
			return error_errno("make it");
		try(make_room(x, dir, &was_whiteout));
		if (create(dir, x->leaf, e) < 0)
			return error_errno("make it");
	}
	try(metadata_set_at(dir, x->leaf, e, &x->o.metadata, &x->losses));
	return note_made(x, dir, -1);
}

static error *make_device(struct extract *x, int dir, const struct entry *e)
{
	/* overlayfs takes it for a whiteout: a way to hide files that no reader of the archive sees
	 */
	if (e->type == ENTRY_CHAR && e->major == 0 && e->minor == 0)
		return error_said(EPERM, "a device 0:0, which would hide a file");
	if (x->o.devices == DEVICES_FAIL)
		return error_said(EPERM, "a device, and --devices is fail");
	if (x->o.devices == DEVICES_SKIP) {
		x->result.skipped_devices++;
		x->result.is_exact = false;
		return NULL;
	}
	return make_special(x, dir, e, create_node);
}

/* --- hard links --- */

static error *make(struct extract *x, int dir, const struct entry *e, struct content *content);

/* A link to a file of a layer below: the file becomes this layer's, as overlayfs would copy it up,
 * under the name that is linked to, so that both names are one file. */
static error *copy_up(struct extract *x, const char *folder, const char *name, int dir)
{
	struct lower_dir below = { 0 };
	struct lower_object found = { 0 };
	auto_object struct object *object = NULL;
	const char *leaf = x->leaf;
	int again = -1;

	if (x->o.form == FORM_FLAT)
		return error_new(ENOENT, "a hard link to %s", x->target);
	error *e = tree_folder_apart(&x->tree, folder, &again, &below);
	if (!e) {
		close(again);
		e = lower_lookup(&below, name, x->o.userxattr, &found);
	}
	if (!e && (!found.exists || S_ISDIR(found.st.st_mode)))
		e = error_new(ENOENT, "a hard link to %s", x->target);
	if (!e)
		e = object_open(found.dir, name, x->target, &object);
	if (!e)
		e = tree_note_folder(&x->tree, folder, dir);
	if (!e) {
		x->leaf = name;
		e = make(x, dir, object_entry(object), object_content(object));
		x->leaf = leaf;
		x->result.is_exact = false;
	}
	lower_object_close(&found);
	lower_dir_close(&below);
	return e;
}

static bool is_same_file(int dir_a, const char *a, int dir_b, const char *b)
{
	struct stat st[2];

	return fstatat(dir_a, a, &st[0], AT_SYMLINK_NOFOLLOW) == 0 &&
	       fstatat(dir_b, b, &st[1], AT_SYMLINK_NOFOLLOW) == 0 &&
	       st[0].st_ino == st[1].st_ino && st[0].st_dev == st[1].st_dev;
}

/* The target is found by the same walk as any parent, and its last part is not followed: a link to
 * a link is a second name of the link. Its owner and mode stay what the target's own entry said. */
static error *make_hard_link(struct extract *x, int dir, const struct entry *e)
{
	auto_free char *folder = malloc(PLACE_PATH_MAX + 1);
	auto_fd int target_dir = -1;
	struct stat st;
	bool was_whiteout;

	if (!folder)
		return error_new(ENOMEM, "hard link");
	try(place_normalize(e->target, x->target));
	const char *name = split(x->target, folder);
	if (!*name || whiteout_is(name))
		return error_said(EINVAL, "a hard link to /%s", x->target);
	try(tree_folder_apart(&x->tree, folder, &target_dir, NULL));
	bool is_there = fstatat(target_dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
	if (is_there && x->o.form == FORM_OVERLAY && overlay_is_whiteout(&st))
		return error_new(ENOENT, "a hard link to %s", x->target);
	if (is_there && S_ISDIR(st.st_mode))
		return error_said(EISDIR, "a hard link to the folder /%s", x->target);
	if (!is_there)
		try(copy_up(x, folder, name, target_dir));
	if (linkat(target_dir, name, dir, x->leaf, 0) < 0) {
		if (errno != EEXIST)
			return error_errno("link to /%s", x->target);
		if (is_same_file(target_dir, name, dir, x->leaf))
			return NULL;
		try(make_room(x, dir, &was_whiteout));
		if (linkat(target_dir, name, dir, x->leaf, 0) < 0)
			return error_errno("link to /%s", x->target);
	}
	return note_made(x, dir, -1);
}

/* --- all of it --- */

static error *make(struct extract *x, int dir, const struct entry *e, struct content *content)
{
	switch (e->type) {
	case ENTRY_FILE:
		return make_file(x, dir, e, content);
	case ENTRY_DIR:
		return make_folder(x, dir, e);
	case ENTRY_SYMLINK:
		if (!*e->target)
			return error_said(EINVAL, "a link to nothing");
		return make_special(x, dir, e, create_link);
	case ENTRY_FIFO:
		return make_special(x, dir, e, create_node);
	case ENTRY_CHAR:
	case ENTRY_BLOCK:
		return make_device(x, dir, e);
	case ENTRY_HARD_LINK:
		break;
	}
	return make_hard_link(x, dir, e);
}

/* "./": the root's own owner, mode and time. It cannot become anything but a folder. */
static error *make_root(struct extract *x, const struct entry *e)
{
	struct stat st;

	if (e->type != ENTRY_DIR)
		return error_said(EINVAL, "the root would not be a folder");
	if (fstat(x->tree.root, &st) < 0)
		return error_errno("look at the root");
	x->result.has_root = true;
	try(metadata_set(x->tree.root, e, &x->o.metadata, false, &x->losses));
	tree_forget(&x->tree);
	return tree_note_time(&x->tree, "", st.st_ino, e->mtime);
}

static error *charge(struct budget *b, const struct entry *e)
{
	uint64_t entries = atomic_fetch_add(&b->entries, 1) + 1;
	uint64_t bytes = atomic_fetch_add(&b->bytes, e->size) + e->size;

	if (entries > b->max_entries)
		return error_said(EFBIG, "more than %llu entries (--max-entries)",
				  (unsigned long long)b->max_entries);
	if (bytes > b->max_bytes || e->size > b->max_bytes)
		return error_said(EFBIG, "more than %llu bytes (--max-size)",
				  (unsigned long long)b->max_bytes);
	return NULL;
}

/* ".wh.a/b" puts something into what is gone: no reader agrees on what that means. */
static bool has_whiteout_folder(const char *folder)
{
	for (const char *part = folder; part; part = strchr(part, '/')) {
		part += *part == '/';
		if (whiteout_is(part))
			return true;
	}
	return false;
}

static error *apply_whiteout(struct extract *x)
{
	int dir;
	auto_error error *e = tree_folder(&x->tree, x->folder, &dir);

	/* this layer made a file of the folder: that hides everything already. umoci writes such */
	if (e && error_code(e) == ENOTDIR)
		return NULL;
	if (e)
		return take_ptr(&e);
	return whiteout_apply(&x->tree, dir, x->leaf, !x->folder[0], &x->result.opaque_root);
}

static error *apply_entry(struct extract *x, const struct entry *e, struct content *content)
{
	int dir;

	try(charge(x->o.budget, e));
	try(place_normalize(e->name, x->path));
	if (!x->path[0])
		return make_root(x, e);
	x->leaf = split(x->path, x->folder);
	if (has_whiteout_folder(x->folder))
		return error_said(EINVAL, "something inside a whiteout");
	if (whiteout_is(x->leaf))
		return apply_whiteout(x);
	try(tree_folder(&x->tree, x->folder, &dir));
	return make(x, dir, e, content);
}

error *extract_entry(struct extract *x, const struct entry *e, struct content *content)
{
	try_as(apply_entry(x, e, content), "%s", e->name);
	return NULL;
}

error *extract_finish(struct extract *x, struct extract_result *out)
{
	try(tree_finish(&x->tree));
	x->result.needs_parent = x->tree.asked_lowers;
	x->result.lost_xattrs = x->losses.xattrs;
	x->result.lost_owners = x->losses.owners;
	*out = x->result;
	return NULL;
}
