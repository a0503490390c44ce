/* A split virtqueue, seen from the device. The driver is hostile: what it says is copied once and
 * checked; what does not hold is an error, which ends the machine. */
#pragma once

#include <linux/virtio_ring.h>
#include <stdbool.h>
#include <sys/uio.h>

#include "vmm/memory.h"

enum { VIRTQ_MAX = 512 }; /* descriptors of a queue that we serve ourselves */

struct virtq {
	/* what the driver sets up */
	uint16_t size;
	bool ready;
	uint64_t desc_at, avail_at, used_at;
	/* while it runs */
	const struct memory *memory;
	const struct vring_desc *desc;
	struct vring_avail *avail;
	struct vring_used *used;
	bool event_idx;
	uint16_t next_avail, next_used, told;
	uint64_t chains; /* served so far */
};

/* One request: first what the device reads, then what it writes. */
struct chain {
	uint16_t head;
	unsigned n_out, n_in;
	uint32_t out_len, in_len;
	struct iovec iov[VIRTQ_MAX]; /* n_out, then n_in */
};

/* Checks the queue's addresses, once, and begins at its start. */
must_use error *virtq_start(struct virtq *q, const struct memory *memory, bool event_idx);
/* The next request. *got is false when there is none; then the driver is asked to tell of one. */
must_use error *virtq_pop(struct virtq *q, struct chain *c, bool *got);
/* The request that was got last is kept for later. */
void virtq_unpop(struct virtq *q);
/* Gives it back with len bytes written. */
void virtq_push(struct virtq *q, uint16_t head, uint32_t len);
/* Whether the driver wants to be interrupted because of what was given back since the last call. */
bool virtq_wants_interrupt(struct virtq *q);

/* Copies, from and to the parts of a request; they return how many bytes there were. */
size_t chain_read(const struct chain *c, size_t offset, void *data, size_t len);
size_t chain_write(const struct chain *c, size_t offset, const void *data, size_t len);
/* The parts from an offset on, of the part that is read or written: how many of `out` are filled.
 */
unsigned chain_slice(const struct iovec *in, unsigned n, size_t offset, size_t len,
		     struct iovec out[VIRTQ_MAX]);
