#include "vmm/fs.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { WANTED = STATX_BASIC_STATS | STATX_MNT_ID };
enum { NEVER_CLOSED = 4 }; /* of the newest: descriptors that a request works with */

int fs_statx(int dir, const char *name, struct statx *stx)
{
	int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | (*name ? 0 : AT_EMPTY_PATH);

	return syscall(SYS_statx, dir, name, flags, WANTED, stx) < 0 ? errno : 0;
}

int64_t fs_nanoseconds(const struct statx_timestamp *t)
{
	return (int64_t)((uint64_t)t->tv_sec * 1000000000 + t->tv_nsec);
}

static struct fs_identity identity_of(const struct statx *stx)
{
	return (struct fs_identity){
		.mount = stx->stx_mnt_id,
		.ino = stx->stx_ino,
		.major = stx->stx_dev_major,
		.minor = stx->stx_dev_minor,
	};
}

static bool same_number(const struct fs_identity *a, const struct fs_identity *b)
{
	return a->ino == b->ino && a->mount == b->mount && a->major == b->major &&
	       a->minor == b->minor;
}

static bool is(const struct fs_node *n, const struct statx *stx)
{
	struct fs_identity id = identity_of(stx);

	return same_number(&n->id, &id) && n->type == (stx->stx_mode & S_IFMT);
}

/* --- who is open, in the order of their last use --- */

static void leave_open(struct fs_nodes *t, struct fs_node *n)
{
	*(n->newer ? &n->newer->older : &t->newest) = n->older;
	*(n->older ? &n->older->newer : &t->oldest) = n->newer;
	n->newer = n->older = NULL;
	t->open--;
}

static void enter_open(struct fs_nodes *t, struct fs_node *n)
{
	n->older = t->newest;
	*(t->newest ? &t->newest->newer : &t->oldest) = n;
	t->newest = n;
	t->open++;
}

static bool may_be_closed(const struct fs_node *n)
{
	return n->fd >= 0 && n->name;
}

static void close_oldest(struct fs_nodes *t)
{
	struct fs_node *n = t->oldest;

	leave_open(t, n);
	close(take_fd(&n->fd));
}

size_t fs_nodes_close_some(struct fs_nodes *t)
{
	size_t n = 0;

	for (size_t most = t->open / 2 + 1; n < most && t->open > NEVER_CLOSED; n++)
		close_oldest(t);
	return n;
}

static void opened(struct fs_nodes *t, struct fs_node *n, int fd)
{
	n->fd = fd;
	if (!n->name)
		return;
	if (t->open >= t->open_max)
		close_oldest(t);
	enter_open(t, n);
}

/* --- by number and by identity --- */

static size_t bucket_of(const struct fs_nodes *t, const struct fs_identity *id)
{
	uint64_t h = (id->ino ^ id->mount << 40 ^ (uint64_t)id->minor << 52) * 0x9e3779b97f4a7c15U;

	return (h >> 20) & (t->n_buckets - 1);
}

static void hash_in(struct fs_nodes *t, struct fs_node *n)
{
	struct fs_node **at = &t->buckets[bucket_of(t, &n->id)];

	n->next = *at;
	*at = n;
}

static void hash_out(struct fs_nodes *t, struct fs_node *n)
{
	for (struct fs_node **at = &t->buckets[bucket_of(t, &n->id)]; *at; at = &(*at)->next)
		if (*at == n) {
			*at = n->next;
			return;
		}
}

static struct fs_node *by_identity(const struct fs_nodes *t, const struct fs_identity *id)
{
	for (struct fs_node *n = t->buckets[bucket_of(t, id)]; n; n = n->next)
		if (same_number(&n->id, id))
			return n;
	return NULL;
}

/* Twice as many buckets, when each has one. */
static int grow_buckets(struct fs_nodes *t)
{
	size_t before = t->n_buckets;
	struct fs_node **old = t->buckets;
	struct fs_node **fresh = calloc(2 * before, sizeof(struct fs_node *));

	if (!fresh)
		return ENOMEM;
	t->buckets = fresh;
	t->n_buckets = 2 * before;
	for (size_t i = 0; i < before; i++)
		for (struct fs_node *n = old[i], *next; n; n = next) {
			next = n->next;
			hash_in(t, n);
		}
	free(old);
	return 0;
}

static int grow_slots(struct fs_nodes *t)
{
	uint32_t room = t->n_slots ? 2 * t->n_slots : 64;
	void *grown = realloc(t->slots, room * sizeof(t->slots[0]));

	if (!grown)
		return ENOMEM;
	t->slots = grown;
	memset(t->slots + t->n_slots, 0, (room - t->n_slots) * sizeof(t->slots[0]));
	for (uint32_t i = room; i-- > t->n_slots && i > FUSE_ROOT_ID;) {
		t->slots[i].next_free = t->free;
		t->free = i;
	}
	t->n_slots = room;
	return 0;
}

