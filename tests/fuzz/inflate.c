/* Any bytes as something packed, in pieces of any size: gzip by both libraries, which must agree about the bytes that
 * both accept, zstd, and what libarchive reads. The first byte says how large the pieces are. */
#include <stdio.h>

#include "image/stream.h"
#include "tests/fuzz/pieces.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OUTPUT_MAX = 1 << 20 };

/* The output's hash; false: it was refused, or is too long to wait for. */
static bool unpack(const uint8_t *data, size_t size, size_t piece, enum inflater inflater, struct digest *out)
{
	enum packing packing = packing_of(data, size < piece ? size : piece);
	struct stream *s = pieces_new(data, size, piece);
	struct hasher *hasher = NULL;
	uint64_t count = 0;

	error *e = hasher_new("sha256", &hasher);
	if (!e)
		e = stream_unpacked(s, packing, inflater, &s);
	else
		stream_free(s);
	bool opened = !e;
	if (!e)
		e = stream_hashed(s, hasher, &count, &s);
	for (size_t len = 1; !e && len && count < OUTPUT_MAX;) {
		const void *chunk;
		e = stream_next(s, &chunk, &len);
	}
	bool whole = !e && count < OUTPUT_MAX;
	if (whole)
		e = hasher_finish(hasher, out);
	if (opened)
		stream_free(s);
	hasher_free(hasher);
	error_free(e);
	return whole;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct digest best;
	struct digest zlib;
	struct digest once;

	if (size < 2)
		return 0;
	size_t piece = data[0] ? (size_t)data[0] * 4 : 16;
	bool read = unpack(data + 1, size - 1, piece, INFLATE_BEST, &best);
	bool is_gzip = data[1] == 0x1f;
	if (is_gzip && unpack(data + 1, size - 1, piece, INFLATE_ZLIB, &zlib) && read && !digest_same(&best, &zlib))
		abort();
	/* the size of the pieces changes nothing */
	if (read && is_gzip && (!unpack(data + 1, size - 1, size, INFLATE_BEST, &once) || !digest_same(&best, &once)))
		abort();
	return 0;
}
