#include "runtime/plan.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "base/log.h"
#include "base/process.h"
#include "runtime/baton.h"
#include "runtime/life.h"
#include "runtime/steps.h"

static const char *const side_names[] = { [HOST] = "host", [JOIN] = "join", [INIT] = "init" };

static bool applies(const struct step *s, const struct life *life)
{
	return (!s->when || s->when(life)) && (!s->pauses || life->pauses);
}

static int my_end(const struct life *life, enum side me)
{
	return life->fd[me == HOST ? FD_BATON_HOST : FD_BATON];
}

/* The host waits for the other side, which may end the stream only by becoming the program. */
static error *host_waits(struct life *life)
{
	struct baton b;
	bool about_to_exec = false;
	bool ended;
	int fd;

	for (;;) {
		try_as(baton_wait(life->fd[FD_BATON_HOST], &b, &ended, &fd),
		       "wait for the container");
		if (ended && !about_to_exec)
			return step_died(life);
		if (ended || b.kind == BATON_GO_ON)
			return NULL;
		if (b.kind == BATON_FAILED)
			return error_said(b.code, "%s", b.text);
		if (b.kind == BATON_STARTED)
			return step_started(life, b.code, fd);
		about_to_exec = b.kind == BATON_ABOUT_TO_EXEC;
	}
}

/* Another side waits for the host. When the host is gone, so is the reason to go on. */
static error *other_waits(struct life *life)
{
	struct baton b;
	bool ended;
	int fd;

	try(baton_wait(life->fd[FD_BATON], &b, &ended, &fd));
	if (ended)
		_exit(1);
	return NULL;
}

static uint64_t microseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* --debug: a line for each row, with the time it took. */
static void tell_time(const struct step *s, const struct life *life, enum side me, uint64_t began)
{
	char line[256];

	snprintf(line, sizeof(line), "%s: %s: %lu us", side_names[me], s->what,
		 (unsigned long)(microseconds() - began));
#ifndef SKIFF_INIT
	if (me == HOST) {
		log_debug("%s", line);
		return;
	}
#endif
	auto_error error *lost = baton_pass(my_end(life, me), BATON_LOG, 0, line, -1);
}

static error *take_step(const struct step *s, struct life *life, enum side *me, size_t index)
{
	uint64_t began = life->debug ? microseconds() : 0;

#ifdef SKIFF_FAIL_STEP
	if (life->fail_step && strcmp(life->fail_step, s->what) == 0)
		return error_said(0, "%s: failed on purpose", s->what);
#endif
	if (*me != HOST)
		process_title("skiff: [%s] %s", side_names[*me], s->what);
	if (s->execs)
		try(baton_pass(my_end(life, *me), BATON_ABOUT_TO_EXEC, 0, NULL, -1));
	if (s->starts)
		try_as(step_start(life, me, s->starts), "%s", s->what);
	if (s->reexecs)
		try_as(step_reexec(life, *me, index), "%s", s->what);
	else if (!s->starts)
		try_as(s->how ? s->how(life) : error_new(ENOSYS, "not part of this program"), "%s",
		       s->what);
	if (life->debug && (!s->starts || *me == HOST))
		tell_time(s, life, *me, began);
	return NULL;
}

#ifndef SKIFF_INIT
/* Rows from `from` up to the one that failed, which has cleaned up after itself. */
static void undo(const struct step *plan, size_t from, size_t failed, struct life *life)
{
	for (size_t i = failed; i-- > from;) {
		if (!applies(&plan[i], life))
			continue;
		if (plan[i].undo)
			plan[i].undo(life);
		if (plan[i].starts) /* what came after may have needed the process alive */
			host_kill_started(life);
	}
	host_kill_started(life);
}
#endif

/* JOIN's last act was to start INIT: the host takes over. */
static void leave_to_init(struct life *life)
{
	auto_error error *lost =
		baton_pass(life->fd[FD_BATON], BATON_STARTED, life->init, NULL, life->init_pidfd);

	_exit(lost ? 1 : 0);
}

static void tell_and_die(struct life *life, error *e)
{
	auto_error error *lost =
		baton_pass(life->fd[FD_BATON], BATON_FAILED, error_code(e), error_message(e), -1);

	_exit(1);
}

/* Brings the baton to the side of row s: pass it, wait for it, or look on. */
static error *hand_over(const struct step *s, struct life *life, enum side me, enum side holder)
{
	if (s->side == holder)
		return NULL;
	if (me == holder) {
		error *e = baton_pass(my_end(life, me), BATON_GO_ON, 0, NULL, -1);
		if (!e || me != HOST || error_code(e) != EPIPE)
			return e;
		error_free(e);
		return step_died(life);
	}
	if (me == HOST)
		return host_waits(life);
	return me == s->side ? other_waits(life) : NULL;
}

error *plan_walk(const struct step *plan, struct life *life, enum side me, size_t from,
		 enum side holder)
{
	for (size_t i = from; plan[i].side != END; i++) {
		const struct step *s = &plan[i];
		if (!applies(s, life))
			continue;
		error *e = hand_over(s, life, me, holder);
		holder = s->side;
		if (!e && me == s->side)
			e = take_step(s, life, &me, i);
		else if (!e && me == HOST && (s->pauses || s->starts))
			e = host_waits(life); /* JOIN tells whom it started; INIT, that it waits */
		if (!e && s->starts) {
			if (me == JOIN && s->side == JOIN)
				leave_to_init(life);
			holder = HOST;
		}
		if (e && me != HOST)
			tell_and_die(life, e);
#ifndef SKIFF_INIT
		if (e)
			undo(plan, from, i, life);
#endif
		if (e || (s->pauses && me == HOST))
			return e;
	}
	return NULL;
}

size_t plan_after_pause(const struct step *plan)
{
	size_t i = 0;

	while (plan[i].side != END && !plan[i].pauses)
		i++;
	return i + 1;
}

void plan_explain(const struct step *plan, const struct life *life)
{
	for (const struct step *s = plan; s->side != END; s++)
		printf("%s %-4s  %s\n", !s->when || s->when(life) ? "+" : "-", side_names[s->side],
		       s->what);
}
