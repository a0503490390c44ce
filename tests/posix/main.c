/* usage: posix FOLDER [CASE]: runs all cases (or one) in folders below FOLDER, which must be empty, and prints TAP. */
#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

void failed(const char *file, int line, const char *what, long got)
{
	printf("# %s:%d: %s (%s)\n", file, line, what, got ? strerror((int)got) : "no error");
	fflush(stdout);
	_exit(1);
}

void put(const char *name, const char *text)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	SUCCEEDS(fd);
	HOLDS(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	SUCCEEDS(close(fd));
}

const char *get(const char *name)
{
	static char text[4097];
	int fd = open(name, O_RDONLY | O_CLOEXEC);

	SUCCEEDS(fd);
	ssize_t n = read(fd, text, sizeof(text) - 1);
	SUCCEEDS(n);
	text[n] = '\0';
	close(fd);
	return text;
}

mode_t mode_of(const char *name)
{
	struct stat st;

	SUCCEEDS(lstat(name, &st));
	return st.st_mode & 07777;
}

static int in_child(void (*run)(void))
{
	int status = -1;
	fflush(stdout);
	pid_t pid = fork();

	if (pid == 0) {
		alarm(120);
		run();
		fflush(stdout);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return status;
}

void as(uid_t uid, gid_t gid, void (*run)(void))
{
	int status = -1;
	fflush(stdout);
	pid_t pid = fork();

	if (pid == 0) {
		if (setgroups(0, NULL) < 0 || setgid(gid) < 0 || setuid(uid) < 0)
			_exit(2);
		run();
		fflush(stdout);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	if (status)
		_exit(1);
}

int main(int argc, char **argv)
{
	static const struct test *const groups[] = { names, contents, attributes, sharing };
	int n = 0;
	int bad = 0;
	char folder[32];

	if (argc < 2 || chdir(argv[1]) < 0)
		return 2;
	for (size_t g = 0; g < sizeof(groups) / sizeof(groups[0]); g++)
		for (const struct test *t = groups[g]; t->name; t++) {
			if (argc > 2 && strcmp(argv[2], t->name) != 0)
				continue;
			umask(022);
			snprintf(folder, sizeof(folder), "case%d", ++n);
			if (mkdir(folder, 0755) < 0 || chdir(folder) < 0)
				return 2;
			int status = in_child(t->run);
			bad += status != 0;
			printf("%sok %d %s\n", status ? "not " : "", n, t->name);
			if (chdir("..") < 0)
				return 2;
		}
	printf("1..%d\n", n);
	return bad ? 1 : n == 0;
}
