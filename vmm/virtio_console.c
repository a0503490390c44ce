/* A port to the agent: a console device of many ports that has one, which carries bytes between the
 * ring and a socket. Neither side can make the other hold more than a ring's worth. */
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "vmm/virtio.h"

enum queue { TO_GUEST, FROM_GUEST, CONTROL_TO_GUEST, CONTROL_FROM_GUEST, QUEUES };
enum event {
	DEVICE_READY = 0,
	PORT_ADD = 1,
	PORT_READY = 3,
	PORT_OPEN = 6,
	PORT_NAME = 7,
};
enum { NAME_MAX_LEN = 64, PENDING = 8 };
#define MULTIPORT (1ULL << 1)

struct control {
	uint32_t id;
	uint16_t event;
	uint16_t value;
};

struct console {
	struct virtio_device d;
	struct watch agent;
	char name[NAME_MAX_LEN];
	bool open;   /* a program in the guest has the port open */
	size_t sent; /* of the request at the head of FROM_GUEST */
	struct control pending[PENDING];
	unsigned n_pending;
};

static struct console *console_of(struct virtio_device *d)
{
	return (struct console *)d;
}

/* --- control messages --- */

static error *tell(struct console *c, enum event event, uint16_t value)
{
	if (c->n_pending == PENDING)
		return error_said(EPROTO, "asks for more than it takes");
	c->pending[c->n_pending++] = (struct control){ .event = (uint16_t)event, .value = value };
	return NULL;
}

static error *obey(struct console *c, const struct control *m)
{
	if (m->event == DEVICE_READY)
		return m->value ? tell(c, PORT_ADD, 1) : NULL;
	if (m->id != 0) /* there is one port */
		return NULL;
	if (m->event == PORT_READY && m->value) {
		try(tell(c, PORT_NAME, 1));
		return tell(c, PORT_OPEN, 1);
	}
	if (m->event == PORT_OPEN) {
		c->open = m->value;
		virtio_kick(&c->d, TO_GUEST);
	}
	return NULL;
}

static error *serve_control(struct console *c)
{
	struct virtq *q = &c->d.queues[CONTROL_FROM_GUEST];
	struct control m;
	struct chain request;
	bool got;

	for (unsigned n = 0;;) {
		try(virtio_next(&c->d, CONTROL_FROM_GUEST, &n, &request, &got));
		if (!got)
			break;
		if (chain_read(&request, 0, &m, sizeof(m)) == sizeof(m))
			try(obey(c, &m));
		virtq_push(q, request.head, 0);
	}
	virtio_told(&c->d, CONTROL_FROM_GUEST);
	return NULL;
}

static error *send_pending(struct console *c)
{
	struct virtq *q = &c->d.queues[CONTROL_TO_GUEST];
	struct chain request;
	bool got = true;

	while (c->n_pending && q->ready) {
		try(virtq_pop(q, &request, &got));
		if (!got)
			break;
		const struct control *m = &c->pending[0];
		size_t len = chain_write(&request, 0, m, sizeof(*m));
		if (m->event == PORT_NAME)
			len += chain_write(&request, sizeof(*m), c->name, strlen(c->name));
		virtq_push(q, request.head, (uint32_t)len);
		memmove(&c->pending[0], &c->pending[1], --c->n_pending * sizeof(c->pending[0]));
	}
	if (q->ready)
		virtio_told(&c->d, CONTROL_TO_GUEST);
	return NULL;
}

/* --- bytes --- */

/* Which of the socket's events we can do something about. */
static void expect(struct console *c, short event, bool on)
{
	if (on)
		c->agent.events |= event;
	else
		c->agent.events &= (short)~event;
}

static error *send_to_agent(struct console *c)
{
	struct virtq *q = &c->d.queues[FROM_GUEST];
	struct iovec parts[VIRTQ_MAX];
	struct chain request;
	bool got;

	for (unsigned n = 0;;) {
		try(virtio_next(&c->d, FROM_GUEST, &n, &request, &got));
		if (!got)
			break;
		unsigned count = chain_slice(request.iov, request.n_out, c->sent, SIZE_MAX, parts);
		ssize_t sent = count ? writev(c->agent.fd, parts, (int)count) : 0;
		if (sent < 0 && errno != EAGAIN && errno != EINTR)
			return error_errno("write to the agent's socket");
		c->sent += sent > 0 ? (size_t)sent : 0;
		c->d.count.bytes_out += sent > 0 ? (size_t)sent : 0;
		if (c->sent < request.out_len) { /* the socket is full */
			virtq_unpop(q);
			expect(c, POLLOUT, true);
			break;
		}
		c->sent = 0;
		virtq_push(q, request.head, 0);
	}
	virtio_told(&c->d, FROM_GUEST);
	return NULL;
}

