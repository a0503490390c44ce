#include <string.h>

#include "base/log.h"
#include "image/confine.h"
#include "image/progress.h"
#include "image/verb.h"

static const uint64_t SIZE_DEFAULT = (uint64_t)64 << 30;
static const uint64_t ENTRIES_DEFAULT = 4000000;

/* A word out of a list; its place is the value. */
static error *pick(const char *option, const char *word, const char *const *words, size_t n,
		   int *out)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(words[i], word) == 0) {
			*out = (int)i;
			return NULL;
		}
	return error_said(EINVAL, "--%s: '%s' is none of its values", option, word);
}

error *request_import_options(const struct request *r, struct import_options *out)
{
	static const char *const devices[] = { "make", "skip", "fail" };
	static const char *const inflaters[] = { "best", "zlib" };
	struct import_options o = { .flavour = "" };
	int device = r->rootless->is_rootless ? DEVICES_SKIP : DEVICES_MAKE;
	int usual = device;
	int inflater = INFLATE_BEST;

	if (r->devices)
		try(pick("devices", r->devices, devices, COUNT(devices), &device));
	if (r->inflate)
		try(pick("inflate", r->inflate, inflaters, COUNT(inflaters), &inflater));
	o.max_bytes = r->max_size ? (uint64_t)r->max_size : SIZE_DEFAULT;
	o.max_entries = r->max_entries ? r->max_entries : ENTRIES_DEFAULT;
	o.devices = (enum device_policy)device;
	o.inflater = (enum inflater)inflater;
	o.metadata.trusted_xattrs = r->trusted_xattrs;
	o.metadata.single_id = r->rootless->single_id;
	o.metadata.rootless = r->rootless->is_rootless;
	/* layers that were unpacked in another way are other layers; failing makes none */
	if (device != usual && device != DEVICES_FAIL)
		o.flavour = r->trusted_xattrs ? "other devices, trusted xattrs" : "other devices";
	else if (r->trusted_xattrs)
		o.flavour = "trusted xattrs";
	*out = o;
	return NULL;
}

/* Beside the files of the image: documents and records of the store. */
static const uint64_t NOTES_MAX = (uint64_t)1 << 30;

error *request_confine(struct request *r, const struct import_options *o)
{
	const struct confine_folder folders[] = {
		{ .fd = r->store->dir },
		{ .fd = r->bundle },
		/* a bundle's folder that we made goes when the rest fails */
		{ .fd = r->above_bundle, .only_remove = true },
	};

	if (r->is_confined)
		return NULL;
	r->is_confined = true;
	return confine(folders, COUNT(folders), o->max_bytes + NOTES_MAX);
}

error *request_import(struct request *r, struct source *source, const char *name,
		      struct stored_image **out)
{
	static const char *const syncs[] = { "syncfs", "none" };
	auto_image struct image *image = NULL;
	struct import_progress progress = { 0 };
	struct import_options options;
	struct platform platform;
	int sync = SYNC_FS;

	try(request_import_options(r, &options));
	if (r->sync)
		try(pick("sync", r->sync, syncs, COUNT(syncs), &sync));
	r->store->sync = (enum sync_how)sync;
	try(platform_parse(r->platform, &platform));
	try(request_confine(r, &options));
	try(image_find(source, &platform, &image));
	options.name = name ? name : image->name;
	auto_error error *unusable = options.name && !name ? ref_check(options.name) : NULL;
	if (unusable)
		options.name = NULL;
	progress_init(&progress, r->quiet);
	struct stored_image *stored = NULL;
	try_as(image_import(r->store, image, &options, &progress, r->arena, &stored), "%s",
	       source->path);
	/* what it points at ends with the source: read it back */
	return store_image_read(r->store, stored->manifest, r->arena, out);
}

error *request_image(struct request *r, const char *text, struct stored_image **out,
		     bool *from_source)
{
	auto_error error *e = store_image_find(r->store, text, r->arena, out);
	bool is_source = false;

	if (e && source_is(text)) {
		auto_source struct source *source = NULL;
		is_source = true;
		try(source_open(text, &source));
		try(request_import(r, source, NULL, out));
		error_free(take_ptr(&e));
	}
	if (from_source)
		*from_source = is_source;
	return take_ptr(&e);
}
