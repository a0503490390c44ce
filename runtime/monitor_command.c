/* The monitor: commands (exec, kill, ps ...) call it on a socket in the container's state folder.
 * Each message is a frame; what it asks for goes on to the agent, and the replies come back. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/fd.h"
#include "runtime/monitor.h"

void client_free(struct client *c)
{
	struct monitor *m = c->monitor;
	auto_error error *lost = NULL;

	for (struct client **at = &m->clients; *at; at = &(*at)->next)
		if (*at == c) {
			*at = c->next;
			break;
		}
	for (struct pending *p = m->pending; p; p = p->next)
		if (p->client == c)
			p->client = NULL;
	for (struct program *p = m->programs; p; p = p->next)
		if (p->client == c)
			p->client = NULL;
	struct wire_head kill = { .type = WIRE_SIGNAL, .id = c->program, .arg = SIGKILL };
	if (c->ends_it && program_find(m, c->program))
		lost = monitor_pass_on(m, NULL, &kill, NULL);
	loop_forget(&m->loop, &c->watch);
	close(c->watch.fd);
	free(c);
}

/* Nobody waits for a command that does not read. */
error *client_tell(struct client *c, const struct wire_head *head, const void *payload)
{
	struct wire_head h = *head;
	struct iovec parts[] = { { &h, sizeof(h) }, { (void *)(uintptr_t)payload, h.len } };
	struct msghdr message = { .msg_iov = parts, .msg_iovlen = h.len ? 2 : 1 };

	h.magic = WIRE_MAGIC;
	if (sendmsg(c->watch.fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		shutdown(c->watch.fd, SHUT_RDWR); /* client_ready sees the end */
	return NULL;
}

error *client_refuse(struct client *c, int code, const char *why)
{
	struct wire_head head = { .type = WIRE_REPLY, .arg = (uint32_t)code };

	head.len = (uint32_t)strlen(why);
	return client_tell(c, &head, why);
}

/* The payload is the filter, of head.seq bytes and with the flags head.arg, and the process. */
static error *begin_exec(struct client *c, struct wire_head *head, const char *payload, int *fds,
			 size_t n)
{
	struct monitor *m = c->monitor;
	struct wire_head filter = { .type = WIRE_FILTER, .arg = head->arg, .len = head->seq };
	struct wire_head exec = { .type = WIRE_EXEC };
	struct program *program;
	error *e;

	if (filter.len > head->len || (n != 1 && n != 3) || c->program) {
		for (size_t i = 0; i < n; i++)
			close(fds[i]);
		return client_refuse(c, EINVAL, "exec: not such a message");
	}
	if (m->finished || !program_find(m, 0)) {
		for (size_t i = 0; i < n; i++)
			close(fds[i]);
		return client_refuse(c, ESRCH, "container not running");
	}
	exec.id = ++m->last_id;
	exec.len = head->len - filter.len;
	e = program_new(m, exec.id, fds, n, c, &program);
	if (e) {
		auto_error error *said = e;
		return client_refuse(c, error_code(said), error_message(said));
	}
	c->program = exec.id;
	c->ends_it = head->id;
	try(monitor_pass_on(m, NULL, &filter, payload));
	return monitor_pass_on(m, c, &exec, payload + filter.len);
}

static error *take_message(struct client *c, struct wire_head *head, const char *payload, int *fds,
			   size_t n)
{
	struct monitor *m = c->monitor;

	if (head->type == WIRE_EXEC)
		return begin_exec(c, head, payload, fds, n);
	for (size_t i = 0; i < n; i++)
		close(fds[i]);
	head->id = c->program;
	switch (head->type) {
	case WIRE_MACHINE:
		return engine_count(c);
	case WIRE_FILES:
		return files_count(c);
	case WIRE_SIZE:
		return wire_put(&m->wire, head, payload);
	case WIRE_SIGNAL:
	case WIRE_UPDATE:
	case WIRE_STATS:
	case WIRE_PIDS:
	case WIRE_OOM_KILLS:
		return monitor_pass_on(m, c, head, payload);
	default:
		return client_refuse(c, EINVAL, "no such command");
	}
}

enum { MESSAGE_MAX = 256 << 10 };

static error *client_ready(struct watch *w, short events)
{
	struct client *c = w->context;
	auto_free char *data = malloc(MESSAGE_MAX);
	struct wire_head head;
	int fds[FDS_MAX];
	size_t len = 0;
	size_t n = 0;

	(void)events;
	if (!data)
		return error_new(ENOMEM, "a command");
	auto_error error *e = message_receive(w->fd, data, MESSAGE_MAX, &len, fds, &n);
	if (e || !len) {
		client_free(c);
		return NULL;
	}
	memcpy(&head, data, len < sizeof(head) ? len : sizeof(head));
	if (len < sizeof(head) || head.magic != WIRE_MAGIC || head.len != len - sizeof(head)) {
		for (size_t i = 0; i < n; i++)
			close(fds[i]);
		return client_refuse(c, EINVAL, "not a message of this skiff");
	}
	return take_message(c, &head, data + sizeof(head), fds, n);
}

static error *commands_ready(struct watch *w, short events)
{
	struct monitor *m = w->context;
	struct ucred peer;
	socklen_t size = sizeof(peer);
	int fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC);

	(void)events;
	if (fd < 0)
		return NULL;
	struct client *c = NULL;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
	    (peer.uid == 0 || peer.uid == geteuid()))
		c = calloc(1, sizeof(*c));
	if (!c) {
		close(fd);
		return NULL;
	}
	*c = (struct client){ .next = m->clients, .monitor = m };
	c->watch =
		(struct watch){ .fd = fd, .events = POLLIN, .ready = client_ready, .context = c };
	m->clients = c;
	return loop_watch(&m->loop, &c->watch);
}

error *commands_watch(struct monitor *m)
{
	m->commands = (struct watch){ .fd = m->life->fd[FD_COMMANDS],
				      .events = POLLIN,
				      .ready = commands_ready,
				      .context = m };
	return loop_watch(&m->loop, &m->commands);
}
