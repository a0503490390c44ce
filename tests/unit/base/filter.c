/* What a filter lets through, and what becomes of the rest. */
#include "base/filter.h"

#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/check.h"

static int end_of(void (*act)(void))
{
	static const int calls[] = { SYS_getpid, SYS_exit_group, SYS_write };
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		if (filter_allow(calls, COUNT(calls)))
			syscall(SYS_exit_group, 99);
		act();
		syscall(SYS_exit_group, 7);
	}
	waitpid(pid, &status, 0);
	return status;
}

static void allowed(void)
{
	syscall(SYS_getpid);
}

static void forbidden(void)
{
	syscall(SYS_getppid);
}

int main(void)
{
	int status = end_of(allowed);

	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
	status = end_of(forbidden);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
	return 0;
}
