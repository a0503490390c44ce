/* Between the files of the second stage that build the file systems. */
#pragma once

#include "runtime/life.h"

/* init_mounts.c: a detached mount of a new file system; its attributes beyond attr_set are left to
 * mount_set_attributes. */
must_use error *mount_new_fs(const struct mount_row *row, int *out);
must_use error *mount_set_attributes(const struct mount_row *row, int mount);

/* init_devices.c: nodes and links in the folder dev, or in the root's /dev when it is -1. */
must_use error *devices_make(struct life *l, int dev);

/* init_copyup.c: copies what is in the folder `from` (O_PATH) into the folder `to`: types, modes,
 * owners, links, times and extended attributes. */
must_use error *copy_up(int from, int to);
