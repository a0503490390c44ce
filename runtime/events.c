/* What a container uses, and what happens to it. In a sandbox the guest is asked. */
#include <fcntl.h>
#include <poll.h>
#include <time.h>

#include "base/fd.h"
#include "base/process.h"
#include "base/text.h"
#include "cgroup.h"
#include "runtime.h"
#include "runtime/state.h"
#include "runtime/vm_control.h"

static bool is_sandbox(const struct state *s)
{
	return s->fixed && s->fixed->sandbox;
}

static error *open_cgroup(const struct state *s, struct cgroup **out)
{
	if (!s->fixed || !s->fixed->cgroup_path)
		return error_said(ENOTSUP, "the container has no cgroup");
	return cgroup_open(s->fixed->cgroup_path, out);
}

error *container_stats(const struct runtime *rt, const char *id, struct json *to)
{
	auto_state struct state *s = NULL;
	auto_cgroup struct cgroup *c = NULL;

	try(state_open(rt->root, id, false, &s));
	if (state_status(s) == STOPPED)
		return error_said(0, "container '%s' is not running", id);
	if (is_sandbox(s))
		return vm_stats(s, to);
	try(open_cgroup(s, &c));
	return cgroup_stats(c, to);
}

error *container_oom_kills(const struct runtime *rt, const char *id, uint64_t *out)
{
	auto_state struct state *s = NULL;
	auto_cgroup struct cgroup *c = NULL;

	try(state_open(rt->root, id, false, &s));
	try(open_cgroup(s, &c));
	return cgroup_oom_kills(c, out);
}

static int64_t milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

enum { ENDING_MS = 2000 };

/* What is watched of one container. */
struct watched {
	struct state *state;
	struct cgroup *cgroup; /* NULL: in a sandbox */
	int memory;            /* its memory.events, or -1 */
	uint64_t kills;        /* that were told of */
	error *(*visit)(const char *type, void *context);
	void *context;
};

static error *count_kills(const struct watched *w, uint64_t *out)
{
	return w->cgroup ? cgroup_oom_kills(w->cgroup, out) : vm_oom_kills(w->state, out);
}

/* Tells of every process that the kernel has killed for memory since the last look. */
static error *tell_oom(struct watched *w)
{
	uint64_t kills = w->kills;

	try(count_kills(w, &kills));
	for (; w->kills < kills; w->kills++)
		try(w->visit("oom", w->context));
	return NULL;
}

static error *begin_watching(struct watched *w)
{
	w->memory = -1;
	if (is_sandbox(w->state))
		return count_kills(w, &w->kills);
	try(open_cgroup(w->state, &w->cgroup));
	auto_error error *no_memory = cgroup_watch(w->cgroup, "memory.events", &w->memory);
	return count_kills(w, &w->kills);
}

/* How long to wait: till the next figures, and not long where nothing but asking tells of kills. */
static int patience(const struct watched *w, int interval_ms, int64_t next)
{
	enum { ASK_MS = 500 };
	int64_t left = next - milliseconds();
	int timeout = interval_ms ? (int)(left > 0 ? left : 0) : -1;

	return !w->cgroup && (timeout < 0 || timeout > ASK_MS) ? ASK_MS : timeout;
}

/* *gone when the cgroup is. */
static error *watch_once(struct watched *w, int pidfd, int timeout, bool *gone)
{
	struct pollfd polls[] = { { .fd = pidfd, .events = POLLIN },
				  { .fd = w->memory, .events = POLLPRI } };
	char ignored[512];

	if (poll(polls, COUNT(polls), timeout) < 0 && errno != EINTR)
		return error_errno("poll");
	*gone = w->memory >= 0 && polls[1].revents &&
		pread(w->memory, ignored, sizeof(ignored), 0) < 0 && errno == ENODEV;
	if (*gone)
		return NULL;
	/* whoever has ended in the meantime cannot be asked */
	auto_error error *lost = w->memory >= 0 || !w->cgroup ? tell_oom(w) : NULL;
	*gone = polls[0].revents != 0;
	return NULL;
}

error *container_watch(const struct runtime *rt, const char *id, int interval_ms,
		       error *(*visit)(const char *type, void *context), void *context)
{
	auto_state struct state *s = NULL;
	auto_fd int pidfd = -1;
	struct watched w = { .visit = visit, .context = context };
	bool gone = false;

	try(state_open(rt->root, id, false, &s));
	if (state_open_init(s, &pidfd))
		return error_said(0, "container '%s' is not running", id);
	w.state = s;
	error *e = begin_watching(&w);
	for (int64_t next = milliseconds() + interval_ms; !e && !gone;) {
		e = watch_once(&w, pidfd, patience(&w, interval_ms, next), &gone);
		if (!e && !gone && interval_ms && milliseconds() >= next) {
			next += interval_ms;
			e = visit("stats", context);
		}
		/* whoever is ending cannot be asked either */
		if (e && process_wait_end(pidfd, ENDING_MS)) {
			error_free(take_ptr(&e));
			gone = true;
		}
	}
	if (w.memory >= 0)
		close(w.memory);
	cgroup_free(w.cgroup);
	return e;
}
