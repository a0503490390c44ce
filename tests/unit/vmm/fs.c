/* The file server, from its guest's side and its engine's. */
#include "fs_guest.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/virtio_ring.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../check.h"
#include "base/fd.h"
#include "vmm/vhost.h"
#include "vmm/virtio.h"

static char place[] = "/dev/shm/skiff-fs.XXXXXX";

/* The folder that is served, as the host sees it. */
static const char *at(const char *name)
{
	static char paths[4][4096];
	static unsigned next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/root/%s", place, name);
	return path;
}

static void put(const char *name, const char *text)
{
	int fd = open(at(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

static void begin(struct guest *g, size_t open_max)
{
	const struct fuse_init_in init = { .major = 7, .minor = 38, .flags = ~0U };

	memset(g, 0, sizeof(*g));
	CHECK(mkdir(at(""), 0755) == 0);
	int root = open(at(""), O_PATH | O_DIRECTORY | O_CLOEXEC);
	CHECK_FINE(fs_make(&g->fs, root, open_max));
	CHECK(guest_ask(g, FUSE_INIT, 0, &init, sizeof(init), NULL, 0) == 0);
}

static void end(struct guest *g)
{
	char command[64];

	fs_free(&g->fs);
	snprintf(command, sizeof(command), "rm -rf %s/root", place);
	CHECK(system(command) == 0);
}

static uint64_t look(struct guest *g, uint64_t folder, const char *name)
{
	struct fuse_entry_out entry;

	if (guest_name(g, FUSE_LOOKUP, folder, name) != 0)
		return 0;
	memcpy(&entry, g->answer, sizeof(entry));
	return entry.nodeid;
}

static int get_attr(struct guest *g, uint64_t node, struct fuse_attr *out)
{
	const struct fuse_getattr_in in = { 0 };
	int failed = guest_ask(g, FUSE_GETATTR, node, &in, sizeof(in), NULL, 0);

	if (out)
		*out = ((struct fuse_attr_out *)g->answer)->attr;
	return failed;
}

static int open_file(struct guest *g, uint64_t node, uint32_t flags, uint64_t *fh)
{
	const struct fuse_open_in in = { .flags = flags };
	int failed = guest_ask(g, FUSE_OPEN, node, &in, sizeof(in), NULL, 0);

	*fh = ((struct fuse_open_out *)g->answer)->fh;
	return failed;
}

static int read_file(struct guest *g, uint64_t fh, uint64_t offset, uint32_t size)
{
	const struct fuse_read_in in = { .fh = fh, .offset = offset, .size = size };

	return guest_ask(g, FUSE_READ, 0, &in, sizeof(in), NULL, 0);
}

static void forget(struct guest *g, uint64_t node, uint64_t n)
{
	const struct fuse_forget_in in = { .nlookup = n };

	guest_ask(g, FUSE_FORGET, node, &in, sizeof(in), NULL, 0);
	CHECK(!g->why && !g->head.len);
}

/* --- what is refused --- */

static void names_lead_nowhere_else(void)
{
	static const char *const bad[] = { "", ".", "..", "/", "a/b", "../outside", "/etc" };
	const struct fuse_mkdir_in dir = { .mode = 0755 };
	const struct fuse_rename_in move = { .newdir = FUSE_ROOT_ID };
	char pair[64];
	char longest[300];
	static struct guest g;

	begin(&g, 64);
	put("file", "x");
	for (size_t i = 0; i < COUNT(bad); i++) {
		CHECK(guest_name(&g, FUSE_LOOKUP, FUSE_ROOT_ID, bad[i]) == EINVAL);
		CHECK(guest_name(&g, FUSE_UNLINK, FUSE_ROOT_ID, bad[i]) == EINVAL);
		CHECK(guest_ask(&g, FUSE_MKDIR, FUSE_ROOT_ID, &dir, sizeof(dir), bad[i],
				strlen(bad[i]) + 1) == EINVAL);
		size_t len = (size_t)snprintf(pair, sizeof(pair), "file%c%s", 0, bad[i]) + 1;
		CHECK(guest_ask(&g, FUSE_RENAME, FUSE_ROOT_ID, &move, sizeof(move), pair, len) ==
		      EINVAL);
	}
	memset(longest, 'n', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	CHECK(guest_name(&g, FUSE_LOOKUP, FUSE_ROOT_ID, longest) == ENAMETOOLONG);
	CHECK(look(&g, FUSE_ROOT_ID, "file") != 0);
	end(&g);
}

static void requests_that_are_no_requests(void)
{
	const struct {
		struct fuse_in_header head;
		char rest[80];
	} cut = { { .opcode = FUSE_WRITE, .nodeid = 1 }, "" };
	static const struct {
		uint32_t code;
		uint32_t says; /* its length */
		uint32_t is;
	} rows[] = {
		{ FUSE_LOOKUP, 40, 20 },  /* shorter than a head */
		{ FUSE_LOOKUP, 100, 48 }, /* longer than it is */
		{ FUSE_LOOKUP, 40, 48 },  /* shorter than it is */
		{ FUSE_LOOKUP, 40, 40 },  /* no name */
		{ FUSE_WRITE, 60, 60 },   /* half of its fixed part */
		{ FUSE_SETATTR, 41, 41 },
	};
	static struct guest g;
	uint8_t request[128];

	begin(&g, 64);
	for (size_t i = 0; i < COUNT(rows); i++) {
		memcpy(request, &cut,
		       sizeof(request) < sizeof(cut) ? sizeof(request) : sizeof(cut));
		struct fuse_in_header *head = (struct fuse_in_header *)request;
		head->opcode = rows[i].code;
		head->len = rows[i].says;
		guest_send(&g, request, rows[i].is, GUEST_ANSWER);
		CHECK(g.why != NULL && error_code(g.why) == EPROTO);
		error_free(g.why);
	}
	/* a name without an end */
	CHECK(guest_ask(&g, FUSE_LOOKUP, FUSE_ROOT_ID, NULL, 0, "name", 4) == 0 && g.why);
	error_free(g.why);
	/* no room for the answer */
	const struct fuse_in_header stat = { .len = sizeof(stat),
					     .opcode = FUSE_STATFS,
					     .nodeid = 1 };
	guest_send(&g, &stat, sizeof(stat), 40);
	CHECK(g.why != NULL);
	error_free(g.why);
	guest_send(&g, &stat, sizeof(stat), 0);
	CHECK(g.why != NULL);
	error_free(g.why);
	/* what is not known is no crime */
	CHECK(guest_ask(&g, 4000, 1, NULL, 0, NULL, 0) == ENOSYS);
	CHECK(guest_ask(&g, FUSE_SETUPMAPPING, 1, NULL, 0, NULL, 0) == ENOSYS);
	end(&g);
	/* nothing before INIT */
	CHECK(mkdir(at(""), 0755) == 0);
	CHECK_FINE(fs_make(&g.fs, open(at(""), O_PATH | O_CLOEXEC), 64));
	guest_name(&g, FUSE_LOOKUP, FUSE_ROOT_ID, "x");
	CHECK(g.why != NULL);
	error_free(g.why);
	end(&g);
}

/* What would do something when it is opened is not opened, whoever made it. */
static void only_files_and_folders_are_opened(void)
{
	const struct fuse_create_in create = { .flags = O_RDWR | O_CREAT, .mode = 0600 };
	const struct fuse_mknod_in device = { .mode = S_IFCHR | 0666, .rdev = 0x103 };
	const struct fuse_mknod_in disk = { .mode = S_IFBLK | 0666, .rdev = 0 };
	static struct guest g;
	uint64_t fh;

	begin(&g, 64);
	CHECK(mkfifo(at("fifo"), 0600) == 0);
	CHECK(symlink("/etc/passwd", at("link")) == 0);
	bool is_root = mknod(at("null"), S_IFCHR | 0666, 0x103) == 0;
	CHECK(open_file(&g, look(&g, FUSE_ROOT_ID, "fifo"), O_RDONLY, &fh) == EPERM);
	CHECK(open_file(&g, look(&g, FUSE_ROOT_ID, "fifo"), O_RDWR, &fh) == EPERM);
	CHECK(open_file(&g, look(&g, FUSE_ROOT_ID, "link"), O_RDONLY, &fh) == ELOOP);
	if (is_root)
		CHECK(open_file(&g, look(&g, FUSE_ROOT_ID, "null"), O_RDWR, &fh) == EPERM);
	CHECK(guest_ask(&g, FUSE_CREATE, FUSE_ROOT_ID, &create, sizeof(create), "fifo", 5) ==
	      EPERM);
	CHECK(guest_ask(&g, FUSE_CREATE, FUSE_ROOT_ID, &create, sizeof(create), "link", 5) ==
	      ELOOP);
	CHECK(guest_ask(&g, FUSE_MKNOD, FUSE_ROOT_ID, &device, sizeof(device), "new", 4) == EPERM);
	CHECK(guest_ask(&g, FUSE_MKNOD, FUSE_ROOT_ID, &disk, sizeof(disk), "new", 4) == EPERM);
	CHECK(access(at("new"), F_OK) < 0);
	end(&g);
}

static void numbers_that_mean_nothing(void)
{
	static struct guest g;
	uint64_t fh;
	uint64_t last;

	begin(&g, 64);
	put("file", "text");
	uint64_t node = look(&g, FUSE_ROOT_ID, "file");
	CHECK(get_attr(&g, node, NULL) == 0);
	CHECK(get_attr(&g, 0, NULL) == ESTALE && get_attr(&g, ~0ULL, NULL) == ESTALE);
	CHECK(get_attr(&g, node + 1, NULL) == ESTALE);
	CHECK(get_attr(&g, node ^ 1ULL << 32, NULL) == ESTALE);
	CHECK(open_file(&g, node, O_RDONLY, &fh) == 0);
	CHECK(read_file(&g, fh, 0, 100) == 0 && g.len == 4 && memcmp(g.answer, "text", 4) == 0);
	CHECK(read_file(&g, fh, 1ULL << 63, 100) == EINVAL);
	CHECK(read_file(&g, fh + 1, 0, 100) == EBADF && read_file(&g, 0, 0, 100) == EBADF);
	const struct fuse_release_in release = { .fh = fh };
	CHECK(guest_ask(&g, FUSE_RELEASE, node, &release, sizeof(release), NULL, 0) == 0);
	CHECK(guest_ask(&g, FUSE_RELEASE, node, &release, sizeof(release), NULL, 0) == 0);
	last = fh;
	CHECK(read_file(&g, fh, 0, 100) == EBADF);
	CHECK(open_file(&g, node, O_RDONLY, &fh) == 0 && fh != last &&
	      (uint32_t)fh == (uint32_t)last);
	CHECK(read_file(&g, last, 0, 100) == EBADF);
	/* who is forgotten is not found again under the number */
	forget(&g, node, 1);
	CHECK(get_attr(&g, node, NULL) == ESTALE);
	CHECK(look(&g, FUSE_ROOT_ID, "file") != node);
	/* nobody can forget the root */
	forget(&g, FUSE_ROOT_ID, ~0ULL);
	CHECK(get_attr(&g, FUSE_ROOT_ID, NULL) == 0);
	end(&g);
}

/* A folder that is forgotten while something in it is not stays for that, and no longer. */
static void what_is_forgotten(void)
{
	static struct guest g;

	begin(&g, 64);
	CHECK(mkdir(at("d"), 0755) == 0);
	put("d/f", "x");
	uint64_t folder = look(&g, FUSE_ROOT_ID, "d");
	uint64_t file = look(&g, folder, "f");
	CHECK(look(&g, folder, "f") == file && g.fs.nodes.n == 3);
	forget(&g, folder, 100);
	CHECK(g.fs.nodes.n == 3 && get_attr(&g, folder, NULL) == ESTALE &&
	      get_attr(&g, file, NULL) == 0);
	forget(&g, file, 1);
	CHECK(get_attr(&g, file, NULL) == 0);
	forget(&g, file, 1);
	CHECK(g.fs.nodes.n == 1);
	/* what is not there takes no room */
	CHECK(look(&g, FUSE_ROOT_ID, "none") == 0 && g.fs.nodes.n == 1);
	end(&g);
}

/* --- few descriptors --- */

/* Each of the guest's folders has been moved, some on the host's side, while nothing of it was
 * open. */
static void moved_while_closed(void)
{
	enum { N = 40, OPEN = 8 };
	static struct guest g;
	static uint64_t folders[N];
	static uint64_t files[N];
	char name[32];
	char pair[64];
	uint64_t fh;

	begin(&g, OPEN);
	for (int i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "d%d", i);
		CHECK(mkdir(at(name), 0755) == 0);
		folders[i] = look(&g, FUSE_ROOT_ID, name);
		snprintf(name, sizeof(name), "d%d/f", i);
		put(name, name);
		files[i] = look(&g, folders[i], "f");
		CHECK(g.fs.nodes.open <= OPEN);
	}
	/* each into the next, all the way down; then the first files are 40 folders deep */
	for (int i = 0; i + 1 < N; i++) {
		const struct fuse_rename_in move = { .newdir = folders[i + 1] };
		size_t len = (size_t)snprintf(pair, sizeof(pair), "d%d%cmoved", i, 0) + 1;
		CHECK(guest_ask(&g, FUSE_RENAME, FUSE_ROOT_ID, &move, sizeof(move), pair, len) ==
		      0);
	}
	for (int i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "d%d/f", i);
		CHECK(open_file(&g, files[i], O_RDONLY, &fh) == 0);
		CHECK(read_file(&g, fh, 0, 100) == 0 && g.len == strlen(name) &&
		      !memcmp(g.answer, name, g.len));
		CHECK(g.fs.nodes.open <= OPEN);
	}
	/* the host takes the top away: what is below is stale until it is looked up anew */
	for (int i = 0; i < OPEN; i++)
		CHECK(look(&g, FUSE_ROOT_ID, "d39") == folders[N - 1]);
	CHECK(rename(at("d39"), at("elsewhere")) == 0);
	for (int i = N - 10; i < N - 1; i++) /* others are open now */
		get_attr(&g, files[i], NULL);
	fs_nodes_close_some(&g.fs.nodes);
	CHECK(look(&g, FUSE_ROOT_ID, "elsewhere") == folders[N - 1]);
	for (int i = 0; i < N; i++)
		CHECK(get_attr(&g, files[i], NULL) == 0);
	end(&g);
}

/* The host puts another file in the place of one that the guest knows. */
static void replaced_by_the_host(void)
{
	static struct guest g;
	struct fuse_attr attr;
	uint64_t fh;

	begin(&g, 64);
	put("f", "old");
	uint64_t old = look(&g, FUSE_ROOT_ID, "f");
	put("new", "newer");
	CHECK(rename(at("new"), at("f")) == 0);
	CHECK(get_attr(&g, old, NULL) == ESTALE && open_file(&g, old, O_RDONLY, &fh) == ESTALE);
	uint64_t now = look(&g, FUSE_ROOT_ID, "f");
	CHECK(now != old && get_attr(&g, now, &attr) == 0 && attr.size == 5);
	/* one that was open is still the old one */
	CHECK(open_file(&g, now, O_RDONLY, &fh) == 0);
	put("new", "x");
	CHECK(rename(at("new"), at("f")) == 0);
	CHECK(get_attr(&g, now, &attr) == 0 && attr.size == 5 && attr.nlink == 0);
	/* a link in the place of a folder leads nowhere */
	CHECK(mkdir(at("d"), 0755) == 0);
	put("d/f", "inside");
	uint64_t folder = look(&g, FUSE_ROOT_ID, "d");
	uint64_t inside = look(&g, folder, "f");
	CHECK(rename(at("d"), at("away")) == 0 && symlink("/etc", at("d")) == 0);
	/* the folder is open, and goes on being what it was */
	CHECK(look(&g, folder, "f") == inside && look(&g, folder, "passwd") == 0);
	for (int i = 0; i < 100 && g.fs.nodes.open; i++)
		fs_nodes_close_some(&g.fs.nodes);
	end(&g);
}

static void a_link_in_the_place_of_a_folder(void)
{
	static struct guest g;
	uint64_t folders[20];
	char name[16];

	begin(&g, 8);
	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "d%d", i);
		CHECK(mkdir(at(name), 0755) == 0);
		folders[i] = look(&g, FUSE_ROOT_ID, name);
		look(&g, folders[i], "none"); /* opens it, and closes an older one */
	}
	CHECK(rename(at("d0"), at("away")) == 0 && symlink("/etc", at("d0")) == 0);
	CHECK(guest_name(&g, FUSE_LOOKUP, folders[0], "passwd") == ESTALE);
	end(&g);
}

