#include "runtime/wire.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Room for `more` bytes behind what is there. */
static error *reserve(struct wire_buffer *b, size_t more)
{
	if (b->start && b->start + b->len + more > b->room) {
		memmove(b->data, b->data + b->start, b->len);
		b->start = 0;
	}
	if (b->len + more <= b->room)
		return NULL;
	size_t room = b->room ? b->room : 64 << 10;
	while (room < b->len + more)
		room *= 2;
	char *grown = realloc(b->data, room);
	if (!grown)
		return error_new(ENOMEM, "a frame of %zu bytes", more);
	b->data = grown;
	b->room = room;
	return NULL;
}

static void add(struct wire_buffer *b, const void *data, size_t len)
{
	memcpy(b->data + b->start + b->len, data, len);
	b->len += len;
}

static void drop(struct wire_buffer *b, size_t len)
{
	b->start += len;
	b->len -= len;
	if (!b->len)
		b->start = 0;
}

error *wire_put(struct wire *w, const struct wire_head *head, const void *payload)
{
	struct wire_head h = *head;

	h.magic = WIRE_MAGIC;
	try(reserve(&w->out, sizeof(h) + h.len));
	add(&w->out, &h, sizeof(h));
	if (h.len)
		add(&w->out, payload, h.len);
	return NULL;
}

bool wire_has_output(const struct wire *w)
{
	return w->out.len > 0;
}

error *wire_flush(struct wire *w)
{
	while (w->out.len) {
		size_t len = w->out.len < WIRE_DATA_MAX ? w->out.len : WIRE_DATA_MAX;
		ssize_t n = write(w->fd, w->out.data + w->out.start, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return NULL;
		if (n < 0)
			return error_errno("write to the other side of the sandbox");
		drop(&w->out, (size_t)n);
	}
	return NULL;
}

error *wire_fill(struct wire *w, bool *ended)
{
	*ended = false;
	drop(&w->in, w->taken);
	w->taken = 0;
	try(reserve(&w->in, WIRE_DATA_MAX));
	size_t room = w->in.room - w->in.start - w->in.len;
	ssize_t n = read(w->fd, w->in.data + w->in.start + w->in.len, room);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return NULL;
	if (n < 0 && errno != EIO && errno != ECONNRESET)
		return error_errno("read from the other side of the sandbox");
	*ended = n <= 0;
	w->in.len += n > 0 ? (size_t)n : 0;
	return NULL;
}

error *wire_next(struct wire *w, struct wire_frame *out, bool *got)
{
	drop(&w->in, w->taken);
	w->taken = 0;
	*got = false;
	if (w->in.len < sizeof(out->head))
		return NULL;
	memcpy(&out->head, w->in.data + w->in.start, sizeof(out->head));
	if (out->head.magic != WIRE_MAGIC)
		return error_new(EPROTO, "a frame does not begin as one");
	if (out->head.len > w->payload_max)
		return error_new(EPROTO, "a frame of %u bytes", out->head.len);
	size_t whole = sizeof(out->head) + out->head.len;
	if (w->in.len < whole)
		return reserve(&w->in, whole - w->in.len);
	out->payload = w->in.data + w->in.start + sizeof(out->head);
	w->taken = whole;
	*got = true;
	return NULL;
}

void wire_free(struct wire *w)
{
	free(w->in.data);
	free(w->out.data);
	*w = (struct wire){ .fd = w->fd };
}
