/* What skiff and the agent in a sandbox say to each other: frames over one stream of bytes (a port
 * of the guest's virtio console). Either end takes the other for hostile: a frame is bounded before
 * anything is made of it, and what does not belong there ends the sandbox. All numbers are
 * little-endian, as the machine's.
 *
 *     guest                                    host
 *     HELLO version, kernel release   ──►
 *                                     ◄──      CLOCK, SPEC, FILTER, CREATE   (REPLY to each
 * request) ◄──      START DATA, CREDIT ...                ◄─►      DATA, CREDIT ... ◄──      EXEC,
 * SIGNAL, STATS ... EXIT of process 0               ──► ◄──      SHUTDOWN
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum {
	WIRE_MAGIC = 0x66696b73, /* "skif" */
	WIRE_VERSION = 1,
	WIRE_TO_HOST_MAX = 1 << 20,   /* bytes of one frame's payload */
	WIRE_TO_GUEST_MAX = 17 << 20, /* config.json may have 16 MiB */
	WIRE_DATA_MAX = 32 << 10,
	WIRE_WINDOW = 256 << 10, /* bytes of a stream that may be under way */
};

enum wire_type {
	WIRE_HELLO = 1, /* arg: version; payload: the guest's kernel release */
	WIRE_REPLY,     /* seq: of the request; arg: 0, errno or ERROR_*; payload: text */
	WIRE_EXIT,      /* id: of the process; arg: status as of wait(2) */

	WIRE_CLOCK = 16, /* payload: struct timespec's two numbers as int64_t */
	WIRE_NETWORK,    /* payload: devices, addresses and routes as JSON */
	WIRE_SPEC,       /* payload: config.json for process 0 */
	WIRE_FILTER,     /* arg: flags; payload: seccomp program of the next CREATE or EXEC */
	WIRE_CREATE,
	WIRE_START,
	WIRE_EXEC,   /* id; payload: the process as JSON */
	WIRE_SIGNAL, /* id; arg: number, or WIRE_ALL | number */
	WIRE_SIZE,   /* id; arg: rows << 16 | columns of its terminal */
	WIRE_UPDATE, /* payload: linux.resources as JSON */
	WIRE_STATS,
	WIRE_PIDS,
	WIRE_OOM_KILLS,
	WIRE_SHUTDOWN,
	WIRE_MACHINE, /* asked of the monitor: the counts of the machine, */
	WIRE_FILES,   /* and those of its file server */
	WIRE_NAME,    /* payload: what hooks are told: the container's id, a NUL, its bundle */

	WIRE_DATA = 64, /* id, stream */
	WIRE_EOF,       /* id, stream: no DATA follows */
	WIRE_CREDIT,    /* id, stream; arg: so many more bytes may be sent */
	WIRE_CLOSED,    /* id, stream: nobody reads that any more */
};

_Static_assert(WIRE_NAME < WIRE_DATA, "requests and data have numbers of their own");

enum { WIRE_ALL = 1 << 16 };

struct wire_head {
	uint32_t magic;
	uint16_t type;   /* enum wire_type */
	uint16_t stream; /* 0 standard input, 1 output, 2 error */
	uint32_t id;     /* of the process: 0 is the container's first */
	uint32_t seq;    /* of a request, for its reply */
	uint32_t arg;
	uint32_t len; /* of the payload that follows */
};

struct wire_frame {
	struct wire_head head;
	const char *payload; /* head.len bytes, until the next call */
};

struct wire_buffer {
	char *data;
	size_t start, len, room;
};

struct wire {
	int fd;               /* non-blocking */
	uint32_t payload_max; /* of what comes in */
	struct wire_buffer in, out;
	size_t taken; /* of `in`, by the frame that wire_next gave last */
};

/* Adds a frame to what is to be written. */
must_use error *wire_put(struct wire *w, const struct wire_head *head, const void *payload);
/* Writes what the stream takes now. EPIPE: the other end is gone. */
must_use error *wire_flush(struct wire *w);
bool wire_has_output(const struct wire *w);
/* Reads what is there; *ended at the end of the stream. */
must_use error *wire_fill(struct wire *w, bool *ended);
/* The next whole frame, if there is one; EPROTO when the other end does not keep to the protocol.
 */
must_use error *wire_next(struct wire *w, struct wire_frame *out, bool *got);
void wire_free(struct wire *w);
