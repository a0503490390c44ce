#include "image/record.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <zstd.h>

#include "base/fd.h"
#include "base/path.h"

enum { OUT_SIZE = 128 << 10, IN_SIZE = 64 << 10 };

struct recorder {
	struct tar_tap tap;
	int fd;
	const struct extract *x;
	ZSTD_CCtx *context;
	char *path;           /* what the last 'F' named */
	uint64_t offset, len; /* of a part that may still grow */
	char *pending;        /* bytes of the archive that may still grow */
	size_t n_pending;
	char in[IN_SIZE];
	size_t n_in;
	char out[OUT_SIZE];
};

static error *compress(struct recorder *r, ZSTD_EndDirective end)
{
	ZSTD_inBuffer in = { r->in, r->n_in, 0 };
	size_t left;

	do {
		ZSTD_outBuffer out = { r->out, sizeof(r->out), 0 };
		left = ZSTD_compressStream2(r->context, &out, &in, end);
		if (ZSTD_isError(left))
			return error_said(EIO, "zstd: %s", ZSTD_getErrorName(left));
		try(fd_write_all(r->fd, r->out, out.pos));
	} while (in.pos < in.size || (end == ZSTD_e_end && left));
	r->n_in = 0;
	return NULL;
}

static error *put(struct recorder *r, const void *data, size_t len)
{
	for (const char *at = data; len;) {
		size_t n = sizeof(r->in) - r->n_in;
		n = n < len ? n : len;
		memcpy(r->in + r->n_in, at, n);
		r->n_in += n;
		at += n;
		len -= n;
		if (r->n_in == sizeof(r->in))
			try(compress(r, ZSTD_e_continue));
	}
	return NULL;
}

static error *put_numbers(struct recorder *r, char kind, const uint64_t *numbers, size_t n)
{
	try(put(r, &kind, 1));
	return put(r, numbers, n * sizeof(*numbers));
}

static error *flush_part(struct recorder *r)
{
	uint64_t part[] = { r->offset, r->len };

	if (r->len)
		try(put_numbers(r, 'D', part, 2));
	r->len = 0;
	return NULL;
}

static error *flush_raw(struct recorder *r)
{
	uint64_t len = r->n_pending;

	if (!len)
		return NULL;
	try(put_numbers(r, 'H', &len, 1));
	r->n_pending = 0;
	return put(r, r->pending, len);
}

static error *take_raw(struct tar_tap *tap, const void *data, size_t len)
{
	struct recorder *r = (struct recorder *)tap;

	try(flush_part(r));
	for (const char *at = data; len;) {
		size_t n = IN_SIZE - r->n_pending;
		n = n < len ? n : len;
		memcpy(r->pending + r->n_pending, at, n);
		r->n_pending += n;
		at += n;
		len -= n;
		if (r->n_pending == IN_SIZE)
			try(flush_raw(r));
	}
	return NULL;
}

static error *take_content(struct tar_tap *tap, uint64_t offset, uint64_t len)
{
	struct recorder *r = (struct recorder *)tap;
	const char *path = extract_path(r->x);

	if (r->len && offset == r->offset + r->len) {
		r->len += len;
		return NULL;
	}
	try(flush_part(r));
	try(flush_raw(r));
	if (!r->path || strcmp(r->path, path) != 0) {
		uint64_t n = strlen(path);
		free(r->path);
		r->path = strdup(path);
		if (!r->path)
			return error_new(ENOMEM, "record");
		try(put_numbers(r, 'F', &n, 1));
		try(put(r, path, n));
	}
	r->offset = offset;
	r->len = len;
	return NULL;
}

error *recorder_new(int fd, const struct extract *x, struct recorder **out)
{
	auto_recorder struct recorder *r = calloc(1, sizeof(*r));

	if (!r)
		return error_new(ENOMEM, "record");
	r->tap = (struct tar_tap){ take_raw, take_content };
	r->fd = fd;
	r->x = x;
	r->pending = malloc(IN_SIZE);
	r->context = ZSTD_createCCtx();
	if (!r->pending || !r->context)
		return error_new(ENOMEM, "record");
	ZSTD_CCtx_setParameter(r->context, ZSTD_c_compressionLevel, 1);
	*out = take_ptr(&r);
	return NULL;
}

struct tar_tap *recorder_tap(struct recorder *r)
{
	return &r->tap;
}

error *recorder_finish(struct recorder *r)
{
	try(flush_part(r));
	try(flush_raw(r));
	return compress(r, ZSTD_e_end);
}

