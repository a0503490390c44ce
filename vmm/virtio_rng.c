/* Random numbers for the guest: the host's. */
#include <stdlib.h>
#include <sys/random.h>

#include "vmm/virtio.h"

enum { AT_MOST = 4096 }; /* of one request: nobody needs more, and somebody waits */

static error *serve(struct virtio_device *d, unsigned queue)
{
	struct virtq *q = &d->queues[queue];
	uint8_t data[AT_MOST];
	struct chain c;
	bool got;

	for (unsigned n = 0;;) {
		try(virtio_next(d, queue, &n, &c, &got));
		if (!got)
			break;
		size_t len = c.in_len < AT_MOST ? c.in_len : AT_MOST;
		ssize_t made = getrandom(data, len, 0);
		len = made > 0 ? chain_write(&c, 0, data, (size_t)made) : 0;
		d->count.bytes_in += len;
		virtq_push(q, c.head, (uint32_t)len);
	}
	virtio_told(d, queue);
	return NULL;
}

static const struct virtio_class class = {
	.name = "rng",
	.id = VIRTIO_RNG,
	.queues = 1,
	.queue_size = 64,
	.features = VIRTIO_EVENT_IDX,
	.serve = serve,
};

error *virtio_rng_new(const struct memory *memory, struct loop *loop, struct virtio_device **out)
{
	struct virtio_device *d = calloc(1, sizeof(*d));

	if (!d)
		return error_new(ENOMEM, "a device");
	*out = d;
	return virtio_init(d, &class, memory, loop);
}
