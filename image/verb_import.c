#include <stdio.h>

#include "image/source.h"
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
	struct source **sources = arena_array_of(r->arena, struct source *, (size_t)n + 1);
	struct stored_image *image = NULL;
	struct import_options checked;

	if (!sources)
		return arena_exhausted();
	error *e = request_import_options(r, &checked);
	/* all of them first: the first import takes the right to write elsewhere, where pipes are
	 * kept */
	for (int i = 0; !e && i < n; i++)
		e = source_open(words[i], &sources[i]);
	for (int i = 0; !e && i < n; i++) {
		e = request_import(r, sources[i], r->name, &image);
		if (!e)
			puts(image->manifest);
	}
	for (int i = 0; i < n; i++)
		source_free(sources[i]);
	return e;
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