void recorder_free(struct recorder *r)
{
	if (!r)
		return;
	ZSTD_freeCCtx(r->context);
	free(r->pending);
	free(r->path);
	free(r);
}

/* --- replay --- */

struct replay {
	struct stream s;
	struct stream *records;
	int root;
	const char *chunk;
	size_t chunk_len;
	uint64_t raw_left;
	int file;
	uint64_t at, file_left;
	char buffer[128 << 10];
};

/* Exactly len bytes, or none at the very end when may_end. */
static error *take(struct replay *r, void *to, size_t len, bool *ended)
{
	for (size_t got = 0; got < len;) {
		if (!r->chunk_len)
			try(stream_next(r->records, (const void **)&r->chunk, &r->chunk_len));
		if (!r->chunk_len && got == 0 && ended) {
			*ended = true;
			return NULL;
		}
		if (!r->chunk_len)
			return error_said(EBADMSG, "the records of the layer end too early");
		size_t n = r->chunk_len < len - got ? r->chunk_len : len - got;
		memcpy((char *)to + got, r->chunk, n);
		r->chunk += n;
		r->chunk_len -= n;
		got += n;
	}
	return NULL;
}

static error *open_file(struct replay *r)
{
	char path[PLACE_PATH_MAX + 1];
	uint64_t len;

	try(take(r, &len, sizeof(len), NULL));
	if (len > PLACE_PATH_MAX)
		return error_said(EBADMSG, "the records of the layer are damaged");
	try(take(r, path, len, NULL));
	path[len] = '\0';
	if (r->file >= 0)
		close(r->file);
	r->file = -1;
	struct tree tree = { .root = r->root, .parent = -1, .form = FORM_FLAT };
	char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	auto_fd int dir = -1;
	if (slash)
		*slash = '\0';
	/* long paths too; the folders are there, so none is made */
	try(tree_folder_apart(&tree, slash ? path : "", &dir, NULL));
	r->file = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	return r->file < 0 ? error_errno("open /%s", path) : NULL;
}

static error *next_record(struct replay *r, bool *ended)
{
	char kind;

	*ended = false;
	try(take(r, &kind, 1, ended));
	if (*ended)
		return NULL;
	switch (kind) {
	case 'H':
		return take(r, &r->raw_left, sizeof(r->raw_left), NULL);
	case 'F':
		return open_file(r);
	case 'D':
		try(take(r, &r->at, sizeof(r->at), NULL));
		return take(r, &r->file_left, sizeof(r->file_left), NULL);
	default:
		return error_said(EBADMSG, "the records of the layer are damaged");
	}
}

static error *replay_next(struct stream *s, const void **chunk, size_t *len)
{
	struct replay *r = (struct replay *)s;
	bool ended = false;

	*len = 0;
	while (!r->raw_left && !r->file_left && !ended)
		try(next_record(r, &ended));
	if (ended)
		return NULL;
	uint64_t left = r->raw_left ? r->raw_left : r->file_left;
	size_t n = left < sizeof(r->buffer) ? (size_t)left : sizeof(r->buffer);
	if (r->raw_left) {
		try(take(r, r->buffer, n, NULL));
		r->raw_left -= n;
	} else {
		ssize_t got = pread(r->file, r->buffer, n, (off_t)r->at);
		if (got <= 0)
			return got < 0 ? error_errno("read a file of the layer")
				       : error_said(EBADMSG, "a file of the layer is too short");
		n = (size_t)got;
		r->at += n;
		r->file_left -= n;
	}
	*chunk = r->buffer;
	*len = n;
	return NULL;
}

static void replay_free(struct stream *s)
{
	struct replay *r = (struct replay *)s;

	if (r->file >= 0)
		close(r->file);
	stream_free(r->records);
	free(r);
}

error *record_replay(int fd, int root, struct stream **out)
{
	auto_stream struct stream *records = NULL;
	struct stream *packed = NULL;

	try(stream_file(fd, 0, -1, NULL, &packed));
	try(stream_unpacked(packed, PACKED_ZSTD, INFLATE_BEST, &records));
	struct replay *r = calloc(1, sizeof(*r));
	if (!r)
		return error_new(ENOMEM, "replay");
	r->s = (struct stream){ replay_next, replay_free };
	r->records = take_ptr(&records);
	r->root = root;
	r->file = -1;
	*out = &r->s;
	return NULL;
}
