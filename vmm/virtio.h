/* Virtio devices. A device is one file and one class, its table; the transport (virtio_mmio.c)
 * knows no more of it. Two threads meet here: a virtual processor that works on the registers, and
 * the machine's loop, which serves the queues; a device's lock keeps them apart. */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/loop.h"
#include "vmm/limit.h"
#include "vmm/virtq.h"

enum { VIRTIO_QUEUES = 8, VIRTIO_CONFIG = 64, VIRTIO_WINDOW = 0x1000, VIRTIO_NOTIFY = 0x50 };

/* Device ids and feature bits of the virtio specification. */
enum virtio_id {
	VIRTIO_NET = 1,
	VIRTIO_BLOCK = 2,
	VIRTIO_CONSOLE = 3,
	VIRTIO_RNG = 4,
	VIRTIO_BALLOON = 5,
	VIRTIO_VSOCK = 19,
	VIRTIO_FS = 26,
};
#define VIRTIO_EVENT_IDX (1ULL << 29)
#define VIRTIO_VERSION_1 (1ULL << 32)

struct virtio_device;

struct virtio_class {
	const char *name;
	enum virtio_id id;
	uint16_t queues, queue_size;
	uint64_t features; /* beyond VERSION_1 */
	/* The driver is ready: queues run. By a processor's thread; NULL: nothing to do. */
	error *(*start)(struct virtio_device *d);
	/* The driver resets the device. */
	error *(*stop)(struct virtio_device *d);
	/* Requests may wait. By the loop's thread. NULL: another process serves the queues. */
	error *(*serve)(struct virtio_device *d, unsigned queue);
	/* Closes what is the device's own. */
	void (*end)(struct virtio_device *d);
	/* The driver has written into the configuration. */
	void (*configured)(struct virtio_device *d);
};

struct virtio_device {
	const struct virtio_class *class;
	const struct memory *memory;
	struct loop *loop;
	pthread_mutex_t lock;
	struct virtq queues[VIRTIO_QUEUES];
	unsigned n_queues;
	struct watch kicks[VIRTIO_QUEUES]; /* .fd: what tells of requests */
	struct limit limits[VIRTIO_QUEUES];
	struct watch timer; /* .fd below 0: no limits */
	unsigned held;      /* queues that wait for it, as bits */
	uint64_t alarm;     /* when it goes off, in nanoseconds; 0: not set */
	int irq;            /* an eventfd that interrupts the guest */
	uint64_t offered, accepted;
	uint32_t features_word, driver_word, queue, status;
	_Atomic uint32_t interrupt;
	bool running;
	uint8_t config[VIRTIO_CONFIG];
	unsigned config_size;
	/* The size of what the driver may write, at the configuration's start plus the offset. */
	unsigned writable_at, writable;
	struct virtio_counters {
		uint64_t kicks, interrupts, bytes_in, bytes_out, stalls, held;
	} count; /* in: to the guest; a stall: there is something for it, and no room; held: by
		    limits */
};

/* --- virtio_mmio.c --- */

must_use error *virtio_init(struct virtio_device *d, const struct virtio_class *class,
			    const struct memory *memory, struct loop *loop);
void virtio_free(struct virtio_device *d);
/* A limit of the device's, which may have so much a second; 0: as much as it wants. */
must_use error *virtio_limit(struct virtio_device *d, struct limit *l, uint64_t bytes,
			     uint64_t requests);
/* Whether it holds what comes next in the queue, which is then served when its time has come. A
 * queue's own limit is asked by virtio_next. */
bool virtio_must_wait(struct virtio_device *d, unsigned queue, struct limit *l);
/* The registers; an error is the driver's fault and ends the machine. */
must_use error *virtio_write(struct virtio_device *d, uint64_t offset, uint32_t value,
			     unsigned len);
uint32_t virtio_read(struct virtio_device *d, uint64_t offset, unsigned len);
/* Interrupts the guest if it wants to know what a queue has been given back. */
void virtio_told(struct virtio_device *d, unsigned queue);
/* The next request of a turn, in which *n have been served; after many the rest waits for a turn of
 * its own, so that no driver keeps the others waiting. */
must_use error *virtio_next(struct virtio_device *d, unsigned queue, unsigned *n, struct chain *c,
			    bool *got);
/* What the request that was got last costs. */
void virtio_spent(struct virtio_device *d, unsigned queue, uint64_t bytes);
/* The configuration has changed. */
void virtio_reconfigured(struct virtio_device *d);
/* Serve this queue (again), in a turn of its own. */
void virtio_kick(struct virtio_device *d, unsigned queue);

/* --- the devices --- */

/* agent: a connected stream socket; name: of its port. */
must_use error *virtio_console_new(int agent, const char *name, const struct memory *memory,
				   struct loop *loop, struct virtio_device **out);
must_use error *virtio_rng_new(const struct memory *memory, struct loop *loop,
			       struct virtio_device **out);
/* socket: where a vhost-user server of file systems listens; tag: the file system's name. */
must_use error *virtio_fs_new(const char *socket, const char *tag, const struct memory *memory,
			      struct loop *loop, struct virtio_device **out);
/* tap: open, with headers of virtio (IFF_VNET_HDR). */
must_use error *virtio_net_new(int tap, const uint8_t mac[6], const struct memory *memory,
			       struct loop *loop, struct virtio_device **out);
/* A raw image. */
enum blk_mode {
	BLK_READ_ONLY,
	BLK_COPY, /* the guest sees what it writes, and the image stays as it is */
	BLK_WRITE,
};
/* fd: the image, which becomes the device's; name: by which the guest tells disks apart. */
must_use error *virtio_blk_new(int fd, enum blk_mode mode, const char *name,
			       const struct memory *memory, struct loop *loop,
			       struct virtio_device **out);
/* Of reads or of writes alone; those of both are virtio_limit's of the one queue. */
must_use error *virtio_blk_limit(struct virtio_device *d, bool writes, uint64_t bytes,
				 uint64_t requests);
/* Takes no memory from the guest by itself: what the guest reports as free goes back to the host.
 */
must_use error *virtio_balloon_new(const struct memory *memory, struct loop *loop,
				   struct virtio_device **out);
/* Streams between the guest, whose address is cid, and UNIX sockets: those that come to listener,
 * and those that broker, a socket of messages, brings. It is asked with two numbers of 32 bits, a
 * port and a token, and answers with the token, an error's number or 0, and the socket, not
 * blocking. */
must_use error *virtio_vsock_new(int listener, int broker, uint64_t cid,
				 const struct memory *memory, struct loop *loop,
				 struct virtio_device **out);
