/* Names: what is in a folder, what is made, moved and removed there. */
#include <fcntl.h>
#include <linux/fs.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "vmm/fs.h"

/* Files belong to whom they are made for; the rights are ours all the while (fs_jail.c). In a user
 * namespace not everybody can be acted for. */
int fs_act_for(struct fs *fs, const struct fs_request *r, mode_t mask)
{
	uid_t uid = r->head.uid;
	gid_t gid = r->head.gid;

	if (gid != fs->gid) {
		setfsgid(gid);
		fs->gid = (gid_t)setfsgid((gid_t)-1);
	}
	if (uid != fs->uid) {
		setfsuid(uid);
		fs->uid = (uid_t)setfsuid((uid_t)-1);
	}
	if (mask != fs->mask) {
		umask(mask & 0777);
		fs->mask = mask;
	}
	return fs->uid == uid && fs->gid == gid ? 0 : EINVAL;
}

/* Who asked for a name gets the node that has it now. */
static int answer_entry(struct fs *fs, struct fs_request *r, struct fs_node *folder,
			const char *name)
{
	struct fuse_entry_out *out = r->reply;
	struct fs_node *n;
	struct statx stx;
	int failed = fs_node_look(&fs->nodes, folder, name, &stx, &n);

	if (failed)
		return failed;
	fs_fill_entry(fs, n, &stx, out);
	fs_node_told(n);
	r->len = sizeof(*out);
	return 0;
}

/* What is not there need not be asked for again at once, either. */
int fs_lookup(struct fs *fs, struct fs_request *r)
{
	struct fuse_entry_out *out = r->reply;
	int failed = answer_entry(fs, r, r->node, r->names[0]);

	if (failed != ENOENT)
		return failed;
	*out = (struct fuse_entry_out){ .entry_valid = FS_VALID_SECONDS };
	r->len = sizeof(*out);
	return 0;
}

static void forget(struct fs *fs, uint64_t id, uint64_t lookups)
{
	struct fs_node *n = fs_node_find(&fs->nodes, id);

	if (n)
		fs_node_forget(&fs->nodes, n, lookups);
}

int fs_forget(struct fs *fs, struct fs_request *r)
{
	const struct fuse_forget_in *in = r->args;

	forget(fs, r->head.nodeid, in->nlookup);
	return FS_NO_ANSWER;
}

int fs_batch_forget(struct fs *fs, struct fs_request *r)
{
	const struct fuse_batch_forget_in *in = r->args;
	const struct fuse_forget_one *one = r->data;

	for (size_t i = 0; i < in->count && (i + 1) * sizeof(*one) <= r->data_len; i++)
		forget(fs, one[i].nodeid, one[i].nlookup);
	return FS_NO_ANSWER;
}

int fs_readlink(struct fs *fs, struct fs_request *r)
{
	int fd = fs_node_fd(&fs->nodes, r->node);

	if (fd < 0)
		return -fd;
	ssize_t len = readlinkat(fd, "", r->reply, r->room);
	if (len < 0)
		return errno == ENOENT ? EINVAL : errno; /* "": not a link */
	r->len = (size_t)len;
	return 0;
}

/* --- making --- */

/* The folder's descriptor, and that what is made in it will belong to who asks. */
static int make_in(struct fs *fs, const struct fs_request *r, mode_t mask)
{
	int fd = fs_node_fd(&fs->nodes, r->node);
	int failed = fd < 0 ? -fd : fs_act_for(fs, r, mask);

	return failed ? -failed : fd;
}

int fs_symlink(struct fs *fs, struct fs_request *r)
{
	int fd = make_in(fs, r, 0);

	if (fd < 0)
		return -fd;
	if (!r->data_len || !memchr(r->data, '\0', r->data_len))
		return EINVAL;
	if (symlinkat(r->data, fd, r->names[0]) < 0)
		return errno;
	return answer_entry(fs, r, r->node, r->names[0]);
}

/* A device made by a guest is one of the host's. Only overlayfs's mark for "removed" is none. */
int fs_mknod(struct fs *fs, struct fs_request *r)
{
	const struct fuse_mknod_in *in = r->args;
	int fd = make_in(fs, r, in->umask);

	if (fd < 0)
		return -fd;
	if (!fs->makes_devices && (S_ISBLK(in->mode) || (S_ISCHR(in->mode) && in->rdev)))
		return EPERM;
	/* the kernel's way to put a device's number into 32 bits */
	dev_t device =
		makedev(in->rdev >> 8 & 0xfff, (in->rdev >> 12 & 0xfff00) | (in->rdev & 0xff));
	if (mknodat(fd, r->names[0], in->mode, device) < 0)
		return errno;
	return answer_entry(fs, r, r->node, r->names[0]);
}

int fs_mkdir(struct fs *fs, struct fs_request *r)
{
	const struct fuse_mkdir_in *in = r->args;
	int fd = make_in(fs, r, in->umask);

	if (fd < 0)
		return -fd;
	if (mkdirat(fd, r->names[0], in->mode) < 0)
		return errno;
	return answer_entry(fs, r, r->node, r->names[0]);
}

