/* Overlay mounts of any number of layers. A mount(2) takes a page of options and fsconfig(2) 255
 * bytes at a time, which the paths of a few dozen layers fill: what is too long is named by its
 * descriptor.
 *
 * options: "key=value" or "key", as overlayfs has them; in "lowerdir=A:B" a backslash stands before
 * a colon that belongs to a name. */
#pragma once

#include <stdint.h>

#include "base/error.h"

/* A detached mount. *out is -1 on a kernel that does not take layers one by one (before Linux 6.8):
 * overlay_mount_on remains. attributes: MOUNT_ATTR_*. */
must_use error *overlay_new(char *const *options, size_t n, uint64_t attributes, int *out);
/* Mounts on the folder target by mount(2), for older kernels; *out is the new mount's root. flags:
 * MS_RDONLY and the like. */
must_use error *overlay_mount_on(char *const *options, size_t n, unsigned long flags, int target,
				 int *out);

/* Takes the next one of "A:B" off *rest, backslashes removed, in place; NULL at the end. */
char *overlay_next_layer(char **rest);
/* The layers as one text, "lowerdir=A:B" ready for options; malloc()ed, NULL: no memory. */
char *overlay_layers(char *const *layers, size_t n);

/* The root of the mount that lies on the folder target, which a descriptor cannot reach by itself
 * once it is covered. */
must_use error *mounted_on(int target, int *out);
