#include "runtime/foreground.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/kernel.h"
#include "base/process.h"
#include "runtime/notify.h"

error *foreground_begin(struct foreground *f)
{
	/* never forwarded: they are about this process, or about its own writes; faults cannot be
	 * blocked */
	static const int ours[] = { SIGPIPE, SIGURG,  SIGSEGV, SIGBUS, SIGFPE,
				    SIGILL,  SIGTRAP, SIGABRT, SIGSYS };
	sigset_t mask;

	*f = (struct foreground){ .signals = -1, .notify = -1 };
	sigfillset(&mask);
	for (size_t i = 0; i < COUNT(ours); i++)
		sigdelset(&mask, ours[i]);
	if (sigprocmask(SIG_BLOCK, &mask, &f->old_mask) < 0)
		return error_errno("block signals");
	signal(SIGPIPE, SIG_IGN);
	f->signals = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	if (f->signals < 0)
		return error_errno("signalfd");
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	return NULL;
}

static volatile sig_atomic_t hung_up_by_signal = -1;

static void hang_up(int signal)
{
	(void)signal;
	shutdown(hung_up_by_signal, SHUT_RDWR);
}

void foreground_hangs_up(int socket)
{
	static const int impatient[] = { SIGINT, SIGQUIT, SIGTERM, SIGHUP };
	struct sigaction action = { .sa_handler = socket >= 0 ? hang_up : SIG_DFL };
	sigset_t mask;

	hung_up_by_signal = socket;
	sigemptyset(&mask);
	for (size_t i = 0; i < COUNT(impatient); i++)
		sigaddset(&mask, impatient[i]);
	sigprocmask(socket >= 0 ? SIG_UNBLOCK : SIG_BLOCK, &mask, NULL);
	for (size_t i = 0; i < COUNT(impatient); i++)
		sigaction(impatient[i], &action, NULL);
}

void foreground_end(struct foreground *f)
{
	if (f->raw)
		tcsetattr(0, TCSANOW, &f->old_terminal);
	f->raw = false;
	if (f->signals >= 0)
		close(take_fd(&f->signals));
	sigprocmask(SIG_SETMASK, &f->old_mask, NULL);
}

static void copy_size(int master)
{
	struct winsize size;

	if (ioctl(0, TIOCGWINSZ, &size) == 0 && size.ws_row)
		ioctl(master, TIOCSWINSZ, &size);
}

static error *take_terminal(struct foreground *f, int console, int *master)
{
	char name[64];
	int fds[FDS_MAX];
	size_t len;
	size_t n;

	try(message_receive(console, name, sizeof(name), &len, fds, &n));
	if (n != 1)
		return error_new(0, "the container sent no terminal");
	*master = fds[0];
	copy_size(*master);
	if (tcgetattr(0, &f->old_terminal) == 0) {
		struct termios raw = f->old_terminal;
		cfmakeraw(&raw);
		f->raw = tcsetattr(0, TCSANOW, &raw) == 0;
	}
	return NULL;
}

/* Takes the status of every child that has ended; true when pid was among them. */
static bool reap(pid_t pid, int *status)
{
	bool ours = false;
	int s;
	pid_t got;

	while ((got = waitpid(-1, &s, WNOHANG)) > 0)
		if (got == pid) {
			*status = s;
			ours = true;
		}
	return ours;
}

/* *ended when pid is among the children that have ended. */
static void on_signals(struct foreground *f, pid_t pid, int pidfd, int master, int *status,
		       bool *ended)
{
	struct signalfd_siginfo info;

	while (read(f->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		int signal = (int)info.ssi_signo;
		if (signal == SIGCHLD)
			*ended |= reap(pid, status);
		else if (signal == SIGWINCH && master >= 0)
			copy_size(master);
		else if (!*ended)
			sys_pidfd_send_signal(pidfd, signal);
	}
}

/* One portion from one side to the other; false at its end. */
static bool copy_some(int from, int to)
{
	char data[16384];
	ssize_t n = read(from, data, sizeof(data));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n <= 0)
		return false;
	auto_error error *e = fd_write_all(to, data, (size_t)n);
	return !e;
}

/* What the program wrote before it ended is still in the terminal. */
static void drain(int master)
{
	struct pollfd p = { .fd = master, .events = POLLIN };

	while (poll(&p, 1, 0) > 0 && p.revents & POLLIN && copy_some(master, 1)) {
	}
}

/* Once the program is ready there is nothing more to relay. */
static error *relay_readiness(struct foreground *f, pid_t pid, int *polled)
{
	bool ready = false;

	try(notify_relay(f->notify, pid, &ready));
	if (ready)
		*polled = -1;
	return NULL;
}

error *foreground_wait(struct foreground *f, pid_t pid, int pidfd, int console, int *exit_code)
{
	static const char end_of_input = 4; /* ^D, what a person would type */
	auto_fd int master = -1;
	int status = 0;
	bool ended = false;

	if (console >= 0)
		try(take_terminal(f, console, &master));
	struct pollfd polls[] = { { .fd = f->signals, .events = POLLIN },
				  { .fd = master, .events = POLLIN },
				  { .fd = master >= 0 ? 0 : -1, .events = POLLIN },
				  { .fd = f->notify, .events = POLLIN } };
	ended = reap(pid, &status); /* a SIGCHLD may have come before the walk was over */
	while (!ended) {
		if (poll(polls, COUNT(polls), -1) < 0 && errno != EINTR)
			return error_errno("poll");
		if (polls[0].revents)
			on_signals(f, pid, pidfd, master, &status, &ended);
		if (polls[3].revents)
			try(relay_readiness(f, pid, &polls[3].fd));
		if (polls[1].revents && !copy_some(master, 1))
			polls[1].fd = -1; /* every process has closed it; the first one ends soon */
		if (polls[2].revents && !copy_some(0, master)) {
			polls[2].fd = -1;
			auto_error error *gone = fd_write_all(master, &end_of_input, 1);
		}
	}
	if (master >= 0)
		drain(master);
	*exit_code = process_exit_code(status);
	return NULL;
}
