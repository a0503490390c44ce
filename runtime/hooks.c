#include "runtime/hooks.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/kernel.h"
#include "base/process.h"

static void redirect(int number, const char *path, int otherwise)
{
	int fd = path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644) : -1;

	if (fd < 0)
		fd = otherwise;
	if (fd >= 0)
		dup2(fd, number);
}

/* In the child: nothing but what the hook is meant to have. */
static void become_hook(const struct spec_hook *h, int input, const struct hook_output *output)
{
	static char *const no_env[] = { NULL };
	char *const own_name[] = { h->path, NULL };
	sigset_t none;
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	dup2(input, 0);
	redirect(1, output->out, null);
	redirect(2, output->err, -1);
	sys_close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
	if (chdir("/") < 0)
		_exit(126);
	execve(h->path, h->args.n ? h->args.v : own_name, h->env.v ? h->env.v : no_env);
	dprintf(2, "hook %s: %s\n", h->path, strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

static error *run_one(const struct spec_hook *h, const char *state,
		      const struct hook_output *output)
{
	int pipe[2];
	int pidfd = -1;
	int status;
	struct clone_args args = { .flags = CLONE_PIDFD | 0x100000000ULL /* CLONE_CLEAR_SIGHAND */,
				   .exit_signal = SIGCHLD,
				   .pidfd = (uintptr_t)&pidfd };

	/* a socket, since a hook that does not read must not kill us with SIGPIPE */
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pipe) < 0)
		return error_errno("make a pipe");
	fflush(NULL);
	pid_t pid = sys_clone3(&args);
	if (pid == 0)
		become_hook(h, pipe[0], output);
	close(pipe[0]);
	if (pid < 0) {
		close(pipe[1]);
		return error_errno("clone3");
	}
	/* it fits into the socket's buffer; a hook that is gone by now is told by its status */
	ssize_t sent = send(pipe[1], state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT);
	if (sent < 0)
		errno = 0;
	close(pipe[1]);
	bool in_time = process_wait_end(pidfd, h->timeout.set && h->timeout.value < 2000000
						       ? (int)h->timeout.value * 1000
						       : -1);
	if (!in_time)
		sys_pidfd_send_signal(pidfd, SIGKILL);
	close(pidfd);
	try(process_wait(pid, &status));
	if (!in_time)
		return error_new(ETIMEDOUT, "%s: took longer than %lld s", h->path,
				 (long long)h->timeout.value);
	if (WIFSIGNALED(status))
		return error_new(0, "%s: killed by signal %d", h->path, WTERMSIG(status));
	if (WEXITSTATUS(status))
		return error_new(0, "%s: exit status %d", h->path, WEXITSTATUS(status));
	return NULL;
}

error *hooks_run(const char *kind, const struct spec_hook *hooks, size_t n, const char *state,
		 const struct hook_output *output)
{
	for (size_t i = 0; i < n; i++)
		try_as(run_one(&hooks[i], state, output), ".hooks.%s[%zu]", kind, i);
	return NULL;
}
