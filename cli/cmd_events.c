#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "cli/command.h"

struct values {
	const char *interval;
	bool stats;
};

static const struct option_row options[] = {
	{ "interval", 0, OPT_TEXT, offsetof(struct values, interval), "TIME",
	  "between two statistics, as 500ms, 5s, 1m (5s)" },
	{ "stats", 0, OPT_FLAG, offsetof(struct values, stats), NULL,
	  "print the statistics once and end" },
};

struct watched {
	struct runtime *rt;
	const char *id;
};

/* One line of JSON for each event. */
static error *print_event(const char *type, void *context)
{
	const struct watched *w = context;
	auto_json struct json *j = NULL;
	const char *text;

	try(json_new(JSON_ONE_LINE, &j));
	json_object(j, NULL);
	json_text(j, "type", type);
	json_text(j, "id", w->id);
	if (strcmp(type, "stats") == 0) {
		json_object(j, "data");
		try(container_stats(w->rt, w->id, j));
		json_end(j);
	}
	json_end(j);
	try(json_finish(j, &text, NULL));
	puts(text);
	return fflush(stdout) == 0 ? NULL : error_errno("write to standard output");
}

/* "500ms", "5s", "1m", "1h"; a number alone is seconds. */
static error *parse_interval(const char *text, int *ms)
{
	static const struct {
		const char *suffix;
		int64_t ms;
	} units[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }, { "", 1000 } };

	for (size_t i = 0; i < COUNT(units); i++) {
		char digits[16];
		uint32_t value;
		size_t len = strlen(text);
		size_t suffix = strlen(units[i].suffix);
		if (!text_ends(text, units[i].suffix) || len - suffix >= sizeof(digits))
			continue;
		memcpy(digits, text, len - suffix);
		digits[len - suffix] = '\0';
		if (text_to_u32(digits, &value) && value > 0 && value * units[i].ms <= INT32_MAX) {
			*ms = (int)(value * units[i].ms);
			return NULL;
		}
	}
	return error_said(EINVAL, "--interval: '%s' is not a time such as 500ms or 5s", text);
}

static error *events(struct runtime *rt, const void *values, int n, char **words, int *exit_code)
{
	const struct values *v = values;
	struct watched w = { rt, words[0] };
	int interval = 5000;

	(void)n, (void)exit_code;
	if (v->interval)
		try(parse_interval(v->interval, &interval));
	if (v->stats)
		return print_event("stats", &w);
	return container_watch(rt, w.id, interval, print_event, &w);
}

const struct command command_events = {
	.name = "events",
	.args = "ID",
	.summary = "print statistics and out-of-memory notices as JSON lines",
	COMMAND_OPTIONS(options, struct values),
	.min = 1,
	.max = 1,
	.run = events,
};
