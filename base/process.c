#include "base/process.h"

#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/kernel.h"
#include "base/names.h"
#include "base/text.h"

enum { PROC_MAGIC = 0x9fa0 };

uint64_t process_start_time(pid_t pid)
{
	char path[32];
	auto_free char *stat = NULL;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	auto_error error *e = file_read(AT_FDCWD, path, 4096, &stat, NULL);
	/* the second field, the name, may hold anything: what follows its last ')' does not */
	char *rest = e ? NULL : strrchr(stat, ')');
	if (!rest || rest[1] != ' ' || rest[2] == 'Z' || rest[2] == 'X')
		return 0;
	char *field = strtok(rest + 2, " ");
	for (int i = 3; field && i < 22; i++)
		field = strtok(NULL, " ");
	uint64_t start = 0;
	return field && text_to_u64(field, &start) ? start : 0;
}

error *process_open(pid_t pid, uint64_t start_time, int *pidfd)
{
	auto_fd int fd = pid > 0 ? sys_pidfd_open(pid) : -1;

	/* look after opening: what the descriptor holds can then no longer change */
	if (fd < 0 || process_start_time(pid) != start_time)
		return error_new(ESRCH, "process %d", pid);
	*pidfd = take_fd(&fd);
	return NULL;
}

error *process_wait(pid_t pid, int *status)
{
	while (waitpid(pid, status, 0) < 0)
		if (errno != EINTR)
			return error_errno("wait for process %d", pid);
	return NULL;
}

int process_exit_code(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

bool process_wait_end(int pidfd, int timeout_ms)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	return poll(&p, 1, timeout_ms) > 0;
}

static const struct name signals[] = {
	{ "HUP", SIGHUP },   { "INT", SIGINT },       { "QUIT", SIGQUIT }, { "ILL", SIGILL },
	{ "TRAP", SIGTRAP }, { "ABRT", SIGABRT },     { "IOT", SIGIOT },   { "BUS", SIGBUS },
	{ "FPE", SIGFPE },   { "KILL", SIGKILL },     { "USR1", SIGUSR1 }, { "SEGV", SIGSEGV },
	{ "USR2", SIGUSR2 }, { "PIPE", SIGPIPE },     { "ALRM", SIGALRM }, { "TERM", SIGTERM },
	{ "CHLD", SIGCHLD }, { "CLD", SIGCHLD },      { "CONT", SIGCONT }, { "STOP", SIGSTOP },
	{ "TSTP", SIGTSTP }, { "STKFLT", SIGSTKFLT }, { "TTIN", SIGTTIN }, { "TTOU", SIGTTOU },
	{ "URG", SIGURG },   { "XCPU", SIGXCPU },     { "XFSZ", SIGXFSZ }, { "VTALRM", SIGVTALRM },
	{ "PROF", SIGPROF }, { "WINCH", SIGWINCH },   { "IO", SIGIO },     { "POLL", SIGPOLL },
	{ "PWR", SIGPWR },   { "SYS", SIGSYS },       { "RTMIN", 34 },     { "RTMAX", SIGNAL_MAX },
};

int signal_from_name(const char *name)
{
	uint32_t number;

	if (text_to_u32(name, &number))
		return number <= SIGNAL_MAX ? (int)number : -1;
	if (strncasecmp(name, "SIG", 3) == 0)
		name += 3;
	size_t len = strcspn(name, "+-");
	for (size_t i = 0; i < COUNT(signals); i++) {
		const char *known = signals[i].text;
		if (strlen(known) != len || strncasecmp(known, name, len) != 0)
			continue;
		int signal = (int)signals[i].value;
		if (!name[len])
			return signal;
		if (!text_to_u32(name + len + 1, &number) || number > 30)
			return -1;
		if (strcmp(known, "RTMIN") == 0 && name[len] == '+')
			return signal + (int)number;
		if (strcmp(known, "RTMAX") == 0 && name[len] == '-')
			return signal - (int)number;
		return -1;
	}
	return -1;
}

static struct {
	char *at;
	size_t size;
} title;

void process_title_init(int argc, char **argv)
{
	title.at = argv[0];
	title.size = (size_t)(argv[argc - 1] - argv[0]) + strlen(argv[argc - 1]);
}

void process_title(const char *fmt, ...)
{
	va_list ap;

	if (!title.at)
		return;
	va_start(ap, fmt);
	int n = vsnprintf(title.at, title.size, fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < title.size)
		memset(title.at + n, 0, title.size - (size_t)n);
}

error *proc_open_private(int *out)
{
	struct statfs fs;
	auto_fd int context = sys_fsopen("proc");

	if (context >= 0 && sys_fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0) {
		int proc = sys_fsmount(context,
				       MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
		if (proc >= 0) {
			*out = proc;
			return NULL;
		}
	}
	/* inside another container a new procfs may be forbidden: then the host's, if it is one */
	auto_fd int host = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (host < 0 || fstatfs(host, &fs) < 0)
		return error_errno("open /proc");
	if (fs.f_type != PROC_MAGIC)
		return error_new(0, "/proc is not a procfs");
	*out = take_fd(&host);
	return NULL;
}
