/* kernel: handed on, as it stands, to skiff-kernel. */
#include "cli/command.h"

static error *kernel(struct runtime *rt, const void *values, int n, char **words, int *exit_code)
{
	(void)rt, (void)values, (void)n, (void)exit_code;
	return kernel_program(words);
}

const struct command command_kernel = {
	.name = "kernel",
	.args = "VERB ...",
	.summary = "fetch, list and remove the kernels of sandboxes (skiff kernel --help)",
	.max = -1,
	.in_order = true,
	.run = kernel,
};
