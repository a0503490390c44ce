/* Devices, driven as a guest does it: what they answer, and what they refuse. */
#include <fcntl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"

#include "driver.h"

static struct driver v;

static void begin(void)
{
	driver_end(&v);
	CHECK_FINE(memory_new(&v.memory, DRIVER_MEMORY));
}

static void rng(void)
{
	struct iovec buffer = { NULL, 64 };
	uint8_t none[64] = { 0 };

	begin();
	CHECK_FINE(virtio_rng_new(&v.memory, &v.loop, &v.d));
	CHECK(driver_read(&v, 0) == 0x74726976 && driver_read(&v, 8) == VIRTIO_RNG);
	driver_start(&v, VIRTIO_EVENT_IDX);
	buffer.iov_base = driver_data(&v, 0);
	driver_add(&v, 0, &buffer, 0, 1);
	CHECK_FINE(driver_turns(&v));
	CHECK(driver_used(&v, 0) == 64 && memcmp(driver_data(&v, 0), none, 64) != 0);
	CHECK(driver_read(&v, 0x60) == 1);
	driver_write(&v, 0x64, 1);
	CHECK(driver_read(&v, 0x60) == 0);
}

/* --- what a hostile driver does --- */

static void breaks(const char *why, void (*how)(void))
{
	begin();
	CHECK_FINE(virtio_rng_new(&v.memory, &v.loop, &v.d));
	driver_start(&v, 0);
	struct iovec buffer = { driver_data(&v, 0), 64 };
	driver_add(&v, 0, &buffer, 0, 1);
	how();
	CHECK_FAILS(driver_turns(&v), EPROTO, why);
}

static void outside(void)
{
	v.q[0].desc[0].addr = DRIVER_MEMORY - 10;
}

static void wraps(void)
{
	v.q[0].desc[0].addr = UINT64_MAX - 10;
}

static void empty(void)
{
	v.q[0].desc[0].len = 0;
}

static void endless(void)
{
	v.q[0].desc[0].flags |= VRING_DESC_F_NEXT;
	v.q[0].desc[0].next = 0;
}

static void no_descriptor(void)
{
	v.q[0].avail->ring[0] = DRIVER_RING;
}

static void no_next(void)
{
	v.q[0].desc[0].flags |= VRING_DESC_F_NEXT;
	v.q[0].desc[0].next = 999;
}

static void too_many(void)
{
	v.q[0].avail->idx = DRIVER_RING + 1;
}

static void indirect(void)
{
	v.q[0].desc[0].flags |= VRING_DESC_F_INDIRECT;
}

static void wrong_order(void)
{
	v.q[0].desc[0].flags |= VRING_DESC_F_NEXT;
	v.q[0].desc[0].next = 1;
	v.q[0].desc[1] = (struct vring_desc){ .addr = DRIVER_DATA, .len = 1 };
}

static void hostile(void)
{
	breaks("outside of the memory", outside);
	breaks("outside of the memory", wraps);
	breaks("outside of the memory", empty);
	breaks("without an end", endless);
	breaks("descriptor 16", no_descriptor);
	breaks("descriptor 999", no_next);
	breaks("17 requests at once", too_many);
	breaks("indirect", indirect);
	breaks("behind one to write", wrong_order);
}

