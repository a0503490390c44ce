/* vhost-user, the back end: an engine gives its guest's memory and two queues, and takes no part in
 * what goes through them. The engine may be in the guest's hands: it is believed no more than the
 * guest. */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/loop.h"
#include "vmm/fs.h"
#include "vmm/vhost.h"
#include "vmm/virtio.h"

enum { FORGETS, REQUESTS, QUEUES };
enum {
	TURN = 64,        /* requests of a queue before others have theirs */
	QUEUE_MAX = 1024, /* descriptors of a queue; one request has VIRTQ_MAX at most */
};
#define FEATURES (VIRTIO_VERSION_1 | VIRTIO_EVENT_IDX | VHOST_PROTOCOL_FEATURES)

struct queue {
	struct virtq q;
	struct vhost *vhost;
	struct watch kick; /* fd below 0: the queue does not run */
	int call;
	uint16_t base; /* where it begins */
	struct vhost_address address;
	bool waiting;  /* there may be requests */
	bool disabled; /* ... that are not to be served now */
};

struct vhost {
	struct loop loop;
	struct watch socket;
	struct memory memory;
	uint64_t addresses[MEMORY_REGIONS]; /* of the memory, as the engine has them */
	uint64_t features;
	struct queue queues[QUEUES];
	struct fs *fs;
	bool over;
};

/* --- memory --- */

static void drop_memory(struct vhost *v)
{
	for (size_t i = 0; i < v->memory.n; i++)
		munmap(v->memory.regions[i].at, v->memory.regions[i].size);
	v->memory = (struct memory){ .fd = -1 };
}

static error *map_region(struct vhost *v, const struct vhost_region *r, int fd)
{
	struct memory *m = &v->memory;

	if (!r->size || r->start + r->size < r->start || r->offset + r->size < r->offset ||
	    r->address + r->size < r->address)
		return error_said(EPROTO, "a region of memory that has no end");
	void *at = mmap(NULL, r->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd,
			(off_t)r->offset);
	if (at == MAP_FAILED)
		return error_errno("map %llu bytes of the guest's memory",
				   (unsigned long long)r->size);
	madvise(at, r->size, MADV_DONTDUMP);
	v->addresses[m->n] = r->address;
	m->regions[m->n++] = (struct memory_region){
		.start = r->start, .size = r->size, .offset = r->offset, .at = at
	};
	return NULL;
}

/* Where the guest sees what the engine sees at `address`. */
static error *guest_address(const struct vhost *v, uint64_t address, uint64_t *out)
{
	for (size_t i = 0; i < v->memory.n; i++) {
		uint64_t offset = address - v->addresses[i];
		if (address >= v->addresses[i] && offset < v->memory.regions[i].size) {
			*out = v->memory.regions[i].start + offset;
			return NULL;
		}
	}
	return error_said(EPROTO, "a queue outside of the memory");
}

/* --- queues --- */

