/* The processes in a cgroup: frozen, signalled, listed. */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/fd.h"
#include "base/kernel.h"
#include "cgroup/hierarchy.h"

enum { FREEZE_MS = 10000, LIST_MAX = 64 << 20 };

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static bool event(int fd, const char *key, uint64_t *value)
{
	char text[256];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	if (n < 0)
		return false;
	text[n] = '\0';
	return key_number(text, key, value);
}

bool events_wait(const struct cgroup *c, const char *key, uint64_t value, int timeout_ms)
{
	int64_t end = now_ms() + timeout_ms;
	auto_fd int fd = openat(c->dir, "cgroup.events", O_RDONLY | O_CLOEXEC);

	for (;;) {
		uint64_t is;
		struct pollfd p = { .fd = fd, .events = POLLPRI };
		int64_t left = end - now_ms();
		if (fd < 0 || !event(fd, key, &is)) /* ENODEV: it was removed meanwhile */
			return strcmp(key, "populated") == 0 && value == 0;
		if (is == value)
			return true;
		if (left <= 0)
			return false;
		poll(&p, 1, (int)left);
	}
}

static bool has_event(const struct cgroup *c, const char *key)
{
	auto_fd int fd = c ? openat(c->dir, "cgroup.events", O_RDONLY | O_CLOEXEC) : -1;
	uint64_t is;

	return fd >= 0 && event(fd, key, &is) && is;
}

bool cgroup_is_frozen(const struct cgroup *c)
{
	return has_event(c, "frozen");
}

bool cgroup_is_populated(const struct cgroup *c)
{
	return has_event(c, "populated");
}

/* --- lists of processes --- */

struct pids {
	pid_t *v;
	size_t n, room;
};

static void pids_free_at_end(struct pids *pids)
{
	free(pids->v);
}

static error *pids_add(struct pids *pids, pid_t pid)
{
	if (pids->n == pids->room) {
		size_t room = pids->room ? pids->room * 2 : 64;
		pid_t *more = realloc(pids->v, room * sizeof(*more));
		if (!more)
			return error_new(ENOMEM, "processes");
		pids->v = more;
		pids->room = room;
	}
	pids->v[pids->n++] = pid;
	return NULL;
}

static error *add_listed(int dir, struct pids *pids)
{
	auto_free char *text = NULL;
	char *rest = NULL;
	error *e = file_read(dir, "cgroup.procs", LIST_MAX, &text, NULL);

	if (e) {
		int code = error_code(e);
		/* a threaded cgroup, whose processes its domain lists; one that has gone */
		if (code != EOPNOTSUPP && code != ENOENT && code != ENODEV)
			return e;
		error_free(e);
		return NULL;
	}
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		uint32_t pid;
		/* 0: a process outside our pid namespace */
		if (text_to_u32(line, &pid) && pid)
			try(pids_add(pids, (pid_t)pid));
	}
	return NULL;
}

/* As deep as a sane container nests: each level costs a descriptor. */
enum { DEPTH_MAX = 128 };

static error *collect(int dir, struct pids *pids, unsigned depth)
{
	error *e = NULL;
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d) {
		e = errno == ENOENT || errno == ENODEV ? NULL : error_errno("read a cgroup");
		fd_at_end(&fd);
		return e;
	}
	if (depth > DEPTH_MAX)
		e = error_said(ELOOP, "cgroups are nested deeper than %d", DEPTH_MAX);
	if (!e)
		e = add_listed(fd, pids);
	for (const struct dirent *entry; !e && (entry = readdir(d));) {
		if (entry->d_type != DT_DIR || strcmp(entry->d_name, ".") == 0 ||
		    strcmp(entry->d_name, "..") == 0)
			continue;
		auto_fd int child = openat(fd, entry->d_name, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (child >= 0)
			e = collect(child, pids, depth + 1);
	}
	closedir(d);
	return e;
}

static int by_pid(const void *a, const void *b)
{
	pid_t x = *(const pid_t *)a;
	pid_t y = *(const pid_t *)b;

	return (x > y) - (x < y);
}

error *cgroup_pids(const struct cgroup *c, pid_t **pids, size_t *n)
{
	auto_(pids_free) struct pids found = { 0 };

	if (c)
		try_as(collect(c->dir, &found, 0), "cgroup %s", c->path);
	if (found.n)
		qsort(found.v, found.n, sizeof(pid_t), by_pid);
	*pids = take_ptr(&found.v);
	*n = found.n;
	return NULL;
}

