/* Any bytes as what a hostile guest and the processes of the host do with stream sockets: packets in any order, buffers of any
 * size, connections that come, go, and say anything. What the guest is sent must be whole packets; and when nobody does anything
 * any more, the device must come to rest: one that is always ready would keep a processor of the host's busy. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "vmm/virtio.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MEMORY = 1 << 20, QUEUES_AT = 0x1000, RX_AT = 0x10000, TX_AT = 0x80000, RING = 64, ROOM = 0x1000, HOSTS = 16 };
enum { TO_GUEST, FROM_GUEST };

struct input {
	const uint8_t *data;
	size_t left;
};

static uint32_t take(struct input *in, size_t n)
{
	uint32_t value = 0;

	n = n < in->left ? n : in->left;
	memcpy(&value, in->data, n);
	in->data += n;
	in->left -= n;
	return value;
}

struct __attribute__((packed)) packet {
	uint64_t from, to;
	uint32_t from_port, to_port, len;
	uint16_t type, operation;
	uint32_t flags, room, taken;
};

static struct memory memory;
static struct loop loop;
static struct virtio_device *d;
static int broker, hosts[HOSTS];
static char socket_path[64];
static uint16_t rx, tx, heard;
static uint32_t last_host_port, last_guest_port; /* of what the device has said last */

static void *queue_part(unsigned queue, unsigned offset, size_t len)
{
	return memory_at(&memory, QUEUES_AT + queue * 0x2000ULL + offset, len);
}

static error *set(uint64_t reg, uint64_t value)
{
	return virtio_write(d, reg, (uint32_t)value, 4);
}

static error *start(void)
{
	rx = tx = heard = 0;
	memset(memory.base + QUEUES_AT, 0, 0x8000);
	try(set(0x70, 0));
	for (uint32_t half = 0; half < 2; half++) {
		try(set(0x24, half));
		try(set(0x20, VIRTIO_VERSION_1 >> 32 * half));
	}
	try(set(0x70, 11));
	for (unsigned i = 0; i < d->n_queues; i++) {
		uint64_t at = QUEUES_AT + i * 0x2000ULL;
		try(set(0x30, i));
		try(set(0x38, RING));
		try(set(0x80, at));
		try(set(0x90, at + 0x800));
		try(set(0xa0, at + 0x1000));
		try(set(0x44, 1));
	}
	return set(0x70, 15);
}

/* The guest offers the n-th of its places in that queue. */
static error *offer(unsigned queue, uint16_t *n, uint32_t at, uint32_t len)
{
	struct vring_desc *desc = queue_part(queue, 16U * (*n % RING), sizeof(*desc));
	struct vring_avail *avail = queue_part(queue, 0x800, 0x400);

	*desc = (struct vring_desc){ .addr = at + ROOM * (uint32_t)(*n % RING), .len = len, .flags = queue == TO_GUEST ? VRING_DESC_F_WRITE : 0 };
	avail->ring[*n % RING] = *n % RING;
	avail->idx = ++*n;
	return set(0x50, queue);
}

static error *say(struct input *in)
{
	struct packet *p = memory_at(&memory, TX_AT + ROOM * (uint32_t)(tx % RING), ROOM);
	uint32_t how = take(in, 1);

	*p = (struct packet){ .from = 3, .to = 2, .type = 1, .from_port = 1000 + how % 3, .to_port = 70 + how / 3 % 3 };
	if (how & 0x40) { /* to a connection of the host's */
		p->from_port = last_guest_port;
		p->to_port = last_host_port;
	}
	p->operation = (uint16_t)(take(in, 1) % 9);
	p->flags = take(in, 1) % 5;
	p->room = take(in, 2) * (how & 0x80 ? 0x10001U : 1);
	p->taken = take(in, 2);
	p->len = p->operation == 5 ? take(in, 2) % (ROOM - sizeof(*p)) : 0;
	uint32_t lie = take(in, 1);
	uint32_t len = (uint32_t)sizeof(*p) + p->len;
	if (lie > 250)
		p->len += lie;
	return offer(FROM_GUEST, &tx, TX_AT, lie == 250 ? 20 : len);
}

/* What the device has said since the last time. */
static void hear(void)
{
	struct vring_used *used = queue_part(TO_GUEST, 0x1000, 0x400);

	for (; heard != used->idx; heard++) {
		struct vring_used_elem e = used->ring[heard % RING];
		struct packet *p = memory_at(&memory, RX_AT + ROOM * e.id, ROOM);
		if (e.len < sizeof(*p) || e.len > ROOM || p->len != e.len - sizeof(*p) || p->from != 2 || p->to != 3 || p->type != 1 ||
		    p->operation < 1 || p->operation > 7)
			abort();
		last_host_port = p->from_port;
		last_guest_port = p->to_port;
	}
}

