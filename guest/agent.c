#include <fcntl.h>
#include <linux/reboot.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/signalfd.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "guest/guest.h"

/* The host finds out by the machine's end. What the kernel prints at a panic, and this line, are
 * the end of the console that it shows. */
static _Noreturn void give_up(const error *e)
{
	fprintf(stderr, "skiff's agent: %s\n", error_message(e));
	fflush(NULL);
	reboot(LINUX_REBOOT_CMD_RESTART);
	for (;;)
		pause();
}

static error *take_stream_frame(struct guest *g, const struct wire_frame *f)
{
	struct process *p = process_find(g, f->head.id);

	if (f->head.stream > 2)
		return error_new(EPROTO, "stream %u", f->head.stream);
	if (!p)
		return NULL;
	if (!p->terminal || f->head.type != WIRE_EOF || f->head.stream)
		return stream_take(&p->streams[f->head.stream], f);
	/* a terminal does not end: what a person would type */
	struct wire_frame typed = { .head = f->head, .payload = "\4" };
	typed.head.type = WIRE_DATA;
	typed.head.len = 1;
	return stream_take(&p->streams[0], &typed);
}

static error *port_ready(struct watch *w, short events)
{
	struct guest *g = w->context;
	struct wire_frame f;
	bool ended;
	bool got;

	if (events & POLLOUT)
		try(wire_flush(&g->wire));
	if (!(events & (POLLIN | POLLHUP)))
		return NULL;
	try(wire_fill(&g->wire, &ended));
	if (ended)
		return error_new(0, "the host has hung up");
	for (;;) {
		try(wire_next(&g->wire, &f, &got));
		if (!got)
			return NULL;
		try(f.head.type >= WIRE_DATA ? take_stream_frame(g, &f) : guest_request(g, &f));
	}
}

/* Everybody whose parent has ended is our child. Those who worked on requests come first, since
 * they know which program the others are. */
static error *reap(struct guest *g)
{
	struct {
		pid_t pid;
		int status;
	} ends[64];
	size_t n;
	bool was;

	do {
		for (n = 0; n < 64; n++) {
			ends[n].pid = waitpid(-1, &ends[n].status, WNOHANG);
			if (ends[n].pid <= 0)
				break;
		}
		for (size_t i = 0; i < n; i++) {
			try(guest_request_done(g, ends[i].pid, ends[i].status, &was));
			if (was)
				ends[i].pid = 0;
		}
		for (size_t i = 0; i < n; i++)
			for (struct process *p = g->processes; p && ends[i].pid; p = p->next)
				if (p->pid == ends[i].pid && !p->ended) {
					p->ended = true;
					p->status = ends[i].status;
				}
	} while (n == 64);
	return NULL;
}

static error *signals_ready(struct watch *w, short events)
{
	struct guest *g = w->context;
	struct signalfd_siginfo info;

	(void)events;
	while (read(w->fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
	}
	return reap(g);
}

static error *watch_signals(struct guest *g)
{
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	signal(SIGPIPE, SIG_IGN);
	int fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return error_errno("signalfd");
	g->signals =
		(struct watch){ .fd = fd, .events = POLLIN, .ready = signals_ready, .context = g };
	return loop_watch(&g->loop, &g->signals);
}

static error *say_hello(struct guest *g)
{
	struct utsname name;
	struct wire_head head = { .type = WIRE_HELLO, .arg = WIRE_VERSION };

	if (uname(&name) < 0)
		return error_errno("uname");
	head.len = (uint32_t)strlen(name.release);
	return wire_put(&g->wire, &head, name.release);
}

static error *serve(struct guest *g)
{
	try(watch_signals(g));
	g->wire.payload_max = WIRE_TO_GUEST_MAX;
	g->port = (struct watch){ .fd = g->wire.fd, .ready = port_ready, .context = g };
	try(loop_watch(&g->loop, &g->port));
	try(say_hello(g));
	for (;;) {
		/* a port takes some 32 KiB without the host's help: often that is all there is */
		try(wire_flush(&g->wire));
		g->port.events = (short)(POLLIN | (wire_has_output(&g->wire) ? POLLOUT : 0));
		try(loop_turn(&g->loop, -1));
		try(process_tell_ends(g));
	}
}

int main(void)
{
	static struct guest g = { .runtime = { .root = GUEST_STATES } };
	error *e = guest_boot(&g.wire.fd);

	if (!e)
		e = serve(&g);
	give_up(e);
}
