/* Where an entry of an archive goes: names are taken apart, parents are opened inside the root and
 * nowhere else, folders that the archive left out are made. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "image/inodes.h"
#include "image/lower.h"

enum { PLACE_PATH_MAX = 32 << 10, PLACE_DEPTH_MAX = 1024, PLACE_NAME_MAX = 255 };

/* What a layer becomes. */
enum place_form {
	FORM_FLAT,    /* all layers in one folder: whiteouts remove */
	FORM_OVERLAY, /* a folder for each layer: whiteouts are written down as overlayfs wants them
		       */
};

/* The folders of the layers below, topmost first, once they are complete. Only asked when a layer
 * needs them; then the layer is fit for this parent only. Borrowed descriptors. */
struct lowers {
	error *(*get)(struct lowers *self, const struct lower_dir **out);
};

/* A folder whose time is set when nothing is put into it any more. */
struct dir_time {
	char *path;
	uint64_t ino;
	struct timespec mtime;
};

struct tree {
	int root;
	enum place_form form;
	bool userxattr;
	bool is_bottom; /* there are no layers below */
	struct lowers *lowers;
	bool asked_lowers; /* so the result depends on what is below */

	char *parent_path; /* the folder that was used last */
	int parent;        /* its descriptor, or -1 */
	bool parent_has_default_acl;

	struct inodes made; /* FORM_FLAT: objects that this layer put there */
	bool wants_made;
	struct inodes dirs; /* inode -> index in times */
	struct dir_time *times;
	size_t n_times, times_capacity;
};

/* "/a//./b/" -> "a/b"; the root is "". Refused: "..", names beyond 255 bytes, more than 1,024
 * parts. out has room for strlen(name) + 1 bytes. */
must_use error *place_normalize(const char *name, char *out);

/* Opens the folder `path` (normalized), following links inside the root, and makes what is missing:
 * like the folder of that name in the layers below, else 0755 and owned by root. The descriptor is
 * borrowed and lives until the next call. */
must_use error *tree_folder(struct tree *t, const char *path, int *out);
/* The same for a second folder at a time: the caller owns the descriptor. With lower (may be NULL)
 * also what the layers below have in this place. */
must_use error *tree_folder_apart(struct tree *t, const char *path, int *out,
				  struct lower_dir *lower);
/* fd, which is taken, is the folder of that path from now on: saves opening it again. */
must_use error *tree_entered(struct tree *t, const char *path, int fd);
/* Something was removed or is a link now: what was opened by path may be elsewhere. */
void tree_forget(struct tree *t);
must_use error *tree_note_time(struct tree *t, const char *path, uint64_t ino,
			       struct timespec mtime);
/* A folder into which something is put keeps its time, unless its own entry says another. */
must_use error *tree_note_folder(struct tree *t, const char *path, int fd);
/* Sets the times of folders. */
must_use error *tree_finish(struct tree *t);
void tree_release(struct tree *t);
