/* The words of the vhost-user protocol, as far as the front end (virtio_fs.c) and the back end
 * (fs_vhost.c) use them: a head, a body, descriptors beside them. Addresses in it are the front
 * end's own. */
#pragma once

#include <stdint.h>

enum vhost_request {
	GET_FEATURES = 1,
	SET_FEATURES = 2,
	SET_OWNER = 3,
	SET_MEM_TABLE = 5,
	SET_VRING_NUM = 8,
	SET_VRING_ADDR = 9,
	SET_VRING_BASE = 10,
	GET_VRING_BASE = 11,
	SET_VRING_KICK = 12,
	SET_VRING_CALL = 13,
	SET_VRING_ERR = 14,
	GET_PROTOCOL_FEATURES = 15,
	SET_PROTOCOL_FEATURES = 16,
	SET_VRING_ENABLE = 18,
};
enum {
	VHOST_VERSION = 1,      /* in a message's flags, */
	VHOST_VERSION_MASK = 3, /* its lowest bits */
	VHOST_IS_REPLY = 4,     /* ... */
	VHOST_REGIONS = 8,      /* of memory, at most */
	VHOST_NO_FD = 1 << 8,   /* beside the number of a queue: no descriptor comes along */
};
#define VHOST_PROTOCOL_FEATURES (1ULL << 30)

struct vhost_state {
	uint32_t index, value;
};
struct vhost_address {
	uint32_t index, flags;
	uint64_t desc, used, avail, log;
};
struct vhost_region {
	uint64_t start, size, address, offset;
};
struct __attribute__((packed)) vhost_message {
	uint32_t request, flags, size;
	union {
		uint64_t number;
		struct vhost_state state;
		struct vhost_address address;
		struct {
			uint32_t n, padding;
			struct vhost_region regions[VHOST_REGIONS];
		} memory;
	};
};
enum { VHOST_HEAD = 12 };