static void bad_registers(void)
{
	begin();
	CHECK_FINE(virtio_rng_new(&v.memory, &v.loop, &v.d));
	driver_agree(&v, 1ULL << 40); /* a feature that is not offered */
	CHECK(!(driver_read(&v, 0x70) & 8));
	CHECK_FAILS(virtio_write(v.d, 0x70, 7, 4), EPROTO, "agreement");
	driver_agree(&v, 0);
	CHECK_FAILS(virtio_write(v.d, 0x38, 65, 4), EPROTO, "65 descriptors");
	driver_write(&v, 0x38, 3);
	CHECK_FAILS(virtio_write(v.d, 0x70, 15, 4), EPROTO, "3 descriptors");
	driver_write(&v, 0x38, 16);
	driver_write(&v, 0x80, DRIVER_MEMORY - 16);
	CHECK_FAILS(virtio_write(v.d, 0x70, 15, 4), EPROTO, "outside of the memory");
	driver_write(&v, 0x80, 0x10001);
	CHECK_FAILS(virtio_write(v.d, 0x70, 15, 4), EPROTO, "not aligned");
	driver_start(&v, 0);
	CHECK_FAILS(virtio_write(v.d, 0x38, 8, 4), EPROTO, "while it runs");
	driver_write(&v, 0x30, 1);
	driver_write(&v, 0x70, 0);
	driver_write(&v, 0x30, 7);
	CHECK_FAILS(virtio_write(v.d, 0x44, 1, 4), EPROTO, "not there");
	/* odd sizes and places say nothing and change nothing */
	CHECK(virtio_read(v.d, 0x0, 2) == 0 && virtio_read(v.d, 0x2, 4) == 0 &&
	      virtio_read(v.d, 0xfff, 4) == 0 && virtio_read(v.d, 0x100, 4) == 0);
	CHECK_FINE(virtio_write(v.d, 0x1fe, 1, 4));
}

/* --- the port to the agent --- */

struct control {
	uint32_t id;
	uint16_t event, value;
};

static void tell(uint16_t event, uint16_t value)
{
	struct control *c = (struct control *)driver_data(&v, 0x1000);

	*c = (struct control){ 0, event, value };
	struct iovec buffer = { c, sizeof(*c) };
	driver_add(&v, 3, &buffer, 1, 0);
	CHECK_FINE(driver_turns(&v));
}

static void console(void)
{
	int agent[2];
	char text[8] = "";

	begin();
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, agent) == 0);
	CHECK_FINE(virtio_console_new(agent[0], "a.port", &v.memory, &v.loop, &v.d));
	CHECK(driver_read(&v, 0x104) == 1); /* ports */
	driver_start(&v, VIRTIO_EVENT_IDX | 2);
	for (unsigned i = 0; i < 3; i++) {
		struct iovec room = { driver_data(&v, i * 64), 64 };
		driver_add(&v, 2, &room, 0, 1);
	}
	tell(0, 1); /* the device is ready */
	CHECK(driver_used(&v, 2) == 8);
	CHECK(((struct control *)driver_data(&v, 0))->event == 1);
	tell(3, 1); /* the port too */
	CHECK(driver_used(&v, 2) == 14 && memcmp(driver_data(&v, 64 + 8), "a.port", 6) == 0);
	CHECK(driver_used(&v, 2) == 8 && ((struct control *)driver_data(&v, 128))->event == 6);
	/* nothing arrives before the guest has it open */
	CHECK(write(agent[1], "hello", 5) == 5);
	struct iovec room = { driver_data(&v, 0x2000), 3 };
	driver_add(&v, 0, &room, 0, 1);
	CHECK_FINE(driver_turns(&v));
	CHECK(driver_used(&v, 0) == -1);
	tell(6, 1);
	CHECK(driver_used(&v, 0) == 3 && memcmp(driver_data(&v, 0x2000), "hel", 3) == 0);
	driver_add(&v, 0, &room, 0, 1);
	CHECK_FINE(driver_turns(&v));
	CHECK(driver_used(&v, 0) == 2 && memcmp(driver_data(&v, 0x2000), "lo", 2) == 0);
	struct iovec parts[] = { { "", 0 },
				 { driver_data(&v, 0x3000), 2 },
				 { driver_data(&v, 0x4000), 3 } };
	memcpy(parts[1].iov_base, "wo", 2);
	memcpy(parts[2].iov_base, "rld", 3);
	driver_add(&v, 1, parts + 1, 2, 0);
	CHECK_FINE(driver_turns(&v));
	CHECK(driver_used(&v, 1) == 0 && read(agent[1], text, sizeof(text)) == 5);
	CHECK_TEXT(text, "world");
	close(agent[1]);
	CHECK_FAILS(driver_turns(&v), EPIPE, "nobody");
}

