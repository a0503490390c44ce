#include <stdio.h>

#include "image/verb.h"

static const struct option_row options[] = {
	OPTIONS_COMMON,
	OPTIONS_READING,
	{ "name", 'n', OPT_TEXT, REQUEST(name), "NAME",
	  "what to call it (what the source calls it)" },
};

static error *import(struct request *r, int n, char **words)
{
	if (r->name && n > 1)
		return error_said(EINVAL, "--name is for one source");
	for (int i = 0; i < n; i++) {
		struct stored_image *image = NULL;
		try(request_import(r, words[i], r->name, &image));
		puts(image->manifest);
	}
	return NULL;
}

const struct verb verb_import = {
	.name = "import",
	.args = "SOURCE...",
	.summary = "take images into the store",
	VERB_OPTIONS(options),
	.min = 1,
	.max = -1,
	.needs_store = true,
	.run = import,
};
