#include "cgroup/hierarchy.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/statfs.h>

#include "base/fd.h"
#include "base/path.h"

/* Where the distributions mount it: alone, or beside version 1 ("hybrid"). */
static const char *const usual_places[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };

enum { MOUNTINFO_MAX = 64 << 20 };

const char *hierarchy_below(const char *path)
{
	return path[1] ? path + 1 : ".";
}

bool has_word(const char *list, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = list; (at = strstr(at, word)); at += len)
		if ((at == list || strchr(" ,\n", at[-1])) && strchr(" ,\n", at[len]))
			return true;
	return false;
}

bool key_number(const char *text, const char *key, uint64_t *out)
{
	size_t len = strlen(key);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, len) == 0 && line[len] == ' ') {
			char number[24] = "";
			size_t digits = strcspn(line + len + 1, "\n");
			if (digits >= sizeof(number))
				return false;
			memcpy(number, line + len + 1, digits);
			return text_to_u64(number, out);
		}
	}
	return false;
}

static int open_cgroup2(const char *path)
{
	struct statfs fs;
	auto_fd int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fstatfs(fd, &fs) < 0 || fs.f_type != CGROUP2_SUPER_MAGIC)
		return -1;
	return take_fd(&fd);
}

/* In mountinfo, blanks and the like in a path stand as three octal digits. */
static void unescape(char *path)
{
	char *to = path;

	for (const char *at = path; *at; to++) {
		if (at[0] == '\\' && at[1] >= '0' && at[1] <= '3' && at[2] && at[3]) {
			*to = (char)((at[1] - '0') << 6 | (at[2] - '0') << 3 | (at[3] - '0'));
			at += 4;
		} else {
			*to = *at++;
		}
	}
	*to = '\0';
}

/* The mount point of the first mount of that file system type, whose options hold the word unless
 * that is NULL. Fields as in proc_pid_mountinfo(5). */
static char *find_mount(const char *type, const char *option)
{
	auto_free char *info = NULL;
	char *rest = NULL;
	auto_error error *e =
		file_read(AT_FDCWD, "/proc/self/mountinfo", MOUNTINFO_MAX, &info, NULL);

	for (char *line = e ? NULL : strtok_r(info, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest)) {
		char *tail = strstr(line, " - ");
		char point[4096];
		char found[32];
		int options = 0;
		if (!tail || sscanf(tail, " - %31s %*s %n", found, &options) < 1 || !options ||
		    strcmp(found, type) != 0 || (option && !has_word(tail + options, option)))
			continue;
		if (sscanf(line, "%*s %*s %*s %*s %4095s", point) == 1) {
			unescape(point);
			return strdup(point);
		}
	}
	return NULL;
}

error *hierarchy_open(int *mount, char **path)
{
	auto_free char *found = NULL;
	auto_fd int fd = -1;

	for (size_t i = 0; i < COUNT(usual_places) && fd < 0; i++) {
		fd = open_cgroup2(usual_places[i]);
		if (fd >= 0 && path && !(found = strdup(usual_places[i])))
			return error_new(ENOMEM, "cgroup");
	}
	if (fd < 0) {
		found = find_mount("cgroup2", NULL);
		fd = found ? open_cgroup2(found) : -1;
	}
	if (fd < 0)
		return error_said(ENODEV, "no cgroup2 file system is mounted: mount one at "
					  "/sys/fs/cgroup, or use --cgroup-manager=disabled");
	if (path)
		*path = take_ptr(&found);
	*mount = take_fd(&fd);
	return NULL;
}

error *cgroup_mount_path(char **out)
{
	auto_fd int mount = -1;

	return hierarchy_open(&mount, out);
}

static error *controllers_read(int mount, char **out)
{
	return file_read(mount, "cgroup.controllers", 4096, out, NULL);
}

error *cgroup_controllers(struct strings *out)
{
	__attribute__((cleanup(strings_free))) struct strings list = { 0 };
	auto_free char *text = NULL;
	auto_fd int mount = -1;
	char *rest = NULL;
	auto_error error *e = hierarchy_open(&mount, NULL);

	if (!e) {
		try_as(controllers_read(mount, &text), "cgroup");
		for (char *name = strtok_r(text, " \n", &rest); name;
		     name = strtok_r(NULL, " \n", &rest))
			try(strings_add(&list, name));
	}
	*out = list;
	list = (struct strings){ 0 };
	return NULL;
}

bool cgroup_has_controller(const char *name)
{
	auto_free char *text = NULL;
	auto_fd int mount = -1;
	auto_error error *none = hierarchy_open(&mount, NULL);
	auto_error error *unread = none ? NULL : controllers_read(mount, &text);

	return !none && !unread && has_word(text, name);
}

