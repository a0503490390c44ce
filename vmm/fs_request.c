/* The requests of <linux/fuse.h>: what each must look like is a row of one table, checked before
 * anything is done. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/fs.h"

enum {
	NODE = 1,      /* about a node that the guest knows */
	PAYLOAD = 2,   /* bytes of the guest's follow, which stay where they are */
	ATTRIBUTE = 4, /* the name is an attribute's, which leads nowhere */
};

struct fs_op {
	const char *name;
	fs_operation *serve;
	uint16_t args; /* bytes that come first */
	uint8_t names; /* and as many names behind them */
	uint8_t flags;
};

/* GETLK, SETLK, FLUSH, ACCESS, BMAP, IOCTL, POLL, DAX and what newer kernels know are not here: the
 * guest's kernel hears ENOSYS once and does those itself, or does without. So locks are the
 * guest's own. */
static const struct fs_op ops[] = {
	[FUSE_LOOKUP] = { "LOOKUP", fs_lookup, 0, 1, NODE },
	[FUSE_FORGET] = { "FORGET", fs_forget, sizeof(struct fuse_forget_in) },
	[FUSE_GETATTR] = { "GETATTR", fs_getattr, sizeof(struct fuse_getattr_in), 0, NODE },
	[FUSE_SETATTR] = { "SETATTR", fs_setattr, sizeof(struct fuse_setattr_in), 0, NODE },
	[FUSE_READLINK] = { "READLINK", fs_readlink, 0, 0, NODE },
	[FUSE_SYMLINK] = { "SYMLINK", fs_symlink, 0, 1, NODE },
	[FUSE_MKNOD] = { "MKNOD", fs_mknod, sizeof(struct fuse_mknod_in), 1, NODE },
	[FUSE_MKDIR] = { "MKDIR", fs_mkdir, sizeof(struct fuse_mkdir_in), 1, NODE },
	[FUSE_UNLINK] = { "UNLINK", fs_unlink, 0, 1, NODE },
	[FUSE_RMDIR] = { "RMDIR", fs_rmdir, 0, 1, NODE },
	[FUSE_RENAME] = { "RENAME", fs_rename, sizeof(struct fuse_rename_in), 2, NODE },
	[FUSE_LINK] = { "LINK", fs_link, sizeof(struct fuse_link_in), 1, NODE },
	[FUSE_OPEN] = { "OPEN", fs_open, sizeof(struct fuse_open_in), 0, NODE },
	[FUSE_READ] = { "READ", fs_read, sizeof(struct fuse_read_in) },
	[FUSE_WRITE] = { "WRITE", fs_write, sizeof(struct fuse_write_in), 0, PAYLOAD },
	[FUSE_STATFS] = { "STATFS", fs_statfs, 0, 0, NODE },
	[FUSE_RELEASE] = { "RELEASE", fs_release, sizeof(struct fuse_release_in) },
	[FUSE_FSYNC] = { "FSYNC", fs_fsync, sizeof(struct fuse_fsync_in) },
	[FUSE_SETXATTR] = { "SETXATTR", fs_setxattr, FUSE_COMPAT_SETXATTR_IN_SIZE, 1,
			    NODE | ATTRIBUTE },
	[FUSE_GETXATTR] = { "GETXATTR", fs_getxattr, sizeof(struct fuse_getxattr_in), 1,
			    NODE | ATTRIBUTE },
	[FUSE_LISTXATTR] = { "LISTXATTR", fs_listxattr, sizeof(struct fuse_getxattr_in), 0, NODE },
	[FUSE_REMOVEXATTR] = { "REMOVEXATTR", fs_removexattr, 0, 1, NODE | ATTRIBUTE },
	[FUSE_INIT] = { "INIT", fs_init, offsetof(struct fuse_init_in, flags2) },
	[FUSE_OPENDIR] = { "OPENDIR", fs_opendir, sizeof(struct fuse_open_in), 0, NODE },
	[FUSE_READDIR] = { "READDIR", fs_readdir, sizeof(struct fuse_read_in), 0, NODE },
	[FUSE_RELEASEDIR] = { "RELEASEDIR", fs_release, sizeof(struct fuse_release_in) },
	[FUSE_FSYNCDIR] = { "FSYNCDIR", fs_fsync, sizeof(struct fuse_fsync_in) },
	[FUSE_CREATE] = { "CREATE", fs_create, sizeof(struct fuse_create_in), 1, NODE },
	[FUSE_DESTROY] = { "DESTROY", fs_destroy },
	[FUSE_BATCH_FORGET] = { "BATCH_FORGET", fs_batch_forget,
				sizeof(struct fuse_batch_forget_in) },
	[FUSE_FALLOCATE] = { "FALLOCATE", fs_fallocate, sizeof(struct fuse_fallocate_in) },
	[FUSE_READDIRPLUS] = { "READDIRPLUS", fs_readdirplus, sizeof(struct fuse_read_in), 0,
			       NODE },
	[FUSE_RENAME2] = { "RENAME2", fs_rename2, sizeof(struct fuse_rename2_in), 2, NODE },
	[FUSE_LSEEK] = { "LSEEK", fs_lseek, sizeof(struct fuse_lseek_in) },
	[FUSE_COPY_FILE_RANGE] = { "COPY_FILE_RANGE", fs_copy_file_range,
				   sizeof(struct fuse_copy_file_range_in) },
	[FUSE_SYNCFS] = { "SYNCFS", fs_syncfs, sizeof(struct fuse_syncfs_in), 0, NODE },
	[FUSE_TMPFILE] = { "TMPFILE", fs_tmpfile, sizeof(struct fuse_create_in), 0, NODE },
};

