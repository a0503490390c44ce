/* A verb of skiff-image is a row: its name, its options, what it does. */
#pragma once

#include "base/options.h"
#include "image/import.h"
#include "image/rootless.h"

/* The options of all verbs; which of them a verb takes, its rows say. */
struct request {
	const char *root;
	const char *platform;
	const char *name;
	const char *format;
	const char *devices;
	const char *inflate;
	const char *sync;
	const char *container;
	const char *user;
	const char *compress;
	const char *workdir;
	struct strings volumes;
	int64_t max_size;
	uint32_t max_entries;
	bool quiet, strict, trusted_xattrs, flat, dry_run, force;

	const struct rootless *rootless;
	struct store *store;      /* open, if the verb needs_store */
	int bundle, above_bundle; /* what unpack makes beside the store, and what it is in */
	bool is_confined;
	struct arena *arena;
	int exit_code;
};

struct verb {
	const char *name;
	const char *args;
	const char *summary;
	const struct option_row *options;
	size_t n_options;
	int min, max; /* words; max -1: any */
	bool needs_store;
	error *(*run)(struct request *r, int n, char **words);
};

extern const struct verb verb_import, verb_ls, verb_inspect, verb_unpack, verb_rm, verb_gc,
	verb_export, verb_verify, verb_mount, verb_prepare, verb_release;

#define REQUEST(member) offsetof(struct request, member)
/* clang-format off */
#define OPTIONS_COMMON \
	{ "root",           0, OPT_TEXT, REQUEST(root),     "DIR",      "the store (/var/lib/skiff; for users ~/.local/share/skiff)" }, \
	{ "quiet",        'q', OPT_FLAG, REQUEST(quiet),    NULL,       "no progress; ls: digests alone" }
#define OPTIONS_READING \
	{ "platform",       0, OPT_TEXT, REQUEST(platform), "OS/ARCH[/VARIANT]", "which of several images (this machine's)" }, \
	{ "max-size",       0, OPT_BYTES, REQUEST(max_size), "BYTES",   "the most that an image may unpack to (64g)" }, \
	{ "max-entries",    0, OPT_U32,  REQUEST(max_entries), "N",     "the most files that it may have (4000000)" }, \
	{ "devices",        0, OPT_TEXT, REQUEST(devices),  "WHAT",     "make, skip or fail (root: make, users: skip)" }, \
	{ "trusted-xattrs", 0, OPT_FLAG, REQUEST(trusted_xattrs), NULL, "take trusted.* xattrs too, but for overlayfs' own" }, \
	{ "inflate",        0, OPT_TEXT, REQUEST(inflate),  "LIBRARY",  "best or zlib, for gzip (best)" }, \
	{ "sync",           0, OPT_TEXT, REQUEST(sync),     "HOW",      "syncfs or none: what a power failure may lose (syncfs)" }, \
	{ "strict",         0, OPT_FLAG, REQUEST(strict),   NULL,       "refuse what is wrong but harmless too" }
/* clang-format on */
#define VERB_OPTIONS(rows) .options = (rows), .n_options = COUNT(rows)

/* request.c: options as the library takes them. */
must_use error *request_import_options(const struct request *r, struct import_options *out);
/* From here on the process writes to the store and to the bundle only; see confine.h. For verbs
 * that read images of others, when their sources are open. */
must_use error *request_confine(struct request *r, const struct import_options *o);
/* A source or a name becomes an image of the store. from_source may be NULL. */
must_use error *request_image(struct request *r, const char *text, struct stored_image **out,
			      bool *from_source);
must_use error *request_import(struct request *r, struct source *source, const char *name,
			       struct stored_image **out);
