/* Stream sockets between guest and host. The device can open none itself: it is given one on which
 * it listens, and a broker, whom it asks for those that the guest wants to reach. Whoever connects
 * and says "CONNECT P\n" is led to the guest's port P, and reads "OK" and our port first. Neither
 * side is sent more than it has room for. */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/text.h"
#include "vmm/virtio.h"

enum queue { TO_GUEST, FROM_GUEST, EVENTS, QUEUES };
enum operation { REQUEST = 1, RESPONSE, RESET, SHUTDOWN, DATA, CREDIT_UPDATE, CREDIT_REQUEST };
enum { STREAM = 1, HOST = 2, ROOM = 64 << 10, CONNECTIONS = 64, FIRST_PORT = 1 << 20 };
enum { NO_MORE_RECEIVED = 1, NO_MORE_SENT = 2 };

struct __attribute__((packed)) packet {
	uint64_t from, to;
	uint32_t from_port, to_port, len;
	uint16_t type, operation;
	uint32_t flags, room, taken;
};

/* WAITING for the broker. */
enum state { FREE, GREETING, ASKING, WAITING, OPEN, REFUSED };

struct connection {
	struct vsock *v;
	enum state state;
	int fd;              /* or -1 */
	struct watch socket; /* the same, while something of it is waited for */
	uint32_t token;      /* of what the broker was asked */
	uint32_t host_port, guest_port;
	uint32_t guest_room, guest_taken, sent; /* to the guest */
	uint32_t taken;                         /* from the guest, and written to the socket */
	uint32_t told;                          /* the guest knows of so much of it */
	uint32_t pending;                       /* operations to tell the guest of, as bits */
	bool ended;                             /* the socket: the guest has been told */
	unsigned shut;                          /* by the guest: flags */
	size_t held; /* of the guest's bytes, until the socket takes them */
	uint8_t *data;
	char greeting[24];
};

struct vsock {
	struct virtio_device d;
	uint64_t cid;
	uint32_t next_port, next_token;
	bool full; /* the guest has no room for packets */
	struct watch listener, broker;
	struct connection connections[CONNECTIONS];
};

static struct vsock *vsock_of(struct virtio_device *d)
{
	return (struct vsock *)d;
}

/* --- connections --- */

static void forget(struct connection *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = c->socket.fd = -1;
	free(c->data);
	c->data = NULL;
	c->held = 0;
	c->state = FREE;
	c->pending = 0;
}

static struct connection *find(struct vsock *v, uint32_t host_port, uint32_t guest_port)
{
	for (int i = 0; i < CONNECTIONS; i++) {
		struct connection *c = &v->connections[i];
		if (c->state >= ASKING && c->host_port == host_port && c->guest_port == guest_port)
			return c;
	}
	return NULL;
}

/* NULL: there are too many. */
static struct connection *make(struct vsock *v, int fd, enum state state)
{
	for (int i = 0; i < CONNECTIONS; i++) {
		struct connection *c = &v->connections[i];
		if (c->state != FREE)
			continue;
		struct watch socket = c->socket;
		*c = (struct connection){ .v = v, .state = state, .fd = fd, .socket = socket };
		c->data = malloc(ROOM);
		if (c->data)
			return c;
		c->state = FREE;
		c->fd = -1;
		break;
	}
	return NULL;
}

/* What can be done about the socket: nothing wakes us in vain. An end that nobody can be told of
 * yet is not waited for either, since poll(2) would tell of it again and again. */
static void expect(struct connection *c)
{
	bool can_send = c->state == OPEN && c->v->d.running && !c->v->full && !c->ended &&
			c->sent - c->guest_taken < c->guest_room && !(c->shut & NO_MORE_RECEIVED);

	c->socket.events =
		(short)((c->state == GREETING || can_send ? POLLIN : 0) | (c->held ? POLLOUT : 0));
	bool waits = c->state == GREETING || c->state == ASKING ||
		     (c->state == OPEN && (c->socket.events || c->ended));
	c->socket.fd = waits ? c->fd : -1;
}

/* The guest's bytes, as far as the socket takes them. */
static void flush(struct connection *c)
{
	ssize_t n = c->held ? send(c->fd, c->data, c->held, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;

	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		c->held = 0;
		c->state = REFUSED;
		c->pending = 1 << RESET;
		return;
	}
	if (n > 0) {
		memmove(c->data, c->data + n, c->held - (size_t)n);
		c->held -= (size_t)n;
		c->taken += (uint32_t)n;
		if (c->taken - c->told >= ROOM / 2)
			c->pending |= 1 << CREDIT_UPDATE;
	}
	if (!c->held && c->shut == (NO_MORE_RECEIVED | NO_MORE_SENT)) {
		c->state = REFUSED;
		c->pending = 1 << RESET;
	} else if (!c->held && c->shut & NO_MORE_SENT) {
		shutdown(c->fd, SHUT_WR);
	}
}

