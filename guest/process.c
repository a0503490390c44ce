/* The standard streams of programs, from their start to the last byte. */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/text.h"
#include "guest/guest.h"

enum { PROCESSES_MAX = 256 };

struct process *process_find(struct guest *g, uint32_t id)
{
	for (struct process *p = g->processes; p; p = p->next)
		if (p->id == id)
			return p;
	return NULL;
}

/* Ours goes on to the wire; the other is the program's, which wants an ordinary blocking pipe. */
static error *make_pipe(struct guest *g, struct process *p, int index)
{
	enum stream_direction direction = index == 0 ? FROM_WIRE : TO_WIRE;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_errno("pipe");
	int ours = ends[index == 0];
	p->ends[index] = ends[index != 0];
	fcntl(ours, F_SETFL, O_NONBLOCK);
	return stream_open(&p->streams[index], &g->loop, &g->wire, ours, direction, p->id,
			   (uint16_t)index);
}

static error *listen_for_console(struct process *p)
{
	char name[32];
	auto_fd int dir = open("/run/skiff", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		return error_errno("open /run/skiff");
	snprintf(name, sizeof(name), "console.%u", p->id);
	unlinkat(dir, name, 0);
	return socket_listen(dir, name, SOCK_STREAM, &p->console);
}

error *process_prepare(struct guest *g, uint32_t id, bool terminal, struct process **out)
{
	size_t n = 0;

	for (struct process *p = g->processes; p; p = p->next)
		n++;
	if (n >= PROCESSES_MAX)
		return error_said(EAGAIN, "%zu programs were started in the sandbox already", n);
	if (process_find(g, id))
		return error_new(EPROTO, "process %u exists", id);
	struct process *p = calloc(1, sizeof(*p));
	if (!p)
		return error_new(ENOMEM, "a process");
	*p = (struct process){ .next = g->processes,
			       .id = id,
			       .terminal = terminal,
			       .ends = { -1, -1, -1 },
			       .console = -1 };
	g->processes = p;
	error *e = terminal ? listen_for_console(p) : NULL;
	for (int i = 0; i < 3 && !terminal && !e; i++)
		e = make_pipe(g, p, i);
	if (e)
		process_remove(g, p);
	else
		*out = p;
	return e;
}

/* The runtime has sent the master end before it said that the program runs. */
static error *take_terminal(struct guest *g, struct process *p)
{
	char name[64];
	int fds[FDS_MAX];
	size_t len;
	size_t n;
	auto_fd int from = accept4(p->console, NULL, NULL, SOCK_CLOEXEC);

	if (from < 0)
		return error_errno("accept the terminal");
	try(message_receive(from, name, sizeof(name), &len, fds, &n));
	if (n != 1)
		return error_new(0, "%zu terminals came", n);
	fcntl(fds[0], F_SETFL, O_RDWR | O_NONBLOCK);
	int second = fcntl(fds[0], F_DUPFD_CLOEXEC, 0);
	if (second < 0)
		return error_errno("dup");
	try(stream_open(&p->streams[0], &g->loop, &g->wire, fds[0], FROM_WIRE, p->id, 0));
	return stream_open(&p->streams[1], &g->loop, &g->wire, second, TO_WIRE, p->id, 1);
}

static void close_ends(struct process *p)
{
	for (int i = 0; i < 3; i++)
		if (p->ends[i] >= 0)
			close(take_fd(&p->ends[i]));
	if (p->console >= 0)
		close(take_fd(&p->console));
}

static error *read_pid(struct process *p)
{
	char path[64];
	auto_free char *text = NULL;
	uint32_t pid;

	snprintf(path, sizeof(path), GUEST_PIDS "/%u", p->id);
	try(file_read(AT_FDCWD, path, 32, &text, NULL));
	unlink(path);
	if (!text_to_u32(text, &pid))
		return error_new(0, "'%s' is no process id", text);
	p->pid = (pid_t)pid;
	return NULL;
}

error *process_started(struct guest *g, struct process *p)
{
	error *e = read_pid(p);

	if (!e && p->terminal)
		e = take_terminal(g, p);
	close_ends(p);
	return e ? e : stream_welcome(&p->streams[0]);
}

void process_remove(struct guest *g, struct process *p)
{
	for (int i = 0; i < 3; i++)
		if (stream_is_open(&p->streams[i]))
			stream_close(&p->streams[i]);
	close_ends(p);
	for (struct process **at = &g->processes; *at; at = &(*at)->next)
		if (*at == p) {
			*at = p->next;
			break;
		}
	free(p);
}

/* Whether the program's last words are still in the pipe. What its children write later, nobody
 * waits for. */
static bool has_more_to_say(const struct process *p)
{
	for (int i = 1; i < 3; i++) {
		struct pollfd poll_fd = { .fd = p->streams[i].fd, .events = POLLIN };
		if (stream_is_open(&p->streams[i]) && poll(&poll_fd, 1, 0) > 0)
			return true;
	}
	return false;
}

error *process_tell_ends(struct guest *g)
{
	for (struct process *p = g->processes, *next; p; p = next) {
		struct wire_head head = { .type = WIRE_EXIT, .id = p->id };
		next = p->next;
		if (!p->ended || has_more_to_say(p))
			continue;
		head.arg = (uint32_t)p->status;
		try(wire_put(&g->wire, &head, NULL));
		process_remove(g, p);
	}
	return NULL;
}
