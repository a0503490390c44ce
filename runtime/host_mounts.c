/* HOST: opens the root and the sources of mounts as detached trees, before the container has a
 * mount namespace: what the host's root may reach, the container's need not. */
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/kernel.h"
#include "base/process.h"
#include "base/text.h"
#include "cgroup.h"
#include "runtime/steps.h"
#include "runtime/vm.h"

/* A user namespace that exists only to carry id mappings to mount_setattr(2). */
static error *namespace_of_maps(const char *uid_map, const char *gid_map, int *out)
{
	struct clone_args args = { .flags = CLONE_NEWUSER, .exit_signal = SIGCHLD };
	char path[48];
	int status;
	error *e;

	fflush(NULL);
	pid_t pid = sys_clone3(&args);
	if (pid < 0)
		return error_errno("make a user namespace");
	if (pid == 0)
		for (;;)
			pause();
	snprintf(path, sizeof(path), "/proc/%d/uid_map", pid);
	e = file_write(AT_FDCWD, path, uid_map);
	snprintf(path, sizeof(path), "/proc/%d/gid_map", pid);
	if (!e)
		e = file_write(AT_FDCWD, path, gid_map);
	snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
	*out = e ? -1 : open(path, O_RDONLY | O_CLOEXEC);
	if (!e && *out < 0)
		e = error_errno("open %s", path);
	kill(pid, SIGKILL);
	auto_error error *ignored = process_wait(pid, &status);
	return e;
}

/* "uids=0-1000-10#10-2000-5": container id, host id, size. */
static error *parse_maps(const char *text, const char *key, char *out, size_t size)
{
	const char *at = strstr(text, key);
	size_t used = 0;

	out[0] = '\0';
	if (!at)
		return NULL;
	for (at += strlen(key); *at && *at != ';'; at += *at == '#') {
		unsigned inside;
		unsigned outside;
		unsigned count;
		int n = 0;
		at += *at == '@';
		if (sscanf(at, "%u-%u-%u%n", &inside, &outside, &count, &n) != 3)
			return error_said(EINVAL, "idmap: want uids=A-B-SIZE#...;gids=...");
		at += n;
		int len = snprintf(out + used, size - used, "%u %u %u\n", inside, outside, count);
		used += len > 0 && (size_t)len < size - used ? (size_t)len : 0;
	}
	return NULL;
}

static void print_maps(const struct spec_id_map *maps, size_t n, char *out, size_t size)
{
	size_t used = 0;

	for (size_t i = 0; i < n && used < size; i++)
		used += (size_t)snprintf(out + used, size - used, "%u %u %u\n",
					 maps[i].container_id, maps[i].host_id, maps[i].size);
}

static error *open_idmap(const struct life *l, const struct mount_row *row, int *out)
{
	char uids[2048] = "";
	char gids[2048] = "";
	const struct spec_linux *x = (l->vm ? l->vm->asked : l->spec)->linux_;

	for (size_t i = 0; i < row->spec->options.n; i++)
		if (text_starts(row->spec->options.v[i], "idmap=")) {
			try(parse_maps(row->spec->options.v[i], "uids=", uids, sizeof(uids)));
			try(parse_maps(row->spec->options.v[i], "gids=", gids, sizeof(gids)));
		}
	if (row->spec->uid_mappings.n) {
		print_maps(row->spec->uid_mappings.v, row->spec->uid_mappings.n, uids,
			   sizeof(uids));
		print_maps(row->spec->gid_mappings.v, row->spec->gid_mappings.n, gids,
			   sizeof(gids));
	}
	if (!uids[0] && !gids[0]) { /* a plain "idmap": as the container */
		print_maps(x->uid_mappings.v, x->uid_mappings.n, uids, sizeof(uids));
		print_maps(x->gid_mappings.v, x->gid_mappings.n, gids, sizeof(gids));
	}
	if (!uids[0] || !gids[0])
		return error_said(EINVAL, "idmap: there are no mappings for it");
	return namespace_of_maps(uids, gids, out);
}

static error *apply_idmap(const struct life *l, struct mount_row *row)
{
	auto_fd int users = -1;
	unsigned flags = AT_EMPTY_PATH | (row->flags & MOUNT_IDMAP_RECURSIVE ? AT_RECURSIVE : 0);

	try(open_idmap(l, row, &users));
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)users };
	if (sys_mount_setattr(row->fd, "", flags, &attr) < 0)
		return error_errno("map the ids of the mount (its file system may not be able to)");
	return NULL;
}

static error *open_bind(const struct life *l, struct mount_row *row)
{
	struct stat st;
	unsigned flags = OPEN_TREE_CLONE | (row->flags & MOUNT_RECURSIVE ? AT_RECURSIVE : 0) |
			 (row->flags & MOUNT_SOURCE_NOFOLLOW ? AT_SYMLINK_NOFOLLOW : 0);

	if (row->flags & MOUNT_COPY_SYMLINK && lstat(row->source, &st) == 0 && S_ISLNK(st.st_mode))
		return NULL;
	row->fd = sys_open_tree(AT_FDCWD, row->source, flags);
	if (row->fd < 0 && (errno == EPERM || errno == EINVAL) && !(row->flags & MOUNT_IDMAP))
		return NULL; /* without the right to: the container's process will try with its own
			      */
	if (row->fd < 0)
		return error_errno("open %s", row->source);
	return row->flags & MOUNT_IDMAP ? apply_idmap(l, row) : NULL;
}

/* Without a cgroup namespace the container sees its own cgroup and no other. */
static void open_cgroup(const struct life *l, struct mount_row *row)
{
	if (spec_namespace(l->spec, NS_CGROUP) || !l->cgroup)
		return;
	row->fd = sys_open_tree(cgroup_fd(l->cgroup), "", AT_EMPTY_PATH | OPEN_TREE_CLONE);
	/* no namespace marks its top: who may write there may lift the limits (CVE-2023-25809) */
	row->attr_set |= MOUNT_ATTR_RDONLY;
}

static error *open_root(struct life *l)
{
	struct stat st;

	if (stat(l->rootfs, &st) < 0)
		return error_errno(".root.path: %s", l->rootfs);
	if (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode))
		return error_said(ENOTDIR,
				  ".root.path: %s is no folder; with --sandbox it may be an image "
				  "of a file system",
				  l->rootfs);
	if (!S_ISDIR(st.st_mode))
		return error_new(ENOTDIR, ".root.path: %s", l->rootfs);
	l->fd[FD_ROOT] = sys_open_tree(AT_FDCWD, l->rootfs, OPEN_TREE_CLONE | AT_RECURSIVE);
	if (l->fd[FD_ROOT] < 0 && errno != EPERM)
		return error_errno(".root.path: open %s", l->rootfs);
	return NULL;
}

error *host_open_sources(struct life *l)
{
	if (!l->vm || !l->vm->root_image)
		try(open_root(l));
	if (l->fd[FD_ROOT] >= 0 && l->spec->linux_->masked_paths.n)
		l->fd[FD_NULL] = sys_open_tree(AT_FDCWD, "/dev/null", OPEN_TREE_CLONE);
	for (size_t i = 0; i < l->mounts.n; i++) {
		struct mount_row *row = &l->mounts.v[i];
		if (row->op == MOUNT_BIND)
			try_as(open_bind(l, row), "mounts[%zu] (%s)", row->index, row->target);
		else if (row->op == MOUNT_CGROUP)
			open_cgroup(l, row);
		else if (row->flags & MOUNT_IDMAP)
			return error_said(EINVAL, "mounts[%zu] (%s): idmap is for bind mounts",
					  row->index, row->target);
	}
	return NULL;
}
