/* HOST: what is kept about the container while it is made. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "cgroup.h"
#include "runtime/destroy.h"
#include "runtime/notify.h"
#include "runtime/state.h"
#include "runtime/steps.h"

/* Everything that a later `delete` needs is written before anything else is made. */
error *host_reserve(struct life *l)
{
	auto_free char *cgroup = NULL;

	try(state_new(l->state_root, l->id, &l->state));
	l->state->fixed = l->fixed;
	error *e = file_create(l->state->dir, "config.json", 0600, l->config, l->config_len);
	if (!e && l->has_cgroup)
		e = cgroup_path_for(l->cgroup_request, &cgroup);
	if (!e && cgroup) {
		l->fixed->cgroup_path = arena_strdup(l->arena, cgroup);
		if (!l->fixed->cgroup_path)
			e = arena_exhausted();
	}
	if (!e)
		e = state_write_fixed(l->state, l->fixed);
	if (!e && l->notifies && mkdirat(l->state->dir, "notify", 0755) < 0)
		e = error_errno("make the folder for NOTIFY_SOCKET");
	if (e)
		host_unreserve(l);
	return e;
}

void host_unreserve(struct life *l)
{
	auto_error error *left = state_remove(l->state);

	state_free(take_ptr(&l->state));
}

/* The first process inherits a socket to be called on, and a lock that lasts until exec closes it.
 */
error *host_listen_start(struct life *l)
{
	if (l->spec->linux_->seccomp && l->spec->linux_->seccomp->listener_path && l->process)
		try_as(socket_connect(AT_FDCWD, l->spec->linux_->seccomp->listener_path,
				      SOCK_STREAM, &l->fd[FD_SECCOMP]),
		       ".linux.seccomp.listenerPath");
	if (l->notifies && !l->pauses)
		try(notify_bind(l, &l->fd[FD_NOTIFY]));
	if (!l->pauses)
		return NULL;
	try(socket_listen(l->state->dir, "start.sock", SOCK_SEQPACKET, &l->fd[FD_START]));
	int lock = openat(l->state->dir, "start.lock", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (lock < 0 || flock(lock, LOCK_EX | LOCK_NB) < 0)
		return error_errno("lock start.lock");
	l->fd[FD_START_LOCK] = lock;
	return NULL;
}

/* What the agent of a seccomp listener is told: the specification's ContainerProcessState. */
static error *seccomp_state(struct life *l, const char *state)
{
	auto_json struct json *j = NULL;
	const char *text;
	static char *const fds[] = { "seccompFd" };

	try(json_new(JSON_ONE_LINE, &j));
	json_object(j, NULL);
	json_text(j, "ociVersion", SPEC_VERSION);
	json_texts(j, "fds", fds, 1);
	json_i64(j, "pid", l->init);
	if (l->spec->linux_->seccomp->listener_metadata)
		json_text(j, "metadata", l->spec->linux_->seccomp->listener_metadata);
	json_end(j);
	try(json_finish(j, &text, NULL));
	/* the state is an object already */
	l->seccomp_state =
		arena_printf(l->arena, "%.*s,\"state\":%s}", (int)strlen(text) - 1, text, state);
	return l->seccomp_state ? NULL : arena_exhausted();
}

static error *keep_state_json(struct life *l, enum container_status status, const char **out)
{
	auto_free char *text = NULL;

	try(state_json(l->fixed, status, l->init, false, &text));
	*out = arena_strdup(l->arena, text);
	return *out ? NULL : arena_exhausted();
}

error *host_record_init(struct life *l)
{
	const struct spec_hooks *h = l->spec->hooks;

	try(state_write_init(l->state, l->init));
	if (h->prestart.n || h->create_runtime.n || h->create_container.n)
		try(keep_state_json(l, CREATING, &l->hook_state_creating));
	if (h->start_container.n || l->fd[FD_SECCOMP] >= 0)
		try(keep_state_json(l, CREATED, &l->hook_state_created));
	if (l->fd[FD_SECCOMP] >= 0)
		try(seccomp_state(l, l->hook_state_created));
	return NULL;
}

/* "If any createRuntime hook fails, the runtime MUST generate an error, stop the container, and
 * continue the lifecycle at" its destruction, of which the poststop hooks are a part: what the
 * hooks before have made is for those to remove. */
void host_forget_init(struct life *l)
{
	run_poststop(l->state, l->spec);
}

error *host_running(struct life *l)
{
	static const char *const names[] = { "start.sock", "start.lock" };

	for (size_t i = 0; l->pauses && i < COUNT(names); i++)
		if (unlinkat(l->state->dir, names[i], 0) < 0 && errno != ENOENT)
			return error_errno("remove %s", names[i]);
	return NULL;
}
