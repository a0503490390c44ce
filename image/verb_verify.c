#include <stdio.h>

#include "base/log.h"
#include "image/verb.h"
#include "image/verify.h"

static const struct option_row options[] = { OPTIONS_COMMON };

static error *verify_blob(struct store *s, const char *digest)
{
	auto_free char *text = NULL;
	struct digest d;
	size_t len;

	try(digest_parse(digest, &d));
	return store_blob_read(s, &d, &text, &len);
}

/* Goes on after a failure: one answer for each part. */
static void report(struct request *r, const char *what, error *e)
{
	if (e) {
		log_warning("%s: %s", what, error_message(e));
		r->exit_code = 1;
	} else if (!r->quiet) {
		printf("%s: as imported\n", what);
	}
	error_free(e);
}

static error *verify_image(struct request *r, const struct stored_image *image)
{
	report(r, image->manifest, verify_blob(r->store, image->manifest));
	report(r, image->config, verify_blob(r->store, image->config));
	for (size_t i = 0; i < image->layers.n; i++) {
		bool is_exact = true;
		error *e = layer_verify(r->store, image->layers.v[i], r->arena, &is_exact);
		if (!e && !is_exact)
			log_warning("%s: some of its files came more than once: not compared",
				    image->layers.v[i]);
		else
			report(r, image->layers.v[i], e);
	}
	return NULL;
}

static error *verify(struct request *r, int n, char **words)
{
	struct stored_image *image = NULL;
	char **all;
	size_t n_all = 0;

	if (n) {
		try(store_image_find(r->store, words[0], r->arena, &image));
		return verify_image(r, image);
	}
	try(store_image_list(r->store, r->arena, &all, &n_all));
	for (size_t i = 0; i < n_all; i++) {
		try(store_image_read(r->store, all[i], r->arena, &image));
		try(verify_image(r, image));
	}
	return NULL;
}

const struct verb verb_verify = {
	.name = "verify",
	.args = "[NAME]",
	.summary = "compare what is stored with what was imported",
	VERB_OPTIONS(options),
	.max = 1,
	.needs_store = true,
	.run = verify,
};
