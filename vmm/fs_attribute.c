/* What a file is like: its attributes, plain and extended, and those of its file system. */
#include <fcntl.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "vmm/fs.h"

/* A device's number in 32 bits, as the kernel has it. */
static uint32_t device_number(uint32_t major, uint32_t minor)
{
	return (minor & 0xff) | major << 8 | (minor & ~0xffU) << 12;
}

/* The guest sees one file system; a file's number must tell it from those on others of the host's.
 * (Mounts of their own, FUSE_SUBMOUNTS, would do, but Linux has no ACLs on those.) The container's
 * root, the first that is seen below the folder, has its numbers as they are. */
uint64_t fs_number(struct fs *fs, uint32_t major, uint32_t minor, uint64_t ino)
{
	const struct fs_identity *root = &fs->nodes.slots[FUSE_ROOT_ID].node->id;
	size_t i = 0;

	if (major == root->major && minor == root->minor)
		return ino ^ (uint64_t)FS_DEVICES_MAX << 48;
	while (i < fs->n_devices &&
	       (fs->devices[i].major != major || fs->devices[i].minor != minor))
		i++;
	if (i == fs->n_devices && i < FS_DEVICES_MAX - 1)
		fs->devices[fs->n_devices++] = (struct fs_device){ major, minor };
	return ino ^ (uint64_t)i << 48;
}

void fs_fill_attr(struct fs *fs, const struct statx *stx, struct fuse_attr *out)
{
	*out = (struct fuse_attr){
		.ino = fs_number(fs, stx->stx_dev_major, stx->stx_dev_minor, stx->stx_ino),
		.size = stx->stx_size,
		.blocks = stx->stx_blocks,
		.atime = (uint64_t)stx->stx_atime.tv_sec,
		.mtime = (uint64_t)stx->stx_mtime.tv_sec,
		.ctime = (uint64_t)stx->stx_ctime.tv_sec,
		.atimensec = stx->stx_atime.tv_nsec,
		.mtimensec = stx->stx_mtime.tv_nsec,
		.ctimensec = stx->stx_ctime.tv_nsec,
		.mode = stx->stx_mode,
		.nlink = stx->stx_nlink,
		.uid = stx->stx_uid,
		.gid = stx->stx_gid,
		.rdev = device_number(stx->stx_rdev_major, stx->stx_rdev_minor),
		.blksize = stx->stx_blksize,
	};
}

void fs_fill_entry(struct fs *fs, const struct fs_node *n, const struct statx *stx,
		   struct fuse_entry_out *out)
{
	*out = (struct fuse_entry_out){ .nodeid = fs_node_id(n),
					.entry_valid = FS_VALID_SECONDS,
					.attr_valid = FS_VALID_SECONDS };
	fs_fill_attr(fs, stx, &out->attr);
}

static int answer_attr(struct fs *fs, struct fs_request *r, const struct statx *stx)
{
	struct fuse_attr_out *out = r->reply;

	*out = (struct fuse_attr_out){ .attr_valid = FS_VALID_SECONDS };
	fs_fill_attr(fs, stx, &out->attr);
	r->len = sizeof(*out);
	return 0;
}

int fs_getattr(struct fs *fs, struct fs_request *r)
{
	const struct fuse_getattr_in *in = r->args;
	struct statx stx;
	const struct fs_handle *h =
		in->getattr_flags & FUSE_GETATTR_FH ? fs_handle_find(&fs->handles, in->fh) : NULL;
	int failed = h ? fs_statx(h->fd, "", &stx) : fs_node_stat(&fs->nodes, r->node, &stx);

	return failed ? failed : answer_attr(fs, r, &stx);
}

/* --- changes --- */

static int set_mode(int fd, const struct fuse_setattr_in *in)
{
	return fchmodat(AT_FDCWD, fs_path(fd).text, in->mode & 07777, 0) < 0 ? errno : 0;
}

static int set_owner(int fd, const struct fuse_setattr_in *in)
{
	uid_t uid = in->valid & FATTR_UID ? in->uid : (uid_t)-1;
	gid_t gid = in->valid & FATTR_GID ? in->gid : (gid_t)-1;

	return fchownat(fd, "", uid, gid, AT_EMPTY_PATH) < 0 ? errno : 0;
}

static struct timespec time_of(uint32_t valid, uint32_t set, uint32_t now, uint64_t seconds,
			       uint32_t nanoseconds)
{
	if (valid & now)
		return (struct timespec){ .tv_nsec = UTIME_NOW };
	if (valid & set)
		return (struct timespec){ .tv_sec = (time_t)seconds,
					  .tv_nsec = nanoseconds < 1000000000 ? nanoseconds : 0 };
	return (struct timespec){ .tv_nsec = UTIME_OMIT };
}

static int set_times(int fd, const struct fuse_setattr_in *in)
{
	const struct timespec times[] = {
		time_of(in->valid, FATTR_ATIME, FATTR_ATIME_NOW, in->atime, in->atimensec),
		time_of(in->valid, FATTR_MTIME, FATTR_MTIME_NOW, in->mtime, in->mtimensec),
	};

	return utimensat(fd, "", times, AT_EMPTY_PATH) < 0 ? errno : 0;
}