/* --- to the guest --- */

static void tell(struct connection *c, struct chain *request, enum operation operation,
		 uint32_t len, uint32_t flags)
{
	struct packet p = { .from = HOST,
			    .to = c->v->cid,
			    .from_port = c->host_port,
			    .to_port = c->guest_port,
			    .len = len,
			    .type = STREAM,
			    .operation = (uint16_t)operation,
			    .flags = flags,
			    .room = ROOM,
			    .taken = c->taken };

	c->told = c->taken;
	chain_write(request, 0, &p, sizeof(p));
	virtq_push(&c->v->d.queues[TO_GUEST], request->head, (uint32_t)sizeof(p) + len);
}

/* One packet, if there is something to say; false: nothing, the buffer is still free. */
static bool say(struct connection *c, struct chain *request)
{
	static const enum operation order[] = { RESET, REQUEST, RESPONSE, CREDIT_UPDATE, SHUTDOWN };
	struct iovec parts[VIRTQ_MAX];

	for (size_t i = 0; i < COUNT(order); i++)
		if (c->pending & 1U << order[i]) {
			c->pending &= ~(1U << order[i]);
			tell(c, request, order[i], 0,
			     order[i] == SHUTDOWN ? NO_MORE_RECEIVED | NO_MORE_SENT : 0);
			if (order[i] == RESET)
				forget(c);
			return true;
		}
	if (c->state != OPEN || c->ended || c->shut & NO_MORE_RECEIVED)
		return false;
	uint32_t credit = c->guest_room - (c->sent - c->guest_taken);
	if (!credit || credit > c->guest_room)
		return false;
	size_t room = request->in_len - sizeof(struct packet);
	unsigned n = chain_slice(request->iov + request->n_out, request->n_in,
				 sizeof(struct packet), room < credit ? room : credit, parts);
	ssize_t len = n ? readv(c->fd, parts, (int)n) : -1;
	if (len < 0)
		return false;
	c->ended = len == 0;
	c->sent += (uint32_t)len;
	c->v->d.count.bytes_in += (size_t)len;
	tell(c, request, c->ended ? SHUTDOWN : DATA, (uint32_t)len, c->ended ? NO_MORE_SENT : 0);
	return true;
}

static error *send_to_guest(struct vsock *v)
{
	struct virtq *q = &v->d.queues[TO_GUEST];
	struct chain request;
	bool got;

	for (unsigned n = 0, idle = 0, i = 0; q->ready && !v->full && idle < CONNECTIONS; i++) {
		struct connection *c = &v->connections[i % CONNECTIONS];
		idle++;
		if (c->state == FREE || c->state == GREETING)
			continue;
		try(virtio_next(&v->d, TO_GUEST, &n, &request, &got));
		if (!got) { /* until the guest gives us more room */
			v->d.count.stalls++;
			v->full = true;
			for (int j = 0; j < CONNECTIONS; j++)
				expect(&v->connections[j]);
			break;
		}
		if (request.in_len < sizeof(struct packet))
			return error_said(EPROTO, "a buffer for packets of %u bytes",
					  request.in_len);
		if (say(c, &request))
			idle = 0;
		else
			virtq_unpop(q);
		expect(c);
	}
	if (q->ready)
		virtio_told(&v->d, TO_GUEST);
	return NULL;
}

/* --- from the guest --- */

/* The guest is told that there is no such connection. */
static void reject(struct vsock *v, const struct packet *p)
{
	struct connection *c = make(v, -1, REFUSED);

	if (!c) /* its own timeout tells it */
		return;
	c->host_port = p->to_port;
	c->guest_port = p->from_port;
	c->pending = 1 << RESET;
}

/* What the broker is asked, and what it answers: with a socket, or with a code. */
struct question {
	uint32_t port, token;
};
struct answer {
	uint32_t token;
	int32_t code;
};

static void connect_out(struct vsock *v, const struct packet *p)
{
	struct question question = { .port = p->to_port, .token = ++v->next_token };
	struct connection *c = make(v, -1, WAITING);

	if (!c)
		return;
	c->host_port = p->to_port;
	c->guest_port = p->from_port;
	c->token = question.token;
	if (send(v->broker.fd, &question, sizeof(question), MSG_DONTWAIT | MSG_NOSIGNAL) ==
	    (ssize_t)sizeof(question))
		return;
	c->state = REFUSED;
	c->pending = 1 << RESET;
}

