#include <archive.h>
#include <stdbool.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>
#ifdef HAVE_ISAL
#include <isa-l/igzip_lib.h>
#endif

#include "image/stream.h"

enum { OUT_CHUNK = 256 << 10 };

/* 2^27 = 128 MiB: what `zstd --long` asks for at most without being told that it is fine. */
enum { ZSTD_WINDOW_LOG = 27 };

enum packing packing_of(const void *first, size_t len)
{
	static const struct {
		const char *magic;
		size_t len;
		enum packing packing;
	} known[] = {
		{ "\x1f\x8b", 2, PACKED_GZIP },
		{ "\x28\xb5\x2f\xfd", 4, PACKED_ZSTD },
		{ "\xfd"
		  "7zXZ",
		  5, PACKED_OTHER },
		{ "BZh", 3, PACKED_OTHER },
		{ "\x04\x22\x4d\x18", 4, PACKED_OTHER },
		{ "LZIP", 4, PACKED_OTHER },
		{ "\x5d\x00\x00", 3, PACKED_OTHER },
	};
	const unsigned char *b = first;

	for (size_t i = 0; i < COUNT(known); i++)
		if (len >= known[i].len && memcmp(first, known[i].magic, known[i].len) == 0)
			return known[i].packing;
	/* a skippable frame may come first: zstd:chunked and seekable formats use them */
	if (len >= 4 && b[0] >= 0x50 && b[0] <= 0x5f && memcmp(b + 1, "\x2a\x4d\x18", 3) == 0)
		return PACKED_ZSTD;
	return PACKED_NONE;
}

/* --- gzip --- */

struct gzip_stream {
	struct stream s;
	struct stream *below;
	const unsigned char *in;
	size_t in_len;
	bool in_ended;
	bool more_out; /* the output was full: more may wait inside the library */
	enum { MEMBER_BEGINS, IN_MEMBER, BETWEEN_MEMBERS } where;
	bool use_isal;
#ifdef HAVE_ISAL
	struct inflate_state isal;
#endif
	z_stream z;
	unsigned char out[OUT_CHUNK];
};

#ifdef HAVE_ISAL
static error *isal_step(struct gzip_stream *g, size_t *made, bool *ended)
{
	g->isal.next_in = (unsigned char *)g->in;
	g->isal.avail_in = (uint32_t)g->in_len;
	g->isal.next_out = g->out;
	g->isal.avail_out = sizeof(g->out);
	int r = isal_inflate(&g->isal);
	g->in = g->isal.next_in;
	g->in_len = g->isal.avail_in;
	*made = sizeof(g->out) - g->isal.avail_out;
	*ended = g->isal.block_state == ISAL_BLOCK_FINISH;
	if (r == ISAL_INCORRECT_CHECKSUM)
		return error_said(EBADMSG, "gzip: the checksum is wrong");
	if (r < 0 || r == ISAL_NEED_DICT)
		return error_said(EBADMSG, "gzip: the data is damaged");
	return NULL;
}
#endif

static error *zlib_step(struct gzip_stream *g, size_t *made, bool *ended)
{
	g->z.next_in = (unsigned char *)g->in;
	g->z.avail_in = (uInt)g->in_len;
	g->z.next_out = g->out;
	g->z.avail_out = sizeof(g->out);
	int r = inflate(&g->z, Z_NO_FLUSH);
	g->in = g->z.next_in;
	g->in_len = g->z.avail_in;
	*made = sizeof(g->out) - g->z.avail_out;
	*ended = r == Z_STREAM_END;
	if (r == Z_OK || r == Z_STREAM_END || r == Z_BUF_ERROR)
		return NULL;
	return error_said(EBADMSG, "gzip: %s", g->z.msg ? g->z.msg : "the data is damaged");
}

static error *gzip_step(struct gzip_stream *g, size_t *made, bool *ended)
{
#ifdef HAVE_ISAL
	if (g->use_isal)
		return isal_step(g, made, ended);
#endif
	return zlib_step(g, made, ended);
}

