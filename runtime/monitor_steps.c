/* The monitor, INIT of a sandbox: the container in the guest, from its making to its end. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/kernel.h"
#include "base/process.h"
#include "runtime/baton.h"
#include "runtime/monitor.h"
#include "runtime/steps.h"

enum { BOOT_MS = 120000, LAST_MS = 1000, END_MS = 10000 };

static error *set_clock(struct monitor *m)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	const int64_t numbers[] = { now.tv_sec, now.tv_nsec };
	return monitor_ask(m, WIRE_CLOCK, 0, 0, numbers, sizeof(numbers));
}

static error *tell_name(struct monitor *m)
{
	auto_free char *text = NULL;
	int len = asprintf(&text, "%s%c%s", m->life->id, '\0', m->life->bundle);

	if (len < 0) {
		text = NULL;
		return error_new(ENOMEM, "the container's name");
	}
	return monitor_ask(m, WIRE_NAME, 0, 0, text, (size_t)len);
}

error *monitor_create(struct life *l)
{
	struct monitor *m = monitor_of(l);
	const struct vm *vm = l->vm;

	try(monitor_until(m, &m->met, BOOT_MS, "wait for the guest's agent"));
	try(set_clock(m));
	try(tell_name(m));
	try(monitor_ask(m, WIRE_SPEC, 0, 0, vm->config, vm->config_len));
	if (vm->network_json)
		try(monitor_ask(m, WIRE_NETWORK, 0, 0, vm->network_json, strlen(vm->network_json)));
	try(monitor_ask(m, WIRE_FILTER, 0, l->filter_flags, l->filter.filter,
			l->filter.len * sizeof(struct sock_filter)));
	return monitor_ask(m, WIRE_CREATE, 0, 0, NULL, 0);
}

error *monitor_wait_start(struct life *l)
{
	struct monitor *m = monitor_of(l);

	try(baton_pass(l->fd[FD_BATON], BATON_GO_ON, 0, NULL, -1));
	m->caller.fd = -1;
	close(take_fd(&l->fd[FD_BATON]));
	error *e = monitor_until(m, &m->start_called, -1, "wait for start");
	if (e) { /* nobody is there to be told */
		error_free(e);
		_exit(1);
	}
	close(take_fd(&l->fd[FD_START]));
	return NULL;
}

static error *shut_down(struct monitor *m)
{
	struct wire_head head = { .type = WIRE_SHUTDOWN };

	try(wire_put(&m->wire, &head, NULL));
	return monitor_until(m, &m->machine_ended, END_MS, "shut the machine down");
}

/* A program that a signal has ended cannot be imitated: process 1 of a pid namespace has no default
 * for signals. A shell's number says the same. */
static _Noreturn void end(struct monitor *m)
{
	/* what exec has started ends with the container: who waits for it is told how */
	m->alone = !m->programs;
	auto_error error *others = monitor_until(m, &m->alone, LAST_MS, "wait for the others");
	auto_error error *e = shut_down(m);

	_exit(process_exit_code(m->status));
}

/* From here on the monitor is the program, for everybody on the host. */
error *monitor_serve(struct life *l)
{
	struct monitor *m = monitor_of(l);

	try(monitor_ask(m, WIRE_START, 0, 0, NULL, 0));
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int fd = 0; fd < 3; fd++)
		if (null != fd)
			dup2(null, fd);
	process_title("skiff-sandbox %s", l->id);
	/* ends that the host's side waits for */
	m->caller.fd = -1;
	close(take_fd(&l->fd[FD_BATON]));
	if (l->fd[FD_START_LOCK] >= 0)
		close(take_fd(&l->fd[FD_START_LOCK]));
	auto_error error *e = monitor_until(m, &m->finished, -1, "run the program");
	if (!e)
		end(m);
	/* the caller's standard error is all that is left to tell it to */
	struct program *p = program_find(m, 0);
	int last = p && stream_is_open(&p->streams[2])   ? p->streams[2].fd
		   : p && stream_is_open(&p->streams[1]) ? p->streams[1].fd
							 : -1;
	if (last >= 0)
		dprintf(last, "skiff: %s\n", error_message(e));
	kill(-1, SIGKILL);
	_exit(255);
}