/* As many files as a large image has, and a limit of descriptors that is far below. */
static void three_hundred_thousand(void)
{
	enum { FOLDERS = 300, FILES = 1000, DESCRIPTORS = 200 };
	static struct guest g;
	static uint64_t ids[FOLDERS * FILES];
	struct rlimit before;
	char name[32];
	uint64_t fh;

	begin(&g, DESCRIPTORS / 2);
	getrlimit(RLIMIT_NOFILE, &before);
	const struct rlimit few = { DESCRIPTORS, before.rlim_max };
	CHECK(setrlimit(RLIMIT_NOFILE, &few) == 0);
	for (int d = 0; d < FOLDERS; d++) {
		snprintf(name, sizeof(name), "%d", d);
		CHECK(mkdir(at(name), 0755) == 0);
		int folder = open(at(name), O_PATH | O_CLOEXEC);
		uint64_t id = look(&g, FUSE_ROOT_ID, name);
		for (int f = 0; f < FILES; f++) {
			snprintf(name, sizeof(name), "%d", f);
			CHECK(mknodat(folder, name, S_IFREG | 0600, 0) == 0);
			ids[d * FILES + f] = look(&g, id, name);
			CHECK(ids[d * FILES + f] != 0);
		}
		close(folder);
	}
	CHECK(g.fs.nodes.n == 1 + FOLDERS + FOLDERS * FILES);
	for (int i = 0; i < 20000; i++) {
		int which = (int)((unsigned)i * 7919U % (FOLDERS * FILES));
		CHECK(get_attr(&g, ids[which], NULL) == 0);
		if (i % 100 == 0 && i < 50 * 100)
			CHECK(open_file(&g, ids[which], O_RDWR, &fh) == 0);
	}
	/* all that there is is open: closing what need not be makes room */
	int n = 0;
	while (open_file(&g, ids[n * 977], O_RDONLY, &fh) == 0)
		n++;
	CHECK(n > DESCRIPTORS / 3 && get_attr(&g, ids[5], NULL) == 0);
	CHECK(setrlimit(RLIMIT_NOFILE, &before) == 0);
	end(&g);
}

