/* From a bundle to a container that waits, runs or has run. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/kernel.h"
#include "base/log.h"
#include "base/process.h"
#include "runtime.h"
#include "runtime/baton.h"
#include "runtime/destroy.h"
#include "runtime/foreground.h"
#include "runtime/life_make.h"
#include "runtime/notify.h"
#include "runtime/state.h"
#include "runtime/vm.h"

error *publish_process(const struct life *l, const char *pid_file, const char *pidfd_socket)
{
	char text[16];
	auto_fd int socket = -1;

	if (pid_file) {
		int len = snprintf(text, sizeof(text), "%d", l->init);
		try_as(file_replace(AT_FDCWD, pid_file, 0644, text, (size_t)len), "--pid-file");
	}
	if (!pidfd_socket)
		return NULL;
	try_as(socket_connect(AT_FDCWD, pidfd_socket, SOCK_STREAM, &socket), "--pidfd-socket %s",
	       pidfd_socket);
	return message_send(socket, "pidfd", strlen("pidfd"), &l->init_pidfd, 1);
}

error *connect_console(struct life *l, const char *console_socket, bool detach, int *ours)
{
	int pair[2];

	if (!l->has_console)
		return console_socket
			       ? error_said(EINVAL,
					    "--console-socket is given, but .process.terminal is "
					    "not true")
			       : NULL;
	if (console_socket) {
		try_as(socket_connect(AT_FDCWD, console_socket, SOCK_STREAM, &l->fd[FD_CONSOLE]),
		       "--console-socket %s", console_socket);
		return NULL;
	}
	if (detach)
		return error_said(
			EINVAL,
			".process.terminal is true: give --console-socket, or run it in the "
			"foreground");
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return error_errno("socketpair");
	*ours = pair[0];
	l->fd[FD_CONSOLE] = pair[1];
	return NULL;
}

/* The container is there, but what the caller wanted to know of it could not be told: take it back.
 */
static error *take_back(struct life *l, error *why)
{
	auto_error error *left = destroy_container(l->state, l->spec);

	if (left)
		log_warning("%s", error_message(left));
	return why;
}

error *container_create(const struct runtime *rt, const struct container_options *o)
{
	auto_life struct life *l = NULL;
	int ours = -1;

	try(life_of_bundle(rt, o, &l));
	l->pauses = true;
	l->detached = true;
	try(connect_console(l, o->console_socket, true, &ours));
	try(plan_walk(l->plan, l, HOST, 0, HOST));
	error *e = publish_process(l, o->pid_file, o->pidfd_socket);
	return e ? take_back(l, e) : NULL;
}

error *container_run(const struct runtime *rt, const struct container_options *o, int *exit_code)
{
	auto_life struct life *l = NULL;
	auto_fd int console = -1;
	struct foreground f;

	try(life_of_bundle(rt, o, &l));
	try(connect_console(l, o->console_socket, o->detach, &console));
	if (!o->detach)
		try(foreground_begin(&f));
	if (!o->detach && l->vm)
		foreground_hangs_up(l->fd[FD_BATON_HOST]);
	error *e = plan_walk(l->plan, l, HOST, 0, HOST);
	if (!o->detach && l->vm)
		foreground_hangs_up(-1);
	if (!e)
		e = publish_process(l, o->pid_file, o->pidfd_socket);
	if (!e && o->detach && l->fd[FD_NOTIFY] >= 0)
		e = notify_wait_ready(l->fd[FD_NOTIFY], l->init, l->init_pidfd);
	if (e && l->state)
		e = take_back(l, e);
	f.notify = l->fd[FD_NOTIFY];
	if (e || o->detach) {
		if (!o->detach)
			foreground_end(&f);
		*exit_code = 0;
		return e;
	}
	close(take_fd(&l->state->lock)); /* other commands may come now */
	e = foreground_wait(&f, l->init, l->init_pidfd, console, exit_code);
	foreground_end(&f);
	if (o->keep && !e)
		return NULL;
	auto_state struct state *state = NULL;
	auto_error error *gone = state_open(rt->root, o->id, true, &state);
	if (gone) /* somebody deleted it in the meantime */
		return e;
	error *left = destroy_container(state, l->spec);
	if (!e)
		return left;
	error_free(left);
	return e;
}

static error *must_be_created(const struct state *s)
{
	enum container_status status = state_status(s);

	if (!s->fixed)
		return error_said(0, "cannot start a container whose state is damaged");
	if (status == CREATED)
		return NULL;
	if (status == STOPPED)
		return error_said(0, "cannot start a container that has stopped");
	return error_said(0, "cannot start a container that is %s already",
			  state_status_word(status));
}

error *container_start(const struct runtime *rt, const char *id)
{
	auto_life struct life *l = NULL;
	const struct spec *spec;

	try(life_new(rt, &l));
	try(state_open(rt->root, id, true, &l->state));
	try(must_be_created(l->state));
	try(state_spec(l->state, &spec));
	close(l->fd[FD_BATON_HOST]);
	l->fd[FD_BATON_HOST] = -1;
	try(socket_connect(l->state->dir, "start.sock", SOCK_SEQPACKET, &l->fd[FD_BATON_HOST]));
	try(state_open_init(l->state, &l->init_pidfd));
	l->id = id;
	l->spec = spec;
	l->process = spec->process;
	l->fixed = l->state->fixed;
	l->plan = l->fixed->sandbox ? vm_life : container_life;
	l->init = l->state->init;
	l->pauses = true;
	l->notifies = notify_is_wanted() && faccessat(l->state->dir, "notify", F_OK, 0) == 0;
	if (l->notifies)
		try(notify_bind(l, &l->fd[FD_NOTIFY]));
	try(baton_pass(l->fd[FD_BATON_HOST], BATON_GO_ON, 0, NULL, -1));
	try(plan_walk(l->plan, l, HOST, plan_after_pause(l->plan), INIT));
	if (!l->notifies)
		return NULL;
	close(take_fd(&l->state->lock)); /* it may take a while: let other commands in */
	return notify_wait_ready(l->fd[FD_NOTIFY], l->init, l->init_pidfd);
}

static const char *mount_what(const struct mount_row *row)
{
	static const char *const ops[] = { [MOUNT_FS] = "mount",
					   [MOUNT_BIND] = "bind",
					   [MOUNT_CHANGE] = "change",
					   [MOUNT_CGROUP] = "mount",
					   [MOUNT_DEVICES] = "fill" };

	return ops[row->op];
}

error *container_explain(const struct runtime *rt, const struct container_options *o)
{
	auto_life struct life *l = NULL;

	try(life_of_bundle(rt, o, &l));
	l->pauses = true;
	plan_explain(l->plan, l);
	printf("\nmounts:\n");
	for (size_t i = 0; i < l->mounts.n; i++) {
		const struct mount_row *row = &l->mounts.v[i];
		const char *source = row->op == MOUNT_BIND     ? row->source
				     : row->op == MOUNT_CHANGE ? "what is there"
							       : row->type;
		printf("  %-6s %-24s %s\n", mount_what(row), row->target,
		       source ? source : "devices");
	}
	return NULL;
}
