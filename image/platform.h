/* Which of several images is for this machine. */
#pragma once

#include "image/documents.h"

struct platform {
	char os[32], architecture[32], variant[32]; /* variant: "" when none is asked for */
};

/* "linux/arm64/v8", "linux/amd64"; NULL: this machine. */
must_use error *platform_parse(const char *text, struct platform *out);
/* How well an image of platform p fits: 0 not at all, more is better. NULL (nothing said) fits, but
 * worse than anything that says so. */
int platform_fit(const struct platform *want, const struct image_platform *p);