/* --- the engine's side --- */

enum {
	MEMORY = 1 << 20,
	RING = 16,
	DESC = 0x1000,
	AVAIL = 0x2000,
	USED = 0x3000,
	BUFFERS = 0x10000
};

struct engine {
	int socket, memory, kick, call;
	uint8_t *base;
	pthread_t thread;
	struct guest g;
	error *why;
};

static void *serve(void *context)
{
	struct engine *e = context;

	e->why = vhost_serve(e->socket, &e->g.fs);
	close(e->socket);
	return NULL;
}

static int tell(int socket, uint32_t request, const void *body, uint32_t size, int fd)
{
	struct vhost_message m = { .request = request, .flags = VHOST_VERSION, .size = size };

	if (size)
		memcpy(&m.number, body, size);
	auto_error error *e = message_send(socket, &m, VHOST_HEAD + size, &fd, fd >= 0);
	return e ? -1 : 0;
}

static int engine_begin(struct engine *e)
{
	int pair[2];

	memset(e, 0, sizeof(*e));
	begin(&e->g, 64);
	e->g.fs.begun = false;
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	e->socket = pair[1];
	e->memory = memfd_create("guest", MFD_CLOEXEC);
	CHECK(ftruncate(e->memory, MEMORY) == 0);
	e->base = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED, e->memory, 0);
	e->kick = eventfd(0, EFD_CLOEXEC);
	e->call = eventfd(0, EFD_CLOEXEC);
	CHECK(pthread_create(&e->thread, NULL, serve, e) == 0);
	return pair[0];
}

