/* kill and delete: one container, or with --regex all whose ids match. */
#include <regex.h>
#include <stdio.h>

#include "base/process.h"
#include "cli/command.h"

struct values {
	bool all;
	bool regex;
	bool force;
};

#define AT(member) offsetof(struct values, member)
static const struct option_row kill_options[] = {
	{ "all", 'a', OPT_FLAG, AT(all), NULL,
	  "to every process of the container; one that has stopped is fine" },
	{ "regex", 'r', OPT_FLAG, AT(regex), NULL, "ID is an extended regular expression" },
};
static const struct option_row delete_options[] = {
	{ "force", 'f', OPT_FLAG, AT(force), NULL,
	  "kill it first; one that does not exist is fine" },
	{ "regex", 'r', OPT_FLAG, AT(regex), NULL, "ID is an extended regular expression" },
};
#undef AT

struct act {
	struct runtime *rt;
	const struct values *v;
	int signal; /* -1: delete */
};

static error *do_one(const struct act *a, const char *id)
{
	if (a->signal < 0)
		return container_delete(a->rt, id, a->v->force);
	return container_kill(a->rt, id, a->signal, a->v->all);
}

static error *do_matching(const struct act *a, const char *pattern)
{
	auto_arena struct arena *arena = NULL;
	struct container_row *rows;
	size_t n;
	regex_t regex;
	error *e = NULL;

	if (regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB) != 0)
		return error_said(EINVAL, "'%s' is not an extended regular expression", pattern);
	e = arena_new(&arena);
	if (!e)
		e = container_list(a->rt, arena, &rows, &n);
	for (size_t i = 0; !e && i < n; i++)
		if (regexec(&regex, rows[i].id, 0, NULL, 0) == 0)
			e = do_one(a, rows[i].id);
	regfree(&regex);
	return e;
}

static error *kill_it(struct runtime *rt, const void *values, int n, char **words, int *exit_code)
{
	struct act act = { rt, values, signal_from_name(n > 1 ? words[1] : "TERM") };

	(void)exit_code;
	if (act.signal < 0)
		return error_said(EINVAL, "'%s' is not a signal", words[1]);
	return act.v->regex ? do_matching(&act, words[0]) : do_one(&act, words[0]);
}

static error *delete_it(struct runtime *rt, const void *values, int n, char **words, int *exit_code)
{
	struct act act = { rt, values, -1 };

	(void)n, (void)exit_code;
	return act.v->regex ? do_matching(&act, words[0]) : do_one(&act, words[0]);
}

const struct command command_kill = {
	.name = "kill",
	.args = "ID [SIGNAL]",
	.summary = "send a signal (TERM) to a container",
	COMMAND_OPTIONS(kill_options, struct values),
	.min = 1,
	.max = 2,
	.run = kill_it,
};
const struct command command_delete = {
	.name = "delete",
	.args = "ID",
	.summary = "remove what is left of a container",
	COMMAND_OPTIONS(delete_options, struct values),
	.min = 1,
	.max = 1,
	.run = delete_it,
};