/* What the guest's kernel never sends. */
static error *broken(const struct fs_request *r, const char *what)
{
	return error_said(EPROTO, "a request %s %s", r->op ? r->op->name : "of no kind", what);
}

/* A name of something in a folder: no way to anywhere else. */
static bool is_plain(const char *name)
{
	return *name && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && !strchr(name, '/');
}

/* The names and what follows them, out of len bytes at `at`. */
static error *take_names(struct fs_request *r, const char *at, size_t len)
{
	for (unsigned i = 0; i < r->op->names; i++) {
		const char *end = memchr(at, '\0', len);
		if (!end)
			return broken(r, "without a name");
		r->names[i] = at;
		len -= (size_t)(end + 1 - at);
		at = end + 1;
	}
	r->data = at;
	r->data_len = len;
	return NULL;
}

/* Whether the names lead to something in a folder: those of attributes need not, and a link's
 * target (behind the name) may be anything. */
static int check_names(const struct fs_request *r)
{
	if (r->op->flags & ATTRIBUTE)
		return strlen(r->names[0]) > FS_NAME_MAX ? ERANGE : 0;
	for (unsigned i = 0; i < r->op->names; i++) {
		if (!is_plain(r->names[i]))
			return EINVAL;
		if (strlen(r->names[i]) > FS_NAME_MAX)
			return ENAMETOOLONG;
	}
	return 0;
}

/* The guest's words are copied before they are looked at, since it can change them meanwhile. */
static error *take(struct fs *fs, const struct chain *c, uint8_t *copy, struct fs_request *r)
{
	size_t len = chain_read(c, 0, copy, sizeof(r->head));

	if (len < sizeof(r->head))
		return broken(r, "shorter than its head");
	memcpy(&r->head, copy, sizeof(r->head));
	if (r->head.len != c->out_len)
		return broken(r, "that is not as long as it says");
	if (r->head.opcode >= COUNT(ops) || !ops[r->head.opcode].serve)
		return NULL;
	r->op = &ops[r->head.opcode];
	size_t more = r->op->flags & PAYLOAD ? r->op->args : FS_BUFFER - sizeof(r->head);
	len = chain_read(c, sizeof(r->head), copy + sizeof(r->head), more);
	if (len < r->op->args)
		return broken(r, "that is too short");
	if (!(r->op->flags & PAYLOAD) && len < c->out_len - sizeof(r->head))
		return broken(r, "that is too long");
	r->args = copy + sizeof(r->head);
	if (!fs->begun && r->head.opcode != FUSE_INIT)
		return broken(r, "before INIT");
	return take_names(r, (const char *)r->args + r->op->args, len - r->op->args);
}

