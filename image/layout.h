/* From a source to one image: index, manifest, configuration, layers. */
#pragma once

#include "image/documents.h"
#include "image/platform.h"
#include "image/source.h"

struct image_layer {
	struct digest digest;  /* of the blob; text is "" when unknown */
	struct digest diff_id; /* text is "" when unknown: a plain root file system */
	int64_t size;          /* of the blob; -1: unknown */
	const char *member;    /* docker archives: its name inside */
};

struct image {
	struct arena *arena;
	struct source *source; /* borrowed */
	char *manifest; /* as it was read; NULL: there is none (docker archive, root file system) */
	size_t manifest_len;
	struct digest manifest_digest;
	char *config_text; /* NULL: a root file system has none */
	size_t config_len;
	struct digest config_digest;
	struct image_config *config;
	struct image_layer *layers; /* lowest first */
	size_t n_layers;
	const char *name; /* what the source calls it; NULL: nothing */
};

/* Chooses by the source's ref and the platform; every document is checked against its digest and
 * size. Layers are not read yet. */
must_use error *image_find(struct source *s, const struct platform *platform, struct image **out);
must_use error *image_open_layer(const struct image *i, const struct image_layer *layer,
				 struct blob *out);
void image_free(struct image *i);

DEFINE_AUTO(struct image *, image_free)
#define auto_image auto_(image_free)
