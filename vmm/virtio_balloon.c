/* What the guest has no use for: pages that it puts into the balloon, or reports as free, are given
 * back to the host. Their content is lost, which is what the guest has been told. */
#include <linux/virtio_balloon.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "vmm/virtio.h"

enum queue { INFLATE, DEFLATE, REPORTING, QUEUES };
enum { PAGE = 4096, AT_ONCE = 256 };

/* The page tables of ours must go too: MADV_REMOVE frees a shared file's pages. */
static void give_back(void *at, size_t len)
{
	uintptr_t from = ((uintptr_t)at + PAGE - 1) & ~(uintptr_t)(PAGE - 1);
	uintptr_t to = ((uintptr_t)at + len) & ~(uintptr_t)(PAGE - 1);

	if (to > from && madvise((void *)from, to - from, MADV_REMOVE) < 0)
		return; /* pages of the kernel's own file: they are shared already */
}

static void inflate(struct virtio_device *d, const struct chain *c)
{
	uint32_t pages[AT_ONCE];
	size_t at = 0;
	size_t len;

	while ((len = chain_read(c, at, pages, sizeof(pages))) > 0) {
		for (size_t i = 0; i < len / sizeof(pages[0]); i++) {
			void *page = memory_at(d->memory, (uint64_t)pages[i] * PAGE, PAGE);
			if (page)
				give_back(page, PAGE);
			d->count.bytes_out += page ? PAGE : 0;
		}
		at += len;
	}
}

static error *serve(struct virtio_device *d, unsigned queue)
{
	struct chain c;
	bool got;

	for (unsigned n = 0;;) {
		try(virtio_next(d, queue, &n, &c, &got));
		if (!got)
			break;
		if (queue == INFLATE)
			inflate(d, &c);
		for (unsigned i = 0; queue == REPORTING && i < c.n_in; i++) {
			give_back(c.iov[c.n_out + i].iov_base, c.iov[c.n_out + i].iov_len);
			d->count.bytes_out += c.iov[c.n_out + i].iov_len;
		}
		virtq_push(&d->queues[queue], c.head, 0);
	}
	virtio_told(d, queue);
	return NULL;
}

static const struct virtio_class class = {
	.name = "balloon",
	.id = VIRTIO_BALLOON,
	.queues = QUEUES,
	.queue_size = 128,
	.features = VIRTIO_EVENT_IDX | 1ULL << VIRTIO_BALLOON_F_REPORTING,
	.serve = serve,
};

error *virtio_balloon_new(const struct memory *memory, struct loop *loop,
			  struct virtio_device **out)
{
	struct virtio_device *d = calloc(1, sizeof(*d));

	if (!d)
		return error_new(ENOMEM, "a device");
	*out = d;
	/* pages wanted, which is none; pages that the driver says it has given */
	d->config_size = 8;
	d->writable_at = 4;
	d->writable = 4;
	return virtio_init(d, &class, memory, loop);
}
