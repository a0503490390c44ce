/* probe: what the tests want to do inside a container and busybox cannot.
 *
 *   probe syscall NUMBER [ARG...]   makes a system call: prints "ok RESULT" or "error ERRNO-NAME"
 *   probe fds                       the descriptors that are open, and what they are
 *   probe memory BYTES              uses that much memory, then waits for the end of its input
 *   probe huge BYTES                the same with huge pages of 2 MiB
 *   probe busy                      computes without end
 *   probe orphans N                 leaves N processes without a parent, which end at once
 *   probe stubborn                  ignores SIGTERM, says "ready", waits
 *   probe xattr FILE NAME           prints the value of an extended attribute
 *   probe vsock-connect PORT        says its input to that port of the host's, prints what it hears
 *   probe vsock-listen PORT         says "ready", hears one connection out, and says it all again
 *   probe catch                     says the number of each signal that comes, USR2 ends it
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

static int make_call(int n, char **words)
{
	static const struct {
		int code;
		const char *name;
	} names[] = { { EPERM, "EPERM" }, { ENOSYS, "ENOSYS" }, { EINVAL, "EINVAL" }, { EACCES, "EACCES" },
		      { EBADF, "EBADF" }, { EFAULT, "EFAULT" }, { ENOENT, "ENOENT" }, { EBUSY, "EBUSY" } };
	long a[7] = { 0 };

	for (int i = 0; i < n && i < 7; i++)
		a[i] = strtol(words[i], NULL, 0);
	long result = syscall(a[0], a[1], a[2], a[3], a[4], a[5], a[6]);
	if (result >= 0) {
		printf("ok %ld\n", result);
		return 0;
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (names[i].code == errno) {
			printf("error %s\n", names[i].name);
			return 0;
		}
	printf("error %d\n", errno);
	return 0;
}

static int show_fds(void)
{
	for (int fd = 0; fd < 1024; fd++) {
		struct stat st;
		char path[32];
		char target[512];
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		ssize_t len = readlink(path, target, sizeof(target));
		if (fstat(fd, &st) == 0)
			printf("%d %.*s\n", fd, len > 0 ? (int)len : 1, len > 0 ? target : "?");
	}
	return 0;
}

static int use_memory(size_t bytes)
{
	char c;
	char *memory = malloc(bytes);

	if (!memory)
		return 1;
	for (size_t i = 0; i < bytes; i += 4096)
		memory[i] = (char)i;
	puts("used");
	fflush(stdout);
	while (read(0, &c, 1) > 0) {
	}
	return memory[bytes / 2] == 1;
}

static int show_xattr(const char *file, const char *name)
{
	char value[256];
	ssize_t n = getxattr(file, name, value, sizeof(value));

	printf("%.*s\n", n > 0 ? (int)n : 0, value);
	return n < 0;
}

/* 0x40000: MAP_HUGETLB. A page that cannot be had is a SIGBUS, one that cannot be reserved an error. */
static int use_huge_pages(size_t bytes)
{
	char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | 0x40000, -1, 0);

	if (memory == MAP_FAILED) {
		puts("not reserved");
		return 1;
	}
	for (size_t i = 0; i < bytes; i += 4096)
		memory[i] = 1;
	puts("used");
	return 0;
}

static int leave_orphans(int n)
{
	for (int i = 0; i < n; i++)
		if (fork() == 0) {
			if (fork() == 0) {
				usleep(20000);
				_exit(0);
			}
			_exit(0);
		}
	return 0;
}

static void tell(int signal)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "got %d\n", signal);

	if (write(1, text, (size_t)len) < 0 || signal == SIGUSR2)
		_exit(0);
}

static int wait_for_signals(const int *skip, int n_skip, int catch)
{
	for (int i = 1; catch && i < 65; i++)
		if (i != SIGCHLD)
			signal(i, tell);
	for (int i = 0; i < n_skip; i++)
		signal(skip[i], SIG_IGN);
	puts("ready");
	fflush(stdout);
	for (;;)
		pause();
}

static int copy(int from, int to)
{
	static char data[65536];
	ssize_t n;

	while ((n = read(from, data, sizeof(data))) > 0)
		for (ssize_t done = 0, m; done < n; done += m)
			if ((m = write(to, data + done, (size_t)(n - done))) < 0)
				return -1;
	return n < 0 ? -1 : 0;
}

/* Connects to the host's port, says what is on standard input, and then prints what it hears. */
static int vsock_connect(unsigned port)
{
	struct sockaddr_vm host = { .svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_HOST, .svm_port = port };
	int fd = socket(AF_VSOCK, SOCK_STREAM, 0);

	if (connect(fd, (struct sockaddr *)&host, sizeof(host)) < 0) {
		perror("connect");
		return 1;
	}
	return copy(0, fd) < 0 || shutdown(fd, SHUT_WR) < 0 || copy(fd, 1) < 0;
}

/* Takes one connection at the port, hears it out, and says it all again. */
static int vsock_listen(unsigned port)
{
	struct sockaddr_vm any = { .svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY, .svm_port = port };
	int fd = socket(AF_VSOCK, SOCK_STREAM, 0);
	FILE *heard = tmpfile();

	if (!heard || bind(fd, (struct sockaddr *)&any, sizeof(any)) < 0 || listen(fd, 1) < 0) {
		perror("listen");
		return 1;
	}
	puts("ready");
	fflush(stdout);
	fd = accept(fd, NULL, NULL);
	if (fd < 0 || copy(fd, fileno(heard)) < 0)
		return 1;
	lseek(fileno(heard), 0, SEEK_SET);
	return copy(fileno(heard), fd) < 0;
}

int main(int argc, char **argv)
{
	static const int ignored[] = { SIGTERM };
	const char *what = argc > 1 ? argv[1] : "";

	if (strcmp(what, "syscall") == 0)
		return make_call(argc - 2, argv + 2);
	if (strcmp(what, "fds") == 0)
		return show_fds();
	if (strcmp(what, "memory") == 0 && argc > 2)
		return use_memory(strtoul(argv[2], NULL, 0));
	if (strcmp(what, "huge") == 0 && argc > 2)
		return use_huge_pages(strtoul(argv[2], NULL, 0));
	if (strcmp(what, "busy") == 0)
		for (volatile unsigned long i = 0;; i++) {
		}
	if (strcmp(what, "vsock-connect") == 0 && argc > 2)
		return vsock_connect((unsigned)atoi(argv[2]));
	if (strcmp(what, "vsock-listen") == 0 && argc > 2)
		return vsock_listen((unsigned)atoi(argv[2]));
	if (strcmp(what, "orphans") == 0 && argc > 2)
		return leave_orphans(atoi(argv[2]));
	if (strcmp(what, "xattr") == 0 && argc > 3)
		return show_xattr(argv[2], argv[3]);
	if (strcmp(what, "stubborn") == 0)
		return wait_for_signals(ignored, 1, 0);
	if (strcmp(what, "catch") == 0)
		return wait_for_signals(NULL, 0, 1);
	return 2;
}
