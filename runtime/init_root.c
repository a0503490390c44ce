/* INIT: the root file system becomes "/". */
#include <fcntl.h>
#include <sys/stat.h>

#include "base/kernel.h"
#include "runtime/steps.h"

static uint64_t propagation(const struct life *l)
{
	return l->spec->linux_->rootfs_propagation.set
		       ? (uint64_t)l->spec->linux_->rootfs_propagation.value
		       : MS_SLAVE;
}

/* The root's clone is a peer of the host's mount: what is mounted inside must not appear there. */
static error *cut_off(int tree, uint64_t how)
{
	struct mount_attr attr = { .propagation = how };

	if (sys_mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr) < 0)
		return error_errno("cut the root off the host's mounts");
	return NULL;
}

error *init_attach_root(struct life *l)
{
	int *root = &l->fd[FD_ROOT];

	/* "shared" and "unbindable" are meant for the container's root; towards the host it is a
	 * slave */
	uint64_t outward = propagation(l) == MS_PRIVATE ? MS_PRIVATE : MS_SLAVE;
	if (sys_mount(NULL, "/", NULL, MS_REC | outward, NULL) < 0)
		return error_errno("cut the mounts off the host's");
	if (*root < 0)
		*root = sys_open_tree(AT_FDCWD, l->rootfs, OPEN_TREE_CLONE | AT_RECURSIVE);
	if (*root < 0)
		return error_errno("open the root file system %s", l->rootfs);
	try(cut_off(*root, outward));
	/* hooks look for the root at its path on the host; where that cannot be reached with the
	 * user namespace's rights, any place serves */
	if (sys_move_mount(*root, "", AT_FDCWD, l->rootfs,
			   MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_SYMLINKS) == 0)
		return NULL;
	if (errno == EACCES &&
	    sys_move_mount(*root, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) == 0)
		return NULL;
	return error_errno("attach the root file system at %s", l->rootfs);
}

/* For a host whose root is the initial ramfs, which cannot be left by pivot_root(2). */
static error *move_to_root(void)
{
	/* what the host has mounted stays reachable below: take its most telling parts away */
	static const char *const telling[] = { "/proc", "/sys" };

	for (size_t i = 0; i < COUNT(telling); i++)
		if (sys_umount2(telling[i], MNT_DETACH) < 0 && errno != EINVAL && errno != ENOENT)
			return error_errno("unmount the host's %s", telling[i]);
	if (sys_mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0)
		return error_errno("move to the root directory");
	return NULL;
}

/* From here on nothing in this process may point at the host: a working directory such as
 * /proc/self/fd/7 would lead there (CVE-2024-21626). */
static void close_host(struct life *l)
{
	static const enum life_fd telling[] = { FD_ROOT, FD_NULL, FD_ARENA };

	for (size_t i = 0; i < COUNT(telling); i++) {
		if (l->fd[telling[i]] >= 0)
			close(l->fd[telling[i]]);
		l->fd[telling[i]] = -1;
	}
	for (size_t i = 0; i < l->mounts.n; i++) {
		if (l->mounts.v[i].fd >= 0)
			close(l->mounts.v[i].fd);
		if (l->mounts.v[i].idmap_fd >= 0)
			close(l->mounts.v[i].idmap_fd);
	}
	l->mounts.n = 0;
}

error *init_pivot(struct life *l)
{
	if (fchdir(l->fd[FD_ROOT]) < 0)
		return error_errno("enter the root file system");
	if (l->no_pivot) {
		try(move_to_root());
	} else {
		/* the old root is then on top of the new one, at the same place */
		if (sys_pivot_root(".", ".") < 0)
			return error_errno(
				"pivot_root%s",
				errno == EINVAL ? " (on an initial ramfs: use --no-pivot)" : "");
		if (sys_umount2(".", MNT_DETACH) < 0)
			return error_errno("unmount the host's root");
	}
	if (chdir("/") < 0)
		return error_errno("enter /");
	close_host(l);
	return NULL;
}

error *init_seal_root(struct life *l)
{
	struct mount_attr attr = { .attr_set = l->spec->root->readonly ? MOUNT_ATTR_RDONLY : 0 };
	uint64_t inward = propagation(l);

	if (inward == MS_SHARED || inward == MS_UNBINDABLE)
		attr.propagation = inward;
	if (!attr.attr_set && !attr.propagation)
		return NULL;
	if (sys_mount_setattr(AT_FDCWD, "/", 0, &attr) < 0)
		return error_errno("make / %s", attr.attr_set ? "read-only" : "propagate as asked");
	return NULL;
}