int fs_link(struct fs *fs, struct fs_request *r)
{
	const struct fuse_link_in *in = r->args;
	struct fs_node *n = fs_node_find(&fs->nodes, in->oldnodeid);
	struct statx stx;

	if (!n)
		return ESTALE;
	int from = fs_node_fd(&fs->nodes, n);
	int fd = from < 0 ? from : fs_node_fd(&fs->nodes, r->node);
	if (fd < 0)
		return -fd;
	if (linkat(AT_FDCWD, fs_path(from).text, fd, r->names[0], AT_SYMLINK_FOLLOW) < 0)
		return errno;
	if (fs_statx(from, "", &stx) == 0)
		fs_node_changed(&fs->nodes, n, &stx);
	return answer_entry(fs, r, r->node, r->names[0]);
}

/* The new file, open: the entry is in the answer already. */
static int answer_opened(struct fs *fs, struct fs_request *r, struct fs_node *n, int *fd)
{
	struct fuse_entry_out *entry = r->reply;
	struct fuse_open_out *out = (struct fuse_open_out *)(entry + 1);

	*out = (struct fuse_open_out){ 0 };
	int failed = fs_handle_new(&fs->handles, take_fd(fd), &out->fh);
	if (failed)
		fs_node_forget(&fs->nodes, n, 1);
	r->len = sizeof(*entry) + sizeof(*out);
	return failed;
}

/* One that is there already is opened like any other file: what it is must be known before. */
int fs_create(struct fs *fs, struct fs_request *r)
{
	const struct fuse_create_in *in = r->args;
	struct fuse_entry_out *entry = r->reply;
	struct fs_node *n;
	int flags = (int)in->flags & O_ACCMODE;
	int folder = make_in(fs, r, in->umask);

	if (folder < 0)
		return -folder;
	auto_fd int fd =
		openat(folder, r->names[0], O_CREAT | O_EXCL | O_CLOEXEC | flags, in->mode & 07777);
	if (fd < 0 && (errno != EEXIST || in->flags & O_EXCL))
		return errno;
	int failed = answer_entry(fs, r, r->node, r->names[0]);
	if (failed)
		return failed;
	n = fs_node_find(&fs->nodes, entry->nodeid);
	if (fd >= 0)
		return answer_opened(fs, r, n, &fd);
	r->len += sizeof(struct fuse_open_out);
	failed =
		fs_open_node(fs, n, in->flags, in->open_flags, (struct fuse_open_out *)(entry + 1));
	if (failed)
		fs_node_forget(&fs->nodes, n, 1);
	return failed;
}

int fs_tmpfile(struct fs *fs, struct fs_request *r)
{
	const struct fuse_create_in *in = r->args;
	struct fs_node *n;
	struct statx stx;
	int flags = (int)in->flags & (O_ACCMODE | O_EXCL);
	int folder = make_in(fs, r, in->umask);

	if (folder < 0)
		return -folder;
	auto_fd int fd =
		open(fs_path(folder).text, O_TMPFILE | O_CLOEXEC | flags, in->mode & 07777);
	if (fd < 0)
		return errno;
	int held = open(fs_path(fd).text, O_PATH | O_CLOEXEC);
	if (held < 0)
		return errno;
	int failed = fs_node_nameless(&fs->nodes, held, &stx, &n);
	if (failed)
		return failed;
	fs_fill_entry(fs, n, &stx, r->reply);
	fs_node_told(n);
	return answer_opened(fs, r, n, &fd);
}

/* --- removing and moving --- */

static int remove_name(struct fs *fs, struct fs_request *r, int flags)
{
	struct fs_node *n = fs_node_hold(&fs->nodes, r->node, r->names[0]);
	int fd = fs_node_fd(&fs->nodes, r->node);

	if (fd < 0)
		return -fd;
	if (unlinkat(fd, r->names[0], flags) < 0)
		return errno;
	fs_node_unnamed(&fs->nodes, n);
	return 0;
}

int fs_unlink(struct fs *fs, struct fs_request *r)
{
	return remove_name(fs, r, 0);
}

int fs_rmdir(struct fs *fs, struct fs_request *r)
{
	return remove_name(fs, r, AT_REMOVEDIR);
}

static int move(struct fs *fs, struct fs_request *r, uint64_t target, unsigned flags)
{
	enum { KNOWN = RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT };
	struct fs_nodes *t = &fs->nodes;
	struct fs_node *folder = fs_node_find(t, target);

	if (!folder)
		return ESTALE;
	if (flags & ~(unsigned)KNOWN)
		return EINVAL;
	/* what is replaced lives on for those who have it open */
	struct fs_node *moved = fs_node_hold(t, r->node, r->names[0]);
	struct fs_node *other = fs_node_hold(t, folder, r->names[1]);
	int from = fs_node_fd(t, r->node);
	int to = from < 0 ? from : fs_node_fd(t, folder);
	if (to < 0)
		return -to;
	/* the mark that RENAME_WHITEOUT leaves belongs to who asks */
	int failed = fs_act_for(fs, r, fs->mask);
	if (!failed && syscall(SYS_renameat2, from, r->names[0], to, r->names[1], flags) < 0)
		failed = errno;
	if (failed || moved == other) /* two names of one file: nothing happens */
		return failed;
	if (other && flags & RENAME_EXCHANGE)
		fs_node_named(t, other, r->node, r->names[0]);
	else
		fs_node_unnamed(t, other);
	if (moved)
		fs_node_named(t, moved, folder, r->names[1]);
	return 0;
}

int fs_rename(struct fs *fs, struct fs_request *r)
{
	const struct fuse_rename_in *in = r->args;

	return move(fs, r, in->newdir, 0);
}

int fs_rename2(struct fs *fs, struct fs_request *r)
{
	const struct fuse_rename2_in *in = r->args;

	return move(fs, r, in->newdir, in->flags);
}
