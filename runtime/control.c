/* What is done to a container that exists. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/kernel.h"
#include "base/process.h"
#include "cgroup.h"
#include "runtime.h"
#include "runtime/destroy.h"
#include "runtime/state.h"
#include "runtime/vm_control.h"

static error *open_cgroup_of(const struct state *s, struct cgroup **out)
{
	if (!s->fixed || !s->fixed->cgroup_path)
		return error_said(ENOTSUP, "the container has no cgroup");
	return cgroup_open(s->fixed->cgroup_path, out);
}

/* Without a pid namespace of its own the container does not end with its first process. */
static bool has_own_pids(struct state *s)
{
	const struct spec *spec;
	auto_error error *e = state_spec(s, &spec);

	if (e)
		return true;
	const struct spec_namespace *ns = spec_namespace(spec, NS_PID);
	return ns && !ns->path;
}

error *container_kill(const struct runtime *rt, const char *id, int signal, bool all)
{
	auto_state struct state *s = NULL;
	auto_fd int pidfd = -1;

	try(state_open(rt->root, id, false, &s));
	enum container_status status = state_status(s);
	if (status == CREATING)
		return error_said(0, "container not running: it is being created");
	auto_error error *gone = state_open_init(s, &pidfd);
	if (gone && !all)
		return error_said(ESRCH, "container not running");
	if (s->fixed && s->fixed->sandbox)
		return gone ? NULL : vm_kill(s, signal, all);
	if (all || (signal == SIGKILL && s->fixed && s->fixed->cgroup_path && !has_own_pids(s))) {
		auto_cgroup struct cgroup *c = NULL;
		auto_error error *e = open_cgroup_of(s, &c);
		if (e && error_code(e) == ENOENT && gone)
			return NULL; /* nothing is left to be killed */
		if (!e)
			return cgroup_signal(c, signal);
	}
	if (gone)
		return NULL;
	if (sys_pidfd_send_signal(pidfd, signal) < 0)
		return errno == ESRCH ? error_said(ESRCH, "container not running")
				      : error_errno("send signal %d", signal);
	return NULL;
}

error *container_delete(const struct runtime *rt, const char *id, bool force)
{
	auto_state struct state *s = NULL;
	auto_error error *none = state_open(rt->root, id, true, &s);

	if (none && error_code(none) == ENOENT && force)
		return NULL;
	if (none)
		return take_ptr(&none);
	enum container_status status = state_status(s);
	if (!force && (status == RUNNING || status == PAUSED))
		return error_said(
			0,
			"cannot delete container '%s' that is not stopped: it is %s (use --force)",
			id, state_status_word(status));
	return destroy_container(s, NULL);
}

error *container_pause(const struct runtime *rt, const char *id, bool paused)
{
	auto_state struct state *s = NULL;
	auto_cgroup struct cgroup *c = NULL;

	try(state_open(rt->root, id, true, &s));
	enum container_status status = state_status(s);
	if (paused && status != RUNNING && status != CREATED)
		return error_said(0, "cannot pause a container that is %s: container not running",
				  state_status_word(status));
	if (!paused && status != PAUSED)
		return error_said(0, "cannot resume a container that is %s: container not paused",
				  state_status_word(status));
	try(open_cgroup_of(s, &c));
	return cgroup_freeze(c, paused);
}

error *container_update(const struct runtime *rt, const char *id,
			const struct spec_resources *resources)
{
	auto_state struct state *s = NULL;
	auto_cgroup struct cgroup *c = NULL;

	try(state_open(rt->root, id, true, &s));
	if (state_status(s) == STOPPED)
		return error_said(
			0, "cannot update a container that has stopped: container not running");
	if (s->fixed && s->fixed->sandbox)
		return vm_update(s, resources);
	try(open_cgroup_of(s, &c));
	try(cgroup_set_limits(c, resources));
	return cgroup_set_devices(c, resources->devices.v, resources->devices.n,
				  s->fixed->rootless);
}

error *container_pids(const struct runtime *rt, const char *id, pid_t **pids, size_t *n,
		      char **guest)
{
	auto_state struct state *s = NULL;
	auto_cgroup struct cgroup *c = NULL;

	*guest = NULL;
	try(state_open(rt->root, id, false, &s));
	if (s->fixed && s->fixed->sandbox)
		return vm_pids(s, pids, n, guest);
	if (s->fixed && s->fixed->cgroup_path) {
		auto_error error *e = cgroup_open(s->fixed->cgroup_path, &c);
		if (!e)
			return cgroup_pids(c, pids, n);
		if (error_code(e) != ENOENT)
			return take_ptr(&e);
	}
	bool runs = state_status(s) != STOPPED && s->init;
	*pids = malloc(sizeof(pid_t));
	if (!*pids)
		return error_new(ENOMEM, "ps");
	**pids = s->init;
	*n = runs;
	return NULL;
}

error *container_state(const struct runtime *rt, const char *id, char **json)
{
	auto_state struct state *s = NULL;

	try(state_open(rt->root, id, false, &s));
	enum container_status status = state_status(s);
	if (!s->fixed)
		return error_said(0,
				  "container '%s' is being created, or its state is damaged: "
				  "try again, or delete --force",
				  id);
	return state_json(s->fixed, status, s->init, true, json);
}

static error *copy_row(struct arena *arena, const struct state *s, struct container_row *row)
{
	const struct state_fixed *f = s->fixed;
	enum container_status status = state_status(s);

	*row = (struct container_row){
		.id = arena_strdup(arena, f->id),
		.status = state_status_word(status),
		.bundle = arena_strdup(arena, f->bundle),
		.created = arena_strdup(arena, f->created),
		.owner = arena_strdup(arena, f->owner),
		.rootfs = arena_strdup(arena, f->rootfs),
		.oci_version = arena_strdup(arena, f->oci_version),
		.pid = status == STOPPED ? 0 : s->init,
	};
	row->annotations.v = arena_array_of(arena, struct pair, f->annotations.n + 1);
	if (!row->annotations.v || !row->oci_version)
		return arena_exhausted();
	row->annotations.n = f->annotations.n;
	for (size_t i = 0; i < f->annotations.n; i++) {
		row->annotations.v[i].key = arena_strdup(arena, f->annotations.v[i].key);
		row->annotations.v[i].value = arena_strdup(arena, f->annotations.v[i].value);
	}
	return NULL;
}

error *container_list(const struct runtime *rt, struct arena *arena, struct container_row **rows,
		      size_t *n)
{
	char **ids = NULL;
	size_t count = 0;
	error *e = NULL;

	try(state_list(rt->root, &ids, &count));
	*n = 0;
	*rows = arena_array_of(arena, struct container_row, count + 1);
	if (!*rows)
		e = arena_exhausted();
	for (size_t i = 0; i < count; i++) {
		auto_state struct state *s = NULL;
		auto_error error *gone = e ? NULL : state_open(rt->root, ids[i], false, &s);
		/* one that came or went while we looked is not in the list */
		if (!e && !gone && s->fixed && !(e = copy_row(arena, s, &(*rows)[*n])))
			++*n;
		free(ids[i]);
	}
	free(ids);
	return e;
}