/* A socket that is full holds the request back, and nothing is lost. */
static void backpressure(void)
{
	static uint8_t data[64 << 10];
	int agent[2];
	size_t sent = 0;
	size_t got = 0;

	begin();
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, agent) == 0);
	fcntl(agent[1], F_SETFL, O_RDWR | O_NONBLOCK);
	CHECK_FINE(virtio_console_new(agent[0], "a", &v.memory, &v.loop, &v.d));
	driver_start(&v, 2);
	struct iovec buffer = { driver_data(&v, 0), sizeof(data) };
	for (int i = 0; i < DRIVER_RING; i++, sent += sizeof(data))
		driver_add(&v, 1, &buffer, 1, 0);
	CHECK_FINE(driver_turns(&v));
	CHECK(v.q[1].used->idx < DRIVER_RING);
	while (got < sent) {
		ssize_t n = read(agent[1], data, sizeof(data));
		got += n > 0 ? (size_t)n : 0;
		CHECK_FINE(driver_turns(&v));
	}
	CHECK(got == sent && v.q[1].used->idx == DRIVER_RING);
}

/* A driver that asks and asks, and has no room for answers. */
static void flood(void)
{
	int agent[2];

	begin();
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, agent) == 0);
	CHECK_FINE(virtio_console_new(agent[0], "a", &v.memory, &v.loop, &v.d));
	driver_start(&v, 2);
	struct control *c = (struct control *)driver_data(&v, 0);
	*c = (struct control){ 0, 0, 1 };
	struct iovec buffer = { c, sizeof(*c) };
	for (int i = 0; i < 9; i++)
		driver_add(&v, 3, &buffer, 1, 0);
	CHECK_FAILS(driver_turns(&v), EPROTO, "more than it takes");
	close(agent[1]);
}

/* --- the disk --- */

static uint8_t request(uint32_t type, uint64_t sector, uint8_t *data, size_t len, int64_t *used)
{
	struct {
		uint32_t type, priority;
		uint64_t sector;
	} *head = (void *)driver_data(&v, 0x8000);
	uint8_t *status = driver_data(&v, 0x9000);

	*status = 99;
	head->type = type;
	head->sector = sector;
	struct iovec parts[] = { { head, 16 }, { data, len }, { status, 1 } };
	driver_add(&v, 0, parts, type == 1 ? 2 : 1, type == 1 ? 1 : 2);
	CHECK_FINE(driver_turns(&v));
	*used = driver_used(&v, 0);
	return *status;
}

static void disk(void)
{
	char path[] = "/tmp/skiff-disk.XXXXXX";
	int fd = mkstemp(path);
	uint8_t *data;
	int64_t used;

	CHECK(fd >= 0 && ftruncate(fd, 8 * 512) == 0 && pwrite(fd, "third", 5, 2 * 512) == 5);
	begin();
	CHECK_FINE(virtio_blk_new(open(path, O_RDWR | O_CLOEXEC), BLK_WRITE, "a.disk", &v.memory,
				  &v.loop, &v.d));
	CHECK(driver_read(&v, 0x100) == 8);
	driver_start(&v, 0);
	data = driver_data(&v, 0);
	CHECK(request(0, 2, data, 512, &used) == 0 && used == 513);
	CHECK(memcmp(data, "third", 5) == 0);
	memcpy(data, "fifth", 5);
	CHECK(request(1, 4, data, 512, &used) == 0 && used == 1);
	CHECK(pread(fd, data, 5, 4 * 512) == 5 && memcmp(data, "fifth", 5) == 0);
	CHECK(request(0, 7, data, 1024, &used) == 1 && used == 1); /* beyond its end */
	CHECK(request(0, UINT64_MAX / 512, data, 512, &used) == 1);
	CHECK(request(0, 0, data, 100, &used) == 1);
	CHECK(request(77, 0, data, 512, &used) == 2);
	virtio_free(v.d);
	CHECK_FINE(virtio_blk_new(open(path, O_RDWR | O_CLOEXEC), BLK_READ_ONLY, "a.disk",
				  &v.memory, &v.loop, &v.d));
	driver_start(&v, 0);
	CHECK(request(1, 4, data, 512, &used) == 1);
	struct iovec only = { data, 8 };
	driver_add(&v, 0, &only, 1, 0);
	CHECK_FAILS(driver_turns(&v), EPROTO, "a request of 8 and 0 bytes");
	unlink(path);
	close(fd);
}

