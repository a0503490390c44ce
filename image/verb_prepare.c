/* prepare and release: for whoever runs a container out of an image. */
#include <stdio.h>

#include "base/json.h"
#include "image/prepare.h"
#include "image/verb.h"

static const struct option_row options[] = {
	OPTIONS_COMMON,
	OPTIONS_READING,
	{ "container", 0, OPT_TEXT, REQUEST(container), "ID",
	  "make the folders of a container, keep the image for it" },
	{ "workdir", 'w', OPT_TEXT, REQUEST(workdir), "DIR",
	  "instead of the image's; refused when the image has no such folder" },
	{ "volume", 'v', OPT_MANY, REQUEST(volumes), "NAME:PATH",
	  "make this volume, unless it is there, with what the image has at PATH" },
	{ "user", 'u', OPT_TEXT, REQUEST(user), "USER[:GROUP]", "instead of the image's" },
};

static error *prepare(struct request *r, int n, char **words)
{
	struct stored_image *image = NULL;
	struct prepared_image *prepared = NULL;
	auto_json struct json *j = NULL;
	const char *text;
	const struct prepare_options o = {
		.name = words[0],
		.container = r->container,
		.user = r->user,
		.workdir = r->workdir,
		.volumes = { r->volumes.v, r->volumes.n },
		.strict = r->strict,
	};

	(void)n;
	try(request_image(r, words[0], &image, NULL));
	try(image_prepare(r->store, image, &o, r->rootless, r->arena, &prepared));
	try(json_new(JSON_ONE_LINE, &j));
	rows_write(&prepared_image_shape, prepared, NULL, j);
	try(json_finish(j, &text, NULL));
	puts(text);
	return NULL;
}

const struct verb verb_prepare = {
	.name = "prepare",
	.args = "SOURCE|NAME",
	.summary = "print as JSON what a container needs of an image",
	VERB_OPTIONS(options),
	.min = 1,
	.max = 1,
	.needs_store = true,
	.run = prepare,
};

static const struct option_row release_options[] = { OPTIONS_COMMON };

static error *release(struct request *r, int n, char **words)
{
	for (int i = 0; i < n; i++)
		try(image_release(r->store, words[i]));
	return NULL;
}

const struct verb verb_release = {
	.name = "release",
	.args = "ID...",
	.summary = "remove the folders of containers",
	VERB_OPTIONS(release_options),
	.min = 1,
	.max = -1,
	.needs_store = true,
	.run = release,
};
