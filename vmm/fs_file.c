/* The contents of files. */
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "vmm/fs.h"

/* What of open(2)'s flags has a meaning on this side: appending and O_SYNC come with each write,
 * O_DIRECT is about the guest's own cache. */
enum { FLAGS = O_ACCMODE | O_TRUNC | O_NOATIME };

struct fs_path fs_path(int fd)
{
	struct fs_path path;

	snprintf(path.text, sizeof(path.text), "%d", fd);
	return path;
}

/* Only what does nothing when it is opened: not devices, whose drivers do, nor FIFOs, on which one
 * waits. A node's type cannot change while it is held. */
int fs_reopen(struct fs *fs, struct fs_node *n, int flags)
{
	int held = fs_node_fd(&fs->nodes, n);

	if (held < 0)
		return held;
	if (!S_ISREG(n->type) && !S_ISDIR(n->type))
		return S_ISLNK(n->type) ? -ELOOP : -EPERM;
	flags |= O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
	int fd = open(fs_path(held).text, flags);
	if (fd < 0 && (errno == EMFILE || errno == ENFILE) && fs_nodes_close_some(&fs->nodes)) {
		held = fs_node_fd(&fs->nodes, n);
		fd = held < 0 ? -1 : open(fs_path(held).text, flags);
	}
	return fd < 0 ? -errno : fd;
}

/* As a write by somebody without CAP_FSETID does, which we have. */
void fs_drop_suid(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0 || !(st.st_mode & (S_ISUID | S_ISGID)))
		return;
	mode_t kept = st.st_mode & 07777 & ~(mode_t)S_ISUID;
	if (st.st_mode & S_IXGRP)
		kept &= ~(mode_t)S_ISGID;
	if (kept != (st.st_mode & 07777))
		(void)fchmod(fd, kept);
}

/* The guest's cache of the contents stays good if nobody has changed the file since it was opened
 * last. */
static uint32_t cache_flags(struct fs_node *n, const struct statx *stx)
{
	int64_t mtime = fs_nanoseconds(&stx->stx_mtime);
	int64_t ctime = fs_nanoseconds(&stx->stx_ctime);
	bool same = n->mtime == mtime && n->ctime == ctime && n->size == stx->stx_size;

	n->mtime = mtime;
	n->ctime = ctime;
	n->size = stx->stx_size;
	return same ? FOPEN_KEEP_CACHE : 0;
}

int fs_open_node(struct fs *fs, struct fs_node *n, uint32_t flags, uint32_t open_flags,
		 struct fuse_open_out *out)
{
	struct statx stx;

	*out = (struct fuse_open_out){ 0 };
	if (S_ISDIR(n->type))
		return EISDIR;
	auto_fd int fd = fs_reopen(fs, n, (int)flags & FLAGS & ~O_TRUNC);
	if (fd < 0)
		return -fd;
	if (flags & O_TRUNC && open_flags & FUSE_OPEN_KILL_SUIDGID)
		fs_drop_suid(fd);
	if (flags & O_TRUNC && (flags & O_ACCMODE) != O_RDONLY && ftruncate(fd, 0) < 0)
		return errno;
	if (fs_statx(fd, "", &stx) == 0) {
		fs_node_changed(&fs->nodes, n, &stx);
		out->open_flags = cache_flags(n, &stx);
	}
	return fs_handle_new(&fs->handles, take_fd(&fd), &out->fh);
}

int fs_open(struct fs *fs, struct fs_request *r)
{
	const struct fuse_open_in *in = r->args;

	r->len = sizeof(struct fuse_open_out);
	return fs_open_node(fs, r->node, in->flags, in->open_flags, r->reply);
}

int fs_release(struct fs *fs, struct fs_request *r)
{
	const struct fuse_release_in *in = r->args;

	fs_handle_close(&fs->handles, in->fh);
	return 0;
}

/* Straight into the guest's pages, and out of them: the kernel looks at them once. */
int fs_read(struct fs *fs, struct fs_request *r)
{
	static struct iovec parts[VIRTQ_MAX];
	const struct fuse_read_in *in = r->args;
	const struct fs_handle *h = fs_handle_find(&fs->handles, in->fh);

	if (!h)
		return EBADF;
	if (in->offset > INT64_MAX)
		return EINVAL;
	unsigned n = chain_slice(r->chain->iov + r->chain->n_out, r->chain->n_in,
				 sizeof(struct fuse_out_header), in->size, parts);
	ssize_t len = preadv(h->fd, parts, (int)n, (off_t)in->offset);
	if (len < 0)
		return errno;
	r->in_place = true;
	r->len = (size_t)len;
	fs->counts->bytes_to_guest += r->len;
	return 0;
}

