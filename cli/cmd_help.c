/* help and version. */
#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "spec.h"

void command_print_help(const struct command *c)
{
	printf("usage: skiff [GLOBAL OPTION...] %s%s %s\n\n%s\n", c->name,
	       c->n_options ? " [OPTION...]" : "", c->args, c->summary);
	if (c->n_options)
		printf("\noptions:\n");
	options_print(c->options, c->n_options);
}

static error *help(struct runtime *rt, const void *values, int n, char **words, int *exit_code)
{
	(void)rt, (void)values, (void)exit_code;
	for (size_t i = 0; n && i < n_commands; i++)
		if (strcmp(commands[i]->name, words[0]) == 0) {
			command_print_help(commands[i]);
			return NULL;
		}
	if (n)
		return error_said(EINVAL, "unknown command '%s'", words[0]);
	printf("usage: skiff [GLOBAL OPTION...] COMMAND ...\n\n"
	       "skiff runs containers: a bundle is a folder with a config.json (skiff spec) and a "
	       "root file system.\n\n"
	       "commands (skiff help COMMAND tells more):\n");
	for (size_t i = 0; i < n_commands; i++)
		printf("  %-10s %s\n", commands[i]->name, commands[i]->summary);
	printf("\nglobal options:\n");
	options_print(global_options, n_global_options);
	return NULL;
}

static error *version(struct runtime *rt, const void *values, int n, char **words, int *exit_code)
{
	(void)rt, (void)values, (void)n, (void)words, (void)exit_code;
	printf("skiff version %s\ncommit: %s\nspec: %s\n+SECCOMP +CAP +CGROUP2 +YAJL\n", VERSION,
	       VERSION, SPEC_VERSION);
	return NULL;
}

const struct command command_help = {
	.name = "help",
	.args = "[COMMAND]",
	.summary = "print this, or the options of a command",
	.max = 1,
	.run = help,
};
const struct command command_version = {
	.name = "version",
	.args = "",
	.summary = "print the version",
	.run = version,
};
