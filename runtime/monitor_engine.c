/* The monitor: what it, our own engine and the file server say to each other. They are taken for
 * hostile, as the guest is: what it answers is bounded here, and checked by who reads it. */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/fd.h"
#include "runtime/monitor.h"
#include "vmm.h"

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

error *files_count(struct client *c)
{
	const volatile struct file_counts *files = c->monitor->files;
	char text[160];

	if (!files)
		return client_refuse(c, ENOTSUP, "this file server does not count");
	int len = snprintf(text, sizeof(text),
			   "{\"requests\":%llu,\"bytes_to_guest\":%llu,\"bytes_from_guest\":%llu}",
			   (unsigned long long)files->requests,
			   (unsigned long long)files->bytes_to_guest,
			   (unsigned long long)files->bytes_from_guest);
	struct wire_head head = { .type = WIRE_REPLY, .len = (uint32_t)len };
	return client_tell(c, &head, text);
}

/* --- stream sockets --- */

struct question {
	uint32_t port, token;
};
struct answer {
	uint32_t token;
	int32_t code;
};

/* A link may have been made by the guest, where the folder is shared with it: none is followed. */
static error *connect_to(int dir, uint32_t port, int *out)
{
	char name[32];
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct stat st;

	snprintf(name, sizeof(name), "vsock_%u", port);
	auto_fd int place = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (place < 0 || fstat(place, &st) < 0)
		return error_errno("%s", name);
	if (!S_ISSOCK(st.st_mode))
		return error_new(ENOTSOCK, "%s", name);
	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d", place);
	auto_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return error_errno("%s", name);
	*out = take_fd(&fd);
	return NULL;
}

/* The engine may open nothing: it gets the sockets that the guest asks for, by their port. */
static error *broker_ready(struct watch *w, short events)
{
	struct monitor *m = w->context;
	struct question question;
	auto_fd int fd = -1;
	ssize_t n = read(w->fd, &question, sizeof(question));

	(void)events;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return NULL;
	if (n == 0) {
		w->fd = -1; /* the machine's end follows */
		return NULL;
	}
	if (n != (ssize_t)sizeof(question))
		return error_new(EPROTO, "the engine breaks the protocol: a question of %zd bytes",
				 n);
	auto_error error *e = connect_to(m->life->fd[FD_VSOCK_DIR], question.port, &fd);
	struct answer answer = { .token = question.token, .code = e ? error_code(e) : 0 };
	auto_error error *lost = message_send(w->fd, &answer, sizeof(answer), &fd, e ? 0 : 1);
	if (lost) /* it asks, and does not read */
		w->fd = -1;
	return NULL;
}

error *engine_watch(struct monitor *m)
{
	m->counts.events = POLLIN;
	m->counts.ready = counts_ready;
	m->counts.context = m;
	try(loop_watch(&m->loop, &m->counts));
	m->broker.events = POLLIN;
	m->broker.ready = broker_ready;
	m->broker.context = m;
	return loop_watch(&m->loop, &m->broker);
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