/* What is written is read again, also when the request reaches over what is not; the image stays.
 */
static void disk_copy(void)
{
	char path[] = "/tmp/skiff-disk.XXXXXX";
	int fd = mkstemp(path);
	char now[8] = "";
	int64_t used;

	CHECK(fd >= 0 && ftruncate(fd, 8 * 512) == 0);
	for (int i = 0; i < 8; i++)
		CHECK(pwrite(fd, &"01234567"[i], 1, i * 512) == 1);
	begin();
	CHECK_FINE(virtio_blk_new(open(path, O_RDWR | O_CLOEXEC), BLK_COPY, "a.disk", &v.memory,
				  &v.loop, &v.d));
	driver_start(&v, 0);
	uint8_t *data = driver_data(&v, 0);
	memset(data, 'x', 512);
	CHECK(request(1, 2, data, 512, &used) == 0 && request(1, 3, data, 512, &used) == 0);
	CHECK(request(1, 6, data, 512, &used) == 0);
	CHECK(request(0, 0, data, 8 * 512, &used) == 0 && used == 8 * 512 + 1);
	for (int i = 0; i < 8; i++)
		CHECK(data[i * 512] == "01xx45x7"[i]);
	CHECK(pread(fd, now, 1, 2 * 512) == 1 && now[0] == '2');
	unlink(path);
	close(fd);
}

/* Each direction has its own; what is held is not served, and is when its time has come. */
static void disk_limits(void)
{
	char path[] = "/tmp/skiff-disk.XXXXXX";
	int fd = mkstemp(path);
	int64_t used;

	CHECK(fd >= 0 && ftruncate(fd, 64 * 512) == 0);
	begin();
	CHECK_FINE(virtio_blk_new(fd, BLK_COPY, "the.disk", &v.memory, &v.loop, &v.d));
	CHECK_FINE(virtio_blk_limit(v.d, false, 0, 10));
	CHECK_FINE(virtio_blk_limit(v.d, true, 512, 0));
	driver_start(&v, 0);
	uint8_t *data = driver_data(&v, 0);
	CHECK(request(8, 0, data, 20, &used) == 0 && memcmp(data, "the.disk", 9) == 0);
	for (int i = 0; i < 10; i++)
		CHECK(request(0, 1, data, 512, &used) == 0);
	CHECK(v.d->count.held == 0);
	CHECK(request(1, 1, data, 4 * 512, &used) == 0 && v.d->count.held == 0);
	/* the next read has to wait a tenth of a second, the next write four */
	CHECK(request(0, 1, data, 512, &used) == 99 && used == -1 && v.d->count.held == 1);
	for (int i = 0; i < 50 && v.q[0].used->idx == v.q[0].next_used; i++)
		CHECK_FINE(loop_turn(&v.loop, 100));
	CHECK(driver_used(&v, 0) == 513);
	CHECK(request(1, 1, data, 512, &used) == 99 && used == -1);
	CHECK(v.d->count.held >= 2 && v.d->count.bytes_out == 4 * 512);
	unlink(path);
}

