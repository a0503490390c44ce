/* Any bytes as what a hostile guest does with its devices: registers, its memory, its rings, and what comes from outside
 * meanwhile. A violation is an error, which would end the machine; nothing else may happen. */
#include <fcntl.h>
#include <linux/if_tun.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "vmm/virtio.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MEMORY = 64 << 10, QUEUES_AT = 0x1000, DATA_AT = 0x8000, RING = 8 };

struct input {
	const uint8_t *data;
	size_t left;
};

static uint64_t take(struct input *in, size_t n)
{
	uint64_t value = 0;

	n = n < in->left ? n : in->left;
	memcpy(&value, in->data, n);
	in->data += n;
	in->left -= n;
	return value;
}

static struct memory memory;
static struct loop loop;
static int outside = -1; /* the other end of the agent's socket */

static error *make_device(unsigned which, struct virtio_device **d)
{
	static char disk[] = "/dev/shm/skiff-fuzz-disk.XXXXXX";
	static bool has_disk;
	int pair[2];

	switch (which % 4) {
	case 0:
		return virtio_rng_new(&memory, &loop, d);
	case 1:
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0)
			abort();
		outside = pair[1];
		return virtio_console_new(pair[0], "skiff.agent", &memory, &loop, d);
	case 2:
		if (!has_disk) {
			int fd = mkstemp(disk);
			if (fd < 0 || ftruncate(fd, 64 << 10) < 0)
				abort();
			close(fd);
			has_disk = true;
		}
		return virtio_blk_new(open(disk, O_RDWR | O_CLOEXEC), BLK_COPY, "disk", &memory, &loop, d);
	default:
		return virtio_balloon_new(&memory, &loop, d);
	}
}

static error *set(struct virtio_device *d, uint64_t reg, uint64_t value)
{
	return virtio_write(d, reg, (uint32_t)value, 4);
}

/* As a driver begins that knows what it does: most inputs would not come so far. */
static error *start(struct virtio_device *d, uint64_t features)
{
	try(set(d, 0x70, 0));
	for (uint32_t half = 0; half < 2; half++) {
		try(set(d, 0x24, half));
		try(set(d, 0x20, (features & d->offered) >> 32 * half));
	}
	try(set(d, 0x70, 11));
	for (unsigned i = 0; i < d->n_queues; i++) {
		uint64_t at = QUEUES_AT + i * 0x1000ULL;
		try(set(d, 0x30, i));
		try(set(d, 0x38, RING));
		try(set(d, 0x80, at));
		try(set(d, 0x90, at + 0x400));
		try(set(d, 0xa0, at + 0x800));
		try(set(d, 0x44, 1));
	}
	return set(d, 0x70, 15);
}

static void add_descriptor(const struct virtio_device *d, struct input *in)
{
	uint64_t at = QUEUES_AT + take(in, 1) % d->n_queues * 0x1000ULL;
	struct vring_desc *desc = memory_at(&memory, at + 16 * (take(in, 1) % RING), sizeof(*desc));

	*desc = (struct vring_desc){ .addr = DATA_AT + take(in, 2), .len = (uint32_t)take(in, 2) };
	desc->flags = (uint16_t)take(in, 1);
	desc->next = (uint16_t)take(in, 1);
}

static void offer(const struct virtio_device *d, struct input *in)
{
	uint64_t at = QUEUES_AT + take(in, 1) % d->n_queues * 0x1000ULL;
	struct vring_avail *avail = memory_at(&memory, at + 0x400, 0x100);

	avail->ring[avail->idx % RING] = (uint16_t)(take(in, 1) % (RING + 1));
	avail->idx = (uint16_t)(avail->idx + 1);
}

static error *act(struct virtio_device *d, struct input *in)
{
	uint8_t text[64];

	switch (take(in, 1) % 9) {
	case 0:
		return virtio_write(d, take(in, 2) % 0x200, (uint32_t)take(in, 4), 1 << take(in, 1) % 3);
	case 1:
		virtio_read(d, take(in, 2) % 0x200, 1 << take(in, 1) % 3);
		return NULL;
	case 2:
		memory.base[take(in, 2) % MEMORY] = (uint8_t)take(in, 1);
		return NULL;
	case 3:
		add_descriptor(d, in);
		return NULL;
	case 4:
		offer(d, in);
		return NULL;
	case 5:
		return set(d, 0x50, take(in, 1));
	case 6:
		if (outside >= 0 && write(outside, text, take(in, 1) % sizeof(text)) < 0)
			return NULL;
		return NULL;
	case 7:
		if (outside >= 0 && read(outside, text, sizeof(text)) < 0)
			return NULL;
		return NULL;
	default:
		return loop_turn(&loop, 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	struct virtio_device *d = NULL;

	if (!memory.base && memory_new(&memory, MEMORY))
		abort();
	memset(memory.base, 0, MEMORY);
	error *e = make_device((unsigned)take(&in, 1), &d);
	if (e)
		abort();
	uint64_t features = take(&in, 1) & 1 ? UINT64_MAX : UINT64_MAX & ~VIRTIO_EVENT_IDX;
	if (take(&in, 1) != 0xff)
		e = start(d, features);
	while (!e && in.left)
		e = act(d, &in);
	for (int i = 0; !e && i < 4; i++)
		e = loop_turn(&loop, 0);
	error_free(e);
	virtio_free(d);
	if (outside >= 0)
		close(outside);
	outside = -1;
	loop_end(&loop);
	return 0;
}
