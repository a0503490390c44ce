/* image: handed on, as it stands, to skiff-image. */
#include <stdio.h>

#include "cli/command.h"

static error *image(struct runtime *rt, const void *values, int n, char **words, int *exit_code)
{
	(void)rt, (void)values, (void)n, (void)exit_code;
	return image_program(words);
}

const struct command command_image = {
	.name = "image",
	.args = "VERB ...",
	.summary = "import, list, unpack, export and remove images (skiff image help)",
	.max = -1,
	.in_order = true,
	.run = image,
};