static error *take_data(struct connection *c, const struct packet *p, const struct chain *request)
{
	if (c->state != OPEN)
		return NULL;
	if (p->len > ROOM - c->held)
		return error_said(EPROTO, "%u bytes, more than it was given room for", p->len);
	if (c->held == 0 || p->len)
		c->held += chain_read(request, sizeof(*p), c->data + c->held, p->len);
	c->v->d.count.bytes_out += p->len;
	flush(c);
	return NULL;
}

static bool say_ok(const struct connection *c)
{
	char text[32];
	int len = snprintf(text, sizeof(text), "OK %u\n", c->host_port);

	return send(c->fd, text, (size_t)len, MSG_DONTWAIT | MSG_NOSIGNAL) == len;
}

static error *take(struct vsock *v, const struct packet *p, const struct chain *request)
{
	struct connection *c = find(v, p->to_port, p->from_port);

	if (p->type != STREAM || p->to != HOST || p->from != v->cid)
		return NULL;
	if (!c) {
		if (p->operation == REQUEST)
			connect_out(v, p);
		else if (p->operation != RESET)
			reject(v, p);
		return NULL;
	}
	c->guest_room = p->room;
	c->guest_taken = p->taken;
	switch (p->operation) {
	case RESPONSE:
		if (c->state == ASKING) {
			bool told = say_ok(c);
			c->state = told ? OPEN : REFUSED;
			c->pending = told ? 0 : 1 << RESET;
		}
		break;
	case RESET:
		forget(c);
		break;
	case SHUTDOWN:
		c->shut |= p->flags & (NO_MORE_RECEIVED | NO_MORE_SENT);
		if (c->state == OPEN)
			flush(c);
		break;
	case DATA:
		try(take_data(c, p, request));
		break;
	case CREDIT_REQUEST:
		c->pending |= 1 << CREDIT_UPDATE;
		break;
	default:
		break;
	}
	expect(c);
	return NULL;
}

static error *receive_from_guest(struct vsock *v)
{
	struct chain request;
	struct packet p;
	bool got;

	for (unsigned n = 0;;) {
		try(virtio_next(&v->d, FROM_GUEST, &n, &request, &got));
		if (!got)
			break;
		if (chain_read(&request, 0, &p, sizeof(p)) != sizeof(p) ||
		    p.len > request.out_len - sizeof(p))
			return error_said(EPROTO, "a packet that is not as long as it says");
		try(take(v, &p, &request));
		virtq_push(&v->d.queues[FROM_GUEST], request.head, 0);
	}
	virtio_told(&v->d, FROM_GUEST);
	return send_to_guest(v);
}

static error *serve(struct virtio_device *d, unsigned queue)
{
	struct vsock *v = vsock_of(d);

	if (queue == EVENTS) /* buffers for news that we have none of */
		return NULL;
	if (queue == FROM_GUEST)
		return receive_from_guest(v);
	v->full = false;
	for (int i = 0; i < CONNECTIONS; i++)
		expect(&v->connections[i]);
	return send_to_guest(v);
}

/* --- the host's side --- */

/* "CONNECT P\n", byte by byte: what follows is the guest's. */
static void greet(struct connection *c)
{
	static const char word[] = "CONNECT ";
	size_t len = strlen(c->greeting);
	ssize_t n;
	char ch;

	while ((n = read(c->fd, &ch, 1)) == 1 && ch != '\n' && len + 1 < sizeof(c->greeting))
		c->greeting[len++] = ch;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n != 1 || ch != '\n' || !text_starts(c->greeting, word) ||
	    !text_to_u32(c->greeting + strlen(word), &c->guest_port)) {
		forget(c);
		return;
	}
	c->host_port = FIRST_PORT + c->v->next_port++ % FIRST_PORT;
	c->state = ASKING;
	c->pending = 1 << REQUEST;
}

static error *socket_ready(struct watch *w, short events)
{
	struct connection *c = w->context;
	struct vsock *v = c->v;
	error *e = NULL;

	pthread_mutex_lock(&v->d.lock);
	if (c->state == GREETING)
		greet(c);
	else if (c->state == OPEN && events & (POLLOUT | POLLERR | POLLHUP))
		flush(c);
	if (c->state == ASKING && events & (POLLHUP | POLLERR))
		forget(c);                                      /* it has not waited */
	if (c->state == OPEN && c->ended && events & POLLHUP) { /* in both directions */
		close(take_fd(&c->fd));
		c->pending |= 1 << SHUTDOWN;
	}
	if (v->d.running)
		e = send_to_guest(v);
	if (c->state != FREE)
		expect(c);
	pthread_mutex_unlock(&v->d.lock);
	return e ? error_wrap(e, "the guest's driver of vsock") : NULL;
}