static int perform(struct fs *fs, struct fs_request *r)
{
	if (!r->op)
		return r->head.opcode == FUSE_INTERRUPT ? FS_NO_ANSWER : ENOSYS;
	if (r->op->flags & NODE) {
		r->node = fs_node_find(&fs->nodes, r->head.nodeid);
		if (!r->node)
			return ESTALE;
	}
	int failed = check_names(r);
	return failed ? failed : r->op->serve(fs, r);
}

error *fs_serve(struct fs *fs, const struct chain *c, uint32_t *written)
{
	static uint8_t copy[FS_BUFFER] __attribute__((aligned(16)));
	static uint8_t reply[FS_REPLY] __attribute__((aligned(16)));
	struct fs_request r = { .chain = c, .reply = reply };

	*written = 0;
	try(take(fs, c, copy, &r));
	size_t room = c->in_len < sizeof(struct fuse_out_header)
			      ? 0
			      : c->in_len - sizeof(struct fuse_out_header);
	r.room = room < FS_REPLY ? room : FS_REPLY;
	fs->counts->requests++;
	int failed = perform(fs, &r);
	if (failed == FS_NO_ANSWER)
		return NULL;
	if (failed)
		r.len = 0;
	if (c->in_len < sizeof(struct fuse_out_header) || r.len > room)
		return broken(&r, "without room for its answer");
	const struct fuse_out_header head = {
		.len = (uint32_t)(sizeof(head) + r.len),
		.error = -failed,
		.unique = r.head.unique,
	};
	chain_write(c, 0, &head, sizeof(head));
	if (!r.in_place)
		chain_write(c, sizeof(head), reply, r.len);
	*written = head.len;
	return NULL;
}

int fs_init(struct fs *fs, struct fs_request *r)
{
	enum { OLDEST = 31, PAGE = 4096 };
	static const uint32_t wanted =
		FUSE_ASYNC_READ | FUSE_ATOMIC_O_TRUNC | FUSE_BIG_WRITES | FUSE_DONT_MASK |
		FUSE_AUTO_INVAL_DATA | FUSE_DO_READDIRPLUS | FUSE_READDIRPLUS_AUTO |
		FUSE_ASYNC_DIO | FUSE_PARALLEL_DIROPS | FUSE_POSIX_ACL | FUSE_MAX_PAGES |
		FUSE_CACHE_SYMLINKS | FUSE_HANDLE_KILLPRIV_V2 | FUSE_INIT_EXT;
	const struct fuse_init_in *in = r->args;
	struct fuse_init_out *out = r->reply;

	if (in->major < FUSE_KERNEL_VERSION ||
	    (in->major == FUSE_KERNEL_VERSION && in->minor < OLDEST))
		return EPROTO;
	*out = (struct fuse_init_out){ .major = FUSE_KERNEL_VERSION,
				       .minor = FUSE_KERNEL_MINOR_VERSION };
	r->len = sizeof(*out);
	if (in->major > FUSE_KERNEL_VERSION)
		return 0; /* it will ask again, in our version */
	if (in->minor < out->minor)
		out->minor = in->minor;
	fs->begun = true;
	out->flags = in->flags & wanted;
	out->max_readahead = in->max_readahead;
	out->max_background = 64;
	out->congestion_threshold = 48;
	out->max_write = FS_PAGES_MAX * PAGE;
	out->max_pages = FS_PAGES_MAX;
	out->time_gran = 1;
	return 0;
}

int fs_destroy(struct fs *fs, struct fs_request *r)
{
	int root = take_fd(&fs->nodes.slots[FUSE_ROOT_ID].node->fd);
	size_t open_max = fs->nodes.open_max;
	bool devices = fs->makes_devices;
	struct file_counts *counts = fs->counts;

	(void)r;
	fs_free(fs);
	auto_error error *e = fs_make(fs, root, open_max);
	fs->makes_devices = devices;
	fs->counts = counts;
	return e ? error_code(e) : 0;
}

error *fs_make(struct fs *fs, int root, size_t open_max)
{
	static struct file_counts unseen;

	*fs = (struct fs){
		.uid = (uid_t)-1, .gid = (gid_t)-1, .mask = (mode_t)-1, .counts = &unseen
	};
	return fs_nodes_make(&fs->nodes, root, open_max);
}

void fs_free(struct fs *fs)
{
	fs_handles_free(&fs->handles);
	fs_nodes_free(&fs->nodes);
}