static error *receive_from_agent(struct console *c)
{
	struct virtq *q = &c->d.queues[TO_GUEST];
	struct chain request;
	bool got = false;

	expect(c, POLLIN, c->open);
	for (unsigned n = 0; c->open;) {
		try(virtio_next(&c->d, TO_GUEST, &n, &request, &got));
		if (!got) { /* until the guest gives us more room */
			c->d.count.stalls++;
			expect(c, POLLIN, false);
			break;
		}
		ssize_t len = readv(c->agent.fd, request.iov + request.n_out, (int)request.n_in);
		if (len <= 0)
			virtq_unpop(q);
		if (len < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (len <= 0)
			return error_said(EPIPE,
					  "nobody is at the other end of the agent's socket");
		c->d.count.bytes_in += (size_t)len;
		virtq_push(q, request.head, (uint32_t)len);
	}
	virtio_told(&c->d, TO_GUEST);
	return NULL;
}

static error *agent_ready(struct watch *w, short events)
{
	struct console *c = w->context;
	error *e = NULL;

	pthread_mutex_lock(&c->d.lock);
	if (events & POLLOUT) {
		expect(c, POLLOUT, false);
		if (c->d.running && c->d.queues[FROM_GUEST].ready)
			e = send_to_agent(c);
	}
	if (!e && c->d.running && c->d.queues[TO_GUEST].ready)
		e = receive_from_agent(c);
	else
		expect(c, POLLIN, false);
	if (!e && events & (POLLHUP | POLLERR) && !(events & POLLIN))
		e = error_said(EPIPE, "nobody is at the other end of the agent's socket");
	pthread_mutex_unlock(&c->d.lock);
	return e;
}

static error *serve(struct virtio_device *d, unsigned queue)
{
	struct console *c = console_of(d);

	switch ((enum queue)queue) {
	case TO_GUEST:
		return receive_from_agent(c);
	case FROM_GUEST:
		return send_to_agent(c);
	case CONTROL_FROM_GUEST:
		try(serve_control(c));
		return send_pending(c);
	default:
		return send_pending(c);
	}
}

static error *stop(struct virtio_device *d)
{
	struct console *c = console_of(d);

	c->open = false;
	c->sent = 0;
	c->n_pending = 0;
	return NULL;
}

static void end(struct virtio_device *d)
{
	struct console *c = console_of(d);

	loop_forget(d->loop, &c->agent);
	if (c->agent.fd >= 0)
		close(c->agent.fd);
}

static const struct virtio_class class = {
	.name = "console",
	.id = VIRTIO_CONSOLE,
	.queues = QUEUES,
	.queue_size = 128,
	.features = VIRTIO_EVENT_IDX | MULTIPORT,
	.stop = stop,
	.serve = serve,
	.end = end,
};

error *virtio_console_new(int agent, const char *name, const struct memory *memory,
			  struct loop *loop, struct virtio_device **out)
{
	static const uint32_t ports = 1;
	struct console *c = calloc(1, sizeof(*c));

	if (!c)
		return error_new(ENOMEM, "a device");
	*out = &c->d;
	if (strlen(name) >= sizeof(c->name))
		return error_said(E2BIG, "the name of the agent's port is too long");
	strcpy(c->name, name);
	/* columns and rows, u16; how many ports; what is written in an emergency */
	memcpy(c->d.config + 4, &ports, sizeof(ports));
	c->d.config_size = 12;
	c->agent = (struct watch){ .fd = agent, .ready = agent_ready, .context = c };
	if (fcntl(agent, F_SETFL, O_RDWR | O_NONBLOCK) < 0)
		return error_errno("the agent's socket");
	try(loop_watch(loop, &c->agent));
	return virtio_init(&c->d, &class, memory, loop);
}
