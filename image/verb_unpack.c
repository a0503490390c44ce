/* unpack: BUNDLE/rootfs and BUNDLE/config.json. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/path.h"
#include "image/bundle.h"
#include "image/folder.h"
#include "image/prepare.h"
#include "image/remove.h"
#include "image/verb.h"

static const struct option_row options[] = {
	OPTIONS_COMMON,
	OPTIONS_READING,
	{ "flat", 0, OPT_FLAG, REQUEST(flat), NULL,
	  "one plain folder; nothing of a source goes into the store" },
	{ "user", 'u', OPT_TEXT, REQUEST(user), "USER[:GROUP]", "instead of the image's" },
};

struct target {
	char *path; /* of the bundle */
	int bundle, rootfs;
	int above; /* the folder that a bundle which we made is in, else -1 */
};

static void target_release(struct target *t)
{
	free(t->path);
	if (t->bundle >= 0)
		close(t->bundle);
	if (t->rootfs >= 0)
		close(t->rootfs);
	if (t->above >= 0)
		close(t->above);
}

#define auto_target __attribute__((cleanup(target_release)))

static int open_above(const char *path)
{
	auto_free char *above = strdup(path);
	char *slash = above ? strrchr(above, '/') : NULL;

	if (!slash)
		return -1;
	slash[slash == above] = '\0';
	return open(above, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* A new folder, or one without a bundle in it. */
static error *make_target(const char *path, struct target *t)
{
	static const struct timespec epoch[2];

	try(path_absolute(path, &t->path));
	bool is_new = mkdir(t->path, 0755) == 0;
	if (!is_new && errno != EEXIST)
		return error_errno("make %s", path);
	t->bundle = open(t->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (t->bundle < 0)
		return error_errno("open %s", path);
	if (is_new && (t->above = open_above(t->path)) < 0)
		return error_errno("open the folder of %s", path);
	if (faccessat(t->bundle, "config.json", F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return error_new(EEXIST, "%s/config.json", path);
	if (mkdirat(t->bundle, "rootfs", 0755) < 0)
		return error_errno("make %s/rootfs", path);
	t->rootfs = openat(t->bundle, "rootfs", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (t->rootfs < 0 || futimens(t->rootfs, epoch) < 0)
		return error_errno("open %s/rootfs", path);
	return NULL;
}

static void undo_target(const struct target *t)
{
	static const char *const made[] = { "rootfs", "config.json" };

	for (size_t i = 0; t->bundle >= 0 && i < COUNT(made); i++) {
		auto_error error *e = remove_all(t->bundle, made[i]);
	}
	if (t->above >= 0)
		rmdir(t->path);
}

/* roots: the image's file system, for its users. root: an overlay, or NULL. */
static error *write_config(struct request *r, const struct target *t,
			   const struct image_config *config, const struct lower_dir *roots,
			   const struct spec_mount *root)
{
	auto_json struct json *j = NULL;
	struct conversion c = { 0 };
	struct spec *spec = NULL;
	const char *text;
	size_t len;
	const struct bundle b = {
		.conversion = &c,
		.root = root,
		.uid_maps = r->rootless->uid_maps,
		.n_uid_maps = r->rootless->n_uid_maps,
		.gid_maps = r->rootless->gid_maps,
		.n_gid_maps = r->rootless->n_gid_maps,
	};

	try(convert(config, roots, r->rootless->is_rootless, r->user, r->strict, r->arena, &c));
	try(bundle_spec(&b, r->arena, &spec));
	try(json_new(JSON_INDENTED, &j));
	spec_write(spec, j);
	try(json_finish(j, &text, &len));
	return file_create(t->bundle, "config.json", 0644, text, len);
}

static error *write_bundle(struct request *r, const struct target *t,
			   const struct image_config *config)
{
	int fd = t->rootfs;
	const struct lower_dir roots = { &fd, 1 };

	return write_config(r, t, config, &roots, NULL);
}

/* --- flat --- */

static void flat_options(const struct import_options *o, struct budget *budget, bool is_bottom,
			 struct extract_options *how)
{
	*budget = (struct budget){ .max_bytes = o->max_bytes, .max_entries = o->max_entries };
	*how = (struct extract_options){
		.form = FORM_FLAT,
		.is_bottom = is_bottom,
		.devices = o->devices,
		.metadata = o->metadata,
		.budget = budget,
	};
}

static error *unpack_layer(struct request *r, struct image *image, size_t n,
			   const struct import_options *o, struct budget *budget,
			   const struct target *t)
{
	struct image_layer *l = &image->layers[n];
	auto_blob struct blob blob = { .fd = -1 };
	struct extract_options how;
	struct layer_output out;

	(void)r;
	flat_options(o, budget, n == 0, &how);
	if (image->source->kind == SOURCE_ROOTFS_DIR)
		return folder_unpack(image->source->fd, t->rootfs, -1, &how, &out);
	try(image_open_layer(image, l, &blob));
	const struct layer_input in = {
		.fd = blob.fd,
		.offset = blob.offset,
		.size = blob.size,
		.blob = l->digest.text[0] ? &l->digest : NULL,
		.diff_id = l->diff_id.text[0] ? &l->diff_id : NULL,
		.any_packing = !l->digest.text[0],
		.inflater = o->inflater,
		.max_archive = import_max_archive(o),
		.in_two_threads = sysconf(_SC_NPROCESSORS_ONLN) > 1,
	};
	return layer_unpack(&in, t->rootfs, -1, &how, &out);
}

/* Straight from the source into the bundle. */
static error *flat_from_source(struct request *r, const char *text, const struct target *t)
{
	auto_source struct source *source = NULL;
	auto_image struct image *image = NULL;
	struct import_options o;
	struct platform platform;
	struct budget budget = { 0 };

	try(request_import_options(r, &o));
	try(platform_parse(r->platform, &platform));
	try(source_open(text, &source));
	try(request_confine(r, &o));
	try(image_find(source, &platform, &image));
	for (size_t i = 0; i < image->n_layers; i++) {
		if (!r->quiet)
			fprintf(stderr, "layer %zu/%zu\n", i + 1, image->n_layers);
		try_as(unpack_layer(r, image, i, &o, &budget, t), "%s: layer %zu", source->path,
		       i + 1);
	}
	return write_bundle(r, t, image->config);
}

/* The lowest layer of which something is to be seen. */
static error *find_first(struct request *r, const struct stored_image *image, size_t *out)
{
	*out = 0;
	for (size_t i = image->layers.n; i-- > 0 && *out == 0;) {
		struct layer_handle h = { .dir = -1, .diff = -1 };
		try(layer_open(r->store, image->layers.v[i], r->arena, &h));
		if (h.meta->opaque_root)
			*out = i;
		layer_close(&h);
	}
	return NULL;
}

/* Out of the store's unpacked layers. */
static error *flat_from_store(struct request *r, const struct stored_image *image,
			      const struct target *t)
{
	struct import_options o;
	struct image_config *config = NULL;
	struct extract_options how;
	struct extract_result result;
	struct budget budget = { 0 };

	try(request_import_options(r, &o));
	o.metadata.trusted_xattrs = true; /* what is in the store was let in */
	try(request_confine(r, &o));
	size_t first = 0;
	try(find_first(r, image, &first));
	for (size_t i = first; i < image->layers.n; i++) {
		struct layer_handle h = { .dir = -1, .diff = -1 };
		flat_options(&o, &budget, i == first, &how);
		try(layer_open(r->store, image->layers.v[i], r->arena, &h));
		error *e = folder_merge(h.diff, r->store->userxattr, h.meta->has_root, t->rootfs,
					&how, &result);
		layer_close(&h);
		if (e)
			return error_wrap(e, "layer %s", image->layers.v[i]);
	}
	try(image_read_config(r->store, image, r->arena, &config));
	return write_bundle(r, t, config);
}

/* --- overlay --- */

/* The layers stay in the store, and so does what the container writes: config.json has the overlay,
 * which only the container's own mount namespace ever shows. */
static error *by_overlay(struct request *r, const struct stored_image *image,
			 const struct target *t)
{
	struct prepared_image *p = NULL;
	struct image_config *config = NULL;
	struct lower_dir lowers = { 0 };
	struct spec_mount root;
	struct digest name;
	char id[32];

	try(digest_of(t->path, strlen(t->path), &name));
	snprintf(id, sizeof(id), "bundle-%.16s", digest_hex(&name));
	/* an earlier bundle of that name is gone, or there would be a config.json */
	try(image_release(r->store, id));
	const struct prepare_options o = {
		.container = id,
		.bundle = t->path,
		.user = r->user,
		.strict = r->strict,
	};
	try(image_prepare(r->store, image, &o, r->rootless, r->arena, &p));
	try(bundle_overlay(&p->lower, p->upper, p->work, p->userxattr, r->arena, &root));
	try(image_read_config(r->store, image, r->arena, &config));
	try(image_lowers(r->store, image, r->arena, &lowers, NULL));
	error *e = write_config(r, t, config, &lowers, &root);
	lower_dir_close(&lowers);
	if (e) {
		auto_error error *left = image_release(r->store, id);
	}
	return e;
}

static error *from_store(struct request *r, const char *text, const struct target *t)
{
	struct stored_image *image = NULL;

	try(request_image(r, text, &image, NULL));
	return r->flat || !image->layers.n ? flat_from_store(r, image, t) : by_overlay(r, image, t);
}

static error *unpack_into(struct request *r, const char *text, const struct target *t)
{
	struct stored_image *image = NULL;

	if (!r->flat)
		return from_store(r, text, t);
	auto_error error *e = store_image_find(r->store, text, r->arena, &image);
	if (e && source_is(text))
		return flat_from_source(r, text, t);
	return e ? take_ptr(&e) : flat_from_store(r, image, t);
}

static error *unpack(struct request *r, int n, char **words)
{
	auto_target struct target t = { .bundle = -1, .rootfs = -1, .above = -1 };

	(void)n;
	error *e = make_target(words[1], &t);
	if (e)
		return e;
	r->bundle = t.bundle;
	r->above_bundle = t.above;
	e = unpack_into(r, words[0], &t);
	if (e)
		undo_target(&t);
	return e;
}

const struct verb verb_unpack = {
	.name = "unpack",
	.args = "SOURCE|NAME BUNDLE",
	.summary = "make a bundle that skiff run takes",
	VERB_OPTIONS(options),
	.min = 2,
	.max = 2,
	.needs_store = true,
	.run = unpack,
};
