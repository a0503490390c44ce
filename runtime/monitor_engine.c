/* The monitor: what it and our own engine say to each other. The engine is taken for hostile, as
 * the guest is: what it answers is bounded here, and checked by who reads it. */
#include <poll.h>
#include <unistd.h>

#include "runtime/monitor.h"

enum { COUNTS_MAX = 16 << 10 };

/* To all who have asked so far. */
static error *answer(struct monitor *m, int code, const char *text, size_t len)
{
	struct wire_head head = { .type = WIRE_REPLY, .arg = (uint32_t)code, .len = (uint32_t)len };

	for (struct client *c = m->clients; c; c = c->next) {
		if (!c->wants_counts)
			continue;
		c->wants_counts = false;
		try(client_tell(c, &head, text));
	}
	return NULL;
}

/* A message is the whole answer; a longer one is cut off, and then no JSON any more. */
static error *counts_ready(struct watch *w, short events)
{
	struct monitor *m = w->context;
	char text[COUNTS_MAX];
	ssize_t n = read(w->fd, text, sizeof(text));

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return NULL;
	if (n > 0)
		return answer(m, 0, text, (size_t)n);
	w->fd = -1; /* the machine's end follows */
	return answer(m, ESRCH, NULL, 0);
}

error *engine_watch(struct monitor *m)
{
	m->counts.events = POLLIN;
	m->counts.ready = counts_ready;
	m->counts.context = m;
	return loop_watch(&m->loop, &m->counts);
}

error *engine_count(struct client *c)
{
	struct monitor *m = c->monitor;

	if (m->life->vm->engine != VM_KVM)
		return client_refuse(c, ENOTSUP, "this engine does not count");
	if (m->counts.fd < 0 || write(m->counts.fd, "?", 1) != 1)
		return client_refuse(c, EBUSY, "the machine does not listen");
	c->wants_counts = true;
	return NULL;
}
