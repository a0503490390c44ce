/* The transport: registers in memory (virtio 1.2, 4.2.2). */
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "vmm/virtio.h"

enum {
	MAGIC = 0x000,
	REVISION = 0x004,
	DEVICE = 0x008,
	VENDOR = 0x00c,
	OFFERED = 0x010,
	OFFERED_WORD = 0x014,
	ACCEPTED = 0x020,
	ACCEPTED_WORD = 0x024,
	QUEUE = 0x030,
	QUEUE_MAX = 0x034,
	QUEUE_SIZE = 0x038,
	QUEUE_READY = 0x044,
	NOTIFY = VIRTIO_NOTIFY,
	INTERRUPT = 0x060,
	INTERRUPT_DONE = 0x064,
	STATUS = 0x070,
	DESC = 0x080,
	AVAIL = 0x090,
	USED = 0x0a0,
	REGION_LENGTH = 0x0b0,
	REGION_BASE_HIGH = 0x0bc,
	GENERATION = 0x0fc,
	CONFIG = 0x100,
};
enum { FEATURES_OK = 8, DRIVER_OK = 4 };
enum { INTERRUPT_QUEUE = 1, INTERRUPT_CONFIG = 2 };

static error *kicked(struct watch *w, short events)
{
	struct virtio_device *d = w->context;
	uint64_t times;
	error *e = NULL;

	(void)events;
	if (read(w->fd, &times, sizeof(times)) < 0)
		return NULL;
	unsigned queue = (unsigned)(w - d->kicks);
	pthread_mutex_lock(&d->lock);
	if (d->running && d->queues[queue].ready) {
		d->count.kicks++;
		e = d->class->serve(d, queue);
	}
	pthread_mutex_unlock(&d->lock);
	return e ? error_wrap(e, "the guest's driver of %s", d->class->name) : NULL;
}

error *virtio_init(struct virtio_device *d, const struct virtio_class *class,
		   const struct memory *memory, struct loop *loop)
{
	d->class = class;
	d->memory = memory;
	d->loop = loop;
	d->offered = class->features | VIRTIO_VERSION_1;
	d->n_queues = class->queues;
	d->timer.fd = -1;
	d->irq = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (d->irq < 0)
		return error_errno("eventfd");
	pthread_mutex_init(&d->lock, NULL);
	for (unsigned i = 0; i < d->n_queues; i++) {
		struct watch *w = &d->kicks[i];
		*w = (struct watch){ .fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
				     .events = POLLIN,
				     .ready = kicked,
				     .context = d };
		if (w->fd < 0)
			return error_errno("eventfd");
		if (class->serve)
			try(loop_watch(loop, w));
	}
	return NULL;
}

void virtio_free(struct virtio_device *d)
{
	if (!d)
		return;
	for (unsigned i = 0; i < d->n_queues; i++) {
		loop_forget(d->loop, &d->kicks[i]);
		close(d->kicks[i].fd);
	}
	close(d->irq);
	loop_forget(d->loop, &d->timer);
	if (d->timer.fd >= 0)
		close(d->timer.fd);
	if (d->class->end)
		d->class->end(d);
	pthread_mutex_destroy(&d->lock);
	free(d);
}

static void raise_interrupt(struct virtio_device *d, uint32_t why)
{
	static const uint64_t one = 1;

	d->interrupt |= why;
	d->count.interrupts++;
	if (write(d->irq, &one, sizeof(one)) < 0)
		return; /* EAGAIN: it has been told very often indeed */
}

void virtio_told(struct virtio_device *d, unsigned queue)
{
	if (virtq_wants_interrupt(&d->queues[queue]))
		raise_interrupt(d, INTERRUPT_QUEUE);
}

void virtio_reconfigured(struct virtio_device *d)
{
	if (d->running)
		raise_interrupt(d, INTERRUPT_CONFIG);
}

void virtio_kick(struct virtio_device *d, unsigned queue)
{
	static const uint64_t one = 1;

	if (write(d->kicks[queue].fd, &one, sizeof(one)) < 0)
		return;
}

/* --- limits --- */