static int node_new(struct fs_nodes *t, const struct statx *stx, struct fs_node **out)
{
	if (t->n >= FS_NODES_MAX)
		return ENFILE;
	if ((!t->free && grow_slots(t)) || (t->n >= t->n_buckets && grow_buckets(t)))
		return ENOMEM;
	struct fs_node *n = calloc(1, sizeof(*n));
	if (!n)
		return ENOMEM;
	n->index = t->free;
	n->generation = ++t->slots[n->index].generation;
	t->free = t->slots[n->index].next_free;
	t->slots[n->index].node = n;
	n->id = identity_of(stx);
	n->type = stx->stx_mode & S_IFMT;
	n->fd = -1;
	n->mtime = n->ctime = INT64_MIN;
	hash_in(t, n);
	t->n++;
	*out = n;
	return 0;
}

uint64_t fs_node_id(const struct fs_node *n)
{
	return n->index == FUSE_ROOT_ID ? FUSE_ROOT_ID : (uint64_t)n->generation << 32 | n->index;
}

struct fs_node *fs_node_find(const struct fs_nodes *t, uint64_t id)
{
	uint32_t index = (uint32_t)id;

	if (index >= t->n_slots || !t->slots[index].node)
		return NULL;
	struct fs_node *n = t->slots[index].node;
	return fs_node_id(n) == id && (n->lookups || id == FUSE_ROOT_ID) ? n : NULL;
}

/* --- names --- */

static void lose_name(struct fs_nodes *t, struct fs_node *n)
{
	if (may_be_closed(n))
		leave_open(t, n);
	free(n->name);
	n->name = NULL;
}

/* Goes when neither the guest nor a name below it knows it; then its folder may go, too. */
static void maybe_free(struct fs_nodes *t, struct fs_node *n)
{
	while (n && !n->lookups && !n->uses && n->index != FUSE_ROOT_ID) {
		struct fs_node *parent = n->parent;
		hash_out(t, n);
		lose_name(t, n);
		if (n->fd >= 0)
			close(n->fd);
		t->slots[n->index].node = NULL;
		t->slots[n->index].next_free = t->free;
		t->free = n->index;
		t->n--;
		free(n);
		n = parent;
		if (n)
			n->uses--;
	}
}

static void set_parent(struct fs_nodes *t, struct fs_node *n, struct fs_node *parent)
{
	struct fs_node *before = n->parent;

	if (before == parent)
		return;
	if (parent)
		parent->uses++;
	n->parent = parent;
	if (before) {
		before->uses--;
		maybe_free(t, before);
	}
}

void fs_node_named(struct fs_nodes *t, struct fs_node *n, struct fs_node *folder, const char *name)
{
	if (n->index == FUSE_ROOT_ID ||
	    (n->parent == folder && n->name && strcmp(n->name, name) == 0))
		return;
	char *copy = strdup(name);
	if (!copy)
		return; /* the old name serves, or leads nowhere */
	lose_name(t, n);
	n->name = copy;
	set_parent(t, n, folder);
	if (n->fd >= 0)
		opened(t, n, n->fd);
}

void fs_node_unnamed(struct fs_nodes *t, struct fs_node *n)
{
	if (!n)
		return;
	lose_name(t, n);
	set_parent(t, n, NULL);
}

struct fs_node *fs_node_hold(struct fs_nodes *t, struct fs_node *folder, const char *name)
{
	struct statx stx;
	int fd = fs_node_fd(t, folder);

	if (fd < 0 || fs_statx(fd, name, &stx))
		return NULL;
	const struct fs_identity id = identity_of(&stx);
	struct fs_node *n = by_identity(t, &id);
	if (!n || n->parent != folder || !n->name || strcmp(n->name, name) != 0)
		return NULL;
	(void)fs_node_fd(t, n); /* one that cannot be opened is lost to the guest */
	return n;
}

/* --- opening --- */

static int open_step(struct fs_nodes *t, int dir, const char *name)
{
	int flags = O_PATH | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(dir, name, flags);

	if (fd < 0 && (errno == EMFILE || errno == ENFILE) && fs_nodes_close_some(t))
		fd = openat(dir, name, flags);
	return fd < 0 ? -errno : fd;
}

/* One step down, if what has that name is still the same file. */
static int step(struct fs_nodes *t, int dir, const struct fs_node *n)
{
	struct statx stx;
	int fd = open_step(t, dir, n->name);

	if (fd < 0)
		return fd == -ENOENT || fd == -ENOTDIR ? -ESTALE : fd;
	int failed = fs_statx(fd, "", &stx);
	if (!failed && !is(n, &stx))
		failed = ESTALE;
	if (!failed)
		return fd;
	close(fd);
	return -failed;
}