/* --- signals --- */

/* A pid may have passed to a process elsewhere since it was listed. Hence: list, take hold of the
 * processes, list again, and signal those that are in both lists. Whoever has a pid of the second
 * list was in the cgroup while we held it. */
static error *signal_some(const struct cgroup *c, const pid_t *pids, size_t n, int signal)
{
	enum { AT_ONCE = 256 };
	error *e = NULL;

	for (size_t first = 0; first < n && !e; first += AT_ONCE) {
		size_t some = n - first < AT_ONCE ? n - first : AT_ONCE;
		auto_free pid_t *still = NULL;
		size_t n_still = 0;
		int held[AT_ONCE];
		for (size_t i = 0; i < some; i++)
			held[i] = sys_pidfd_open(pids[first + i]);
		e = cgroup_pids(c, &still, &n_still);
		for (size_t i = 0; i < some; i++) {
			if (held[i] < 0)
				continue;
			if (!e && n_still &&
			    bsearch(&pids[first + i], still, n_still, sizeof(pid_t), by_pid) &&
			    sys_pidfd_send_signal(held[i], signal) < 0 && errno != ESRCH)
				e = error_errno("send signal %d to process %d", signal,
						pids[first + i]);
			close(held[i]);
		}
	}
	return e;
}

error *cgroup_signal(const struct cgroup *c, int signal)
{
	if (!c)
		return NULL;
	if (signal == SIGKILL) {
		auto_error error *e = file_write(c->dir, "cgroup.kill", "1");
		if (!e)
			return NULL;
	}
	/* without cgroup.kill (before Linux 5.14) what forks meanwhile is met in the next round */
	for (int round = 0;; round++) {
		auto_free pid_t *pids = NULL;
		size_t n = 0;
		try(cgroup_pids(c, &pids, &n));
		if (!n)
			return NULL;
		try_as(signal_some(c, pids, n, signal), "cgroup %s", c->path);
		if (signal != SIGKILL || round == 100)
			return NULL;
		events_wait(c, "populated", 0, 10);
	}
}

/* --- frozen --- */

static bool is_of_the_kernel(pid_t pid)
{
	enum { PF_KTHREAD = 0x200000 };
	char path[32];
	auto_free char *stat = NULL;
	unsigned flags;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	auto_error error *gone = file_read(AT_FDCWD, path, 4096, &stat, NULL);
	const char *end = gone ? NULL : strrchr(stat, ')');
	return end && sscanf(end + 1, " %*c %*d %*d %*d %*d %*d %u", &flags) == 1 &&
	       flags & PF_KTHREAD;
}

/* KVM (until Linux 6.13) puts a thread of the kernel's into the cgroup of who makes a machine. It
 * cannot be frozen, so the cgroup would never be. To the top with it, where such threads belong;
 * who may not do that has no machine to freeze, or is told that it does not. */
static void send_workers_away(const struct cgroup *c)
{
	auto_free pid_t *pids = NULL;
	char text[16];
	size_t n = 0;
	auto_error error *unknown = cgroup_pids(c, &pids, &n);

	for (size_t i = 0; !unknown && i < n; i++) {
		if (!is_of_the_kernel(pids[i]))
			continue;
		snprintf(text, sizeof(text), "%d", pids[i]);
		auto_error error *refused = file_write(c->mount, "cgroup.procs", text);
	}
}

error *cgroup_freeze(const struct cgroup *c, bool frozen)
{
	if (!c)
		return error_said(ENOTSUP, "the container has no cgroup that could be frozen");
	if (frozen)
		send_workers_away(c);
	try_as(file_write(c->dir, "cgroup.freeze", frozen ? "1" : "0"), "cgroup %s", c->path);
	if (events_wait(c, "frozen", frozen, FREEZE_MS))
		return NULL;
	if (frozen) {
		auto_error error *ignored = file_write(c->dir, "cgroup.freeze", "0");
		return error_said(ETIMEDOUT,
				  "cgroup %s: not frozen within 10 s: a process of it does not "
				  "come out of the kernel",
				  c->path);
	}
	return error_said(ETIMEDOUT, "cgroup %s: still frozen after 10 s: a cgroup above is",
			  c->path);
}
