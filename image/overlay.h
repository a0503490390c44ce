/* Layers shown as one folder. */
#pragma once

#include "base/rows.h"

/* lowers: absolute folders, topmost first; at least two. To be read only. nosuid and nodev are not
 * set: who mounts decides what is done there. */
must_use error *image_show(const struct texts *lowers, bool userxattr, const char *target);
