#include "image/whiteout.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/text.h"
#include "image/remove.h"

bool whiteout_is(const char *leaf)
{
	return text_starts(leaf, WHITEOUT_PREFIX);
}

/* --- overlay form: written down for overlayfs --- */

static error *hide_by_overlay(struct tree *t, int dir, const char *name)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno != ENOENT)
			return error_errno("look at %s", name);
		if (mknodat(dir, name, S_IFCHR, makedev(0, 0)) < 0)
			return error_errno("make a whiteout for %s", name);
		return NULL;
	}
	if (!S_ISDIR(st.st_mode))
		return NULL; /* this layer has something of that name, which hides what is below
				anyhow */
	auto_fd int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return error_errno("open %s", name);
	return overlay_set_opaque(fd, t->userxattr);
}

/* --- flat form: what older layers left is removed, what this layer made stays. "Whiteout files
 * hide resources of the lower layers only" (layer.md), wherever in the layer they stand. --- */

static error *prune_folder(struct tree *t, int parent, const char *name, bool *kept);

static error *prune(struct tree *t, int dir, const char *name, unsigned char type, bool *kept)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? NULL : error_errno("look at %s", name);
	bool made = inodes_get(&t->made, st.st_ino, NULL);
	if (S_ISDIR(st.st_mode) || type == DT_DIR) {
		bool kept_below = false;
		try(prune_folder(t, dir, name, &kept_below));
		made |= kept_below;
	}
	*kept |= made;
	if (!made && unlinkat(dir, name, S_ISDIR(st.st_mode) ? AT_REMOVEDIR : 0) < 0)
		return error_errno("remove %s", name);
	return NULL;
}

static error *prune_content(struct tree *t, int fd, bool *kept)
{
	DIR *listing = fdopendir(fd);
	error *e = NULL;

	if (!listing) {
		close(fd);
		return error_errno("read a folder");
	}
	for (struct dirent *entry; !e && (entry = readdir(listing));)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			e = prune(t, dirfd(listing), entry->d_name, entry->d_type, kept);
	closedir(listing);
	return e;
}

static error *prune_folder(struct tree *t, int parent, const char *name, bool *kept)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return error_errno("open %s", name);
	return prune_content(t, fd, kept);
}

static error *hide_flat(struct tree *t, int dir, const char *name)
{
	bool kept = false;

	return prune(t, dir, name, DT_UNKNOWN, &kept);
}

static error *empty_flat(struct tree *t, int dir)
{
	bool kept = false;
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? error_errno("open a folder") : prune_content(t, fd, &kept);
}

static error *apply_opaque(struct tree *t, int dir, bool at_root, bool *opaque_root)
{
	if (t->form == FORM_FLAT)
		return empty_flat(t, dir);
	if (!at_root)
		return overlay_set_opaque(dir, t->userxattr);
	*opaque_root = true; /* overlayfs does not look at the roots of layers */
	return NULL;
}

error *whiteout_apply(struct tree *t, int dir, const char *leaf, bool at_root, bool *opaque_root)
{
	const char *hidden = leaf + strlen(WHITEOUT_PREFIX);

	if (strcmp(leaf, WHITEOUT_OPAQUE) != 0) {
		if (text_starts(hidden, WHITEOUT_PREFIX))
			return NULL; /* notes that aufs kept for itself: nothing to hide */
		/* ".wh.." would remove the folder, ".wh..." the one above it */
		if (!*hidden || strcmp(hidden, ".") == 0 || strcmp(hidden, "..") == 0)
			return error_said(EINVAL, "a whiteout for '%s'", hidden);
	}
	if (t->is_bottom) {
		t->asked_lowers = true; /* above another layer it would mean something */
		return NULL;
	}
	if (strcmp(leaf, WHITEOUT_OPAQUE) == 0)
		return apply_opaque(t, dir, at_root, opaque_root);
	return t->form == FORM_FLAT ? hide_flat(t, dir, hidden) : hide_by_overlay(t, dir, hidden);
}