char *hierarchy_why_missing(const char *controller)
{
	const char *v1_name = strcmp(controller, "io") == 0 ? "blkio" : controller;
	auto_free char *held = find_mount("cgroup", v1_name);
	char *text = NULL;
	int n;

	if (held)
		n = asprintf(&text,
			     "the %s controller is not available in cgroup v2 here: cgroup v1 "
			     "holds it (mounted at %s); boot with cgroup_no_v1=all or "
			     "systemd.unified_cgroup_hierarchy=1",
			     controller, held);
	else
		n = asprintf(&text,
			     "the %s controller is not available in cgroup v2 here: the kernel "
			     "lacks it, was booted with cgroup_disable=%s, or did not delegate it",
			     controller, controller);
	return n < 0 ? NULL : text;
}

error *cgroup_of(pid_t pid, char **out)
{
	auto_free char *text = NULL;
	char file[32] = "/proc/self/cgroup";

	if (pid)
		snprintf(file, sizeof(file), "/proc/%d/cgroup", pid);
	try(file_read(AT_FDCWD, file, 1 << 20, &text, NULL));
	for (char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, "0::/", 4) != 0)
			continue;
		*out = strndup(line + 3, strcspn(line + 3, "\n"));
		return *out ? NULL : error_new(ENOMEM, "cgroup");
	}
	return error_said(ENODEV, "%s: no cgroup of version 2", file);
}

/* --- where a container's cgroup belongs --- */

static bool has_dots(const char *path)
{
	for (const char *at = path; (at = strstr(at, "..")); at += 2)
		if ((at == path || at[-1] == '/') && (at[2] == '\0' || at[2] == '/'))
			return true;
	return false;
}

/* parent "/" name, clean. */
static error *join(const char *parent, const char *name, char **out)
{
	auto_free char *joined = NULL;

	if (asprintf(&joined, "%s/%s", parent, name) < 0 || !(*out = path_clean(joined)))
		return error_new(ENOMEM, "cgroup");
	return NULL;
}

/* Everybody may look, only whom it is delegated to may make a folder and move processes there. */
static bool is_writable(int mount, const char *path)
{
	auto_free char *procs = NULL;
	const char *below = hierarchy_below(path);

	return asprintf(&procs, "%s/cgroup.procs", below) >= 0 &&
	       faccessat(mount, below, W_OK | X_OK, AT_EACCESS) == 0 &&
	       faccessat(mount, procs, W_OK, AT_EACCESS) == 0;
}

/* The parent comes first because the caller's own cgroup holds the caller, and one that holds
 * processes cannot distribute controllers. */
static error *rootless_path(const char *own, const char *parent, const char *id, char **out)
{
	auto_free char *name = NULL;
	auto_fd int mount = -1;
	auto_error error *e = hierarchy_open(&mount, NULL);

	if (asprintf(&name, "skiff-%s", id) < 0)
		return error_new(ENOMEM, "cgroup");
	if (!e && is_writable(mount, parent))
		return join(parent, name, out);
	if (!e && is_writable(mount, own))
		return join(own, name, out);
	*out = NULL;
	return NULL;
}

static error *path_is_one(const struct cgroup_request *r, const char *wanted)
{
	const char *name = wanted ? wanted : r->id;

	if (has_dots(name))
		return error_said(EINVAL, ".linux.cgroupsPath: '%s' must not hold '..'", name);
	if (!name[strspn(name, "/.")])
		return error_said(EINVAL, ".linux.cgroupsPath: '%s' names no cgroup of its own",
				  name);
	return NULL;
}

/* From our own cgroup: below its parent, or, for a user who gave no path, wherever he may. */
static error *path_from_own(const struct cgroup_request *r, const char *wanted, char **out)
{
	auto_free char *own = NULL;
	auto_free char *parent = NULL;
	auto_error error *e = cgroup_of(0, &own);

	if (e && !r->rootless)
		return take_ptr(&e);
	if (e) {
		*out = NULL;
		return NULL;
	}
	parent = strndup(own, (size_t)(strrchr(own, '/') - own));
	if (!parent)
		return error_new(ENOMEM, "cgroup");
	return wanted ? join(parent, wanted, out)
		      : rootless_path(own, parent[0] ? parent : "/", r->id, out);
}

error *cgroup_path_for(const struct cgroup_request *r, char **out)
{
	const char *wanted = r->path && r->path[0] ? r->path : NULL;

	if (r->manager == CGROUP_DISABLED) {
		*out = NULL;
		return NULL;
	}
	try(path_is_one(r, wanted));
	if (wanted && wanted[0] == '/')
		return join("", wanted, out);
	if (!wanted && !r->rootless)
		return join("/skiff", r->id, out);
	return path_from_own(r, wanted, out);
}
