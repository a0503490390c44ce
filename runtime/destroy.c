#include "runtime/destroy.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/kernel.h"
#include "base/log.h"
#include "base/path.h"
#include "base/process.h"
#include "cgroup.h"
#include "runtime/helper.h"
#include "runtime/hooks.h"
#include "runtime/network.h"
#include "runtime/vm_control.h"

static error *kill_init(const struct state *s)
{
	auto_fd int pidfd = -1;
	auto_error error *gone = state_open_init(s, &pidfd);

	if (gone)
		return NULL;
	if (sys_pidfd_send_signal(pidfd, SIGKILL) < 0 && errno != ESRCH)
		return error_errno("kill process %d", s->init);
	if (!process_wait_end(pidfd, 10000))
		return error_new(ETIMEDOUT, "process %d does not die", s->init);
	waitpid(s->init, NULL, WNOHANG); /* when it is our child */
	return NULL;
}

static error *remove_cgroup(const struct state *s)
{
	auto_cgroup struct cgroup *c = NULL;
	auto_error error *e = cgroup_open(s->fixed->cgroup_path, &c);

	if (e)
		return error_code(e) == ENOENT ? NULL : take_ptr(&e);
	try(cgroup_signal(c, SIGKILL));
	return cgroup_remove(c);
}

static error *leave_network(const struct state *s)
{
	if (faccessat(s->dir, "network.json", F_OK, 0) < 0)
		return NULL;
	auto_free char *root = strdup(s->path);
	if (!root)
		return error_new(ENOMEM, "leave the network");
	char *slash = strrchr(root, '/');
	*slash = '\0';
	return network_run((char *[]){ "--root", root, "detach", slash + 1, NULL });
}

/* STORE/containers/ID. Files of an ordinary user's container may belong to ids that only its user
 * namespace reaches: skiff-image enters one. */
static error *remove_layer(const char *dir)
{
	auto_error error *e = path_remove_tree(AT_FDCWD, dir);
	auto_free char *program = NULL;
	auto_free char *store = strdup(dir);

	if (!e || (error_code(e) != EACCES && error_code(e) != EPERM) || !store)
		return take_ptr(&e);
	const char *id = strrchr(dir, '/') + 1;
	for (int up = 0; up < 2; up++) {
		char *slash = strrchr(store, '/');
		if (!slash)
			return take_ptr(&e);
		*slash = '\0';
	}
	try(helper_own("skiff-image", &program));
	return helper_run((char *[]){ program, "release", "--root", store, (char *)id, NULL });
}

/* "If any poststop hook fails, the runtime MUST log a warning, but the remaining hooks and
 * lifecycle continue." */
void run_poststop(struct state *s, const struct spec *spec)
{
	struct hook_output to = { spec_annotation(spec, "run.oci.hooks.stdout"),
				  spec_annotation(spec, "run.oci.hooks.stderr") };
	auto_free char *json = NULL;
	auto_error error *e = NULL;

	for (size_t i = 0; i < spec->hooks->poststop.n; i++) {
		if (!json)
			e = state_json(s->fixed, STOPPED, 0, false, &json);
		if (!e)
			e = hooks_run("poststop", &spec->hooks->poststop.v[i], 1, json, &to);
		if (e)
			log_warning("%s", error_message(e));
		error_free(take_ptr(&e));
	}
}

error *destroy_container(struct state *s, const struct spec *spec)
{
	char path[512];

	try(kill_init(s));
	try_as(leave_network(s), "leave the network");
	if (s->fixed) {
		auto_error error *unread = NULL;
		try_as(vm_leave_network(s->fixed), "leave the network");
		if (s->fixed->vsock)
			try_as(vm_leave_vsock(s->fixed->vsock), "remove the stream socket");
		try_as(remove_cgroup(s), "remove the cgroup");
		if (s->fixed->rdt_group) {
			snprintf(path, sizeof(path), "/sys/fs/resctrl/%s", s->fixed->rdt_group);
			rmdir(path);
		}
		if (!spec)
			unread = state_spec(s, &spec);
		if (s->fixed->container_dir)
			try_as(remove_layer(s->fixed->container_dir), "remove the writable layer");
		/* a container that never had a process has nothing to stop */
		if (!unread && s->init)
			run_poststop(s, spec);
	}
	return state_remove(s);
}
