#include "runtime/stream.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static error *say(struct stream *s, enum wire_type type, uint32_t arg, const void *data, size_t len)
{
	struct wire_head head = { .type = (uint16_t)type,
				  .id = s->process,
				  .stream = s->index,
				  .arg = arg,
				  .len = (uint32_t)len };

	return wire_put(s->wire, &head, data);
}

void stream_close(struct stream *s)
{
	if (s->loop)
		loop_forget(s->loop, &s->watch);
	if (s->loop)
		close(s->fd);
	free(s->waiting);
	s->waiting = NULL;
	s->loop = NULL;
}

bool stream_is_open(const struct stream *s)
{
	return s->loop != NULL;
}

/* The descriptor has data, or is at its end. */
static error *read_some(struct stream *s)
{
	char data[WIRE_DATA_MAX];
	size_t want = s->credit < sizeof(data) ? s->credit : sizeof(data);
	ssize_t n = read(s->fd, data, want);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return NULL;
	if (n <= 0) { /* EIO: the last one has left a terminal */
		stream_close(s);
		return say(s, WIRE_EOF, 0, NULL, 0);
	}
	s->credit -= (uint32_t)n;
	if (!s->credit)
		s->watch.events = 0;
	return say(s, WIRE_DATA, 0, data, (size_t)n);
}

static error *give_credit(struct stream *s)
{
	uint32_t owed = s->owed;

	if (!owed || (s->len && owed < WIRE_WINDOW / 4))
		return NULL;
	s->owed = 0;
	s->credit += owed;
	return say(s, WIRE_CREDIT, owed, NULL, 0);
}

static error *write_some(struct stream *s)
{
	size_t len = s->len < s->portion ? s->len : s->portion;
	ssize_t n = write(s->fd, s->waiting + s->start, len);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return NULL;
	if (n < 0) {
		stream_close(s);
		return say(s, WIRE_CLOSED, 0, NULL, 0);
	}
	s->start += (size_t)n;
	s->len -= (size_t)n;
	s->owed += (uint32_t)n;
	if (!s->len) {
		s->start = 0;
		s->watch.events = 0;
		if (s->ended) {
			stream_close(s);
			return NULL;
		}
	}
	return give_credit(s);
}

static error *ready(struct watch *w, short events)
{
	struct stream *s = w->context;

	if (s->direction == TO_WIRE) {
		/* without credit only the end is of interest; what was written before it waits */
		if (s->credit)
			return read_some(s);
		s->watch.fd = -1; /* poll(2) would tell of the end for ever */
		return NULL;
	}
	if (s->len && events & POLLOUT)
		return write_some(s);
	if (events & (POLLERR | POLLHUP | POLLNVAL)) { /* nobody reads it */
		stream_close(s);
		return say(s, WIRE_CLOSED, 0, NULL, 0);
	}
	return NULL;
}

/* A pipe or terminal that is not ours alone is opened once more, so that O_NONBLOCK stays with us:
 * it belongs to the open file, which others may hold. */
static int opened_again(int fd, enum stream_direction direction)
{
	char path[32];
	struct stat st;

	if (fstat(fd, &st) < 0 || !(S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode)) ||
	    st.st_rdev == makedev(5, 2)) /* /dev/ptmx would be a new terminal */
		return -1;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, (direction == TO_WIRE ? O_RDONLY : O_WRONLY) | O_NONBLOCK | O_NOCTTY |
				  O_CLOEXEC);
}

/* What one write may have, so that poll's promise holds for all of it. */
static size_t safe_portion(int fd)
{
	struct stat st;

	if (fcntl(fd, F_GETFL) & O_NONBLOCK)
		return WIRE_DATA_MAX;
	if (fstat(fd, &st) < 0 || S_ISFIFO(st.st_mode))
		return 4096;
	return S_ISCHR(st.st_mode) ? 256 : WIRE_DATA_MAX;
}

error *stream_open(struct stream *s, struct loop *loop, struct wire *wire, int fd,
		   enum stream_direction direction, uint32_t process, uint16_t index)
{
	int again = fcntl(fd, F_GETFL) & O_NONBLOCK ? -1 : opened_again(fd, direction);

	*s = (struct stream){ .wire = wire,
			      .direction = direction,
			      .process = process,
			      .index = index,
			      .credit = WIRE_WINDOW };
	if (again >= 0)
		close(fd);
	s->fd = again >= 0 ? again : fd;
	s->watch = (struct watch){ .fd = s->fd,
				   .events = direction == TO_WIRE ? POLLIN : 0,
				   .ready = ready,
				   .context = s };
	s->portion = safe_portion(s->fd);
	if (direction == FROM_WIRE) {
		s->waiting = malloc(WIRE_WINDOW);
		if (!s->waiting)
			return error_new(ENOMEM, "a stream");
	}
	try(loop_watch(loop, &s->watch));
	s->loop = loop;
	return NULL;
}

static error *take_data(struct stream *s, const struct wire_frame *f)
{
	if (f->head.len > s->credit || f->head.len > WIRE_DATA_MAX || s->ended)
		return error_new(EPROTO, "more data than it was told to send");
	s->credit -= f->head.len;
	if (s->start + s->len + f->head.len > WIRE_WINDOW) {
		memmove(s->waiting, s->waiting + s->start, s->len);
		s->start = 0;
	}
	memcpy(s->waiting + s->start + s->len, f->payload, f->head.len);
	s->len += f->head.len;
	s->watch.events = POLLOUT;
	return NULL;
}

static error *take_credit(struct stream *s, uint32_t credit)
{
	if (credit > WIRE_WINDOW || s->credit + credit > WIRE_WINDOW)
		return error_new(EPROTO, "more credit than a stream can have");
	s->credit += credit;
	s->watch.fd = s->fd;
	s->watch.events = POLLIN;
	return NULL;
}

error *stream_take(struct stream *s, const struct wire_frame *f)
{
	bool outward = f->head.type == WIRE_CREDIT || f->head.type == WIRE_CLOSED;

	if (!stream_is_open(s))
		return NULL; /* it crossed our own word that the stream is closed */
	if (outward != (s->direction == TO_WIRE))
		return error_new(EPROTO, "a stream runs the wrong way");
	switch (f->head.type) {
	case WIRE_DATA:
		return take_data(s, f);
	case WIRE_CREDIT:
		return take_credit(s, f->head.arg);
	case WIRE_EOF:
		s->ended = true;
		if (!s->len)
			stream_close(s);
		return NULL;
	default:
		stream_close(s);
		return NULL;
	}
}

void stream_hold_back(struct stream *s)
{
	s->credit = 0;
	s->watch.events = 0;
}

error *stream_welcome(struct stream *s)
{
	return say(s, WIRE_CREDIT, WIRE_WINDOW, NULL, 0);
}
