/* The extractor: one entry after the other becomes a file below one folder, and never anything
 * else. */
#pragma once

#include <stdatomic.h>

#include "image/metadata.h"
#include "image/place.h"

/* Counted over all layers of an image, by several threads. */
struct budget {
	uint64_t max_bytes, max_entries;
	_Atomic uint64_t bytes, entries;
};

enum device_policy {
	DEVICES_MAKE,
	DEVICES_SKIP, /* with a warning: users may not make them */
	DEVICES_FAIL,
};

struct extract_options {
	enum place_form form;
	bool userxattr;
	bool is_bottom;        /* nothing is below: whiteouts have nothing to hide */
	struct lowers *lowers; /* FORM_OVERLAY, not is_bottom */
	enum device_policy devices;
	struct metadata_policy metadata;
	struct budget *budget;
};

/* Where the content of a file comes from: piece after piece and where each belongs; *len is 0 at
 * the end. */
struct content {
	error *(*next)(struct content *c, const void **chunk, size_t *len, uint64_t *offset);
};

struct extract_result {
	bool needs_parent; /* the result is right above these layers only */
	bool has_root;     /* there was an entry for the root itself */
	bool opaque_root;  /* nothing of the layers below is to be seen */
	bool is_exact; /* no entry replaced another: the archive could be written again from it */
	unsigned long lost_xattrs, lost_owners, skipped_devices;
};

struct extract;

/* root, a folder's descriptor, is borrowed, as is what options points at. */
must_use error *extract_new(int root, const struct extract_options *options, struct extract **out);
must_use error *extract_entry(struct extract *x, const struct entry *e, struct content *content);
/* The normalized name of the entry that came last. */
const char *extract_path(const struct extract *x);
/* Sets what must come last. Before that the tree is not complete. */
must_use error *extract_finish(struct extract *x, struct extract_result *out);
void extract_free(struct extract *x);

DEFINE_AUTO(struct extract *, extract_free)
#define auto_extract auto_(extract_free)
