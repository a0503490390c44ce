/* Limits as data: what would be written where, computed from config.json without touching a file.
 */
#pragma once

#include "cgroup.h"

struct limit {
	const char *json;       /* ".linux.resources.memory.limit" */
	const char *controller; /* "memory"; NULL for files of the core ("cgroup.max.depth") */
	char *file; /* "memory.max"; NULL: version 2 has no such thing, say so and go on */
	char *value;
	/* to use when there is no `file`: the other scheduler's; NULL: none */
	char *other_file, *other_value;
	bool optional; /* a kernel without the file keeps the limit anyway, or never exceeds it */
	char *own_json, *own_controller; /* where the two above are not constants */
};

struct limits {
	struct limit *v;
	size_t n;
};

/* What an update builds on; NULL or members that are NULL: a cgroup without limits. */
struct limit_facts {
	const char *memory_max; /* text of that file, needed for a swap without a memory limit */
	const char *cpu_max;    /* needed for a period without a quota */
};

/* In the order in which they are to be written. */
must_use error *limits_from(const struct spec_resources *resources, const struct limit_facts *facts,
			    struct limits *out);
void limits_free(struct limits *limits);
static inline void limits_free_at_end(struct limits *limits)
{
	limits_free(limits);
}
/* Whether it asks for nothing, so that it does not matter if it cannot be written. */
bool limit_is_unlimited(const struct limit *limit);

/* 2 .. 262144 to 1 .. 10000, 0 to 0. */
uint64_t cpu_weight_of_shares(uint64_t shares);

/* keep_old: put back what was written before one that fails. */
must_use error *limits_write(const struct cgroup *c, const struct limits *limits, bool keep_old);