static void engine_end(struct engine *e, int socket)
{
	close(socket);
	pthread_join(e->thread, NULL);
	munmap(e->base, MEMORY);
	close(e->memory);
	close(e->kick);
	close(e->call);
	end(&e->g);
}

static void share_memory(const struct engine *e, int socket)
{
	const struct {
		uint32_t n, padding;
		struct vhost_region r;
	} table = { 1, 0, { 0, MEMORY, (uintptr_t)e->base, 0 } };

	CHECK(tell(socket, SET_MEM_TABLE, &table, sizeof(table), e->memory) == 0);
}

static void share_queue(const struct engine *e, int socket, uint32_t index)
{
	const struct vhost_address where = { .index = index,
					     .desc = (uintptr_t)e->base + DESC,
					     .avail = (uintptr_t)e->base + AVAIL,
					     .used = (uintptr_t)e->base + USED };
	const uint64_t number = index;

	CHECK(tell(socket, SET_VRING_NUM, &(struct vhost_state){ index, RING }, 8, -1) == 0);
	CHECK(tell(socket, SET_VRING_BASE, &(struct vhost_state){ index, 0 }, 8, -1) == 0);
	CHECK(tell(socket, SET_VRING_ADDR, &where, sizeof(where), -1) == 0);
	CHECK(tell(socket, SET_VRING_CALL, &number, 8, e->call) == 0);
	CHECK(tell(socket, SET_VRING_KICK, &number, 8, e->kick) == 0);
}

