/* start, pause, resume, state: what takes an id and nothing else. */
#include <stdio.h>

#include "cli/command.h"

static error *start(struct runtime *rt, const void *values, int n, char **words, int *exit_code)
{
	(void)values, (void)n, (void)exit_code;
	return container_start(rt, words[0]);
}

static error *pause_it(struct runtime *rt, const void *values, int n, char **words, int *exit_code)
{
	(void)values, (void)n, (void)exit_code;
	return container_pause(rt, words[0], true);
}

static error *resume(struct runtime *rt, const void *values, int n, char **words, int *exit_code)
{
	(void)values, (void)n, (void)exit_code;
	return container_pause(rt, words[0], false);
}

static error *state(struct runtime *rt, const void *values, int n, char **words, int *exit_code)
{
	auto_free char *json = NULL;

	(void)values, (void)n, (void)exit_code;
	try(container_state(rt, words[0], &json));
	fputs(json, stdout);
	return NULL;
}

const struct command command_start = {
	.name = "start",
	.args = "ID",
	.summary = "start a container that was created",
	.min = 1,
	.max = 1,
	.run = start,
};
const struct command command_pause = {
	.name = "pause",
	.args = "ID",
	.summary = "stop all processes of a container for a while",
	.min = 1,
	.max = 1,
	.run = pause_it,
};
const struct command command_resume = {
	.name = "resume",
	.args = "ID",
	.summary = "let a paused container go on",
	.min = 1,
	.max = 1,
	.run = resume,
};
const struct command command_state = {
	.name = "state",
	.args = "ID",
	.summary = "print a container's state as JSON",
	.min = 1,
	.max = 1,
	.run = state,
};
