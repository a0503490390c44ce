/* attack: looks at the program of every process it sees, in a loop that a shell would be too slow
 * for, until a line on standard input ends it; then prints each name once, and "opened NAME" when
 * it could be opened for writing. */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { NAMES_MAX = 64, PIDS_MAX = 400 };

static char names[NAMES_MAX][300];

static void note(const char *name)
{
	for (int i = 0; i < NAMES_MAX; i++) {
		if (strcmp(names[i], name) == 0)
			return;
		if (!names[i][0]) {
			snprintf(names[i], sizeof(names[i]), "%s", name);
			return;
		}
	}
}

static void look(int pid)
{
	char path[32];
	char target[256];
	char opened[280];

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	ssize_t len = readlink(path, target, sizeof(target) - 1);
	if (len <= 0)
		return;
	target[len] = '\0';
	note(target);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0) {
		snprintf(opened, sizeof(opened), "opened %s", target);
		note(opened);
		close(fd);
	}
}

int main(void)
{
	struct pollfd told = { .fd = 0, .events = POLLIN };

	puts("ready");
	fflush(stdout);
	while (poll(&told, 1, 0) == 0)
		for (int pid = 1; pid < PIDS_MAX; pid++)
			look(pid);
	for (int i = 0; i < NAMES_MAX && names[i][0]; i++)
		puts(names[i]);
	return 0;
}
