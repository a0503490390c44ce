/* rm and gc. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "image/verb.h"

static const struct option_row rm_options[] = { OPTIONS_COMMON };

/* A name is taken away; of an image that is given by its digest, all names. What no name and no
 * container needs goes then. */
static error *remove_one(struct request *r, const char *text)
{
	struct stored_image *image = NULL;
	struct ref *refs;
	size_t n = 0;
	auto_error error *bad = ref_check(text);
	auto_error error *e = bad ? NULL : ref_remove(r->store, text);

	if (!bad && !e)
		return NULL;
	if (e && error_code(e) != ENOENT)
		return take_ptr(&e);
	try(store_image_find(r->store, text, r->arena, &image));
	try(ref_list(r->store, r->arena, &refs, &n));
	for (size_t i = 0; i < n; i++) {
		char latest[220];
		snprintf(latest, sizeof(latest), "%.200s:latest", text);
		if (strcmp(refs[i].name, latest) == 0)
			return ref_remove(r->store, latest);
	}
	for (size_t i = 0; i < n; i++)
		if (strcmp(refs[i].manifest, image->manifest) == 0)
			try(ref_remove(r->store, refs[i].name));
	return NULL;
}

static error *rm(struct request *r, int n, char **words)
{
	struct gc_result result;

	for (int i = 0; i < n; i++)
		try(remove_one(r, words[i]));
	return store_gc(r->store, false, &result);
}

const struct verb verb_rm = {
	.name = "rm",
	.args = "NAME...",
	.summary = "remove images",
	VERB_OPTIONS(rm_options),
	.min = 1,
	.max = -1,
	.needs_store = true,
	.run = rm,
};

static const struct option_row gc_options[] = {
	OPTIONS_COMMON,
	{ "dry-run", 0, OPT_FLAG, REQUEST(dry_run), NULL, "only say how much it would be" },
};

static error *gc(struct request *r, int n, char **words)
{
	struct gc_result result;

	(void)n, (void)words;
	try(store_gc(r->store, r->dry_run, &result));
	if (!r->quiet)
		printf("%s%zu images, %zu layers, %zu blobs\n",
		       r->dry_run ? "would remove " : "removed ", result.images, result.layers,
		       result.blobs);
	return NULL;
}

const struct verb verb_gc = {
	.name = "gc",
	.args = "",
	.summary = "remove what no name and no container needs",
	VERB_OPTIONS(gc_options),
	.needs_store = true,
	.run = gc,
};