static void limits(void)
{
	struct limit l;
	uint64_t second = 1000000000;

	limit_set(&l, 1000, 10, 0);
	CHECK(limit_wait(&l, 0) == 0);
	limit_spend(&l, 3000); /* 2000 are owed: two seconds, and a bit */
	CHECK(limit_wait(&l, 0) > 2 * second && limit_wait(&l, 0) < 2 * second + second / 100);
	CHECK(limit_wait(&l, second) > second && limit_wait(&l, 3 * second) == 0);
	for (int i = 0; i < 20; i++)
		limit_spend(&l, 0);
	CHECK(limit_wait(&l, 3 * second) > second && limit_wait(&l, 3 * second) < 2 * second);
	/* no more is saved up than a second's */
	CHECK(limit_wait(&l, 1000 * second) == 0 && l.bytes.left == 1000 && l.requests.left == 10);
	limit_set(&l, 0, 0, 0);
	limit_spend(&l, UINT32_MAX);
	CHECK(limit_wait(&l, 0) == 0);
}

/* A device that is held by its limit goes on by itself. */
static void held(void)
{
	begin();
	CHECK_FINE(virtio_balloon_new(&v.memory, &v.loop, &v.d));
	CHECK_FINE(virtio_limit(v.d, &v.d->limits[1], 0, 20));
	for (int i = 0; i < 20; i++)
		limit_spend(&v.d->limits[1], 0);
	driver_start(&v, 0);
	struct iovec buffer = { driver_data(&v, 0), 4 };
	driver_add(&v, 1, &buffer, 1, 0);
	CHECK_FINE(driver_turns(&v));
	CHECK(driver_used(&v, 1) == -1 && v.d->count.held > 0);
	for (int i = 0; i < 100 && v.q[1].used->idx == 0; i++)
		CHECK_FINE(loop_turn(&v.loop, 100));
	CHECK(driver_used(&v, 1) == 0);
}

/* The one timer is for who may go on first, whoever was held last. */
static void held_both(void)
{
	begin();
	CHECK_FINE(virtio_balloon_new(&v.memory, &v.loop, &v.d));
	CHECK_FINE(virtio_limit(v.d, &v.d->limits[0], 0, 10));
	CHECK_FINE(virtio_limit(v.d, &v.d->limits[1], 0, 1));
	for (int i = 0; i < 10; i++)
		limit_spend(&v.d->limits[0], 0);
	for (int i = 0; i < 1000; i++)
		limit_spend(&v.d->limits[1], 0);
	driver_start(&v, 0);
	struct iovec buffer = { driver_data(&v, 0), 4 };
	driver_add(&v, 0, &buffer, 1, 0);
	CHECK_FINE(driver_turns(&v));
	driver_add(&v, 1, &buffer, 1, 0);
	CHECK_FINE(driver_turns(&v));
	CHECK(v.d->count.held >= 2 && driver_used(&v, 0) == -1);
	for (int i = 0; i < 100 && v.q[0].used->idx == 0; i++)
		CHECK_FINE(loop_turn(&v.loop, 100));
	CHECK(driver_used(&v, 0) == 0 && driver_used(&v, 1) == -1);
}

/* --- stream sockets --- */

struct packet {
	uint64_t from, to;
	uint32_t from_port, to_port, len;
	uint16_t type, operation;
	uint32_t flags, room, taken;
	char data[64];
} __attribute__((packed));

static void say(uint32_t from, uint32_t to, uint16_t operation, const char *text, uint32_t flags)
{
	struct packet *p = (struct packet *)driver_data(&v, 0x8000);

	*p = (struct packet){ .from = 3,
			      .to = 2,
			      .from_port = from,
			      .to_port = to,
			      .len = (uint32_t)strlen(text),
			      .type = 1,
			      .operation = operation,
			      .flags = flags,
			      .room = 40 };
	strcpy(p->data, text);
	struct iovec buffer = { p, 44 + p->len };
	driver_add(&v, 1, &buffer, 1, 0);
	CHECK_FINE(driver_turns(&v));
}

/* The next packet to the guest, in the n-th of the buffers that it has given. */
static struct packet *heard(int n, int64_t len)
{
	int64_t used = driver_used(&v, 0);