static error *give_room(struct input *in)
{
	uint32_t how = take(in, 1);

	for (uint32_t i = 0; i < how % 8; i++)
		if ((uint16_t)(rx - heard) < RING)
			try(offer(TO_GUEST, &rx, RX_AT, how > 250 ? 30 : how & 0x80 ? 60 : ROOM));
	return NULL;
}

static int *host(struct input *in)
{
	return &hosts[take(in, 1) % HOSTS];
}

static void put_host(struct input *in, int fd)
{
	int *h = host(in);

	if (*h >= 0)
		close(*h);
	fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK);
	*h = fd;
}

static error *come_from_host(struct input *in)
{
	static const char *const words[] = { "CONNECT 5\n", "CONNECT 5\nand more", "CONNECT ", "CONNECT 4294967296\n", "\n", "CONNECT 7\n" };
	int fd = -1;
	const char *word = words[take(in, 1) % 6];

	/* those that are there are taken in, so that there is room for one more */
	try(loop_turn(&loop, 0));
	if (socket_connect(AT_FDCWD, socket_path, SOCK_STREAM, &fd))
		abort();
	if (write(fd, word, strlen(word)) < 0)
		abort();
	put_host(in, fd);
	return NULL;
}

static void answer(struct input *in)
{
	uint32_t question[2];
	uint32_t how = take(in, 1);
	int pair[2] = { -1, -1 };

	if (read(broker, question, sizeof(question)) != sizeof(question))
		question[1] = how; /* it was not asked */
	uint32_t words[2] = { question[1] + (how > 250), how & 1 ? 111 : 0 };
	if (!words[1]) {
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0)
			abort();
		put_host(in, pair[1]);
	}
	auto_error error *lost = message_send(broker, words, sizeof(words), pair, words[1] ? 0 : 1);
	if (pair[0] >= 0)
		close(pair[0]);
}

static void act_as_host(struct input *in)
{
	static char text[70000];
	int *h = host(in);
	uint32_t how = take(in, 1);

	if (*h < 0)
		return;
	switch (how % 5) {
	case 0:
		if (write(*h, text, how * 270) < 0)
			return;
		return;
	case 1:
		if (read(*h, text, how * 270) < 0)
			return;
		return;
	case 2:
		shutdown(*h, SHUT_WR);
		return;
	case 3:
		shutdown(*h, SHUT_RD);
		return;
	default:
		close(*h);
		*h = -1;
	}
}

static error *act(struct input *in)
{
	switch (take(in, 1) % 12) {
	case 0:
	case 1:
	case 2:
		return say(in);
	case 3:
		return give_room(in);
	case 4:
		return come_from_host(in);
	case 5:
	case 6:
		answer(in);
		return NULL;
	case 7:
	case 8:
		act_as_host(in);
		return NULL;
	case 9:
		return take(in, 1) > 240 ? start() : NULL;
	default:
		try(loop_turn(&loop, 0));
		hear();
		return NULL;
	}
}

static bool is_busy(void)
{
	struct pollfd polls[256];
	size_t n = 0;

	for (size_t i = 0; i < loop.n && n < 256; i++)
		if (loop.slots[i].watch)
			polls[n++] = (struct pollfd){ .fd = loop.slots[i].watch->fd, .events = loop.slots[i].watch->events };
	return poll(polls, n, 0) > 0;
}

static void come_to_rest(void)
{
	error *e = NULL;

	for (int i = 0; i < 400 && is_busy() && !e; i++)
		e = loop_turn(&loop, 0);
	if (!e) {
		hear();
		if (is_busy())
			abort();
	}
	error_free(e);
}

static void begin(void)
{
	int listener;
	int pair[2];

	if (!memory.base && memory_new(&memory, MEMORY))
		abort();
	snprintf(socket_path, sizeof(socket_path), "/dev/shm/skiff-fuzz-vsock.%d", getpid());
	unlink(socket_path);
	for (int i = 0; i < HOSTS; i++)
		hosts[i] = -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0 ||
	    socket_listen(AT_FDCWD, socket_path, SOCK_STREAM, &listener))
		abort();
	broker = pair[1];
	if (virtio_vsock_new(listener, pair[0], 3, &memory, &loop, &d))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };

	signal(SIGPIPE, SIG_IGN);
	begin();
	error *e = start();
	while (!e && in.left)
		e = act(&in);
	if (!e)
		come_to_rest();
	error_free(e);
	virtio_free(d);
	for (int i = 0; i < HOSTS; i++)
		if (hosts[i] >= 0)
			close(hosts[i]);
	close(broker);
	loop_end(&loop);
	unlink(socket_path);
	return 0;
}
