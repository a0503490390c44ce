/* ls and inspect. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "image/prepare.h"
#include "image/verb.h"

static const struct option_row ls_options[] = {
	OPTIONS_COMMON,
	{ "format", 'f', OPT_TEXT, REQUEST(format), "FORMAT", "table or json" },
};

struct listed {
	const char *name; /* NULL: none */
	struct stored_image *image;
};

/* Each name with its image, then the images without one. */
static error *list_all(struct request *r, struct listed **out, size_t *out_n)
{
	struct ref *refs;
	char **manifests;
	size_t n_refs;
	size_t n_images;
	size_t n = 0;

	try(ref_list(r->store, r->arena, &refs, &n_refs));
	try(store_image_list(r->store, r->arena, &manifests, &n_images));
	struct listed *list = arena_array_of(r->arena, struct listed, n_refs + n_images + 1);
	if (!list)
		return arena_exhausted();
	for (size_t i = 0; i < n_refs; i++) {
		auto_error error *e =
			store_image_read(r->store, refs[i].manifest, r->arena, &list[n].image);
		if (e)
			continue; /* removed in this moment */
		list[n++].name = refs[i].name;
	}
	size_t n_named = n;
	for (size_t i = 0; i < n_images; i++) {
		bool named = false;
		for (size_t k = 0; k < n_named; k++)
			named |= strcmp(list[k].image->manifest, manifests[i]) == 0;
		auto_error error *e =
			named ? NULL
			      : store_image_read(r->store, manifests[i], r->arena, &list[n].image);
		n += !named && !e;
	}
	*out = list;
	*out_n = n;
	return NULL;
}

static void write_image(struct json *j, const struct listed *l)
{
	const struct stored_image *i = l->image;

	json_object(j, NULL);
	json_text(j, "name", l->name);
	json_text(j, "manifest", i->manifest);
	json_text(j, "image", i->config);
	json_text(j, "os", i->os);
	json_text(j, "architecture", i->architecture);
	json_text(j, "created", i->created);
	json_text(j, "imported", i->imported);
	json_u64(j, "size", i->size);
	json_u64(j, "layers", i->layers.n);
	json_end(j);
}

static error *print_json(const struct listed *list, size_t n)
{
	auto_json struct json *j = NULL;
	const char *text;

	try(json_new(JSON_INDENTED, &j));
	json_array(j, NULL);
	for (size_t i = 0; i < n; i++)
		write_image(j, &list[i]);
	json_end(j);
	try(json_finish(j, &text, NULL));
	fputs(text, stdout);
	if (!*text || text[strlen(text) - 1] != '\n')
		putchar('\n');
	return NULL;
}

/* Names and labels come from strangers: a terminal must not obey them. */
static void print_text(const char *text, int width)
{
	int n = 0;

	for (const unsigned char *c = (const unsigned char *)(text ? text : "<none>"); *c; c++, n++)
		putchar(*c < ' ' || *c == 0x7f ? '?' : *c);
	for (; n < width; n++)
		putchar(' ');
	putchar(' ');
}

static void print_table(const struct listed *list, size_t n)
{
	int width = 24;

	for (size_t i = 0; i < n; i++)
		if (list[i].name && (int)strlen(list[i].name) > width)
			width = (int)strlen(list[i].name);
	print_text("NAME", width);
	printf("%-12s %-14s %6s %10s  %s\n", "IMAGE", "PLATFORM", "LAYERS", "SIZE", "IMPORTED");
	for (size_t i = 0; i < n; i++) {
		const struct stored_image *image = list[i].image;
		char platform[64];
		snprintf(platform, sizeof(platform), "%.20s/%.20s", image->os ? image->os : "?",
			 image->architecture ? image->architecture : "?");
		print_text(list[i].name, width);
		printf("%-12.12s ", strchr(image->config, ':') + 1);
		print_text(platform, 14);
		printf("%6zu %8.1fMB  %s\n", image->layers.n, (double)image->size / 1e6,
		       image->imported ? image->imported : "");
	}
}

static error *ls(struct request *r, int n_words, char **words)
{
	struct listed *list = NULL;
	size_t n = 0;

	(void)n_words, (void)words;
	if (r->format && strcmp(r->format, "table") != 0 && strcmp(r->format, "json") != 0)
		return error_said(EINVAL, "--format: want table or json");
	try(list_all(r, &list, &n));
	if (r->quiet) {
		for (size_t i = 0; i < n; i++)
			puts(list[i].image->manifest);
		return NULL;
	}
	if (r->format && strcmp(r->format, "json") == 0)
		return print_json(list, n);
	print_table(list, n);
	return NULL;
}

const struct verb verb_ls = {
	.name = "ls",
	.args = "",
	.summary = "list images",
	VERB_OPTIONS(ls_options),
	.needs_store = true,
	.run = ls,
};

/* --- inspect --- */

static const struct option_row inspect_options[] = {
	OPTIONS_COMMON,
	{ "format", 'f', OPT_TEXT, REQUEST(format), "WHAT", "image, manifest or config (image)" },
};

static error *print_blob(struct request *r, const char *text)
{
	auto_free char *blob = NULL;
	struct digest digest;
	size_t len;

	try(digest_parse(text, &digest));
	try(store_blob_read(r->store, &digest, &blob, &len));
	return fwrite(blob, 1, len, stdout) == len ? NULL : error_errno("write to standard output");
}

static error *inspect(struct request *r, int n, char **words)
{
	struct stored_image *image = NULL;
	struct lower_dir lowers;
	struct texts paths;
	auto_json struct json *j = NULL;
	const char *text;
	const char *what = r->format ? r->format : "image";

	(void)n;
	try(store_image_find(r->store, words[0], r->arena, &image));
	if (strcmp(what, "manifest") == 0)
		return print_blob(r, image->manifest);
	if (strcmp(what, "config") == 0)
		return print_blob(r, image->config);
	if (strcmp(what, "image") != 0)
		return error_said(EINVAL, "--format: want image, manifest or config");
	try(image_lowers(r->store, image, r->arena, &lowers, &paths));
	lower_dir_close(&lowers);
	try(json_new(JSON_INDENTED, &j));
	json_object(j, NULL);
	json_text(j, "manifest", image->manifest);
	json_text(j, "image", image->config);
	json_text(j, "os", image->os);
	json_text(j, "architecture", image->architecture);
	json_text(j, "variant", image->variant);
	json_text(j, "created", image->created);
	json_text(j, "imported", image->imported);
	json_text(j, "source", image->source);
	json_u64(j, "size", image->size);
	json_texts(j, "layers", image->layers.v, image->layers.n);
	json_texts(j, "lower", paths.v, paths.n);
	json_end(j);
	try(json_finish(j, &text, NULL));
	puts(text);
	return NULL;
}

const struct verb verb_inspect = {
	.name = "inspect",
	.args = "NAME",
	.summary = "show what an image is",
	VERB_OPTIONS(inspect_options),
	.min = 1,
	.max = 1,
	.needs_store = true,
	.run = inspect,
};