	if (used != len)
		CHECK_FAIL("packet %d has %lld bytes, not %lld", n, (long long)used,
			   (long long)len);
	return (struct packet *)driver_data(&v, 0x10000 + (size_t)n * 256);
}

static const char vsock_path[] = "/tmp/skiff-vsock-test";
static int broker;

static void vsock_begin(void)
{
	int pair[2];
	int listener;

	unlink(vsock_path);
	begin();
	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
	CHECK_FINE(socket_listen(AT_FDCWD, vsock_path, SOCK_STREAM, &listener));
	broker = pair[1];
	CHECK_FINE(virtio_vsock_new(listener, pair[0], 3, &v.memory, &v.loop, &v.d));
	CHECK(driver_read(&v, 0x100) == 3);
	driver_start(&v, 0);
	for (size_t i = 0; i < 14; i++) {
		struct iovec room = { driver_data(&v, 0x10000 + i * 256), 256 };
		driver_add(&v, 0, &room, 0, 1);
	}
}

static void vsock_end(void)
{
	close(broker);
	unlink(vsock_path);
}

/* The guest has asked for that port: it is answered with a code, or with a socket (the other end of
 * *host). */
static void broker_says(uint32_t port, int code, int *host)
{
	uint32_t question[2];
	int pair[2];

	CHECK(read(broker, question, sizeof(question)) == sizeof(question) && question[0] == port);
	uint32_t answer[2] = { question[1], (uint32_t)code };
	if (!code) {
		CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) ==
		      0);
		*host = pair[1];
	}
	CHECK_FINE(message_send(broker, answer, sizeof(answer), pair, code ? 0 : 1));
	if (!code)
		close(pair[0]);
	CHECK_FINE(driver_turns(&v));
}

static void vsock(void)
{
	char text[64] = "";
	int host;

	vsock_begin();
	say(1000, 70, 1, "", 0); /* REQUEST */
	CHECK(heard(0, -1));
	broker_says(70, 0, &host);
	CHECK(heard(0, 44)->operation == 2 && heard(0, -1));
	say(1000, 70, 5, "to the host", 0);
	CHECK(read(host, text, sizeof(text)) == 11 && memcmp(text, "to the host", 11) == 0);
	memset(text, 'x', 64);
	CHECK(write(host, text, 64) == 64); /* more than the guest has room for */
	CHECK_FINE(driver_turns(&v));
	struct packet *p = heard(1, 44 + 40);
	CHECK(p->operation == 5 && p->len == 40 && p->taken == 11 && p->data[39] == 'x');
	CHECK(heard(1, -1));
	say(1000, 71, 1, "", 0); /* nobody listens */
	broker_says(71, ECONNREFUSED, NULL);
	CHECK(heard(2, 44)->operation == 3);
	say(1000, 72, 5, "unasked", 0); /* a connection that there is not */
	CHECK(heard(3, 44)->operation == 3);
	close(host);
	say(1000, 70, 4, "", 3); /* SHUTDOWN of both directions: a RESET is its end */
	CHECK(heard(4, 44)->operation == 3);
	/* from the host */
	CHECK_FINE(socket_connect(AT_FDCWD, vsock_path, SOCK_STREAM, &host));
	CHECK(write(host, "CONNECT 80\n", 11) == 11);
	CHECK_FINE(driver_turns(&v));
	p = heard(5, 44);
	CHECK(p->operation == 1 && p->to_port == 80);
	say(80, p->from_port, 2, "", 0);
	CHECK(read(host, text, sizeof(text)) == 11 && memcmp(text, "OK 1048576\n", 11) == 0);
	say(80, p->from_port, 5, "hello", 0);
	CHECK(read(host, text, sizeof(text)) == 5 && memcmp(text, "hello", 5) == 0);
	/* the guest says no more, and is still told something */
	say(80, p->from_port, 4, "", 2);
	CHECK(read(host, text, sizeof(text)) == 0 && write(host, "late", 4) == 4);
	CHECK_FINE(driver_turns(&v));
	CHECK(heard(6, 44 + 4)->operation == 5);
	close(host);
	CHECK_FINE(driver_turns(&v));
	CHECK(heard(7, 44)->operation == 4);
	p = (struct packet *)driver_data(&v, 0x8000);
	p->len = 100;
	struct iovec wrong = { p, 44 };
	driver_add(&v, 1, &wrong, 1, 0);
	CHECK_FAILS(driver_turns(&v), EPROTO, "not as long as it says");
	vsock_end();
}

