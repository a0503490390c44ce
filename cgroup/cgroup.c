#include "cgroup.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/kernel.h"
#include "base/log.h"
#include "base/path.h"
#include "cgroup/devices.h"
#include "cgroup/hierarchy.h"
#include "cgroup/limits.h"

/* Below the top by descriptor only: a path from a state file or from --cgroup cannot lead out. */
static error *open_below(int dir, const char *path, int *out)
{
	int fd = sys_openat2(dir, path, O_PATH | O_DIRECTORY | O_CLOEXEC, 0,
			     RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);

	if (fd < 0)
		return error_errno("open cgroup %s", path);
	*out = fd;
	return NULL;
}

/* Takes path. Not yet opened. */
static error *cgroup_new(char *path, struct cgroup **out)
{
	auto_cgroup struct cgroup *c = calloc(1, sizeof(*c));

	if (!c) {
		free(path);
		return error_new(ENOMEM, "cgroup");
	}
	c->path = path;
	c->dir = c->mount = -1;
	try(hierarchy_open(&c->mount, NULL));
	*out = take_ptr(&c);
	return NULL;
}

void cgroup_free(struct cgroup *c)
{
	if (!c)
		return;
	fd_at_end(&c->dir);
	fd_at_end(&c->mount);
	free(c->path);
	free(c);
}

int cgroup_fd(const struct cgroup *c)
{
	return c ? c->dir : -1;
}

const char *cgroup_path(const struct cgroup *c)
{
	return c ? c->path : NULL;
}

error *cgroup_open(const char *path, struct cgroup **out)
{
	auto_cgroup struct cgroup *c = NULL;
	char *copy;

	if (!path) {
		*out = NULL;
		return NULL;
	}
	if (path[0] != '/')
		return error_said(EINVAL, "cgroup %s: want a path from the top", path);
	copy = strdup(path);
	if (!copy)
		return error_new(ENOMEM, "cgroup");
	try(cgroup_new(copy, &c));
	try(open_below(c->mount, hierarchy_below(c->path), &c->dir));
	*out = take_ptr(&c);
	return NULL;
}

error *cgroup_open_below(const struct cgroup *c, const char *sub, int *out)
{
	if (!c)
		return error_said(ENOENT, "the container has no cgroup");
	sub += sub ? strspn(sub, "/") : 0;
	if (!sub || !*sub)
		sub = ".";
	error *e = open_below(c->dir, sub, out);
	int code = e ? error_code(e) : 0;
	if (code != EXDEV && code != ELOOP)
		return e;
	error_free(e);
	return error_said(EINVAL, "cgroup %s: leads out of the container's cgroup", sub);
}

error *cgroup_enter(const struct cgroup *c, pid_t pid)
{
	char text[16];

	if (!c)
		return error_said(ENOENT, "the container has no cgroup");
	snprintf(text, sizeof(text), "%d", pid);
	try_as(file_write(c->dir, "cgroup.procs", text), "cgroup %s", c->path);
	return NULL;
}

/* --- create --- */

/* Removes what cgroup_create made, from the last folder up. One that others use by now stays. */
static void unmake(struct cgroup *c)
{
	for (; c->made; c->made--) {
		char *slash = strrchr(c->path, '/');
		if (unlinkat(c->mount, hierarchy_below(c->path), AT_REMOVEDIR) < 0 ||
		    slash == c->path)
			return;
		*slash = '\0';
	}
}

static error *make_folder(struct cgroup *c)
{
	const char *path = hierarchy_below(c->path);

	if (mkdirat(c->mount, path, 0755) == 0) {
		c->made = 1;
		return NULL;
	}
	if (errno != ENOENT)
		return error_errno("make cgroup %s", c->path);

	char *parts = strdupa(path);
	unsigned made = 0;
	for (char *slash = parts; (slash = strchr(slash, '/')); *slash++ = '/') {
		*slash = '\0';
		if (mkdirat(c->mount, parts, 0755) == 0)
			made++;
		else if (errno != EEXIST)
			return error_errno("make cgroup /%s", parts);
	}
	if (mkdirat(c->mount, path, 0755) < 0)
		return error_errno("make cgroup %s", c->path);
	c->made = made + 1;
	return NULL;
}

/* rmdir would tell whether a cgroup is in use, but one that the administrator has prepared must
 * stay as it is. */
static error *reuse(const struct cgroup *c)
{
	auto_free char *stat = NULL;
	uint64_t below = 0;

	try(file_read(c->dir, "cgroup.stat", 4096, &stat, NULL));
	if (cgroup_is_populated(c) || !key_number(stat, "nr_descendants", &below) || below)
		return error_said(EEXIST,
				  "cgroup %s exists and is in use (processes or cgroups are in it)",
				  c->path);
	/* or the first process would stop for ever before its first instruction */
	return cgroup_is_frozen(c) ? cgroup_freeze(c, false) : NULL;
}

static error *make(struct cgroup *c, const struct cgroup_request *r, const struct limits *limits)
{
	error *e = make_folder(c);

	if (e && error_code(e) != EEXIST)
		return e;
	error_free(e);
	try(open_below(c->mount, hierarchy_below(c->path), &c->dir));
	if (!c->made)
		try(reuse(c));
	/* parents that are new hand nothing on yet */
	try(controllers_enable(c, limits, c->made > 1));
	try(limits_write(c, limits, false));
	if (r->resources)
		try(devices_set(c, r->resources->devices.v, r->resources->devices.n, r->rootless,
				!c->made));
	return r->delegate ? cgroup_delegate(c, r->owner, r->owner_group) : NULL;
}