static error *listener_ready(struct watch *w, short events)
{
	struct vsock *v = w->context;
	int fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	pthread_mutex_lock(&v->d.lock);
	struct connection *c = fd >= 0 ? make(v, fd, GREETING) : NULL;
	if (c)
		expect(c);
	else if (fd >= 0)
		close(fd);
	pthread_mutex_unlock(&v->d.lock);
	return NULL;
}

static struct connection *find_waiting(struct vsock *v, uint32_t token)
{
	for (int i = 0; i < CONNECTIONS; i++)
		if (v->connections[i].state == WAITING && v->connections[i].token == token)
			return &v->connections[i];
	return NULL;
}

/* Takes the socket, if there is one. */
static void take_answer(struct vsock *v, const struct answer *a, int fd)
{
	struct connection *c = find_waiting(v, a->token);

	if (!c) { /* the guest has given it up */
		if (fd >= 0)
			close(fd);
		return;
	}
	c->fd = fd;
	c->state = fd >= 0 ? OPEN : REFUSED;
	c->pending = fd >= 0 ? 1 << RESPONSE : 1 << RESET;
	expect(c);
}

static error *broker_ready(struct watch *w, short events)
{
	struct vsock *v = w->context;
	struct answer answer;
	int fds[FDS_MAX];
	size_t n = 0;
	size_t len = 0;
	error *e = NULL;

	(void)events;
	auto_error error *lost = message_receive(w->fd, &answer, sizeof(answer), &len, fds, &n);
	if (lost || len != sizeof(answer)) {
		w->fd = -1; /* it has ended, and this process will */
		return NULL;
	}
	for (size_t i = 1; i < n; i++)
		close(fds[i]);
	pthread_mutex_lock(&v->d.lock);
	take_answer(v, &answer, n ? fds[0] : -1);
	if (v->d.running)
		e = send_to_guest(v);
	pthread_mutex_unlock(&v->d.lock);
	return e ? error_wrap(e, "the guest's driver of vsock") : NULL;
}

static error *stop(struct virtio_device *d)
{
	struct vsock *v = vsock_of(d);

	for (int i = 0; i < CONNECTIONS; i++)
		if (v->connections[i].state != FREE)
			forget(&v->connections[i]);
	return NULL;
}

static void end(struct virtio_device *d)
{
	struct vsock *v = vsock_of(d);

	for (int i = 0; i < CONNECTIONS; i++) {
		forget(&v->connections[i]);
		loop_forget(d->loop, &v->connections[i].socket);
	}
	loop_forget(d->loop, &v->listener);
	loop_forget(d->loop, &v->broker);
	close(v->listener.fd);
	if (v->broker.fd >= 0)
		close(v->broker.fd);
}

static const struct virtio_class class = {
	.name = "vsock",
	.id = VIRTIO_VSOCK,
	.queues = QUEUES,
	.queue_size = 128,
	.features = VIRTIO_EVENT_IDX,
	.stop = stop,
	.serve = serve,
	.end = end,
};

error *virtio_vsock_new(int listener, int broker, uint64_t cid, const struct memory *memory,
			struct loop *loop, struct virtio_device **out)
{
	struct vsock *v = calloc(1, sizeof(*v));

	if (!v)
		return error_new(ENOMEM, "a device");
	*out = &v->d;
	v->cid = cid;
	memcpy(v->d.config, &cid, sizeof(cid));
	v->d.config_size = sizeof(cid);
	for (int i = 0; i < CONNECTIONS; i++) {
		struct connection *c = &v->connections[i];
		c->v = v;
		c->fd = -1;
		c->socket = (struct watch){ .fd = -1, .ready = socket_ready, .context = c };
		try(loop_watch(loop, &c->socket));
	}
	v->listener = (struct watch){
		.fd = listener, .events = POLLIN, .ready = listener_ready, .context = v
	};
	v->broker = (struct watch){
		.fd = broker, .events = POLLIN, .ready = broker_ready, .context = v
	};
	if (fcntl(listener, F_SETFL, O_RDWR | O_NONBLOCK) < 0 ||
	    fcntl(broker, F_SETFL, O_RDWR | O_NONBLOCK) < 0)
		return error_errno("the sockets of vsock");
	try(loop_watch(loop, &v->listener));
	try(loop_watch(loop, &v->broker));
	return virtio_init(&v->d, &class, memory, loop);
}