static error *kicked(struct watch *w, short events)
{
	struct queue *q = w->context;
	uint64_t count;

	if (events & POLLIN && read(w->fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		return error_errno("read what tells of requests");
	q->waiting = true;
	return NULL;
}

static void stop_queue(struct queue *q)
{
	if (q->kick.fd >= 0) {
		loop_forget(&q->vhost->loop, &q->kick);
		close(take_fd(&q->kick.fd));
	}
	q->waiting = false;
}

/* Where the engine said, from its base on. */
static error *place_queue(struct vhost *v, struct queue *q)
{
	try(guest_address(v, q->address.desc, &q->q.desc_at));
	try(guest_address(v, q->address.avail, &q->q.avail_at));
	try(guest_address(v, q->address.used, &q->q.used_at));
	try(virtq_start(&q->q, &v->memory, v->features & VIRTIO_EVENT_IDX));
	q->q.next_avail = q->base;
	q->q.next_used = q->q.told = q->base;
	return NULL;
}

static error *start_queue(struct vhost *v, struct queue *q, int kick)
{
	stop_queue(q);
	try(place_queue(v, q));
	q->kick = (struct watch){ .fd = kick, .events = POLLIN, .ready = kicked, .context = q };
	q->waiting = true;
	return loop_watch(&v->loop, &q->kick);
}

static error *set_memory(struct vhost *v, const struct vhost_message *m, const int *fds, size_t n)
{
	if (m->memory.n > VHOST_REGIONS || m->memory.n != n ||
	    m->size != 8 + n * sizeof(struct vhost_region))
		return error_said(EPROTO, "%u regions of memory with %zu descriptors", m->memory.n,
				  n);
	drop_memory(v);
	for (size_t i = 0; i < n; i++) {
		const struct vhost_region region = m->memory.regions[i];
		try(map_region(v, &region, fds[i]));
	}
	/* queues that run go on, wherever they are now: each request is answered by then */
	for (int i = 0; i < QUEUES; i++)
		if (v->queues[i].kick.fd >= 0) {
			v->queues[i].base = v->queues[i].q.next_avail;
			try(place_queue(v, &v->queues[i]));
		}
	return NULL;
}

static error *serve_queue(struct vhost *v, struct queue *q)
{
	static struct chain c;
	static const uint64_t one = 1;
	uint32_t written;
	bool got = true;

	for (int i = 0; i < TURN && got; i++) {
		try(virtq_pop(&q->q, &c, &got));
		if (!got)
			break;
		try(fs_serve(v->fs, &c, &written));
		virtq_push(&q->q, c.head, written);
	}
	q->waiting = got;
	if (virtq_wants_interrupt(&q->q) && q->call >= 0 && write(q->call, &one, sizeof(one)) < 0 &&
	    errno != EAGAIN)
		return error_errno("interrupt the guest");
	return NULL;
}

/* --- messages --- */

static error *find_queue(struct vhost *v, uint64_t index, struct queue **out)
{
	if (index >= QUEUES)
		return error_said(EPROTO, "queue %llu of %d", (unsigned long long)index, QUEUES);
	*out = &v->queues[index];
	return NULL;
}

static error *find_stopped(struct vhost *v, uint64_t index, struct queue **out)
{
	try(find_queue(v, index, out));
	if ((*out)->kick.fd >= 0)
		return error_said(EPROTO, "a change of queue %u, which runs", (unsigned)index);
	return NULL;
}

static error *answer(const struct vhost *v, struct vhost_message *m, uint32_t size)
{
	m->flags = VHOST_VERSION | VHOST_IS_REPLY;
	m->size = size;
	return message_send(v->socket.fd, m, VHOST_HEAD + size, NULL, 0);
}

static error *get_features(struct vhost *v, struct vhost_message *m, int *fd)
{
	(void)fd;
	m->number = FEATURES;
	return answer(v, m, sizeof(m->number));
}

static error *set_features(struct vhost *v, struct vhost_message *m, int *fd)
{
	(void)fd;
	if (m->number & ~FEATURES)
		return error_said(EPROTO, "features that were not offered: %#llx",
				  (unsigned long long)m->number);
	v->features = m->number;
	return NULL;
}

/* There are none; but QEMU counts the regions of memory only where there could be. */
static error *get_protocol(struct vhost *v, struct vhost_message *m, int *fd)
{
	(void)fd;
	m->number = 0;
	return answer(v, m, sizeof(m->number));
}

static error *set_protocol(struct vhost *v, struct vhost_message *m, int *fd)
{
	(void)v, (void)fd;
	return m->number ? error_said(EPROTO, "protocol features, of which there are none") : NULL;
}

static error *set_enable(struct vhost *v, struct vhost_message *m, int *fd)
{
	struct queue *q = NULL;

	(void)fd;
	try(find_queue(v, m->state.index, &q));
	q->disabled = !m->state.value;
	return NULL;
}

static error *set_owner(struct vhost *v, struct vhost_message *m, int *fd)
{
	(void)v, (void)m, (void)fd;
	return NULL; /* there is one engine only */
}

static error *set_size(struct vhost *v, struct vhost_message *m, int *fd)
{
	struct queue *q = NULL;

	(void)fd;
	try(find_stopped(v, m->state.index, &q));
	if (!m->state.value || m->state.value > QUEUE_MAX)
		return error_said(EPROTO, "a queue of %u descriptors, at most %d are served",
				  m->state.value, QUEUE_MAX);
	q->q.size = (uint16_t)m->state.value;
	return NULL;
}

static error *set_address(struct vhost *v, struct vhost_message *m, int *fd)
{
	struct queue *q = NULL;

	(void)fd;
	try(find_stopped(v, m->address.index, &q));
	q->address = m->address;
	return NULL;
}

static error *set_base(struct vhost *v, struct vhost_message *m, int *fd)
{
	struct queue *q = NULL;

	(void)fd;
	try(find_stopped(v, m->state.index, &q));
	q->base = (uint16_t)m->state.value;
	return NULL;
}

static error *get_base(struct vhost *v, struct vhost_message *m, int *fd)
{
	struct queue *q = NULL;

	(void)fd;
	try(find_queue(v, m->state.index, &q));
	stop_queue(q);
	m->state.value = q->base = q->q.next_avail;
	return answer(v, m, sizeof(m->state));
}

static error *set_kick(struct vhost *v, struct vhost_message *m, int *fd)
{
	struct queue *q = NULL;

	try(find_queue(v, m->number & ~(uint64_t)VHOST_NO_FD, &q));
	if (*fd < 0)
		return error_said(EPROTO, "a queue of which nothing tells");
	return start_queue(v, q, take_fd(fd));
}

static error *set_call(struct vhost *v, struct vhost_message *m, int *fd)
{
	struct queue *q = NULL;

	try(find_queue(v, m->number & ~(uint64_t)VHOST_NO_FD, &q));
	if (q->call >= 0)
		close(q->call);
	q->call = take_fd(fd);
	return NULL;
}

/* Errors of ours end the connection: nobody need be told in another way. */
static error *set_error(struct vhost *v, struct vhost_message *m, int *fd)
{
	struct queue *q = NULL;

	(void)fd;
	return find_queue(v, m->number & ~(uint64_t)VHOST_NO_FD, &q);
}

static const struct {
	error *(*serve)(struct vhost *v, struct vhost_message *m, int *fd);
	uint32_t size; /* of the body */
} messages[] = {
	[GET_FEATURES] = { get_features, 0 },
	[SET_FEATURES] = { set_features, sizeof(uint64_t) },
	[SET_OWNER] = { set_owner, 0 },
	[SET_VRING_NUM] = { set_size, sizeof(struct vhost_state) },
	[SET_VRING_ADDR] = { set_address, sizeof(struct vhost_address) },
	[SET_VRING_BASE] = { set_base, sizeof(struct vhost_state) },
	[GET_VRING_BASE] = { get_base, sizeof(struct vhost_state) },
	[SET_VRING_KICK] = { set_kick, sizeof(uint64_t) },
	[SET_VRING_CALL] = { set_call, sizeof(uint64_t) },
	[SET_VRING_ERR] = { set_error, sizeof(uint64_t) },
	[GET_PROTOCOL_FEATURES] = { get_protocol, 0 },
	[SET_PROTOCOL_FEATURES] = { set_protocol, sizeof(uint64_t) },
	[SET_VRING_ENABLE] = { set_enable, sizeof(struct vhost_state) },
};

static error *dispatch(struct vhost *v, struct vhost_message *m, int *fds, size_t n)
{
	int none = -1;

	if (m->request == SET_MEM_TABLE)
		return set_memory(v, m, fds, n);
	if (m->request >= COUNT(messages) || !messages[m->request].serve)
		return error_said(EPROTO, "message %u, which was not agreed upon", m->request);
	if (m->size < messages[m->request].size)
		return error_said(EPROTO, "message %u of %u bytes", m->request, m->size);
	return messages[m->request].serve(v, m, n ? &fds[0] : &none);
}

static error *receive(struct vhost *v, struct vhost_message *m, size_t len)
{
	try(socket_read(v->socket.fd, (uint8_t *)m + len, VHOST_HEAD - len));
	if ((m->flags & VHOST_VERSION_MASK) != VHOST_VERSION || m->size > sizeof(*m) - VHOST_HEAD)
		return error_said(EPROTO, "a message of %u bytes, flags %#x", m->size, m->flags);
	return socket_read(v->socket.fd, &m->number, m->size);
}

static error *hear(struct watch *w, short events)
{
	struct vhost *v = w->context;
	struct vhost_message m = { 0 };
	int fds[FDS_MAX];
	size_t len;
	size_t n;

	(void)events;
	try(message_receive(w->fd, &m, VHOST_HEAD, &len, fds, &n));
	if (!len) {
		v->over = true;
		return NULL;
	}
	error *e = receive(v, &m, len);
	if (!e)
		e = dispatch(v, &m, fds, n);
	for (size_t i = 0; i < n; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	return e;
}

static bool has_work(const struct queue *q)
{
	return q->waiting && !q->disabled;
}

static error *run(struct vhost *v)
{
	while (!v->over) {
		bool busy = has_work(&v->queues[FORGETS]) || has_work(&v->queues[REQUESTS]);
		try_as(loop_turn(&v->loop, busy ? 0 : -1), "the engine");
		for (int i = 0; i < QUEUES; i++)
			if (has_work(&v->queues[i]))
				try_as(serve_queue(v, &v->queues[i]), "the guest");
	}
	return NULL;
}

error *vhost_serve(int socket, struct fs *fs)
{
	struct vhost v = { .fs = fs, .memory = { .fd = -1 } };

	v.socket = (struct watch){ .fd = socket, .events = POLLIN, .ready = hear, .context = &v };
	for (int i = 0; i < QUEUES; i++)
		v.queues[i] = (struct queue){ .vhost = &v, .kick = { .fd = -1 }, .call = -1 };
	error *e = loop_watch(&v.loop, &v.socket);
	if (!e)
		e = run(&v);
	for (int i = 0; i < QUEUES; i++) {
		stop_queue(&v.queues[i]);
		if (v.queues[i].call >= 0)
			close(v.queues[i].call);
	}
	drop_memory(&v);
	loop_end(&v.loop);
	return e;
}