/* Whether nothing is ready that nobody takes: a turn that waits until its time is up. */
static bool is_quiet(void)
{
	struct timespec a;
	struct timespec b;

	clock_gettime(CLOCK_MONOTONIC, &a);
	CHECK_FINE(loop_turn(&v.loop, 20));
	clock_gettime(CLOCK_MONOTONIC, &b);
	return (b.tv_sec - a.tv_sec) * 1000000000 + b.tv_nsec - a.tv_nsec >= 19000000;
}

/* What cannot be told to the guest, or not to the host, does not keep us busy. */
static void vsock_idle(void)
{
	char text[64] = "";
	int host;

	vsock_begin();
	say(1000, 70, 1, "", 0);
	broker_says(70, 0, &host);
	CHECK(write(host, text, 64) == 64);
	close(host);
	CHECK_FINE(driver_turns(&v));
	CHECK(is_quiet()); /* 24 bytes and the end are left, for which the guest has no room */
	say(1000, 71, 1, "", 0);
	say(1000, 71, 3, "", 0); /* given up before there is an answer */
	broker_says(71, 0, &host);
	CHECK(read(host, text, sizeof(text)) == 0 && is_quiet());
	close(host);
	for (const char *const *wrong =
		     (const char *const[]){ "CONNECT x\n", "HELLO 1\n", "CONNECT 99999999999\n",
					    "CONNECT 1 and then some more\n", NULL };
	     *wrong; wrong++) {
		CHECK_FINE(socket_connect(AT_FDCWD, vsock_path, SOCK_STREAM, &host));
		CHECK(write(host, *wrong, strlen(*wrong)) == (ssize_t)strlen(*wrong));
		CHECK_FINE(driver_turns(&v));
		CHECK(read(host, text, sizeof(text)) <= 0 && is_quiet());
		close(host);
	}
	close(broker);
	CHECK_FINE(driver_turns(&v));
	CHECK(is_quiet());
	say(1000, 73, 1, "", 0);
	vsock_end();
}

static void balloon(void)
{
	begin();
	CHECK_FINE(virtio_balloon_new(&v.memory, &v.loop, &v.d));
	driver_start(&v, 1ULL << 5);
	uint32_t *pages = (uint32_t *)driver_data(&v, 0);
	memset(v.memory.base + (3 << 20), 1, 4096);
	pages[0] = (3 << 20) / 4096;
	pages[1] = UINT32_MAX; /* not memory: nothing */
	struct iovec list = { pages, 8 };
	driver_add(&v, 0, &list, 1, 0);
	CHECK_FINE(driver_turns(&v));
	CHECK(driver_used(&v, 0) == 0 && v.memory.base[3 << 20] == 0);
	struct iovec free_part = { v.memory.base + (2 << 20), 8192 };
	memset(free_part.iov_base, 1, 8192);
	driver_add(&v, 2, &free_part, 0, 1);
	CHECK_FINE(driver_turns(&v));
	CHECK(v.memory.base[2 << 20] == 0 && v.memory.base[(2 << 20) + 8191] == 0);
}

int main(void)
{
	rng();
	hostile();
	bad_registers();
	console();
	backpressure();
	flood();
	disk();
	disk_copy();
	disk_limits();
	limits();
	held();
	held_both();
	vsock();
	vsock_idle();
	balloon();
	driver_end(&v);
	return 0;
}
