/* HOST: the processes that it started: the hand-over from JOIN to INIT, their death, their end. */
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include "base/kernel.h"
#include "base/process.h"
#include "cgroup.h"
#include "runtime/steps.h"

error *step_started(struct life *l, pid_t init, int pidfd)
{
	pid_t join = l->join;
	int status;

	if (l->init_pidfd >= 0)
		close(l->init_pidfd); /* JOIN's */
	l->init = init;
	l->init_pidfd = pidfd;
	l->join = 0;
	return process_wait(join, &status);
}

error *step_died(struct life *l)
{
	pid_t pid = l->init ? l->init : l->join;
	uint64_t kills = 0;
	int status = 0;

	if (pid <= 0 || waitpid(pid, &status, 0) != pid)
		return error_new(0, "the container's process died while it was being started");
	*(l->init ? &l->init : &l->join) = 0;
	auto_error error *unknown = cgroup_oom_kills(l->cgroup, &kills);
	if (kills)
		return error_new(
			0, "the kernel killed the container's process for want of memory while it "
			   "was set up: .linux.resources.memory.limit is too low");
	if (WIFSIGNALED(status))
		return error_new(
			0, "the container's process was killed by signal %d while it was set up",
			WTERMSIG(status));
	return error_new(0, "the container's process ended with status %d while it was set up",
			 WEXITSTATUS(status));
}

void host_kill_started(struct life *l)
{
	int status;

	if (l->join > 0) {
		kill(l->join,
		     SIGKILL); /* our child that nobody has waited for: the number is still its */
		auto_error error *e = process_wait(l->join, &status);
	}
	if (l->init > 0 && l->init_pidfd >= 0) {
		sys_pidfd_send_signal(l->init_pidfd, SIGKILL);
		process_wait_end(l->init_pidfd, 10000);
		waitpid(l->init, &status, WNOHANG); /* after `start` it is not our child */
	}
	l->init = l->join = 0;
}
