/* A plan is one ordered table, walked by every process that takes part in it: each takes the rows
 * of its own side and waits at the others'. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct life;

enum side {
	END,
	HOST, /* skiff itself, on the host */
	JOIN, /* a short-lived child that enters namespaces that exist */
	INIT, /* the container's first process (or, for exec, the one that is added) */
};

struct step {
	enum side side;
	const char *what; /* names it in errors, logs, `explain` and ps */
	bool (*when)(
		const struct life *); /* pure: every process gives the same answer; NULL = always */
	error *(*how)(struct life *);
	void (*undo)(struct life *); /* HOST only: the kernel undoes a dead child */
	enum side starts;            /* this row starts that side */
	bool reexecs;                /* this side goes on as the second stage */
	bool pauses;                 /* `create` ends here, `start` goes on from here */
	bool execs; /* ends in exec: from here on the end of the baton's stream is success */
};

/* Walks the plan as `me` from row `from` on; holder has the baton. On failure the host undoes its
 * rows in reverse (those that were taken: a step that fails cleans up after itself), each other
 * side tells the host and exits. */
must_use error *plan_walk(const struct step *plan, struct life *life, enum side me, size_t from,
			  enum side holder);
/* The row behind the one that pauses. */
size_t plan_after_pause(const struct step *plan);
/* Prints the rows, "+" for those that apply. */
void plan_explain(const struct step *plan, const struct life *life);
