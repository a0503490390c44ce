/* Whiteouts: names that say "this is gone" instead of naming a file (image-spec, layer.md). */
#pragma once

#include "image/place.h"

#define WHITEOUT_PREFIX ".wh."
#define WHITEOUT_OPAQUE ".wh..wh..opq"
enum { WHITEOUT_NAME_MAX = 4 + 256 };

/* The last part of an entry's name is one. */
bool whiteout_is(const char *leaf);
/* Applies it in the folder dir; at_root: dir is the root itself. *opaque_root is set when
 * everything below the root is hidden. */
must_use error *whiteout_apply(struct tree *t, int dir, const char *leaf, bool at_root,
			       bool *opaque_root);
