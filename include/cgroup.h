/* The container's cgroup, version 2 only: made, limited, entered, frozen, signalled, measured and
 * removed. The hierarchy is used wherever it is mounted: alone at /sys/fs/cgroup, or beside version
 * 1 controllers ("hybrid"), where it may have few controllers or none. Texts from the kernel:
 * Documentation/admin-guide/cgroup-v2.rst.
 *
 * A container may have no cgroup at all (CGROUP_DISABLED, or a user to whom none is delegated): its
 * struct cgroup is NULL, which every function below takes: there is nothing to limit, freeze or
 * remove; what cannot be done without one is an error.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/text.h"
#include "spec.h"

struct cgroup;

enum cgroup_manager {
	CGROUP_FS,       /* skiff makes the folder itself */
	CGROUP_SYSTEMD,  /* systemd is asked for a scope: the work of skiff-systemd */
	CGROUP_DISABLED, /* no cgroup, and so neither limits nor device rules */
};

struct cgroup_request {
	enum cgroup_manager manager;
	const char *path; /* linux.cgroupsPath, or NULL */
	const char *id;   /* the container's */
	bool rootless;    /* the caller is not root on the host: see cgroup_create */
	const struct spec_resources *resources; /* NULL: no limits, every device */
	bool delegate;                          /* give it to owner, see cgroup_delegate */
	uid_t owner;                            /* the container's root as the host sees it */
	gid_t owner_group;
};

/* --- cgroup.c: the folder, from mkdir to rmdir --- */

/* Makes the container's cgroup and everything that the request says: the parents that are missing,
 * the controllers that the limits need, the limits, the device rules, the owner. A failure leaves
 * nothing behind.
 *
 * Where it is: an absolute path is taken from the top of the hierarchy, a relative one from the
 * parent of the caller's own cgroup (the caller's own holds processes and so cannot distribute
 * controllers); without a path it is /skiff/ID, or, rootless, skiff-ID in the first that is
 * writable of the parent of the caller's own cgroup and the caller's own. When a rootless caller
 * may have none: *out is NULL, or, if there are limits to keep, EACCES (EPERM, EROFS, ENODEV).
 * EEXIST when the cgroup exists and has processes or cgroups in it; an empty one is used as it is.
 * ENODEV when no cgroup2 hierarchy is mounted. ENOTSUP for CGROUP_SYSTEMD, and for a limit that
 * version 2 does not have here. */
must_use error *cgroup_create(const struct cgroup_request *request, struct cgroup **out);
/* The path, from the top of the hierarchy, that cgroup_create would use; *out is NULL for none.
 * malloc()ed. EINVAL for a path with "..". */
must_use error *cgroup_path_for(const struct cgroup_request *request, char **out);
/* Opens one that exists by cgroup_path(). ENOENT when it is gone. path NULL gives NULL. */
must_use error *cgroup_open(const char *path, struct cgroup **out);
void cgroup_free(struct cgroup *c);

/* The O_PATH descriptor of the folder, good for CLONE_INTO_CGROUP; -1 for NULL. Belongs to c. */
int cgroup_fd(const struct cgroup *c);
/* "/skiff/ID": what state.json keeps; NULL for NULL. Belongs to c. */
const char *cgroup_path(const struct cgroup *c);
/* Opens (O_PATH) a cgroup below c for `exec --cgroup`; it must exist; ".." and links are refused
 * (EINVAL). sub NULL, "" or "/": c itself. */
must_use error *cgroup_open_below(const struct cgroup *c, const char *sub, int *out);
/* Moves a process (0: the caller): for kernels and places without CLONE_INTO_CGROUP. */
must_use error *cgroup_enter(const struct cgroup *c, pid_t pid);

/* Stops or continues every process, and waits until the kernel says so. A freeze that takes more
 * than 10 s (a process in uninterruptible sleep) is taken back: ETIMEDOUT. */
must_use error *cgroup_freeze(const struct cgroup *c, bool frozen);
bool cgroup_is_frozen(const struct cgroup *c);
/* Whether any process is left in it or below. */
bool cgroup_is_populated(const struct cgroup *c);
/* To every process in it and below. None there is fine. */
must_use error *cgroup_signal(const struct cgroup *c, int signal);
/* The processes in it and below, ascending. The caller frees *pids. */
must_use error *cgroup_pids(const struct cgroup *c, pid_t **pids, size_t *n);
/* Removes it and all cgroups below. Waits up to 10 s for processes that are dying; kills none:
 * EBUSY when some live on. One that is missing is fine. Leaves the parents. */
must_use error *cgroup_remove(const struct cgroup *c);

/* Lets a user make cgroups below it and move its own processes there: chown of the folder and of
 * the files that /sys/kernel/cgroup/delegate names. */
must_use error *cgroup_delegate(const struct cgroup *c, uid_t owner, gid_t group);

/* The cgroup that a process is in, as cgroup_path() would say it; *out is malloc()ed. For exec into
 * a container whose init has moved its processes below (cgroups with children that use controllers
 * take no process themselves: EBUSY): open that of init instead. */
must_use error *cgroup_of(pid_t pid, char **out);
/* The folder where the hierarchy is mounted; *out is malloc()ed. ENODEV for none. */
must_use error *cgroup_mount_path(char **out);
/* The names of the controllers that version 2 has here ("cpu", "memory", ...): for `features` and
 * `info`. Empty without a hierarchy. */
must_use error *cgroup_controllers(struct strings *out);
bool cgroup_has_controller(const char *name);

/* --- limits.c: one row per limit --- */

/* Writes the limits that are set and leaves the others: at creation and for `update`. All or
 * nothing: when one cannot be written, those before it get their old values back. The error names
 * the JSON path from .linux.resources on. ENOTSUP when version 2 does not have the limit or its
 * controller here. With memory.checkBeforeUpdate, EBUSY when the memory in use is more than the new
 * limit. Does not look at devices. */
must_use error *cgroup_set_limits(const struct cgroup *c, const struct spec_resources *resources);

/* --- devices.c: device rules as an eBPF program --- */

/* Puts the rules in force, in place of those before, at once. Rules are tried in order, the last
 * match wins, what none matches is denied; the devices that every container has (null, zero, full,
 * random, urandom, tty, console, ptmx, pts) and mknod follow after the last rule. No rules: nothing
 * is done, every device is allowed. With rootless a kernel that refuses is fine: no user namespace
 * can make or open device nodes of its own making anyhow. */
must_use error *cgroup_set_devices(const struct cgroup *c, const struct spec_device_rule *rules,
				   size_t n, bool rootless);

/* --- stats.c: what `events` reports --- */

/* Writes the members "cpu", "memory", "pids", "blkio", "cpuset" and "hugetlb" of `data`, as far as
 * the kernel has the figures, in the schema of runc's `events`, into the object that is open in
 * `to`. Times are nanoseconds, sizes bytes. */
must_use error *cgroup_stats(const struct cgroup *c, struct json *to);
/* How many processes the OOM killer has killed here so far; 0 without the memory controller. */
must_use error *cgroup_oom_kills(const struct cgroup *c, uint64_t *out);
/* Opens "memory.events" or "cgroup.events" to be told of changes from now on: poll() reports
 * POLLPRI (and POLLERR) after each change, until the file is read again from its start (pread).
 * ENOENT when there is no such file, as memory.events without the controller. */
must_use error *cgroup_watch(const struct cgroup *c, const char *file, int *out);

DEFINE_AUTO(struct cgroup *, cgroup_free)
#define auto_cgroup auto_(cgroup_free)
