/* What config.json says about file systems, as rows to be carried out in order. Made without root
 * and before any process is started; all text lies in the arena. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "spec.h"

enum mount_op {
	MOUNT_FS,      /* a new file system of `type` */
	MOUNT_BIND,    /* a tree of the host */
	MOUNT_CHANGE,  /* other attributes for a mount that is there ("remount") */
	MOUNT_CGROUP,  /* the container's cgroup2 */
	MOUNT_DEVICES, /* the device nodes and links in /dev */
};

enum mount_flag {
	MOUNT_RECURSIVE = 1 << 0, /* rbind */
	MOUNT_COPY_UP = 1 << 1,   /* tmpcopyup: begin with what the target holds */
	MOUNT_SOURCE_NOFOLLOW = 1 << 2,
	MOUNT_TARGET_NOFOLLOW = 1 << 3,
	MOUNT_COPY_SYMLINK =
		1 << 4, /* a source that is a link becomes the same link in the container */
	MOUNT_IDMAP = 1 << 5,
	MOUNT_IDMAP_RECURSIVE = 1 << 6,
	MOUNT_KERNEL_FS = 1 << 7,     /* proc, sysfs: the target must not be a link */
	MOUNT_TARGET_LINKED = 1 << 9, /* the target may be a link to nothing: it is made there */
	MOUNT_OLD_API = 1 << 8,       /* needs mount(2): i_version, options beyond 255 bytes */
};

struct mount_row {
	enum mount_op op;
	uint32_t flags; /* enum mount_flag */
	char *source;
	char *target;
	char *type;
	struct texts data;             /* options of the file system, "key=value" or "key" */
	uint64_t attr_set, attr_clear; /* MOUNT_ATTR_* of the mount */
	uint64_t tree_attr_set, tree_attr_clear; /* the same for all mounts below it too */
	uint64_t propagation;                    /* MS_SHARED ..., 0: leave */
	bool tree_propagation;
	uint32_t super_flags;          /* MS_SYNCHRONOUS ...: of the file system */
	const struct spec_mount *spec; /* the row of config.json, or NULL */
	size_t index;                  /* its place there */
	int fd;                        /* the source, once it is open; else -1 */
	int idmap_fd;                  /* a user namespace with its mappings, or -1 */
};

struct mount_rows {
	struct mount_row *v;
	size_t n;
};

struct mounts_facts {
	const char *bundle;      /* relative sources begin here */
	const char *cgroup_root; /* where cgroup2 is mounted on the host, or NULL */
	const char *notify;      /* a folder of the host to mount last, or NULL */
	const char *notify_target;
	const char *names; /* a folder with hosts, resolv.conf and hostname for /etc, or NULL */
};

/* The rows in order: config.json's mounts with the devices where /dev comes, or behind. */
must_use error *mounts_plan(const struct spec *spec, const struct mounts_facts *facts,
			    struct arena *arena, struct mount_rows *out);
/* A file system that becomes the root: the layers of an image. */
static inline bool mount_is_root(const struct mount_row *row)
{
	return row->op == MOUNT_FS && row->target[0] == '/' && !row->target[1];
}
/* Every option word, for `features` and the man page: calls visit with each. */
void mounts_each_option(void (*visit)(const char *word, void *context), void *context);
