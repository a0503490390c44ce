/* One more process in a container that runs. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/kernel.h"
#include "base/text.h"
#include "cgroup.h"
#include "runtime.h"
#include "runtime/destroy.h"
#include "runtime/foreground.h"
#include "runtime/life_make.h"
#include "runtime/rootless.h"
#include "runtime/state.h"
#include "runtime/vm_control.h"

struct exec {
	struct life *life;
	struct spec_process *process;
};

void exec_free(struct exec *x)
{
	if (!x)
		return;
	life_free(x->life);
	free(x);
}

struct arena *exec_arena(struct exec *x)
{
	return x->life->arena;
}

struct spec_process *exec_process(struct exec *x)
{
	return x->process;
}

void exec_set_process(struct exec *x, struct spec_process *process)
{
	x->process = process;
}

static error *must_run(const struct state *s, bool ignore_paused)
{
	enum container_status status = state_status(s);

	if (!s->fixed)
		return error_said(0, "cannot exec in a container whose state is damaged");
	if (status == RUNNING || status == CREATED || (status == PAUSED && ignore_paused))
		return NULL;
	if (status == PAUSED)
		return error_said(
			0, "cannot exec in a paused container (use --ignore-paused to override)");
	return error_said(0, "cannot exec in a container that is %s: container not running",
			  state_status_word(status));
}

/* The namespaces that the container does not share with us. */
static uint64_t namespaces_of(const struct spec *spec)
{
	uint64_t flags = 0;

	for (int type = 0; type < NS_COUNT; type++)
		if (spec_namespace(spec, type))
			flags |= spec_namespaces[type].clone_flag;
	return flags;
}

static error *open_life(const struct runtime *rt, const char *id, bool ignore_paused,
			struct life *l)
{
	struct spec_process *process = NULL;

	try(state_open(rt->root, id, false, &l->state));
	try(must_run(l->state, ignore_paused));
	try(state_open_init(l->state, &l->fd[FD_TARGET]));
	try(spec_read_file(l->state->dir, "config.json", l->arena, &l->spec));
	if (l->state->fixed->rootless)
		try(rootless_complete(l->spec, l->arena, &l->spec));
	l->plan = exec_life;
	l->plan_name = arena_strdup(l->arena, "exec");
	l->id = arena_strdup(l->arena, id);
	l->is_exec = true;
	l->fixed = l->state->fixed;
	l->joined = namespaces_of(l->spec);
	l->no_new_keyring = true; /* it would be a second one of that name: the container's is
				     possessed by init */
	process = arena_new_of(l->arena, struct spec_process);
	if (!process || !l->id || !l->plan_name)
		return arena_exhausted();
	if (l->spec->process)
		*process = *l->spec->process;
	process->terminal = false;
	process->console_size = NULL;
	l->process = process;
	return NULL;
}

error *exec_open(const struct runtime *rt, const char *id, bool ignore_paused, struct exec **out)
{
	auto_exec struct exec *x = calloc(1, sizeof(*x));

	if (!x)
		return error_new(ENOMEM, "exec");
	try(life_new(rt, &x->life));
	try(open_life(rt, id, ignore_paused, x->life));
	x->process = (struct spec_process *)x->life->process;
	*out = take_ptr(&x);
	return NULL;
}

/* The container's cgroup, or the one its first process has moved to: a cgroup that has others below
 * takes none. */
static error *open_cgroup(struct life *l, const char *below)
{
	auto_free char *path = NULL;

	if (!l->fixed->cgroup_path)
		return below ? error_said(0, "--cgroup: the container has no cgroup") : NULL;
	if (below) {
		try(cgroup_open(l->fixed->cgroup_path, &l->cgroup));
		try_as(cgroup_open_below(l->cgroup, below, &l->cgroup_fd), "--cgroup");
		return NULL;
	}
	try(cgroup_of(l->state->init, &path));
	try(cgroup_open(path ? path : l->fixed->cgroup_path, &l->cgroup));
	l->cgroup_fd = cgroup_fd(l->cgroup);
	return NULL;
}

/* Where the process is until it has joined the container: this process, and so its child, before
 * the clone. */
static error *set_initial_affinity(const struct spec_affinity *a)
{
	unsigned long mask[8192 / 8 / sizeof(long)];

	if (!a || !a->initial || !*a->initial)
		return NULL;
	try_as(text_to_bits(a->initial, mask, sizeof(mask)), ".process.execCPUAffinity.initial");
	if (sys_sched_setaffinity(0, sizeof(mask), mask) < 0)
		return error_errno(".process.execCPUAffinity.initial: sched_setaffinity %s",
				   a->initial);
	return NULL;
}

static error *run_in_sandbox(struct life *l, const struct exec_options *o, int *exit_code)
{
	auto_fd int unused = -1;

	if (o->console_socket || o->detach)
		try(connect_console(l, o->console_socket, o->detach, &unused));
	if (o->detach) {
		try(vm_exec(l, o, exit_code));
		return publish_process(l, o->pid_file, o->pidfd_socket);
	}
	l->init = getpid(); /* this process stands for the program */
	l->init_pidfd = sys_pidfd_open(l->init);
	try(publish_process(l, o->pid_file, o->pidfd_socket));
	return vm_exec(l, o, exit_code);
}

error *exec_run(struct exec *x, const struct exec_options *o, int *exit_code)
{
	struct life *l = x->life;
	auto_fd int console = -1;
	struct foreground f;

	l->detached = o->detach;
	if (!x->process->args.n)
		return error_said(EINVAL, ".process.args is required");
	try(life_set_filter(l, o->filter, o->filter_flags));
	try(life_set_process(l, x->process, o->preserve_fds));
	if (l->fixed->sandbox)
		return run_in_sandbox(l, o, exit_code);
	try(open_cgroup(l, o->cgroup));
	try(set_initial_affinity(x->process->exec_cpu_affinity));
	try(connect_console(l, o->console_socket, o->detach, &console));
	if (!o->detach)
		try(foreground_begin(&f));
	error *e = plan_walk(exec_life, l, HOST, 0, HOST);
	if (!e)
		e = publish_process(l, o->pid_file, o->pidfd_socket);
	*exit_code = 0;
	if (o->detach)
		return e;
	if (!e)
		e = foreground_wait(&f, l->init, l->init_pidfd, console, exit_code);
	foreground_end(&f);
	return e;
}
