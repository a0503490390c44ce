/* What is in a folder. */
#include <dirent.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vmm/fs.h"

enum { CHUNK = 16384, ENTRY_MAX = 288 }; /* of the kernel's entries at a time; of one */

/* As the kernel writes them: getdents64(2). */
struct entry {
	uint64_t ino;
	int64_t next; /* the position behind it */
	uint16_t len;
	uint8_t type;
	char name[];
};

int fs_opendir(struct fs *fs, struct fs_request *r)
{
	struct fuse_open_out *out = r->reply;
	int fd = S_ISDIR(r->node->type) ? fs_reopen(fs, r->node, O_RDONLY | O_DIRECTORY) : -ENOTDIR;

	if (fd < 0)
		return -fd;
	*out = (struct fuse_open_out){ 0 };
	r->len = sizeof(*out);
	return fs_handle_new(&fs->handles, fd, &out->fh);
}

static void put_dirent(const struct entry *e, uint64_t number, void *at)
{
	struct fuse_dirent *out = at;
	size_t len = strlen(e->name);

	*out = (struct fuse_dirent){
		.ino = number, .off = (uint64_t)e->next, .namelen = (uint32_t)len, .type = e->type
	};
	memcpy(out->name, e->name, len);
	memset(out->name + len, 0, FUSE_DIRENT_SIZE(out) - FUSE_NAME_OFFSET - len);
}

/* The entry and what a look at it would tell. What has vanished meanwhile, "." and ".." are told of
 * by name only. */
static void put_entry(struct fs *fs, struct fs_request *r, const struct entry *e,
		      struct fuse_entry_out *out)
{
	struct fs_node *n;
	struct statx stx;

	*out = (struct fuse_entry_out){ 0 };
	if (strcmp(e->name, ".") == 0 || strcmp(e->name, "..") == 0)
		return;
	if (fs_node_look(&fs->nodes, r->node, e->name, &stx, &n))
		return;
	fs_fill_entry(fs, n, &stx, out);
	fs_node_told(n);
}

/* One entry at the end of the answer, if there is room for it. */
static bool put(struct fs *fs, struct fs_request *r, const struct entry *e, bool plus, size_t room)
{
	size_t head = plus ? sizeof(struct fuse_entry_out) : 0;
	size_t len = head + FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + strlen(e->name));
	uint8_t *at = (uint8_t *)r->reply + r->len;

	if (len > room - r->len)
		return false;
	if (plus)
		put_entry(fs, r, e, (struct fuse_entry_out *)at);
	put_dirent(e, fs_number(fs, r->node->id.major, r->node->id.minor, e->ino), at + head);
	r->len += len;
	return true;
}

/* No more than there will be room for, more or less: what does not fit is read again. */
static size_t chunk_size(size_t room, bool plus)
{
	size_t size = plus ? room / 5 : room;

	return size < ENTRY_MAX ? ENTRY_MAX : size < CHUNK ? size : CHUNK;
}

static int list(struct fs *fs, struct fs_request *r, bool plus)
{
	static uint8_t chunk[CHUNK] __attribute__((aligned(16)));
	const struct fuse_read_in *in = r->args;
	struct fs_handle *h = fs_handle_find(&fs->handles, in->fh);
	size_t room = in->size < r->room ? in->size : r->room;
	int64_t position = (int64_t)in->offset;

	if (!h || !S_ISDIR(r->node->type))
		return h ? ENOTDIR : EBADF;
	if (position != h->position && lseek(h->fd, position, SEEK_SET) < 0)
		return errno;
	h->position = position;
	for (;;) {
		long n = syscall(SYS_getdents64, h->fd, chunk, chunk_size(room - r->len, plus));
		if (n <= 0)
			return n < 0 && !r->len ? errno : 0;
		for (long at = 0; at < n;) {
			const struct entry *e = (const struct entry *)(chunk + at);
			if (!put(fs, r, e, plus, room)) {
				/* the descriptor is behind them all: the next time it goes back */
				h->position = -1;
				return r->len ? 0 : EINVAL;
			}
			h->position = e->next;
			at += e->len;
		}
	}
}

int fs_readdir(struct fs *fs, struct fs_request *r)
{
	return list(fs, r, false);
}

int fs_readdirplus(struct fs *fs, struct fs_request *r)
{
	return list(fs, r, true);
}