static int set_size(struct fs *fs, struct fs_node *n, const struct fuse_setattr_in *in)
{
	const struct fs_handle *h =
		in->valid & FATTR_FH ? fs_handle_find(&fs->handles, in->fh) : NULL;
	auto_fd int opened = h ? -1 : fs_reopen(fs, n, O_WRONLY);
	int fd = h ? h->fd : opened;

	if (fd < 0)
		return -fd;
	if (in->size > INT64_MAX)
		return EINVAL;
	if (in->valid & FATTR_KILL_SUIDGID)
		fs_drop_suid(fd);
	return ftruncate(fd, (off_t)in->size) < 0 ? errno : 0;
}

int fs_setattr(struct fs *fs, struct fs_request *r)
{
	const struct fuse_setattr_in *in = r->args;
	struct statx stx;
	int fd = fs_node_fd(&fs->nodes, r->node);
	int failed = fd < 0 ? -fd : 0;

	if (!failed && in->valid & (FATTR_UID | FATTR_GID))
		failed = set_owner(fd, in);
	if (!failed && in->valid & FATTR_MODE)
		failed = set_mode(fd, in);
	if (!failed && in->valid & FATTR_SIZE)
		failed = set_size(fs, r->node, in);
	if (!failed && in->valid & (FATTR_ATIME | FATTR_MTIME | FATTR_ATIME_NOW | FATTR_MTIME_NOW))
		failed = set_times(fd, in);
	if (!failed)
		failed = fs_statx(fd, "", &stx);
	if (failed)
		return failed;
	fs_node_changed(&fs->nodes, r->node, &stx);
	return answer_attr(fs, r, &stx);
}

/* --- extended attributes --- */

int fs_setxattr(struct fs *fs, struct fs_request *r)
{
	const struct fuse_setxattr_in *in = r->args;
	struct statx stx;
	int fd = fs_node_fd(&fs->nodes, r->node);

	if (fd < 0)
		return -fd;
	if (r->data_len != in->size)
		return EINVAL;
	if (setxattr(fs_path(fd).text, r->names[0], r->data, in->size, (int)in->flags) < 0)
		return errno;
	if (fs_statx(fd, "", &stx) == 0)
		fs_node_changed(&fs->nodes, r->node, &stx);
	return 0;
}

int fs_removexattr(struct fs *fs, struct fs_request *r)
{
	int fd = fs_node_fd(&fs->nodes, r->node);

	if (fd < 0)
		return -fd;
	return removexattr(fs_path(fd).text, r->names[0]) < 0 ? errno : 0;
}

/* A guest that asks with size 0 wants to know how much it would be. */
static int answer_value(struct fs_request *r, uint32_t size, ssize_t len)
{
	if (len < 0)
		return errno;
	if (size) {
		r->len = (size_t)len;
		return 0;
	}
	struct fuse_getxattr_out *out = r->reply;
	*out = (struct fuse_getxattr_out){ .size = (uint32_t)len };
	r->len = sizeof(*out);
	return 0;
}

static size_t value_room(const struct fs_request *r, uint32_t size)
{
	return size < r->room ? size : r->room;
}

int fs_getxattr(struct fs *fs, struct fs_request *r)
{
	const struct fuse_getxattr_in *in = r->args;
	int fd = fs_node_fd(&fs->nodes, r->node);

	if (fd < 0)
		return -fd;
	return answer_value(r, in->size,
			    getxattr(fs_path(fd).text, r->names[0], in->size ? r->reply : NULL,
				     value_room(r, in->size)));
}

int fs_listxattr(struct fs *fs, struct fs_request *r)
{
	const struct fuse_getxattr_in *in = r->args;
	int fd = fs_node_fd(&fs->nodes, r->node);

	if (fd < 0)
		return -fd;
	return answer_value(
		r, in->size,
		listxattr(fs_path(fd).text, in->size ? r->reply : NULL, value_room(r, in->size)));
}

/* --- the file system --- */

int fs_statfs(struct fs *fs, struct fs_request *r)
{
	struct fuse_statfs_out *out = r->reply;
	struct statfs s;
	int fd = fs_node_fd(&fs->nodes, r->node);

	if (fd < 0)
		return -fd;
	if (fstatfs(fd, &s) < 0)
		return errno;
	*out = (struct fuse_statfs_out){ .st = { .blocks = s.f_blocks,
						 .bfree = s.f_bfree,
						 .bavail = s.f_bavail,
						 .files = s.f_files,
						 .ffree = s.f_ffree,
						 .bsize = (uint32_t)s.f_bsize,
						 .namelen = (uint32_t)s.f_namelen,
						 .frsize = (uint32_t)s.f_frsize } };
	r->len = sizeof(*out);
	return 0;
}

int fs_syncfs(struct fs *fs, struct fs_request *r)
{
	auto_fd int fd = fs_reopen(fs, r->node, O_RDONLY);

	if (fd < 0)
		return -fd;
	return syncfs(fd) < 0 ? errno : 0;
}