static uint64_t nanoseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static error *time_is_up(struct watch *w, short events)
{
	struct virtio_device *d = w->context;
	uint64_t times;

	(void)events;
	if (read(w->fd, &times, sizeof(times)) < 0)
		return NULL;
	pthread_mutex_lock(&d->lock);
	for (unsigned i = 0; i < d->n_queues; i++)
		if (d->held & 1U << i)
			virtio_kick(d, i);
	d->held = 0;
	d->alarm = 0;
	pthread_mutex_unlock(&d->lock);
	return NULL;
}

error *virtio_limit(struct virtio_device *d, struct limit *l, uint64_t bytes, uint64_t requests)
{
	limit_set(l, bytes, requests, nanoseconds());
	if ((!bytes && !requests) || d->timer.fd >= 0)
		return NULL;
	d->timer =
		(struct watch){ .fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK),
				.events = POLLIN,
				.ready = time_is_up,
				.context = d };
	return d->timer.fd < 0 ? error_errno("timerfd_create") : loop_watch(d->loop, &d->timer);
}

/* One timer for all queues, for the first whose time comes: the others then wait again. */
bool virtio_must_wait(struct virtio_device *d, unsigned queue, struct limit *l)
{
	uint64_t now = d->timer.fd >= 0 ? nanoseconds() : 0;
	uint64_t wait = now ? limit_wait(l, now) : 0;
	struct itimerspec at = { .it_value = { (time_t)(wait / 1000000000),
					       (long)(wait % 1000000000) } };

	if (!wait)
		return false;
	d->count.held++;
	d->held |= 1U << queue;
	if (d->alarm && d->alarm <= now + wait)
		return true;
	d->alarm = now + wait;
	timerfd_settime(d->timer.fd, 0, &at, NULL);
	return true;
}

void virtio_spent(struct virtio_device *d, unsigned queue, uint64_t bytes)
{
	limit_spend(&d->limits[queue], bytes);
}

error *virtio_next(struct virtio_device *d, unsigned queue, unsigned *n, struct chain *c, bool *got)
{
	*got = false;
	if (virtio_must_wait(d, queue, &d->limits[queue]))
		return NULL;
	if ((*n)++ < VIRTQ_MAX)
		return virtq_pop(&d->queues[queue], c, got);
	virtio_kick(d, queue);
	return NULL;
}

/* --- what a driver does --- */

static error *reset(struct virtio_device *d)
{
	error *e = d->running && d->class->stop ? d->class->stop(d) : NULL;

	d->running = false;
	d->status = d->queue = d->features_word = d->driver_word = 0;
	d->accepted = 0;
	d->interrupt = 0;
	memset(d->queues, 0, sizeof(d->queues));
	return e;
}

static error *start(struct virtio_device *d)
{
	for (unsigned i = 0; i < d->n_queues; i++)
		if (d->queues[i].ready)
			try_as(virtq_start(&d->queues[i], d->memory,
					   d->accepted & VIRTIO_EVENT_IDX),
			       "queue %u", i);
	if (d->class->start)
		try(d->class->start(d));
	d->running = true;
	/* what came before we looked */
	for (unsigned i = 0; i < d->n_queues && d->class->serve; i++)
		virtio_kick(d, i);
	return NULL;
}

static error *set_status(struct virtio_device *d, uint32_t value)
{
	if (!value)
		return reset(d);
	/* the bit stays unset when what was agreed upon is not what was offered */
	if (value & FEATURES_OK && (d->accepted & ~d->offered || !(d->accepted & VIRTIO_VERSION_1)))
		value &= ~(uint32_t)FEATURES_OK;
	bool starts = value & DRIVER_OK && !d->running;
	if (starts && !(value & FEATURES_OK))
		return error_said(EPROTO, "begins without an agreement about features");
	d->status = value;
	return starts ? start(d) : NULL;
}

static void set_half(uint64_t *value, uint64_t offset, uint32_t half)
{
	unsigned shift = offset & 4 ? 32 : 0;

	*value = (*value & ~(0xffffffffULL << shift)) | (uint64_t)half << shift;
}

