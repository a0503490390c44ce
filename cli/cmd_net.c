/* net: handed on, as it stands, to skiff-net. */
#include "cli/command.h"

static error *net(struct runtime *rt, const void *values, int n, char **words, int *exit_code)
{
	(void)values, (void)n, (void)exit_code;
	return network_program(rt, words);
}

const struct command command_net = {
	.name = "net",
	.args = "VERB ...",
	.summary = "create, list, remove and repair networks (skiff net help)",
	.max = -1,
	.in_order = true,
	.run = net,
};
