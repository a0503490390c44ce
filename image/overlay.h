/* Layers shown as one folder. */
#pragma once

#include "base/rows.h"

/* lowers: absolute folders, topmost first. upper and work NULL: to be read only. nosuid and nodev
 * are not set: a bundle's runtime decides. */
must_use error *overlay_mount(const struct texts *lowers, const char *upper, const char *work,
			      bool userxattr, const char *target);
void overlay_unmount(const char *target);
