/* The monitor: programs in the guest, whose standard streams end here. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "runtime/monitor.h"

struct program *program_find(struct monitor *m, uint32_t id)
{
	for (struct program *p = m->programs; p; p = p->next)
		if (p->id == id)
			return p;
	return NULL;
}

void program_free(struct monitor *m, struct program *p)
{
	for (struct program **at = &m->programs; *at; at = &(*at)->next)
		if (*at == p) {
			*at = p->next;
			break;
		}
	for (int i = 0; i < 3; i++)
		if (stream_is_open(&p->streams[i]))
			stream_close(&p->streams[i]);
	free(p);
}

error *program_new(struct monitor *m, uint32_t id, const int *fds, size_t n, struct client *client,
		   struct program **out)
{
	struct program *p = calloc(1, sizeof(*p));
	int second = -1;
	error *e = NULL;

	if (!p)
		return error_new(ENOMEM, "a program");
	*p = (struct program){ .next = m->programs, .id = id, .client = client };
	m->programs = p;
	/* a terminal is one descriptor for both directions */
	if (n == 1 && (second = fcntl(fds[0], F_DUPFD_CLOEXEC, 3)) < 0)
		e = error_errno("dup");
	for (size_t i = 0; !e && i < (n == 1 ? 2 : n); i++)
		e = stream_open(&p->streams[i], &m->loop, &m->wire,
				n == 1 && i == 1 ? second : fds[i], i == 0 ? TO_WIRE : FROM_WIRE,
				id, (uint16_t)i);
	if (e) {
		program_free(m, p);
		return e;
	}
	stream_hold_back(&p->streams[0]);
	*out = p;
	return NULL;
}

error *program_take(struct monitor *m, const struct wire_frame *f)
{
	struct program *p = program_find(m, f->head.id);

	if (f->head.stream > 2)
		return error_new(EPROTO, "stream %u", f->head.stream);
	if (!p)
		return NULL; /* it has ended, by our own knowledge */
	if (f->head.type != WIRE_EXIT)
		return stream_take(&p->streams[f->head.stream], f);
	p->ended = true;
	p->status = (int)f->head.arg;
	if (stream_is_open(&p->streams[0]))
		stream_close(&p->streams[0]);
	return NULL;
}

static bool is_delivered(const struct program *p)
{
	for (int i = 1; i < 3; i++)
		if (stream_is_open(&p->streams[i]) && p->streams[i].len)
			return false;
	return true;
}

error *programs_settle(struct monitor *m)
{
	for (struct program *p = m->programs, *next; p; p = next) {
		struct wire_head head = { .type = WIRE_EXIT, .arg = (uint32_t)p->status };
		next = p->next;
		if (!p->ended || !is_delivered(p))
			continue;
		if (p->id == 0) {
			m->finished = true;
			m->status = p->status;
		} else if (p->client) {
			try(client_tell(p->client, &head, NULL));
		}
		program_free(m, p);
	}
	m->alone = !m->programs;
	return NULL;
}
