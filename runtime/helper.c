#include "runtime/helper.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/process.h"
#include "base/text.h"

static void become_helper(char *const argv[], int err)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null >= 0) {
		dup2(null, 0);
		dup2(null, 1);
	}
	dup2(err, 2);
	execvp(argv[0], argv);
	_exit(errno == ENOENT ? 127 : 126);
}

/* Reads to the end, so that the program is never stopped by a full pipe; keeps the first line. */
static void first_line(int fd, char *line, size_t size)
{
	char rest[512];
	size_t used = 0;
	ssize_t n;

	while ((n = read(fd, rest, sizeof(rest))) > 0 || (n < 0 && errno == EINTR))
		for (ssize_t i = 0; i < n && used + 1 < size; i++)
			line[used++] = rest[i];
	line[used] = '\0';
	line[strcspn(line, "\n")] = '\0';
}

error *helper_run(char *const argv[])
{
	char said[512];
	int pipe[2];
	int status;

	if (pipe2(pipe, O_CLOEXEC) < 0)
		return error_errno("pipe");
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0)
		become_helper(argv, pipe[1]);
	close(pipe[1]);
	if (pid > 0)
		first_line(pipe[0], said, sizeof(said));
	close(pipe[0]);
	if (pid < 0)
		return error_errno("fork");
	try(process_wait(pid, &status));
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return error_new(ENOENT, "%s", argv[0]);
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		return error_said(0, "%s: %s", argv[0], said[0] ? said : "failed without a word");
	return NULL;
}

error *helper_output(char *const argv[], char **out, size_t *len)
{
	char said[512];
	int output[2];
	int errors[2];
	int status;

	if (pipe2(output, O_CLOEXEC) < 0)
		return error_errno("pipe");
	if (pipe2(errors, O_CLOEXEC) < 0) {
		close(output[0]);
		close(output[1]);
		return error_errno("pipe");
	}
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		dup2(output[1], 1);
		dup2(errors[1], 2);
		execvp(argv[0], argv);
		_exit(errno == ENOENT ? 127 : 126);
	}
	close(output[1]);
	close(errors[1]);
	error *e =
		pid < 0 ? error_errno("fork") : fd_read_all(output[0], (size_t)16 << 20, out, len);
	close(output[0]); /* one that writes on gets SIGPIPE and ends */
	first_line(errors[0], said, sizeof(said));
	close(errors[0]);
	if (pid < 0)
		return e;
	error *waited = process_wait(pid, &status);
	if (!e && !waited && (!WIFEXITED(status) || WEXITSTATUS(status))) {
		free(take_ptr(out));
		const char *why = text_starts(said, "skiff: ") ? said + strlen("skiff: ") : said;
		return error_said(0, "%s", why[0] ? why : "failed without a word");
	}
	error_free(waited);
	return e;
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

error *helper_own(const char *name, char **out)
{
	static const char *const places[] = { "libexec", "../libexec/skiff" };
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n < 0)
		return error_errno("find this program");
	self[n] = '\0';
	*strrchr(self, '/') = '\0';
	for (size_t i = 0; i < COUNT(places); i++) {
		char *path = NULL;
		if (asprintf(&path, "%s/%s/%s", self, places[i], name) < 0)
			return error_new(ENOMEM, "%s", name);
		if (access(path, X_OK) == 0) {
			*out = path;
			return NULL;
		}
		free(path);
	}
	return error_new(ENOENT, "%s, which is part of skiff, in %s/libexec or %s/../libexec/skiff",
			 name, self, self);
}

error *helper_become(const char *name, char *const words[])
{
	auto_free char *program = NULL;
	struct strings argv = { 0 };

	try(helper_own(name, &program));
	error *e = strings_add(&argv, program);
	for (; !e && *words; words++)
		e = strings_add(&argv, *words);
	if (!e) {
		execv(program, argv.v);
		e = error_errno("%s", program);
	}
	strings_free(&argv);
	return e;
}
