/* The foreground of `run` and `exec`: signals go to the container, the terminal between here and
 * there, children are reaped, and the exit code comes back. */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>
#include <termios.h>

#include "base/error.h"

struct foreground {
	int signals; /* a signalfd */
	sigset_t old_mask;
	bool raw; /* the caller's terminal is in raw mode */
	struct termios old_terminal;
	int notify; /* where the program tells that it is ready, or -1 */
};

/* Before the walk: from here on signals wait to be forwarded, and orphans of the container come to
 * us. */
must_use error *foreground_begin(struct foreground *f);
/* While a machine boots, a person may lose patience: SIGINT, SIGQUIT, SIGTERM and SIGHUP then hang
 * up the socket, so that whoever waits at it sees its end. -1: from here on they wait as before. */
void foreground_hangs_up(int socket);
/* Waits for the process. console is the socket that the terminal's master comes through, or -1. */
must_use error *foreground_wait(struct foreground *f, pid_t pid, int pidfd, int console,
				int *exit_code);
void foreground_end(struct foreground *f);
