/* INIT: the last steps: wait for `start`, the seccomp filter, the program itself. */
#include <fcntl.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/kernel.h"
#include "base/text.h"
#include "runtime/baton.h"
#include "runtime/steps.h"

/* `create` is told that all is ready and ends; then `start` connects and hands over the baton. A
 * `start` that dies before that has started nothing: the next one may try. */
error *init_wait_start(struct life *l)
{
	struct baton b;
	bool ended = true;
	int ignored;

	try(baton_pass(l->fd[FD_BATON], BATON_GO_ON, 0, NULL, -1));
	close(take_fd(&l->fd[FD_BATON]));
	while (ended) {
		auto_fd int start = accept4(l->fd[FD_START], NULL, NULL, SOCK_CLOEXEC);
		if (start < 0 && errno == EINTR)
			continue;
		if (start < 0)
			return error_errno("wait for start");
		try(baton_wait(start, &b, &ended, &ignored));
		if (!ended)
			l->fd[FD_BATON] = take_fd(&start);
	}
	close(take_fd(&l->fd[FD_START]));
	return NULL;
}

static const char *env_value(char *const *env, const char *name)
{
	size_t len = strlen(name);

	for (; *env; env++)
		if (strncmp(*env, name, len) == 0 && (*env)[len] == '=')
			return *env + len + 1;
	return NULL;
}

/* The program's path into `found`. The words are those that podman and containerd look for. */
static error *find_program(const char *name, const char *search, char *found, size_t size)
{
	const char *denied = NULL;

	if (strchr(name, '/')) {
		struct stat st;
		if (stat(name, &st) < 0)
			return error_said(errno == ENOENT || errno == ENOTDIR
						  ? ERROR_NO_PROGRAM
						  : ERROR_NOT_EXECUTABLE,
					  "open executable: %s: %s", name, strerror(errno));
		if (S_ISDIR(st.st_mode) || access(name, X_OK) < 0)
			return error_said(ERROR_NOT_EXECUTABLE, "open executable: %s: %s", name,
					  strerror(EACCES));
		snprintf(found, size, "%s", name);
		return NULL;
	}
	for (const char *dir = search; dir && *name;) {
		int len = (int)strcspn(dir, ":");
		struct stat st;
		snprintf(found, size, "%.*s%s%s", len, dir, len ? "/" : "./", name);
		if (stat(found, &st) == 0 && S_ISREG(st.st_mode)) {
			if (faccessat(AT_FDCWD, found, X_OK, AT_EACCESS) == 0)
				return NULL;
			denied = name;
		}
		dir = dir[len] ? dir + len + 1 : NULL;
	}
	if (denied)
		return error_said(ERROR_NOT_EXECUTABLE, "open executable: %s: %s", name,
				  strerror(EACCES));
	return error_said(ERROR_NO_PROGRAM, "%s: executable file not found in $PATH", name);
}

static const char default_path[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

static error *program_path(const struct life *l, char *found, size_t size)
{
	const char *path = env_value(l->env, "PATH");

	if (!l->process->args.n)
		return error_new(0, ".process.args is required to start the container");
	return find_program(l->process->args.v[0], path ? path : default_path, found, size);
}

error *init_find_program(struct life *l)
{
	char found[4096];

	/* what is bad about it shows before `start`, as callers expect */
	return program_path(l, found, sizeof(found));
}

/* The listener goes to its agent together with the state of the process that it is about. */
static error *send_listener(struct life *l, int listener)
{
	const char *state = l->seccomp_state;

	try_as(message_send(l->fd[FD_SECCOMP], state, strlen(state), &listener, 1),
	       "send the listener to %s", l->spec->linux_->seccomp->listener_path);
	close(take_fd(&l->fd[FD_SECCOMP]));
	return NULL;
}

error *init_set_seccomp(struct life *l)
{
	unsigned flags = l->filter_flags;
	bool notifies = l->fd[FD_SECCOMP] >= 0;

	if (l->process->no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return error_errno("promise no new privileges");
	if (notifies)
		flags |= SECCOMP_FILTER_FLAG_NEW_LISTENER;
	int listener = sys_seccomp(SECCOMP_SET_MODE_FILTER, flags, &l->filter);
	if (listener < 0)
		return error_errno("install a filter of %u instructions", l->filter.len);
	if (!notifies)
		return NULL;
	error *e = send_listener(l, listener);
	close(listener);
	return e;
}

/* HOME as the container's own /etc/passwd has it, when nobody set it. */
static const char *home_of(uid_t uid, char *line, size_t size)
{
	auto_fd int fd = open("/etc/passwd", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	FILE *file = NULL;
	const char *home = NULL;

	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size < 1 << 20)
		file = fdopen(fd, "r");
	if (!file)
		return NULL;
	take_fd(&fd);
	while (!home && fgets(line, (int)size, file)) {
		char *fields[6] = { NULL }; /* name:password:uid:gid:comment:home */
		char *rest = line;
		uint32_t id;
		for (int i = 0; i < 6 && rest; i++)
			fields[i] = strsep(&rest, ":\n");
		if (fields[5] && *fields[5] == '/' && text_to_u32(fields[2], &id) && id == uid)
			home = fields[5];
	}
	fclose(file);
	return home;
}

static char **with_home(const struct life *l, char *text, size_t size)
{
	char line[1024];
	size_t n = 0;

	while (l->env[n])
		n++;
	char **env = calloc(n + 2, sizeof(char *));
	if (!env)
		return NULL;
	memcpy(env, l->env, n * sizeof(char *));
	if (!env_value(l->env, "HOME")) {
		const char *home = home_of(l->process->user->uid, line, sizeof(line));
		snprintf(text, size, "HOME=%s", home ? home : "/");
		env[n] = text;
	}
	return env;
}

error *init_exec(struct life *l)
{
	char found[4096];
	char home[1100];

	if (!l->process)
		return error_new(0, ".process is required to start the container");
	auto_free char **env = with_home(l, home, sizeof(home));
	if (!env)
		return error_new(ENOMEM, "environment");
	try(program_path(l, found, sizeof(found)));
	if (l->process->no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return error_errno("promise no new privileges");
	sys_close_range(3 + l->preserve_fds, ~0U, CLOSE_RANGE_CLOEXEC);
	execve(found, l->process->args.v, env);
	return error_said(errno == ENOENT ? ERROR_NO_PROGRAM : ERROR_NOT_EXECUTABLE, "%s: %s",
			  found, strerror(errno));
}