/* A queue is set up before the device runs, and not changed afterwards. */
static error *set_queue(struct virtio_device *d, uint64_t offset, uint32_t value)
{
	struct virtq *q = &d->queues[d->queue < d->n_queues ? d->queue : 0];

	if (d->running || d->queue >= d->n_queues)
		return error_said(EPROTO, "sets up queue %u %s", d->queue,
				  d->running ? "while it runs" : "which is not there");
	switch (offset) {
	case QUEUE_SIZE:
		if (value > d->class->queue_size)
			return error_said(EPROTO, "a queue of %u descriptors", value);
		q->size = (uint16_t)value;
		break;
	case QUEUE_READY:
		q->ready = value & 1;
		break;
	case DESC:
	case DESC + 4:
		set_half(&q->desc_at, offset, value);
		break;
	case AVAIL:
	case AVAIL + 4:
		set_half(&q->avail_at, offset, value);
		break;
	default:
		set_half(&q->used_at, offset, value);
	}
	return NULL;
}

static error *write_register(struct virtio_device *d, uint64_t offset, uint32_t value)
{
	switch (offset) {
	case OFFERED_WORD:
		d->features_word = value;
		return NULL;
	case ACCEPTED_WORD:
		d->driver_word = value;
		return NULL;
	case ACCEPTED:
		if (d->driver_word < 2 && !d->running)
			set_half(&d->accepted, d->driver_word * 4ULL, value);
		return NULL;
	case QUEUE:
		d->queue = value;
		return NULL;
	case QUEUE_SIZE:
	case QUEUE_READY:
	case DESC:
	case DESC + 4:
	case AVAIL:
	case AVAIL + 4:
	case USED:
	case USED + 4:
		return set_queue(d, offset, value);
	case NOTIFY: /* a kernel without our ioeventfd */
		if (value < d->n_queues)
			virtio_kick(d, value);
		return NULL;
	case INTERRUPT_DONE:
		d->interrupt &= ~value;
		return NULL;
	case STATUS:
		return set_status(d, value);
	default:
		return NULL;
	}
}

static void write_config(struct virtio_device *d, uint64_t at, uint32_t value, unsigned len)
{
	if (at < d->writable_at || at - d->writable_at > d->writable ||
	    len > d->writable - (at - d->writable_at))
		return;
	memcpy(d->config + at, &value, len);
	if (d->class->configured)
		d->class->configured(d);
}

error *virtio_write(struct virtio_device *d, uint64_t offset, uint32_t value, unsigned len)
{
	error *e = NULL;

	if (len > 4)
		return NULL;
	pthread_mutex_lock(&d->lock);
	if (offset >= CONFIG)
		write_config(d, offset - CONFIG, value, len);
	else if (len == 4 && offset % 4 == 0)
		e = write_register(d, offset, value);
	pthread_mutex_unlock(&d->lock);
	return e ? error_wrap(e, "the guest's driver of %s", d->class->name) : NULL;
}

static uint32_t read_register(const struct virtio_device *d, uint64_t offset)
{
	const struct virtq *q = d->queue < d->n_queues ? &d->queues[d->queue] : NULL;

	if (offset >= REGION_LENGTH && offset <= REGION_BASE_HIGH)
		return UINT32_MAX; /* no shared memory */
	switch (offset) {
	case MAGIC:
		return 0x74726976;
	case REVISION:
		return 2;
	case DEVICE:
		return d->class->id;
	case VENDOR:
		return 0x66696b73;
	case OFFERED:
		return d->features_word < 2 ? (uint32_t)(d->offered >> 32 * d->features_word) : 0;
	case QUEUE_MAX:
		return q ? d->class->queue_size : 0;
	case QUEUE_READY:
		return q && q->ready;
	case INTERRUPT:
		/* who serves the queues himself interrupts without telling us why */
		return d->interrupt | (d->class->serve ? 0 : INTERRUPT_QUEUE);
	case STATUS:
		return d->status;
	case GENERATION:
	default:
		return 0;
	}
}

uint32_t virtio_read(struct virtio_device *d, uint64_t offset, unsigned len)
{
	uint32_t value = 0;

	if (len > 4)
		return 0;
	pthread_mutex_lock(&d->lock);
	if (offset >= CONFIG) {
		uint64_t at = offset - CONFIG;
		if (at < d->config_size && len <= d->config_size - at)
			memcpy(&value, d->config + at, len);
	} else if (len == 4 && offset % 4 == 0) {
		value = read_register(d, offset);
	}
	pthread_mutex_unlock(&d->lock);
	return value;
}
