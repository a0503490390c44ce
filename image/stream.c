#include "image/stream.h"

#include <string.h>
#include <unistd.h>

void stream_free(struct stream *s)
{
	if (s)
		s->free(s);
}

static void free_plain(struct stream *s)
{
	free(s);
}

enum { FILE_CHUNK = 128 << 10 };

struct file_stream {
	struct stream s;
	int fd;
	off_t at;
	int64_t left; /* -1: to the end */
	_Atomic uint64_t *done;
	char buffer[FILE_CHUNK];
};

static error *file_next(struct stream *s, const void **chunk, size_t *len)
{
	struct file_stream *f = (struct file_stream *)s;
	size_t want = sizeof(f->buffer);
	ssize_t n;

	if (f->left >= 0 && (uint64_t)f->left < want)
		want = (size_t)f->left;
	do
		n = f->left < 0 ? read(f->fd, f->buffer, want)
				: pread(f->fd, f->buffer, want, f->at);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return error_errno("read");
	if (n == 0 && f->left > 0)
		return error_said(EINVAL, "the file ends %lld bytes too early", (long long)f->left);
	if (f->left > 0)
		f->left -= n;
	f->at += n;
	if (f->done)
		*f->done += (uint64_t)n;
	*chunk = f->buffer;
	*len = (size_t)n;
	return NULL;
}

static error *file_skip(struct stream *s, uint64_t len)
{
	struct file_stream *f = (struct file_stream *)s;

	if (f->left < 0 || len > (uint64_t)f->left)
		return error_said(EBADMSG, "the file ends too early");
	f->at += (off_t)len;
	f->left -= (int64_t)len;
	return NULL;
}

error *stream_file(int fd, off_t offset, int64_t size, _Atomic uint64_t *done, struct stream **out)
{
	struct file_stream *f = malloc(sizeof(*f));

	if (!f)
		return error_new(ENOMEM, "stream");
	f->s = (struct stream){ file_next, free_plain, size < 0 ? NULL : file_skip };
	f->fd = fd;
	f->at = offset;
	f->left = size;
	f->done = done;
	*out = &f->s;
	return NULL;
}

struct memory_stream {
	struct stream s;
	const char *data;
	size_t len;
};

static error *memory_next(struct stream *s, const void **chunk, size_t *len)
{
	struct memory_stream *m = (struct memory_stream *)s;

	*chunk = m->data;
	*len = m->len;
	m->len = 0;
	return NULL;
}

error *stream_memory(const void *data, size_t len, struct stream **out)
{
	struct memory_stream *m = malloc(sizeof(*m));

	if (!m)
		return error_new(ENOMEM, "stream");
	*m = (struct memory_stream){ { memory_next, free_plain }, data, len };
	*out = &m->s;
	return NULL;
}

struct hashed_stream {
	struct stream s;
	struct stream *below;
	struct hasher *hasher;
	uint64_t *count;
};

static error *hashed_next(struct stream *s, const void **chunk, size_t *len)
{
	struct hashed_stream *h = (struct hashed_stream *)s;

	try(stream_next(h->below, chunk, len));
	if (h->count)
		*h->count += *len;
	return hasher_add(h->hasher, *chunk, *len);
}

static void hashed_free(struct stream *s)
{
	struct hashed_stream *h = (struct hashed_stream *)s;

	stream_free(h->below);
	free(h);
}

error *stream_hashed(struct stream *below, struct hasher *hasher, uint64_t *count,
		     struct stream **out)
{
	struct hashed_stream *h = malloc(sizeof(*h));

	if (!h) {
		stream_free(below);
		return error_new(ENOMEM, "stream");
	}
	*h = (struct hashed_stream){ { hashed_next, hashed_free }, below, hasher, count };
	*out = &h->s;
	return NULL;
}

struct limited_stream {
	struct stream s;
	struct stream *below;
	uint64_t left;
};

static error *limited_next(struct stream *s, const void **chunk, size_t *len)
{
	struct limited_stream *l = (struct limited_stream *)s;

	try(stream_next(l->below, chunk, len));
	if (*len > l->left)
		return error_said(EFBIG, "there is no end to it (--max-size)");
	l->left -= *len;
	return NULL;
}

static void limited_free(struct stream *s)
{
	struct limited_stream *l = (struct limited_stream *)s;

	stream_free(l->below);
	free(l);
}

error *stream_limited(struct stream *below, uint64_t max, struct stream **out)
{
	struct limited_stream *l = malloc(sizeof(*l));

	if (!l) {
		stream_free(below);
		return error_new(ENOMEM, "stream");
	}
	*l = (struct limited_stream){ { limited_next, limited_free }, below, max };
	*out = &l->s;
	return NULL;
}

struct peeked_stream {
	struct stream s;
	struct stream *below;
	const void *first;
	size_t len;
	bool is_first;
};

static error *peeked_next(struct stream *s, const void **chunk, size_t *len)
{
	struct peeked_stream *p = (struct peeked_stream *)s;

	if (!p->is_first)
		return stream_next(p->below, chunk, len);
	p->is_first = false;
	*chunk = p->first;
	*len = p->len;
	return NULL;
}

static void peeked_free(struct stream *s)
{
	struct peeked_stream *p = (struct peeked_stream *)s;

	stream_free(p->below);
	free(p);
}

error *stream_peek(struct stream *below, const void **first, size_t *len, struct stream **out)
{
	auto_stream struct stream *owned = below;
	struct peeked_stream *p = calloc(1, sizeof(*p));

	if (!p)
		return error_new(ENOMEM, "stream");
	p->s = (struct stream){ peeked_next, peeked_free };
	p->below = take_ptr(&owned);
	p->is_first = true;
	auto_stream struct stream *s = &p->s;
	try(stream_next(p->below, &p->first, &p->len));
	*first = p->first;
	*len = p->len;
	*out = take_ptr(&s);
	return NULL;
}

error *stream_drain(struct stream *s)
{
	const void *chunk;
	size_t len;

	do
		try(stream_next(s, &chunk, &len));
	while (len > 0);
	return NULL;
}

error *stream_read_all(struct stream *s, size_t max, char **out, size_t *out_len)
{
	auto_free char *all = malloc(1);
	size_t used = 0;

	if (!all)
		return error_new(ENOMEM, "read");
	for (;;) {
		const void *chunk;
		size_t len;
		try(stream_next(s, &chunk, &len));
		if (len == 0)
			break;
		if (len > max - used)
			return error_said(EFBIG, "more than %zu bytes", max);
		char *more = realloc(all, used + len + 1);
		if (!more)
			return error_new(ENOMEM, "read");
		all = more;
		memcpy(all + used, chunk, len);
		used += len;
	}
	all[used] = '\0';
	*out = take_ptr(&all);
	*out_len = used;
	return NULL;
}