static void put_request(const struct engine *e, uint16_t n, const void *request, uint32_t len)
{
	struct vring_desc *desc = (struct vring_desc *)(e->base + DESC);
	struct vring_avail *avail = (struct vring_avail *)(e->base + AVAIL);
	const uint64_t one = 1;
	uint16_t head = (uint16_t)(n % (RING / 2) * 2);
	uint64_t out = BUFFERS + head * 0x1000UL;

	memcpy(e->base + out, request, len);
	desc[head] = (struct vring_desc){ out, len, VRING_DESC_F_NEXT, (uint16_t)(head + 1) };
	desc[head + 1] = (struct vring_desc){ out + 0x1000, 0x1000, VRING_DESC_F_WRITE, 0 };
	avail->ring[n % RING] = head;
	__atomic_store_n(&avail->idx, (uint16_t)(n + 1), __ATOMIC_RELEASE);
	CHECK(write(e->kick, &one, sizeof(one)) == sizeof(one));
}

static void through_a_queue(void)
{
	static struct engine e;
	const struct {
		struct fuse_in_header head;
		struct fuse_init_in init;
	} init = { { .len = sizeof(init), .opcode = FUSE_INIT, .unique = 77 },
		   { .major = 7, .minor = 38 } };
	struct vhost_message m = { 0 };
	uint64_t count;
	int socket = engine_begin(&e);

	CHECK(tell(socket, GET_FEATURES, NULL, 0, -1) == 0);
	CHECK(recv(socket, &m, VHOST_HEAD + 8, MSG_WAITALL) == VHOST_HEAD + 8);
	CHECK(m.number & VIRTIO_VERSION_1 && m.flags & VHOST_IS_REPLY);
	CHECK(tell(socket, SET_FEATURES, &(uint64_t){ VIRTIO_VERSION_1 }, 8, -1) == 0);
	share_memory(&e, socket);
	share_queue(&e, socket, 1);
	for (uint16_t i = 0; i < 40; i++) {
		if (i == 20) /* an engine may lay its memory anew at any time */
			share_memory(&e, socket);
		put_request(&e, i, &init, sizeof(init));
		struct pollfd told = { e.call, POLLIN, 0 };
		CHECK(poll(&told, 1, 10000) == 1 && read(e.call, &count, 8) == 8);
		const struct vring_used *used = (const void *)(e.base + USED);
		CHECK(used->idx == i + 1 &&
		      used->ring[i % RING].len == 16 + sizeof(struct fuse_init_out));
		const struct fuse_out_header *head =
			(const void *)(e.base + BUFFERS + used->ring[i % RING].id * 0x1000UL +
				       0x1000);
		CHECK(head->unique == 77 && !head->error);
	}
	CHECK(tell(socket, GET_VRING_BASE, &(struct vhost_state){ 1, 0 }, 8, -1) == 0);
	CHECK(recv(socket, &m, VHOST_HEAD + 8, MSG_WAITALL) == VHOST_HEAD + 8 &&
	      m.state.value == 40);
	engine_end(&e, socket);
	CHECK_FINE(e.why);
}