static void touch(struct fs_nodes *t, struct fs_node *n)
{
	if (may_be_closed(n) && t->newest != n) {
		leave_open(t, n);
		enter_open(t, n);
	}
}

/* From the nearest folder that is open down to it, name by name. */
int fs_node_fd(struct fs_nodes *t, struct fs_node *n)
{
	static const struct fs_node *way[FS_DEPTH_MAX];
	size_t len = 0;
	struct fs_node *from = n;

	for (; from->fd < 0; from = from->parent) {
		if (!from->name || len == FS_DEPTH_MAX)
			return -ESTALE;
		way[len++] = from;
	}
	touch(t, from);
	if (from == n)
		return n->fd;
	int at = from->fd;
	while (len) {
		int next = step(t, at, way[--len]);
		if (at != from->fd)
			close(at);
		if (next < 0)
			return next;
		at = next;
	}
	opened(t, n, at);
	return at;
}

int fs_node_stat(struct fs_nodes *t, struct fs_node *n, struct statx *stx)
{
	if (n->fd >= 0)
		return fs_statx(n->fd, "", stx);
	if (!n->name)
		return ESTALE;
	int folder = fs_node_fd(t, n->parent);
	if (folder < 0)
		return -folder;
	int failed = fs_statx(folder, n->name, stx);
	return failed == ENOENT || (!failed && !is(n, stx)) ? ESTALE : failed;
}

/* Numbers are used again: who had it before, and was not opened, is gone. */
static int find_or_make(struct fs_nodes *t, const struct statx *stx, struct fs_node **out)
{
	const struct fs_identity id = identity_of(stx);
	struct fs_node *n = by_identity(t, &id);

	if (n && !is(n, stx)) {
		hash_out(t, n);
		n->id = (struct fs_identity){ 0 };
		hash_in(t, n);
		if (n->index != FUSE_ROOT_ID)
			fs_node_unnamed(t, n);
		n = NULL;
	}
	*out = n;
	return n ? 0 : node_new(t, stx, out);
}

int fs_node_look(struct fs_nodes *t, struct fs_node *folder, const char *name, struct statx *stx,
		 struct fs_node **out)
{
	int fd = fs_node_fd(t, folder);
	int failed = fd < 0 ? -fd : fs_statx(fd, name, stx);

	if (!failed)
		failed = find_or_make(t, stx, out);
	if (!failed)
		fs_node_named(t, *out, folder, name);
	return failed;
}

int fs_node_nameless(struct fs_nodes *t, int fd, struct statx *stx, struct fs_node **out)
{
	int failed = fs_statx(fd, "", stx);

	if (!failed)
		failed = find_or_make(t, stx, out);
	if (failed || (*out)->fd >= 0)
		close(fd);
	else
		opened(t, *out, fd);
	return failed;
}

void fs_node_changed(struct fs_nodes *t, struct fs_node *n, const struct statx *stx)
{
	if (is(n, stx) || n->type != (stx->stx_mode & S_IFMT))
		return;
	hash_out(t, n);
	n->id = identity_of(stx);
	hash_in(t, n);
}

void fs_node_told(struct fs_node *n)
{
	n->lookups++;
}

void fs_node_forget(struct fs_nodes *t, struct fs_node *n, uint64_t lookups)
{
	n->lookups -= lookups < n->lookups ? lookups : n->lookups;
	maybe_free(t, n);
}

error *fs_nodes_make(struct fs_nodes *t, int root, size_t open_max)
{
	struct statx stx;

	*t = (struct fs_nodes){ .open_max = open_max, .n_buckets = 1024 };
	t->buckets = calloc(t->n_buckets, sizeof(struct fs_node *));
	int failed = t->buckets ? fs_statx(root, "", &stx) : ENOMEM;
	struct fs_node *n = NULL;
	if (!failed)
		failed = grow_slots(t);
	if (!failed) {
		t->slots[FUSE_ROOT_ID].next_free = t->free;
		t->free = FUSE_ROOT_ID;
		failed = node_new(t, &stx, &n);
	}
	if (failed) {
		close(root);
		return error_new(failed, "the folder to serve");
	}
	n->fd = root;
	return NULL;
}

void fs_nodes_free(struct fs_nodes *t)
{
	for (uint32_t i = 0; i < t->n_slots; i++) {
		struct fs_node *n = t->slots[i].node;
		if (!n)
			continue;
		if (n->fd >= 0)
			close(n->fd);
		free(n->name);
		free(n);
	}
	free(t->slots);
	free(t->buckets);
	*t = (struct fs_nodes){ 0 };
}
