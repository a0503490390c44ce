/* What a confined process can still do: one child for each question. */
#include "image/confine.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/check.h"

static char inside[64], outside[64];

static int make_file(const char *folder, const char *name)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	int code = errno;
	if (fd >= 0)
		close(fd);
	return fd >= 0 ? 0 : code;
}

static int write_inside(void)
{
	return make_file(inside, "file");
}

static int move_inside(void)
{
	char from[128];
	char to[128];

	snprintf(from, sizeof(from), "%s/sub/file", inside);
	snprintf(to, sizeof(to), "%s/moved", inside);
	return make_file(inside, "sub/file") || rename(from, to) < 0 || link(to, from) < 0;
}

static int write_outside(void)
{
	return make_file(outside, "file");
}

static int read_outside(void)
{
	return open("/proc/version", O_RDONLY | O_CLOEXEC) < 0;
}

static int empty_folder_outside(void)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/sub", outside);
	return rmdir(path) < 0 ? errno : 0;
}

static int run_program(void)
{
	execl("/bin/true", "true", NULL);
	return errno;
}

static int connect_somewhere(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 ? errno : 0;
}

static int large_hole(void)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/large", inside);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, 1000) < 0)
		return 1;
	return ftruncate(fd, 1001) < 0 ? errno : 0;
}

static int large_content(void)
{
	char path[160];
	char bytes[2000] = "";

	snprintf(path, sizeof(path), "%s/large", inside);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ssize_t n = fd < 0 ? -1 : write(fd, bytes, sizeof(bytes));
	if (n != 1000)
		return 1;
	return write(fd, bytes, 1) < 0 ? errno : 0;
}

static const struct {
	int (*act)(void);
	int want; /* an errno */
	int abi;  /* of Landlock, at least; 0: without it too */
	const char *name;
} questions[] = {
	{ write_inside, 0, 0, "write inside" },
	{ move_inside, 0, 0, "move and link inside" },
	{ read_outside, 0, 0, "read outside" },
	{ write_outside, EACCES, 2, "write outside" },
	{ empty_folder_outside, 0, 0, "remove an empty folder where that is allowed" },
	{ run_program, EACCES, 2, "run a program" },
	{ connect_somewhere, EACCES, 4, "connect" },
	{ large_hole, EFBIG, 0, "a hole beyond the limit" },
	{ large_content, EFBIG, 0, "content beyond the limit" },
};

static int ask(int (*act)(void))
{
	const struct confine_folder folders[] = {
		{ .fd = open(inside, O_PATH | O_CLOEXEC) },
		{ .fd = -1 },
		{ .fd = open(outside, O_PATH | O_CLOEXEC), .only_remove = true },
	};
	int status;
	pid_t child = fork();

	if (child == 0) {
		error *e = confine(folders, COUNT(folders), 1000);
		_exit(e ? 255 : act());
	}
	close(folders[0].fd);
	close(folders[2].fd);
	CHECK(waitpid(child, &status, 0) == child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 254;
}

int main(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	char path[160];

	snprintf(inside, sizeof(inside), "/tmp/confine-%d-in", getpid());
	snprintf(outside, sizeof(outside), "/tmp/confine-%d-out", getpid());
	CHECK(mkdir(inside, 0700) == 0 && mkdir(outside, 0700) == 0);
	snprintf(path, sizeof(path), "%s/sub", inside);
	CHECK(mkdir(path, 0700) == 0);
	snprintf(path, sizeof(path), "%s/sub", outside);
	CHECK(mkdir(path, 0700) == 0);
	int failed = 0;
	for (size_t i = 0; i < COUNT(questions); i++) {
		int is = ask(questions[i].act);
		if (is == questions[i].want || abi < questions[i].abi)
			continue;
		fprintf(stderr, "%s: %d, not %d\n", questions[i].name, is, questions[i].want);
		failed = 1;
	}
	snprintf(path, sizeof(path), "rm -rf %s %s", inside, outside);
	CHECK(system(path) == 0);
	return failed;
}