static error *gzip_begin_member(struct gzip_stream *g)
{
	g->where = IN_MEMBER;
#ifdef HAVE_ISAL
	if (g->use_isal) {
		isal_inflate_reset(&g->isal);
		g->isal.crc_flag = ISAL_GZIP;
		return NULL;
	}
#endif
	return inflateReset(&g->z) == Z_OK ? NULL : error_said(EIO, "gzip: cannot begin");
}

static error *gzip_refill(struct gzip_stream *g)
{
	const void *chunk;

	if (g->in_len || g->in_ended)
		return NULL;
	try(stream_next(g->below, &chunk, &g->in_len));
	g->in = chunk;
	g->in_ended = g->in_len == 0;
	return NULL;
}

/* Padding with NUL bytes is common (tapes, block-wise writers); anything else would be content that
 * one reader sees and another does not. */
static error *gzip_between(struct gzip_stream *g, bool *ended)
{
	while (g->in_len && *g->in == 0) {
		g->in++;
		g->in_len--;
	}
	*ended = !g->in_len && g->in_ended;
	if (!g->in_len)
		return NULL;
	if (*g->in != 0x1f)
		return error_said(EBADMSG, "gzip: there is something behind the data");
	g->where = MEMBER_BEGINS;
	return NULL;
}

static error *gzip_next(struct stream *s, const void **chunk, size_t *len)
{
	struct gzip_stream *g = (struct gzip_stream *)s;
	size_t made = 0;
	bool ended = false;

	while (!made && !ended) {
		if (!g->more_out)
			try(gzip_refill(g));
		if (g->where == BETWEEN_MEMBERS) {
			try(gzip_between(g, &ended));
			continue;
		}
		if (g->where == MEMBER_BEGINS)
			try(gzip_begin_member(g));
		bool had_no_input = !g->in_len && !g->more_out;
		bool member_ended;
		try(gzip_step(g, &made, &member_ended));
		g->more_out = !member_ended && made == sizeof(g->out);
		if (member_ended)
			g->where = BETWEEN_MEMBERS;
		else if (had_no_input && !made)
			return error_said(EBADMSG, "gzip: the data ends too early");
	}
	*chunk = g->out;
	*len = made;
	return NULL;
}

static void gzip_free(struct stream *s)
{
	struct gzip_stream *g = (struct gzip_stream *)s;

	stream_free(g->below);
	inflateEnd(&g->z);
	free(g);
}

static error *gzip_new(struct stream *below, enum inflater inflater, struct stream **out)
{
	struct gzip_stream *g = calloc(1, sizeof(*g));

	if (!g || inflateInit2(&g->z, 15 + 16) != Z_OK) {
		free(g);
		stream_free(below);
		return error_new(ENOMEM, "gzip");
	}
	g->s = (struct stream){ gzip_next, gzip_free };
	g->below = below;
#ifdef HAVE_ISAL
	g->use_isal = inflater == INFLATE_BEST;
	isal_inflate_init(&g->isal);
#else
	(void)inflater;
#endif
	*out = &g->s;
	return NULL;
}

/* --- zstd --- */

struct zstd_stream {
	struct stream s;
	struct stream *below;
	ZSTD_DCtx *context;
	ZSTD_inBuffer in;
	bool in_ended;
	bool more_out;
	size_t hint; /* 0: at the end of a frame */
	char out[OUT_CHUNK];
};

static error *zstd_next(struct stream *s, const void **chunk, size_t *len)
{
	struct zstd_stream *z = (struct zstd_stream *)s;
	ZSTD_outBuffer out = { z->out, sizeof(z->out), 0 };

	while (out.pos == 0) {
		if (z->in.pos == z->in.size && !z->more_out && !z->in_ended) {
			z->in.pos = 0;
			try(stream_next(z->below, &z->in.src, &z->in.size));
			z->in_ended = z->in.size == 0;
		}
		if (z->in_ended && !z->more_out) {
			if (z->hint)
				return error_said(EBADMSG, "zstd: the data ends too early");
			break;
		}
		z->hint = ZSTD_decompressStream(z->context, &out, &z->in);
		if (ZSTD_isError(z->hint))
			return error_said(EBADMSG, "zstd: %s", ZSTD_getErrorName(z->hint));
		z->more_out = z->hint && out.pos == out.size;
	}
	*chunk = z->out;
	*len = out.pos;
	return NULL;
}

