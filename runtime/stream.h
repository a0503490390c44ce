/* One standard stream of a process in a sandbox: at each end of the wire a descriptor, between them
 * frames. Whoever receives says how much more it takes (CREDIT), so that a program that nobody
 * listens to stops writing instead of filling our memory. Both ends use this. */
#pragma once

#include "base/loop.h"
#include "runtime/wire.h"

enum stream_direction { TO_WIRE, FROM_WIRE };

struct stream {
	struct watch watch;
	struct loop *loop; /* NULL: closed */
	int fd;
	struct wire *wire;
	enum stream_direction direction;
	uint32_t process;
	uint16_t index;
	uint32_t credit; /* TO_WIRE: what the other end takes now; FROM_WIRE: what it may send */
	uint32_t owed;   /* FROM_WIRE: written, not yet given back as credit */
	size_t portion;  /* FROM_WIRE: of one write */
	bool ended;      /* FROM_WIRE: EOF came */
	char *waiting;   /* FROM_WIRE: WIRE_WINDOW bytes, from `start` on `len` */
	size_t start, len;
};

/* Takes fd, which is made non-blocking where that disturbs nobody else. */
must_use error *stream_open(struct stream *s, struct loop *loop, struct wire *wire, int fd,
			    enum stream_direction direction, uint32_t process, uint16_t index);
/* Before a program runs in the guest there is nobody to take its input: the host's end of such a
 * stream is held back until the guest's end says that it is there. */
void stream_hold_back(struct stream *s);
must_use error *stream_welcome(struct stream *s);
bool stream_is_open(const struct stream *s);
/* A DATA, EOF, CREDIT or CLOSED frame for this stream. EPROTO when it breaks the rules. */
must_use error *stream_take(struct stream *s, const struct wire_frame *f);
void stream_close(struct stream *s);
