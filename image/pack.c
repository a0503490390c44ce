#include "image/pack.h"

#include <stdbool.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "base/fd.h"

enum { CHUNK = 128 << 10 };

struct packer {
	enum pack_how how;
	int fd;
	struct hasher *hasher; /* of what is written */
	uint64_t written;
	z_stream z;
	ZSTD_CCtx *zstd;
	unsigned char out[CHUNK];
};

static error *put(struct packer *p, const void *data, size_t len)
{
	p->written += len;
	try(hasher_add(p->hasher, data, len));
	return fd_write_all(p->fd, data, len);
}

static error *put_gzip(struct packer *p, const void *data, size_t len, bool is_end)
{
	p->z.next_in = (unsigned char *)data;
	p->z.avail_in = (uInt)len;
	do {
		p->z.next_out = p->out;
		p->z.avail_out = sizeof(p->out);
		if (deflate(&p->z, is_end ? Z_FINISH : Z_NO_FLUSH) == Z_STREAM_ERROR)
			return error_said(EIO, "gzip: failed");
		try(put(p, p->out, sizeof(p->out) - p->z.avail_out));
	} while (p->z.avail_out == 0);
	return NULL;
}

static error *put_zstd(struct packer *p, const void *data, size_t len, bool is_end)
{
	ZSTD_inBuffer in = { data, len, 0 };
	size_t left;

	do {
		ZSTD_outBuffer out = { p->out, sizeof(p->out), 0 };
		left = ZSTD_compressStream2(p->zstd, &out, &in,
					    is_end ? ZSTD_e_end : ZSTD_e_continue);
		if (ZSTD_isError(left))
			return error_said(EIO, "zstd: %s", ZSTD_getErrorName(left));
		try(put(p, p->out, out.pos));
	} while (in.pos < in.size || (is_end && left));
	return NULL;
}

static error *put_packed(struct packer *p, const void *data, size_t len, bool is_end)
{
	switch (p->how) {
	case PACK_GZIP:
		return put_gzip(p, data, len, is_end);
	case PACK_ZSTD:
		return put_zstd(p, data, len, is_end);
	case PACK_NONE:
		break;
	}
	return put(p, data, len);
}

static error *pack_all(struct packer *p, struct stream *from, struct hasher *plain)
{
	const void *chunk;
	size_t len;

	do {
		try(stream_next(from, &chunk, &len));
		try(hasher_add(plain, chunk, len));
		try(put_packed(p, chunk, len, len == 0));
	} while (len);
	return NULL;
}

error *pack_stream(struct stream *from, enum pack_how how, int fd, struct packed *out)
{
	auto_free struct packer *p = calloc(1, sizeof(*p));
	auto_hasher struct hasher *plain = NULL;
	auto_hasher struct hasher *blob = NULL;

	if (!p)
		return error_new(ENOMEM, "pack");
	try(hasher_new("sha256", &plain));
	try(hasher_new("sha256", &blob));
	p->how = how;
	p->fd = fd;
	p->hasher = blob;
	if (how == PACK_GZIP &&
	    deflateInit2(&p->z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return error_new(ENOMEM, "gzip");
	if (how == PACK_ZSTD && !(p->zstd = ZSTD_createCCtx()))
		return error_new(ENOMEM, "zstd");
	error *e = pack_all(p, from, plain);
	deflateEnd(&p->z);
	ZSTD_freeCCtx(p->zstd);
	try(e);
	out->size = p->written;
	try(hasher_finish(blob, &out->blob));
	return hasher_finish(plain, &out->diff_id);
}
