/* The monitor: what it waits for, and what it learns. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/process.h"
#include "runtime/baton.h"
#include "runtime/monitor.h"
#include "runtime/steps.h"

struct monitor *monitor_of(struct life *l)
{
	static struct monitor monitor;

	monitor.life = l;
	return &monitor;
}

/* --- frames of the agent --- */

static error *take_reply(struct monitor *m, const struct wire_frame *f)
{
	for (struct pending **at = &m->pending; *at; at = &(*at)->next) {
		struct pending *p = *at;
		error *e = NULL;
		if (p->seq != f->head.seq)
			continue;
		*at = p->next;
		struct program *program = p->program ? program_find(m, p->program) : NULL;
		if (p->client) {
			e = client_tell(p->client, &f->head, f->payload);
			if (program && f->head.arg)
				program_free(m, program);
		} else if (p->seq == m->asked && !m->answered) {
			m->answered = true;
			m->answer = f->head.arg ? error_said((int)f->head.arg, "%.*s",
							     (int)f->head.len, f->payload)
						: NULL;
		}
		free(p);
		return e;
	}
	return error_new(EPROTO, "a reply to no request");
}

static error *take_hello(struct monitor *m, const struct wire_frame *f)
{
	if (m->met)
		return error_new(EPROTO, "the agent says hello twice");
	if (f->head.arg != WIRE_VERSION)
		return error_said(EPROTO,
				  "the agent speaks version %u of the protocol, this skiff %d: the "
				  "initramfs is of another skiff",
				  f->head.arg, WIRE_VERSION);
	m->met = true;
	return NULL;
}

static error *take_frame(struct monitor *m, const struct wire_frame *f)
{
	switch (f->head.type) {
	case WIRE_HELLO:
		return take_hello(m, f);
	case WIRE_REPLY:
		return take_reply(m, f);
	case WIRE_EXIT:
	case WIRE_DATA:
	case WIRE_EOF:
	case WIRE_CREDIT:
	case WIRE_CLOSED:
		return program_take(m, f);
	default:
		return error_new(EPROTO, "a frame of type %u", f->head.type);
	}
}

static error *port_ready(struct watch *w, short events)
{
	struct monitor *m = w->context;
	struct wire_frame f;
	bool ended;
	bool got;

	(void)events;
	try(wire_fill(&m->wire, &ended));
	for (;;) {
		error *e = wire_next(&m->wire, &f, &got);
		if (!e && got)
			e = take_frame(m, &f);
		if (e)
			return error_wrap(e, "the sandbox breaks the protocol");
		if (!got)
			break;
	}
	if (ended)
		w->fd = -1; /* the machine's end follows */
	return NULL;
}

/* --- the rest of what is watched --- */

static error *console_ready(struct watch *w, short events)
{
	struct monitor *m = w->context;
	char data[1024];
	ssize_t n = read(w->fd, data, sizeof(data));

	(void)events;
	if (n <= 0) {
		if (n == 0 || (errno != EAGAIN && errno != EINTR))
			w->fd = -1;
		return NULL;
	}
	if (m->life->debug) { /* before the program starts: then standard error is its own */
		auto_error error *lost = fd_write_all(2, data, (size_t)n);
	}
	size_t keep =
		m->tail_len + (size_t)n > CONSOLE_TAIL ? CONSOLE_TAIL - (size_t)n : m->tail_len;
	memmove(m->tail, m->tail + m->tail_len - keep, keep);
	memcpy(m->tail + keep, data, (size_t)n);
	m->tail_len = keep + (size_t)n;
	m->tail[m->tail_len] = '\0';
	return NULL;
}

static error *tell_size(struct monitor *m)
{
	struct winsize size;
	struct program *p = program_find(m, 0);
	struct wire_head head = { .type = WIRE_SIZE };

	if (!p || !m->life->process || !m->life->process->terminal ||
	    !stream_is_open(&p->streams[0]) || ioctl(p->streams[0].fd, TIOCGWINSZ, &size) < 0)
		return NULL;
	head.arg = (uint32_t)size.ws_row << 16 | size.ws_col;
	return wire_put(&m->wire, &head, NULL);
}

static error *reap(struct monitor *m)
{
	pid_t pid;
	int status;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == m->machine || pid == m->file_server)
			m->machine_ended = true;
	return NULL;
}

/* What is sent to the monitor is meant for the program. */
static error *signals_ready(struct watch *w, short events)
{
	struct monitor *m = w->context;
	struct signalfd_siginfo info;

	(void)events;
	while (read(w->fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		struct wire_head head = { .type = WIRE_SIGNAL, .arg = info.ssi_signo };
		if (info.ssi_signo == SIGCHLD)
			try(reap(m));
		else if (info.ssi_signo == SIGWINCH && m->life->has_console)
			try(tell_size(m));
		else if (program_find(m, 0))
			try(monitor_pass_on(m, NULL, &head, NULL));
	}
	return NULL;
}

/* `start` that dies before it hands over the baton has started nothing. */
static error *start_ready(struct watch *w, short events)
{
	struct monitor *m = w->context;
	struct baton b;
	bool ended = true;
	int ignored;
	auto_fd int start = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC);

	(void)events;
	if (start < 0)
		return errno == EINTR || errno == EAGAIN ? NULL : error_errno("wait for start");
	auto_error error *gone = baton_wait(start, &b, &ended, &ignored);
	if (gone || ended)
		return NULL;
	m->life->fd[FD_BATON] = take_fd(&start);
	m->start_called = true;
	w->fd = -1;
	return NULL;
}