/* Each of these ends the server, with a word; none of them harms it. */
static void engines_that_lie(void)
{
	static const struct {
		uint32_t request, size;
		uint64_t body[6];
		bool fd;
		const char *says;
	} rows[] = {
		{ 77, 0, { 0 }, false, "not agreed upon" },
		{ SET_FEATURES, 8, { ~0ULL }, false, "not offered" },
		{ SET_FEATURES, 4, { 0 }, false, "of 4 bytes" },
		{ SET_MEM_TABLE, 8 + 32, { 1, 0, MEMORY, 0, 0 }, false, "0 descriptors" },
		{ SET_MEM_TABLE, 8 + 32, { 0, 0, MEMORY, 0, 0 }, true, "0 regions" },
		{ SET_MEM_TABLE, 8 + 32, { 9, 0, MEMORY, 0, 0 }, true, "regions" },
		{ SET_MEM_TABLE, 8 + 32, { 1, 0, 0, 0, 0 }, true, "no end" },
		{ SET_MEM_TABLE, 8 + 32, { 1, ~0ULL, MEMORY, 0, 0 }, true, "no end" },
		{ SET_MEM_TABLE, 8 + 32, { 1, 0, MEMORY, ~0ULL, 0 }, true, "no end" },
		{ SET_MEM_TABLE, 8 + 32, { 1, 0, MEMORY, 0, ~0ULL }, true, "no end" },
		{ SET_VRING_NUM, 8, { 7 }, false, "queue 7 of 2" },
		{ SET_VRING_NUM, 8, { 4096ULL << 32 }, false, "4096 descriptors" },
		{ SET_VRING_NUM, 8, { 0 }, false, "0 descriptors" },
		{ SET_VRING_KICK, 8, { 1 }, true, "outside of the memory" },
		{ SET_VRING_KICK, 8, { 1 | VHOST_NO_FD }, false, "nothing tells" },
		{ GET_VRING_BASE, 8, { 2 }, false, "queue 2 of 2" },
		{ SET_PROTOCOL_FEATURES, 8, { 1 }, false, "there are none" },
	};
	static struct engine e;

	for (size_t i = 0; i < COUNT(rows); i++) {
		int socket = engine_begin(&e);
		CHECK(tell(socket, rows[i].request, rows[i].body, rows[i].size,
			   rows[i].fd ? e.memory : -1) == 0);
		pthread_join(e.thread, NULL);
		CHECK(e.why != NULL);
		if (!strstr(error_message(e.why), rows[i].says))
			CHECK_FAIL("row %zu: %s", i, error_message(e.why));
		error_free(e.why);
		CHECK(pthread_create(&e.thread, NULL, serve, &e) ==
		      0); /* on a closed socket, for engine_end */
		engine_end(&e, socket);
		error_free(e.why);
	}
}

