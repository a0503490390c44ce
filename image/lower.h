/* The layers below one that is being unpacked, as overlayfs would show them together. */
#pragma once

#include <stdbool.h>
#include <sys/stat.h>

#include "base/error.h"

/* A folder of that view: the same folder in each layer that has it, topmost first. */
struct lower_dir {
	int *fds;
	size_t n;
};

/* Something in it. For a folder `below` holds it in all layers; for anything else dir is the folder
 * of the layer that has it. */
struct lower_object {
	bool exists;
	struct stat st;
	int dir; /* borrowed from the lower_dir */
	struct lower_dir below;
};

/* user.overlay.opaque or trusted.overlay.opaque is set on a folder. */
bool overlay_is_opaque(int dir, bool userxattr);
must_use error *overlay_set_opaque(int dir, bool userxattr);
bool overlay_is_whiteout(const struct stat *st);

must_use error *lower_lookup(const struct lower_dir *dir, const char *name, bool userxattr,
			     struct lower_object *out);
/* Opens a regular file for reading as a process whose root is `roots` would: links are followed
 * inside that view only. ENOENT when it is not there; anything but a file is an error. */
must_use error *lower_open_file(const struct lower_dir *roots, const char *path, bool userxattr,
				int *out);
/* The same for a folder, in all layers that have it; close with lower_dir_close. */
must_use error *lower_open_folder(const struct lower_dir *roots, const char *path, bool userxattr,
				  struct lower_dir *out);
/* Closes the descriptors of dir. */
void lower_dir_close(struct lower_dir *dir);
void lower_object_close(struct lower_object *object);
