/* The guest's side of a device, in this process: registers, rings, buffers in a small memory. */
#pragma once

#include <string.h>

#include "vmm/virtio.h"

#include "../check.h"

enum {
	DRIVER_MEMORY = 4 << 20,
	DRIVER_RING = 16,
	DRIVER_QUEUES_AT = 0x10000,
	DRIVER_DATA = 0x40000
};

struct driver {
	struct memory memory;
	struct loop loop;
	struct virtio_device *d;
	struct {
		struct vring_desc *desc;
		struct vring_avail *avail;
		struct vring_used *used;
		uint16_t next_desc, next_used;
	} q[VIRTIO_QUEUES];
};

static inline void driver_end(struct driver *v)
{
	virtio_free(v->d);
	memory_free(&v->memory);
	loop_end(&v->loop);
	memset(v, 0, sizeof(*v));
}

static inline void driver_write(struct driver *v, uint64_t reg, uint32_t value)
{
	CHECK_FINE(virtio_write(v->d, reg, value, 4));
}

static inline uint32_t driver_read(struct driver *v, uint64_t reg)
{
	return virtio_read(v->d, reg, 4);
}

static inline uint64_t queue_at(unsigned i)
{
	return DRIVER_QUEUES_AT + i * 0x1000ULL;
}

/* Everything but DRIVER_OK. */
static inline void driver_agree(struct driver *v, uint64_t features)
{
	driver_write(v, 0x70, 0);
	driver_write(v, 0x70, 3);
	for (uint32_t half = 0; half < 2; half++) {
		driver_write(v, 0x24, half);
		driver_write(v, 0x20, (uint32_t)((features | VIRTIO_VERSION_1) >> 32 * half));
	}
	driver_write(v, 0x70, 11);
	for (unsigned i = 0; i < v->d->n_queues; i++) {
		uint64_t at = queue_at(i);
		memset(memory_at(&v->memory, at, 0x1000), 0, 0x1000);
		v->q[i].desc = memory_at(&v->memory, at, 0x400);
		v->q[i].avail = memory_at(&v->memory, at + 0x400, 0x400);
		v->q[i].used = memory_at(&v->memory, at + 0x800, 0x400);
		v->q[i].next_desc = v->q[i].next_used = 0;
		driver_write(v, 0x30, i);
		driver_write(v, 0x38, DRIVER_RING);
		driver_write(v, 0x80, (uint32_t)at);
		driver_write(v, 0x90, (uint32_t)at + 0x400);
		driver_write(v, 0xa0, (uint32_t)at + 0x800);
		driver_write(v, 0x44, 1);
	}
}

static inline void driver_start(struct driver *v, uint64_t features)
{
	driver_agree(v, features);
	CHECK((driver_read(v, 0x70) & 8) != 0);
	driver_write(v, 0x70, 15);
}

/* One request: n_out buffers to be read, n_in to be written. */
static inline void driver_add(struct driver *v, unsigned q, const struct iovec *buffers,
			      unsigned n_out, unsigned n_in)
{
	uint16_t head = v->q[q].next_desc;

	for (unsigned i = 0; i < n_out + n_in; i++) {
		uint16_t at = v->q[q].next_desc++ % DRIVER_RING;
		v->q[q].desc[at] = (struct vring_desc){
			.addr = (uint64_t)((uint8_t *)buffers[i].iov_base - v->memory.base),
			.len = (uint32_t)buffers[i].iov_len,
			.flags = (uint16_t)((i >= n_out ? VRING_DESC_F_WRITE : 0) |
					    (i + 1 < n_out + n_in ? VRING_DESC_F_NEXT : 0)),
			.next = v->q[q].next_desc % DRIVER_RING,
		};
	}
	v->q[q].avail->ring[v->q[q].avail->idx % DRIVER_RING] = head % DRIVER_RING;
	v->q[q].avail->idx++;
	virtio_kick(v->d, q);
}

/* The devices' turns, until nothing is ready. */
static inline error *driver_turns(struct driver *v)
{
	for (int i = 0; i < 20; i++)
		try(loop_turn(&v->loop, 0));
	return NULL;
}

/* How many bytes the next used element has; -1: none has come back. */
static inline int64_t driver_used(struct driver *v, unsigned q)
{
	if (v->q[q].used->idx == v->q[q].next_used)
		return -1;
	return v->q[q].used->ring[v->q[q].next_used++ % DRIVER_RING].len;
}

static inline uint8_t *driver_data(struct driver *v, size_t offset)
{
	return v->memory.base + DRIVER_DATA + offset;
}
