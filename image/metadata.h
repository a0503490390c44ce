/* Owner, mode, xattrs and times of what was made, and which xattrs an archive may set. */
#pragma once

#include <stdbool.h>
#include <sys/stat.h>

#include "image/tar.h"

struct metadata_policy {
	bool trusted_xattrs; /* trusted.* too */
	bool single_id;      /* there is one owner only: others are kept as user.skiff.owner */
	bool rootless;       /* the kernel may refuse some xattrs: a warning */
};

/* Counts of what could not be kept, for one warning at the end. */
struct metadata_losses {
	unsigned long xattrs, owners;
};

/* May the archive set it? Not what overlayfs, this program or the host's own labels are made of. */
bool metadata_takes_xattr(const char *name, const struct metadata_policy *policy);

/* To an open file or folder, whose inherited ACL goes first if has_inherited_acl. The time of a
 * folder is not set. */
must_use error *metadata_set(int fd, const struct entry *e, const struct metadata_policy *policy,
			     bool has_inherited_acl, struct metadata_losses *losses);
/* To a link, device or fifo. */
must_use error *metadata_set_at(int dir, const char *name, const struct entry *e,
				const struct metadata_policy *policy,
				struct metadata_losses *losses);
/* Owner, mode and xattrs of one folder to another, but for overlayfs' own. Not the time. */
must_use error *metadata_copy_folder(int from, int to);
/* Calls back for each xattr of an open file (O_PATH does too) that is not overlayfs' or our own. */
must_use error *metadata_each_xattr(int fd, error *(*take)(void *context, const struct xattr *x),
				    void *context);
