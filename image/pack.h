/* The way out of an archive: packed, and both digests taken. */
#pragma once

#include "image/stream.h"

enum pack_how { PACK_NONE, PACK_GZIP, PACK_ZSTD };

struct packed {
	struct digest blob, diff_id;
	uint64_t size; /* of the blob */
};

/* What the stream gives goes, packed, into the file fd. The same input gives the same blob. */
must_use error *pack_stream(struct stream *from, enum pack_how how, int fd, struct packed *out);
