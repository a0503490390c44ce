#include "runtime/helper.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/process.h"

error *helper_run(char *const argv[])
{
	int status;

	fflush(NULL);
	pid_t pid = fork();
	if (pid < 0)
		return error_errno("fork");
	if (pid == 0) {
		int null = open("/dev/null", O_RDWR | O_CLOEXEC);
		if (null >= 0) {
			dup2(null, 0);
			dup2(null, 1);
		}
		execvp(argv[0], argv);
		_exit(errno == ENOENT ? 127 : 126);
	}
	try(process_wait(pid, &status));
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return error_new(ENOENT, "%s", argv[0]);
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		return error_new(0, "%s failed with status %d", argv[0], process_exit_code(status));
	return NULL;
}

bool helper_exists(const char *name)
{
	const char *path = getenv("PATH");
	char file[512];

	for (const char *dir = path ? path : "/usr/bin:/bin"; dir;) {
		int len = (int)strcspn(dir, ":");
		snprintf(file, sizeof(file), "%.*s/%s", len, dir, name);
		if (access(file, X_OK) == 0)
			return true;
		dir = dir[len] ? dir + len + 1 : NULL;
	}
	return false;
}
