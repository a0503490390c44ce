/* Processes: a pid that cannot be mistaken for its successor, signal names, the title that ps
 * shows. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

/* When the process started, in clock ticks after boot (field 22 of /proc/PID/stat): with the pid it
 * names a process for ever. 0 when there is none, or only a zombie. */
uint64_t process_start_time(pid_t pid);
/* Opens a pidfd of the process that has this pid and start time; ESRCH when it is gone. */
must_use error *process_open(pid_t pid, uint64_t start_time, int *pidfd);
/* Waits for a child; *status as of waitpid(2). */
must_use error *process_wait(pid_t pid, int *status);
/* What a shell makes of it: the exit code, or 128 + the signal. */
int process_exit_code(int status);
/* Waits up to timeout_ms (-1: for ever) until the process of the pidfd has ended; false when it has
 * not. */
bool process_wait_end(int pidfd, int timeout_ms);

/* A procfs of our own, not reachable by any path: nothing that somebody mounts can stand in its
 * way. */
must_use error *proc_open_private(int *out);

/* "TERM", "SIGTERM", "15", "RTMIN+3"; -1 when it is none. 0 is allowed. */
int signal_from_name(const char *name);
/* The last signal that programs may use: SIGRTMAX, counted with the kernel's SIGRTMIN of 34 for
 * libc. */
enum { SIGNAL_MAX = 64 };

/* Keeps the place of argv so that process_title can write there. */
void process_title_init(int argc, char **argv);
void process_title(const char *fmt, ...) printf_like(1, 2);