/* Rings that the guest has laid wrong. */
static void rings_that_lie(void)
{
	static const char *const says[] = { "outside of the memory", "without an end",
					    "descriptor 16", "indirect", "descriptor 16" };
	static struct engine e;
	struct vring_desc *desc;
	struct vring_avail *avail;
	const uint64_t one = 1;

	for (int how = 0; how < 5; how++) {
		int socket = engine_begin(&e);
		desc = (struct vring_desc *)(e.base + DESC);
		avail = (struct vring_avail *)(e.base + AVAIL);
		CHECK(tell(socket, SET_FEATURES, &(uint64_t){ VIRTIO_VERSION_1 }, 8, -1) == 0);
		share_memory(&e, socket);
		share_queue(&e, socket, 1);
		desc[0] = desc[RING] = (struct vring_desc){ BUFFERS, 100, 0, 0 };
		if (how == 0)
			desc[0].addr = MEMORY - 50;
		else if (how == 1)
			desc[0] = (struct vring_desc){ BUFFERS, 100, VRING_DESC_F_NEXT, 0 };
		else if (how == 2)
			desc[0] = (struct vring_desc){ BUFFERS, 100, VRING_DESC_F_NEXT, RING };
		else if (how == 3)
			desc[0].flags = VRING_DESC_F_INDIRECT;
		avail->ring[0] = how == 4 ? RING : 0;
		avail->idx = 1;
		CHECK(write(e.kick, &one, sizeof(one)) == sizeof(one));
		pthread_join(e.thread, NULL);
		CHECK(e.why != NULL && error_code(e.why) == EPROTO);
		CHECK(strstr(error_message(e.why), says[how]) != NULL);
		error_free(e.why);
		CHECK(pthread_create(&e.thread, NULL, serve, &e) == 0);
		engine_end(&e, socket);
		error_free(e.why);
	}
}

int main(void)
{
	/* where files are opened anew through */
	int self = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);

	CHECK(mkdtemp(place) && fchdir(self) == 0);
	names_lead_nowhere_else();
	requests_that_are_no_requests();
	only_files_and_folders_are_opened();
	numbers_that_mean_nothing();
	what_is_forgotten();
	moved_while_closed();
	replaced_by_the_host();
	a_link_in_the_place_of_a_folder();
	three_hundred_thousand();
	through_a_queue();
	engines_that_lie();
	rings_that_lie();
	CHECK(rmdir(place) == 0);
	return 0;
}