static void zstd_free(struct stream *s)
{
	struct zstd_stream *z = (struct zstd_stream *)s;

	stream_free(z->below);
	ZSTD_freeDCtx(z->context);
	free(z);
}

static error *zstd_new(struct stream *below, struct stream **out)
{
	struct zstd_stream *z = calloc(1, sizeof(*z));

	if (z)
		z->context = ZSTD_createDCtx();
	if (!z || !z->context ||
	    ZSTD_isError(
		    ZSTD_DCtx_setParameter(z->context, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG))) {
		free(z);
		stream_free(below);
		return error_new(ENOMEM, "zstd");
	}
	z->s = (struct stream){ zstd_next, zstd_free };
	z->below = below;
	*out = &z->s;
	return NULL;
}

/* --- what libarchive reads: filters that run inside this process, never those that start programs
 * --- */

struct filter_stream {
	struct stream s;
	struct stream *below;
	struct archive *archive;
	error *failed; /* of the stream below */
	char out[OUT_CHUNK];
};

static la_ssize_t filter_read(struct archive *a, void *context, const void **chunk)
{
	struct filter_stream *f = context;
	size_t len = 0;

	error_free(f->failed);
	f->failed = stream_next(f->below, chunk, &len);
	if (!f->failed)
		return (la_ssize_t)len;
	archive_set_error(a, EIO, "%s", error_message(f->failed));
	return ARCHIVE_FATAL;
}

static error *filter_next(struct stream *s, const void **chunk, size_t *len)
{
	struct filter_stream *f = (struct filter_stream *)s;
	la_ssize_t n = archive_read_data(f->archive, f->out, sizeof(f->out));

	if (f->failed)
		return take_ptr(&f->failed);
	if (n < 0)
		return error_said(EBADMSG, "unpack: %s", archive_error_string(f->archive));
	*chunk = f->out;
	*len = (size_t)n;
	return NULL;
}

static void filter_free(struct stream *s)
{
	struct filter_stream *f = (struct filter_stream *)s;

	archive_read_free(f->archive);
	stream_free(f->below);
	error_free(f->failed);
	free(f);
}

static error *filter_new(struct stream *below, struct stream **out)
{
	auto_stream struct stream *owned = below;
	struct filter_stream *f = calloc(1, sizeof(*f));
	struct archive_entry *entry;

	if (!f)
		return error_new(ENOMEM, "unpack");
	f->s = (struct stream){ filter_next, filter_free };
	f->below = take_ptr(&owned);
	auto_stream struct stream *s = &f->s;
	f->archive = archive_read_new();
	if (!f->archive)
		return error_new(ENOMEM, "unpack");
	archive_read_support_filter_xz(f->archive);
	archive_read_support_filter_lzma(f->archive);
	archive_read_support_filter_bzip2(f->archive);
	archive_read_support_filter_lzip(f->archive);
	archive_read_support_filter_lz4(f->archive);
	archive_read_support_format_raw(f->archive);
	if (archive_read_open(f->archive, f, NULL, filter_read, NULL) != ARCHIVE_OK ||
	    archive_read_next_header(f->archive, &entry) != ARCHIVE_OK)
		return error_said(EBADMSG, "unpack: %s", archive_error_string(f->archive));
	*out = take_ptr(&s);
	return NULL;
}

error *stream_unpacked(struct stream *below, enum packing packing, enum inflater inflater,
		       struct stream **out)
{
	switch (packing) {
	case PACKED_NONE:
		*out = below;
		return NULL;
	case PACKED_GZIP:
		return gzip_new(below, inflater, out);
	case PACKED_ZSTD:
		return zstd_new(below, out);
	case PACKED_OTHER:
		break;
	}
	return filter_new(below, out);
}
