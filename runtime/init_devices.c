/* INIT: /dev. It is filled through the descriptor of the tmpfs that was just made for it, so that
 * no name in the root file system can lead elsewhere (CVE-2026-41579). */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/kernel.h"
#include "base/path.h"
#include "runtime/init_mounts.h"
#include "runtime/steps.h"

struct device {
	const char *path; /* below /dev when it is one of the defaults */
	mode_t type;
	mode_t mode;
	unsigned major, minor;
	uid_t uid;
	gid_t gid;
};

/* "In addition to any devices configured with this setting, the runtime MUST also supply:" */
static const struct device defaults[] = {
	{ "null", S_IFCHR, 0666, 1, 3, 0, 0 },    { "zero", S_IFCHR, 0666, 1, 5, 0, 0 },
	{ "full", S_IFCHR, 0666, 1, 7, 0, 0 },    { "random", S_IFCHR, 0666, 1, 8, 0, 0 },
	{ "urandom", S_IFCHR, 0666, 1, 9, 0, 0 }, { "tty", S_IFCHR, 0666, 5, 0, 0, 0 },
};

static const struct {
	const char *name, *target;
} links[] = {
	{ "fd", "/proc/self/fd" },       { "stdin", "/proc/self/fd/0" },
	{ "stdout", "/proc/self/fd/1" }, { "stderr", "/proc/self/fd/2" },
	{ "ptmx", "pts/ptmx" },
};

/* In a user namespace device nodes cannot be made: the host's is mounted. */
static error *bind_device(const struct device *d, int parent, const char *name)
{
	auto_free char *host = d->path[0] == '/' ? strdup(d->path) : path_join("/dev", d->path);
	auto_fd int tree = host ? sys_open_tree(AT_FDCWD, host, OPEN_TREE_CLONE) : -1;
	struct stat st;

	if (tree < 0 || fstat(tree, &st) < 0)
		return error_errno("open the host's %s", host ? host : d->path);
	if ((st.st_mode & S_IFMT) != d->type ||
	    (d->type != S_IFIFO && st.st_rdev != makedev(d->major, d->minor)))
		return error_new(0, "the host's %s is another device", host);
	auto_fd int place = openat(parent, name, O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (place < 0)
		return errno == EEXIST ? NULL : error_errno("make %s", d->path);
	if (sys_move_mount(tree, "", parent, name, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return error_errno("mount the host's %s", host);
	return NULL;
}

static error *make_node(const struct life *l, const struct device *d, int parent, const char *name)
{
	if (spec_namespace(l->spec, NS_USER) && d->type != S_IFIFO)
		return bind_device(d, parent, name);
	if (mknodat(parent, name, d->type | d->mode, makedev(d->major, d->minor)) < 0) {
		if (errno == EPERM)
			return bind_device(d, parent, name);
		return errno == EEXIST ? NULL : error_errno("make the node %s", d->path);
	}
	if ((d->uid || d->gid) && fchownat(parent, name, d->uid, d->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return error_errno("change the owner of %s", d->path);
	return NULL;
}

/* A device of config.json: its path begins with /dev nearly always, but need not. */
static error *make_asked(struct life *l, int dev, const struct spec_device *asked)
{
	struct device d = { .path = asked->path,
			    .type = (mode_t)asked->type.value,
			    .mode = asked->file_mode.set ? asked->file_mode.value : 0666,
			    .major = (unsigned)asked->major,
			    .minor = (unsigned)asked->minor,
			    .uid = asked->uid.value,
			    .gid = asked->gid.value };
	auto_free char *clean = path_clean(asked->path);
	auto_fd int parent = -1;
	const char *name;

	if (!clean)
		return error_new(ENOMEM, "%s", asked->path);
	if (strncmp(clean, "/dev/", 5) == 0)
		try(root_ensure_parent(dev, clean + 5, &parent, &name));
	else
		try(root_ensure_parent(l->fd[FD_ROOT], clean, &parent, &name));
	return make_node(l, &d, parent, name);
}

error *devices_make(struct life *l, int dev)
{
	auto_fd int opened = -1;
	mode_t mask = umask(0);
	error *e = NULL;

	if (dev < 0) {
		e = root_ensure(l->fd[FD_ROOT], "/dev", false, &opened);
		dev = opened;
	}
	for (size_t i = 0; !e && i < l->spec->linux_->devices.n; i++)
		e = make_asked(l, dev, &l->spec->linux_->devices.v[i]);
	for (size_t i = 0; !e && i < COUNT(defaults); i++)
		e = make_node(l, &defaults[i], dev, defaults[i].path);
	for (size_t i = 0; !e && i < COUNT(links); i++)
		if (symlinkat(links[i].target, dev, links[i].name) < 0 && errno != EEXIST)
			e = error_errno("make the link %s", links[i].name);
	if (!e && access("/proc/kcore", F_OK) == 0 && symlinkat("/proc/kcore", dev, "core") < 0 &&
	    errno != EEXIST)
		e = error_errno("make the link core");
	umask(mask);
	return e;
}