/* It says nothing while we have the baton: this is its end. */
static error *caller_ready(struct watch *w, short events)
{
	struct monitor *m = w->context;

	(void)events;
	m->caller_gone = true;
	w->fd = -1;
	return NULL;
}

static error *watch_signals(struct monitor *m)
{
	/* faults cannot be blocked, and SIGPIPE is about our own writes */
	static const int ours[] = { SIGPIPE, SIGSEGV, SIGBUS,  SIGFPE,
				    SIGILL,  SIGTRAP, SIGABRT, SIGSYS };
	sigset_t mask;

	sigfillset(&mask);
	for (size_t i = 0; i < COUNT(ours); i++)
		sigdelset(&mask, ours[i]);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	signal(SIGPIPE, SIG_IGN);
	int fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return error_errno("signalfd");
	m->signals =
		(struct watch){ .fd = fd, .events = POLLIN, .ready = signals_ready, .context = m };
	return loop_watch(&m->loop, &m->signals);
}

error *monitor_watch(struct monitor *m)
{
	m->wire.payload_max = WIRE_TO_HOST_MAX;
	m->caller = (struct watch){
		.fd = m->life->fd[FD_BATON], .events = POLLIN, .ready = caller_ready, .context = m
	};
	m->port.events = m->console.events = m->start.events = POLLIN;
	m->port.ready = port_ready;
	m->console.ready = console_ready;
	m->start.ready = start_ready;
	m->port.context = m->console.context = m->start.context = m;
	m->port.fd = m->wire.fd;
	m->start.fd = m->life->fd[FD_START];
	try(watch_signals(m));
	try(loop_watch(&m->loop, &m->caller));
	try(loop_watch(&m->loop, &m->port));
	try(loop_watch(&m->loop, &m->console));
	try(loop_watch(&m->loop, &m->start));
	try(engine_watch(m));
	return commands_watch(m);
}

static int64_t milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Printable, since it comes from the guest and goes to a person's terminal. */
static error *machine_is_gone(struct monitor *m, const char *what)
{
	char text[CONSOLE_TAIL + 1];
	size_t n = 0;

	for (size_t i = 0; i < m->tail_len; i++) {
		char c = m->tail[i];
		if (c == '\n' || (c >= ' ' && c < 127))
			text[n++] = c;
	}
	text[n] = '\0';
	return n ? error_said(EIO,
			      "%s: the machine has ended; the last that its console shows:\n%s",
			      what, text)
		 : error_said(EIO, "%s: the machine has ended without a word", what);
}

static error *turn(struct monitor *m, int timeout_ms)
{
	if (m->port.fd >= 0) {
		auto_error error *gone = wire_flush(&m->wire);
		if (gone)
			m->port.fd = -1;
		m->port.events = (short)(POLLIN | (wire_has_output(&m->wire) ? POLLOUT : 0));
	}
	try(loop_turn(&m->loop, timeout_ms));
	return programs_settle(m);
}

/* They are in the socket; one that is not dead itself, but has lost its file server, holds it open.
 */
static error *read_last_words(struct monitor *m)
{
	struct pollfd p = { .fd = m->console.fd, .events = POLLIN };

	while (m->console.fd >= 0 && poll(&p, 1, 0) > 0)
		try(console_ready(&m->console, POLLIN));
	return NULL;
}

error *monitor_until(struct monitor *m, const bool *flag, int timeout_ms, const char *what)
{
	int64_t end = timeout_ms < 0 ? 0 : milliseconds() + timeout_ms;

	while (!*flag) {
		int64_t left = end ? end - milliseconds() : -1;
		if (end && left <= 0)
			return error_new(ETIMEDOUT, "%s", what);
		try(turn(m, (int)left));
		if (m->caller_gone)
			return error_new(ECANCELED, "%s", what);
		if (m->machine_ended && !*flag) {
			try(read_last_words(m));
			return machine_is_gone(m, what);
		}
	}
	return NULL;
}

error *monitor_pass_on(struct monitor *m, struct client *client, const struct wire_head *head,
		       const void *payload)
{
	struct wire_head h = *head;
	struct pending *p = calloc(1, sizeof(*p));

	if (!p)
		return error_new(ENOMEM, "a request");
	h.seq = ++m->seq;
	*p = (struct pending){ .next = m->pending,
			       .seq = h.seq,
			       .client = client,
			       .program = h.type == WIRE_EXEC ? h.id : 0 };
	m->pending = p;
	return wire_put(&m->wire, &h, payload);
}

error *monitor_ask(struct monitor *m, enum wire_type type, uint32_t id, uint32_t arg,
		   const void *payload, size_t len)
{
	struct wire_head head = {
		.type = (uint16_t)type, .id = id, .arg = arg, .len = (uint32_t)len
	};

	m->answered = false;
	m->answer = NULL;
	try(monitor_pass_on(m, NULL, &head, payload));
	m->asked = m->seq;
	try(monitor_until(m, &m->answered, -1, "ask the agent"));
	return take_ptr(&m->answer);
}
