/* Bytes on their way: a stream gives chunk after chunk, each valid until the next call. Streams
 * stand on one another: a part of a file, what that inflates to, the same with a hash taken in
 * passing. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "image/digest.h"

struct stream {
	/* *len is 0 at the end, and on every call after that. */
	error *(*next)(struct stream *s, const void **chunk, size_t *len);
	void (*free)(struct stream *s); /* also frees the stream below */
	/* jumps over bytes that lie behind the last chunk; NULL: it cannot */
	error *(*skip)(struct stream *s, uint64_t len);
};

static inline must_use error *stream_next(struct stream *s, const void **chunk, size_t *len)
{
	return s->next(s, chunk, len);
}
void stream_free(struct stream *s);
DEFINE_AUTO(struct stream *, stream_free)
#define auto_stream auto_(stream_free)

/* stream.c */

/* size bytes of a file from offset on; fewer are an error. size -1: to the end of fd, which may be
 * a pipe (offset is then ignored). done, if not NULL, counts what was read: others may look at it.
 * fd is borrowed. */
must_use error *stream_file(int fd, off_t offset, int64_t size, _Atomic uint64_t *done,
			    struct stream **out);
/* Bytes of memory, borrowed. */
must_use error *stream_memory(const void *data, size_t len, struct stream **out);
/* Passes what comes from below on, through the hasher, which is borrowed, and counts it into
 * *count, which may be NULL. Takes below. */
must_use error *stream_hashed(struct stream *below, struct hasher *h, uint64_t *count,
			      struct stream **out);
/* More than max bytes from below are an error. Takes below. */
must_use error *stream_limited(struct stream *below, uint64_t max, struct stream **out);
/* Looks at what comes first without taking it. Takes below. */
must_use error *stream_peek(struct stream *below, const void **first, size_t *len,
			    struct stream **out);
/* Reads to the end, for the sake of what is counted and hashed below. */
must_use error *stream_drain(struct stream *s);
/* Reads all of it into memory, with a NUL byte behind; more than max bytes are an error. */
must_use error *stream_read_all(struct stream *s, size_t max, char **out, size_t *len);

/* ahead.c */

/* Lets a thread of its own read below, a few chunks ahead. Takes below; borrowed things below it
 * must not be used until the end was seen or the stream is freed. */
must_use error *stream_ahead(struct stream *below, struct stream **out);

/* inflate.c */

enum packing { PACKED_NONE, PACKED_GZIP, PACKED_ZSTD, PACKED_OTHER };

/* What the first bytes of a file look like; PACKED_OTHER is what libarchive's filters are asked
 * about (xz, bzip2, lz4 and so on). */
enum packing packing_of(const void *first, size_t len);
/* Which inflate library reads gzip: isa-l is twice as fast, zlib has been looked at for longer. */
enum inflater { INFLATE_BEST, INFLATE_ZLIB };
/* Unpacks what comes from below, which it takes. Checks the CRC and the length of each gzip member,
 * goes on with the next member, accepts NUL bytes behind the last and refuses anything else there.
 * zstd frames may follow each other, windows beyond 128 MiB are refused. */
must_use error *stream_unpacked(struct stream *below, enum packing packing, enum inflater inflater,
				struct stream **out);
