#include <stdio.h>

#include "cli/command.h"

static error *print_change(char kind, const char *path, void *context)
{
	(void)context;
	printf("%c %s\n", kind, path);
	return NULL;
}

static error *diff(struct runtime *rt, const void *values, int n, char **words, int *exit_code)
{
	(void)values, (void)n, (void)exit_code;
	return container_diff(rt, words[0], print_change, NULL);
}

const struct command command_diff = {
	.name = "diff",
	.args = "ID",
	.summary = "what a container made from an image has added (A), changed (C) and deleted (D)",
	.min = 1,
	.max = 1,
	.run = diff,
};
