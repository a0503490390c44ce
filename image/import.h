/* A source becomes an image of the store: its layers are unpacked, several at a time, once each. */
#pragma once

#include "image/layer.h"
#include "image/layout.h"
#include "image/store.h"

struct import_options {
	uint64_t max_bytes, max_entries;
	enum device_policy devices;
	struct metadata_policy metadata;
	enum inflater inflater;
	const char *flavour; /* "": nothing that changes what a layer becomes */
	const char *name;    /* NULL: what the source calls it */
};

/* How long the archive of a layer may be: what the entries may hold, and what surrounds them. */
static inline uint64_t import_max_archive(const struct import_options *o)
{
	const uint64_t around = 8192; /* headers, padding, a record of the last block */

	return o->max_bytes + (o->max_entries + 16) * around;
}

/* What a progress display may look at at any time. */
struct import_progress {
	_Atomic uint64_t bytes; /* of blobs, read so far */
	_Atomic uint64_t total; /* 0: unknown */
	_Atomic unsigned layers_done, layers_known, layers;
	/* called in the importing thread every tenth of a second and at the end; may be NULL */
	void (*show)(struct import_progress *p, bool is_end);
};

/* arena holds *out. */
must_use error *image_import(struct store *s, struct image *image, const struct import_options *o,
			     struct import_progress *progress, struct arena *arena,
			     struct stored_image **out);

/* layers.c: the layers alone. keys: one for each, in the arena; metas too. */
struct imported_layer {
	char key[LAYER_KEY_MAX];
	struct stored_layer *meta;
};
must_use error *image_import_layers(struct store *s, struct image *image,
				    const struct import_options *o,
				    struct import_progress *progress, struct arena *arena,
				    struct imported_layer **out);