static ssize_t write_parts(int fd, const struct iovec *parts, unsigned n, uint64_t offset,
			   int flags)
{
	return syscall(SYS_pwritev2, fd, parts, n, offset, 0, flags);
}

int fs_write(struct fs *fs, struct fs_request *r)
{
	static struct iovec parts[VIRTQ_MAX];
	const struct fuse_write_in *in = r->args;
	struct fuse_write_out *out = r->reply;
	const size_t head = sizeof(struct fuse_in_header) + sizeof(*in);
	const struct fs_handle *h = fs_handle_find(&fs->handles, in->fh);

	if (!h)
		return EBADF;
	if (in->offset > INT64_MAX || in->size != r->chain->out_len - head)
		return EINVAL;
	if (in->write_flags & FUSE_WRITE_KILL_SUIDGID)
		fs_drop_suid(h->fd);
	unsigned n = chain_slice(r->chain->iov, r->chain->n_out, head, in->size, parts);
	/* what the guest's cache writes back has its place already */
	bool append = in->flags & O_APPEND && !(in->write_flags & FUSE_WRITE_CACHE);
	ssize_t len = write_parts(h->fd, parts, n, in->offset, append ? RWF_APPEND : 0);
	if (len < 0)
		return errno;
	*out = (struct fuse_write_out){ .size = (uint32_t)len };
	r->len = sizeof(*out);
	fs->counts->bytes_from_guest += (uint64_t)len;
	return 0;
}

int fs_fsync(struct fs *fs, struct fs_request *r)
{
	const struct fuse_fsync_in *in = r->args;
	const struct fs_handle *h = fs_handle_find(&fs->handles, in->fh);

	if (!h)
		return EBADF;
	int failed = in->fsync_flags & FUSE_FSYNC_FDATASYNC ? fdatasync(h->fd) : fsync(h->fd);
	return failed < 0 ? errno : 0;
}

int fs_fallocate(struct fs *fs, struct fs_request *r)
{
	enum { KNOWN = FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE };
	const struct fuse_fallocate_in *in = r->args;
	const struct fs_handle *h = fs_handle_find(&fs->handles, in->fh);

	if (!h)
		return EBADF;
	if (in->mode & ~(uint32_t)KNOWN)
		return EOPNOTSUPP;
	if (in->offset > INT64_MAX || in->length > INT64_MAX)
		return EINVAL;
	if (fallocate(h->fd, (int)in->mode, (off_t)in->offset, (off_t)in->length) < 0)
		return errno;
	return 0;
}

int fs_lseek(struct fs *fs, struct fs_request *r)
{
	const struct fuse_lseek_in *in = r->args;
	struct fuse_lseek_out *out = r->reply;
	const struct fs_handle *h = fs_handle_find(&fs->handles, in->fh);

	if (!h)
		return EBADF;
	if (in->offset > INT64_MAX || (in->whence != SEEK_DATA && in->whence != SEEK_HOLE))
		return EINVAL;
	off_t found = lseek(h->fd, (off_t)in->offset, (int)in->whence);
	if (found < 0)
		return errno;
	*out = (struct fuse_lseek_out){ .offset = (uint64_t)found };
	r->len = sizeof(*out);
	return 0;
}

int fs_copy_file_range(struct fs *fs, struct fs_request *r)
{
	const struct fuse_copy_file_range_in *in = r->args;
	struct fuse_write_out *out = r->reply;
	const struct fs_handle *from = fs_handle_find(&fs->handles, in->fh_in);
	const struct fs_handle *to = fs_handle_find(&fs->handles, in->fh_out);

	if (!from || !to)
		return EBADF;
	if (in->off_in > INT64_MAX || in->off_out > INT64_MAX || in->flags)
		return EINVAL;
	off_t at = (off_t)in->off_in;
	off_t into = (off_t)in->off_out;
	/* the answer has 32 bits */
	size_t len = in->len < INT32_MAX ? in->len : INT32_MAX & ~0xfffU;
	ssize_t copied = copy_file_range(from->fd, &at, to->fd, &into, len, 0);
	if (copied < 0)
		return errno;
	*out = (struct fuse_write_out){ .size = (uint32_t)copied };
	r->len = sizeof(*out);
	return 0;
}