/* The JSON path of the first limit that cannot be kept without a cgroup, or NULL. */
static const char *first_need(const struct limits *limits)
{
	for (size_t i = 0; i < limits->n; i++)
		if (!limit_is_unlimited(&limits->v[i]))
			return limits->v[i].json;
	return NULL;
}

/* Errors that say: this user may not, or this place cannot. */
static bool is_refusal(int code)
{
	return code == EACCES || code == EPERM || code == EROFS || code == ENODEV;
}

/* Takes path. Nothing is left behind of what fails. */
static error *make_at(char *path, const struct cgroup_request *r, const struct limits *limits,
		      struct cgroup **out)
{
	auto_cgroup struct cgroup *c = NULL;

	try(cgroup_new(path, &c));
	error *e = make(c, r, limits);
	if (e) {
		unmake(c);
		return e;
	}
	*out = take_ptr(&c);
	return NULL;
}

error *cgroup_create(const struct cgroup_request *r, struct cgroup **out)
{
	auto_(limits_free) struct limits limits = { 0 };
	auto_free char *path = NULL;

	if (r->manager == CGROUP_SYSTEMD)
		return error_said(ENOTSUP,
				  "the systemd cgroup manager needs skiff-systemd, which is "
				  "not installed: use --cgroup-manager=cgroupfs");
	try(cgroup_path_for(r, &path));
	if (r->resources)
		try(limits_from(r->resources, NULL, &limits));
	if (r->manager == CGROUP_DISABLED) {
		if (first_need(&limits))
			log_warning("%s: this limit is not in force without a cgroup",
				    first_need(&limits));
		*out = NULL;
		return NULL;
	}
	error *e = path ? make_at(take_ptr(&path), r, &limits, out)
			: error_said(EACCES, "no cgroup is delegated to this user");
	if (!e || !r->rootless || !is_refusal(error_code(e)))
		return e;
	/* a user without a cgroup can still have a container, but not its limits */
	if (first_need(&limits))
		return error_wrap(e, "%s: needs a cgroup", first_need(&limits));
	log_debug("running without a cgroup: %s", error_message(e));
	error_free(e);
	*out = NULL;
	return NULL;
}

/* --- remove, delegate --- */

/* Removes the cgroups right below dir. False: *busy names one that cannot be removed (yet). */
static bool remove_children(int dir, char busy[NAME_MAX + 1], bool *found)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	bool clear = true;

	*found = false;
	if (!d) {
		fd_at_end(&fd);
		return true;
	}
	for (const struct dirent *e; clear && (e = readdir(d));) {
		if (e->d_type != DT_DIR || strcmp(e->d_name, ".") == 0 ||
		    strcmp(e->d_name, "..") == 0)
			continue;
		*found = true;
		if (unlinkat(dir, e->d_name, AT_REMOVEDIR) < 0 && errno != ENOENT) {
			snprintf(busy, NAME_MAX + 1, "%s", e->d_name);
			clear = false;
		}
	}
	closedir(d);
	return clear;
}

/* Bottom up, until nothing is left or one is met that holds processes. A container may have nested
 * its cgroups as deep as it liked: hence one descriptor that goes up by "..", and no recursion. */
static void remove_below(int top)
{
	auto_fd int dir = openat(top, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	bool arrived = false;

	for (size_t depth = 0; dir >= 0;) {
		char busy[NAME_MAX + 1];
		bool found;
		bool clear = remove_children(dir, busy, &found);
		if (clear && (depth == 0 || (arrived && !found)))
			return;
		int next = openat(dir, clear ? ".." : busy, O_PATH | O_DIRECTORY | O_CLOEXEC);
		close(dir);
		dir = next;
		arrived = !clear;
		depth += clear ? -1UL : 1;
	}
}

error *cgroup_remove(const struct cgroup *c)
{
	enum { PATIENCE_MS = 10000, NAP_MS = 20 };

	for (int left = PATIENCE_MS; c; left -= NAP_MS) {
		if (unlinkat(c->mount, hierarchy_below(c->path), AT_REMOVEDIR) == 0 ||
		    errno == ENOENT)
			return NULL;
		if (errno != EBUSY)
			return error_errno("remove cgroup %s", c->path);
		if (left <= 0 || !events_wait(c, "populated", 0, left))
			return error_said(EBUSY, "remove cgroup %s: processes are left in it",
					  c->path);
		remove_below(c->dir);
		/* the last process has let go of it in the eyes of cgroup.events, but perhaps not
		 * yet in those of rmdir */
		if (left < PATIENCE_MS)
			usleep(NAP_MS * 1000);
	}
	return NULL;
}

error *cgroup_delegate(const struct cgroup *c, uid_t owner, gid_t group)
{
	/* what kernels before 4.15, which have no such list, let a delegate write */
	static const char usual[] = "cgroup.procs\ncgroup.subtree_control\ncgroup.threads\n";
	auto_free char *list = NULL;
	char *rest = NULL;

	if (!c)
		return NULL;
	auto_error error *e =
		file_read(AT_FDCWD, "/sys/kernel/cgroup/delegate", 65536, &list, NULL);
	if (e)
		list = strdup(usual);
	if (!list)
		return error_new(ENOMEM, "cgroup");
	if (fchownat(c->dir, "", owner, group, AT_EMPTY_PATH) < 0)
		return error_errno("cgroup %s: change its owner", c->path);
	for (char *name = strtok_r(list, "\n", &rest); name; name = strtok_r(NULL, "\n", &rest))
		if (fchownat(c->dir, name, owner, group, AT_SYMLINK_NOFOLLOW) < 0 &&
		    errno != ENOENT)
			return error_errno("cgroup %s: change the owner of %s", c->path, name);
	return NULL;
}
