/* A file system that another process serves: it gets the guest's memory, the queues and what tells
 * of requests, by the vhost-user protocol; we take part no more until the driver resets the device.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/fd.h"
#include "vmm/vhost.h"
#include "vmm/virtio.h"

enum { HIGH_PRIORITY, REQUESTS, QUEUES };
enum { TAG_SIZE = 36, ANSWER_SECONDS = 10 };
#define INDIRECT_DESC (1ULL << 28)

struct fs {
	struct virtio_device d;
	struct watch server;
	uint64_t served; /* features of the server's */
};

static error *ask(const struct fs *fs, struct vhost_message *m, const int *fds, size_t n)
{
	m->flags = VHOST_VERSION;
	return message_send(fs->server.fd, m, VHOST_HEAD + m->size, fds, n);
}

static error *ask_number(const struct fs *fs, enum vhost_request request, uint64_t number)
{
	struct vhost_message m = { .request = request, .size = sizeof(number), .number = number };

	return ask(fs, &m, NULL, 0);
}

static error *ask_state(const struct fs *fs, enum vhost_request request, uint32_t queue,
			uint32_t value)
{
	struct vhost_message m = { .request = request, .size = sizeof(m.state) };

	m.state = (struct vhost_state){ queue, value };
	return ask(fs, &m, NULL, 0);
}

static error *give_fd(const struct fs *fs, enum vhost_request request, uint32_t queue, int fd)
{
	struct vhost_message m = { .request = request, .size = sizeof(m.number), .number = queue };

	return ask(fs, &m, &fd, 1);
}

static error *hear(const struct fs *fs, struct vhost_message *m)
{
	uint32_t request = m->request;

	try(socket_read(fs->server.fd, m, VHOST_HEAD));
	if (m->request != request || !(m->flags & VHOST_IS_REPLY) || m->size != sizeof(uint64_t))
		return error_said(EPROTO, "it answers what was not asked");
	return socket_read(fs->server.fd, &m->number, m->size);
}

static error *get_number(const struct fs *fs, enum vhost_request request, uint64_t *out)
{
	struct vhost_message m = { .request = request };

	try(ask(fs, &m, NULL, 0));
	try(hear(fs, &m));
	*out = m.number;
	return NULL;
}

static error *agree(struct fs *fs)
{
	uint64_t features;

	try(ask_number(fs, SET_OWNER, 0));
	try(get_number(fs, GET_FEATURES, &fs->served));
	if (!(fs->served & VIRTIO_VERSION_1))
		return error_said(EPROTO, "it speaks only the old protocol");
	if (fs->served & VHOST_PROTOCOL_FEATURES) {
		try(get_number(fs, GET_PROTOCOL_FEATURES, &features));
		try(ask_number(fs, SET_PROTOCOL_FEATURES, 0)); /* we want none of them */
	}
	return NULL;
}

static error *give_memory(const struct fs *fs)
{
	struct vhost_message m = { .request = SET_MEM_TABLE };
	const struct memory *memory = fs->d.memory;
	int fds[MEMORY_REGIONS];

	m.memory.n = (uint32_t)memory->n;
	for (size_t i = 0; i < memory->n; i++) {
		const struct memory_region *r = &memory->regions[i];
		m.memory.regions[i] = (struct vhost_region){
			.start = r->start,
			.size = r->size,
			.address = (uintptr_t)r->at,
			.offset = r->offset,
		};
		fds[i] = memory->fd;
	}
	m.size = (uint32_t)(8 + memory->n * sizeof(struct vhost_region));
	return ask(fs, &m, fds, memory->n);
}

static error *give_queue(const struct fs *fs, unsigned i)
{
	const struct virtq *q = &fs->d.queues[i];
	struct vhost_message m = { .request = SET_VRING_ADDR, .size = sizeof(m.address) };

	m.address = (struct vhost_address){ .index = i,
					    .desc = (uintptr_t)q->desc,
					    .used = (uintptr_t)q->used,
					    .avail = (uintptr_t)q->avail };
	try(ask_state(fs, SET_VRING_NUM, i, q->size));
	try(ask_state(fs, SET_VRING_BASE, i, 0));
	try(ask(fs, &m, NULL, 0));
	try(give_fd(fs, SET_VRING_KICK, i, fs->d.kicks[i].fd));
	try(give_fd(fs, SET_VRING_CALL, i, fs->d.irq));
	/* queues that begin switched off are what the protocol's features bring along */
	return fs->served & VHOST_PROTOCOL_FEATURES ? ask_state(fs, SET_VRING_ENABLE, i, 1) : NULL;
}

static error *start(struct virtio_device *d)
{
	struct fs *fs = (struct fs *)d;

	try(ask_number(fs, SET_FEATURES, d->accepted | (fs->served & VHOST_PROTOCOL_FEATURES)));
	try(give_memory(fs));
	for (unsigned i = 0; i < QUEUES; i++)
		if (d->queues[i].ready)
			try_as(give_queue(fs, i), "give it queue %u", i);
	return NULL;
}

static error *stop(struct virtio_device *d)
{
	struct fs *fs = (struct fs *)d;
	struct vhost_message m;

	for (unsigned i = 0; i < QUEUES; i++) {
		if (!d->queues[i].ready)
			continue;
		m = (struct vhost_message){ .request = GET_VRING_BASE, .size = sizeof(m.state) };
		m.state.index = i;
		try(ask(fs, &m, NULL, 0));
		try_as(hear(fs, &m), "the file server");
	}
	return NULL;
}

static error *server_gone(struct watch *w, short events)
{
	(void)w;
	return events & (POLLHUP | POLLERR) ? error_said(EPIPE, "the file server has ended") : NULL;
}

static void end(struct virtio_device *d)
{
	struct fs *fs = (struct fs *)d;

	loop_forget(d->loop, &fs->server);
	if (fs->server.fd >= 0)
		close(fs->server.fd);
}

static const struct virtio_class class = {
	.name = "fs",
	.id = VIRTIO_FS,
	.queues = QUEUES,
	.queue_size = 512,
	.start = start,
	.stop = stop,
	.end = end,
};

error *virtio_fs_new(const char *socket, const char *tag, const struct memory *memory,
		     struct loop *loop, struct virtio_device **out)
{
	static const uint32_t request_queues = 1;
	static const struct timeval patience = { .tv_sec = ANSWER_SECONDS };
	struct fs *fs = calloc(1, sizeof(*fs));

	if (!fs)
		return error_new(ENOMEM, "a device");
	*out = &fs->d;
	if (strlen(tag) > TAG_SIZE)
		return error_said(E2BIG, "the tag '%s' is too long", tag);
	memcpy(fs->d.config, tag, strlen(tag));
	memcpy(fs->d.config + TAG_SIZE, &request_queues, sizeof(request_queues));
	fs->d.config_size = TAG_SIZE + sizeof(request_queues);
	fs->server = (struct watch){ .fd = -1, .ready = server_gone };
	try(socket_connect(AT_FDCWD, socket, SOCK_STREAM, &fs->server.fd));
	setsockopt(fs->server.fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	try_as(agree(fs), "the file server");
	try(loop_watch(loop, &fs->server));
	try(virtio_init(&fs->d, &class, memory, loop));
	fs->d.offered |= fs->served & (VIRTIO_EVENT_IDX | INDIRECT_DESC);
	return NULL;
}
