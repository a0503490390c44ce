#include "image/import.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/json.h"

/* A root file system alone becomes an image with the least that a configuration must have. No time
 * of making: the same files give the same image. */
static error *make_config(struct image *i)
{
	auto_json struct json *j = NULL;
	struct platform here;
	const char *text;
	size_t len;

	try(platform_parse(NULL, &here));
	try(json_new(JSON_ONE_LINE, &j));
	json_object(j, NULL);
	json_text(j, "architecture", here.architecture);
	json_text(j, "os", here.os);
	json_object(j, "config");
	json_end(j);
	json_object(j, "rootfs");
	json_text(j, "type", "layers");
	json_array(j, "diff_ids");
	json_text(j, NULL, i->layers[0].diff_id.text);
	json_end(j);
	json_end(j);
	json_end(j);
	try(json_finish(j, &text, &len));
	i->config_text = strdup(text);
	i->config_len = len;
	if (!i->config_text)
		return error_new(ENOMEM, "configuration");
	try(document_read_config(i->config_text, i->config_len, i->arena, &i->config));
	return digest_of(i->config_text, i->config_len, &i->config_digest);
}

static void write_descriptor(struct json *j, const char *key, const char *type, const char *digest,
			     uint64_t size)
{
	json_object(j, key);
	json_text(j, "mediaType", type);
	json_text(j, "digest", digest);
	json_u64(j, "size", size);
	json_end(j);
}

/* What docker save and root file systems lack. Layers are named by their archives, unpacked. */
static error *make_manifest(struct image *i, const struct imported_layer *layers)
{
	auto_json struct json *j = NULL;
	const char *text;
	size_t len;

	try(json_new(JSON_ONE_LINE, &j));
	json_object(j, NULL);
	json_u64(j, "schemaVersion", 2);
	json_text(j, "mediaType", MEDIA_MANIFEST);
	write_descriptor(j, "config", MEDIA_CONFIG, i->config_digest.text, i->config_len);
	json_array(j, "layers");
	for (size_t n = 0; n < i->n_layers; n++)
		write_descriptor(j, NULL, MEDIA_LAYER, i->layers[n].diff_id.text,
				 layers[n].meta->archive_size);
	json_end(j);
	json_end(j);
	try(json_finish(j, &text, &len));
	i->manifest = strdup(text);
	i->manifest_len = len;
	return i->manifest ? digest_of(text, len, &i->manifest_digest)
			   : error_new(ENOMEM, "manifest");
}

/* overlayfs shows the uppermost layer's root as "/". When that layer says nothing about it, an
 * empty folder like the root of the next layer that does is laid on top. */
static error *make_root(struct store *s, const struct imported_layer *layers, struct image *i,
			struct stored_image *image)
{
	auto_stage struct stage stage = { .dir = -1 };
	char path[DIGEST_MAX + 24];
	size_t n = i->n_layers;

	while (n > 0 && !layers[n - 1].meta->has_root)
		n--;
	if (n == 0 || n == i->n_layers)
		return NULL;
	struct layer_handle from = { .dir = -1, .diff = -1 };
	struct stat st;
	try(stage_new(s, &stage));
	try(layer_open(s, layers[n - 1].key, i->arena, &from));
	error *e = NULL;
	if (mkdirat(stage.dir, "root", 0700) < 0 || fstat(from.diff, &st) < 0)
		e = error_errno("make a root");
	auto_fd int to = openat(stage.dir, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct timespec times[] = { st.st_mtim, st.st_mtim };
	if (!e)
		e = metadata_copy_folder(from.diff, to);
	if (!e && futimens(to, times) < 0)
		e = error_errno("make a root");
	layer_close(&from);
	if (e)
		return e;
	snprintf(path, sizeof(path), "images/%s-%s.root", i->manifest_digest.algorithm,
		 digest_hex(&i->manifest_digest));
	if (renameat2(stage.dir, "root", s->dir, path, RENAME_NOREPLACE) < 0 && errno != EEXIST)
		return error_errno("rename to %s", path);
	image->root = arena_strdup(i->arena, path);
	return image->root ? NULL : arena_exhausted();
}

static error *describe(struct image *i, const struct imported_layer *layers, struct arena *arena,
		       struct stored_image *out)
{
	char **keys = arena_array_of(arena, char *, i->n_layers + 1);
	char *imported = arena_alloc(arena, 32);
	time_t now = time(NULL);
	struct tm tm;

	if (!keys || !imported)
		return arena_exhausted();
	for (size_t n = 0; n < i->n_layers; n++) {
		keys[n] = (char *)layers[n].key;
		out->size += layers[n].meta->archive_size;
	}
	strftime(imported, 32, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
	out->layers = (struct texts){ keys, i->n_layers };
	out->manifest = arena_strdup(arena, i->manifest_digest.text);
	out->config = arena_strdup(arena, i->config_digest.text);
	out->os = i->config->os;
	out->architecture = i->config->architecture;
	out->variant = i->config->variant;
	out->created = i->config->created;
	out->imported = imported;
	out->source = i->source->path;
	return NULL;
}

error *image_import(struct store *s, struct image *i, const struct import_options *o,
		    struct import_progress *progress, struct arena *arena,
		    struct stored_image **out)
{
	struct stored_image *image = arena_new_of(arena, struct stored_image);
	struct imported_layer *layers;

	if (!image)
		return arena_exhausted();
	if (o->name)
		try(ref_check(o->name));
	try(image_import_layers(s, i, o, progress, arena, &layers));
	if (!i->config_text)
		try(make_config(i));
	if (!i->manifest)
		try(make_manifest(i, layers));
	try(describe(i, layers, arena, image));
	try(make_root(s, layers, i, image));
	try(store_blob_write(s, &i->config_digest, i->config_text, i->config_len));
	try(store_blob_write(s, &i->manifest_digest, i->manifest, i->manifest_len));
	try(store_image_write(s, image));
	if (o->name)
		try(ref_set(s, o->name, image->manifest));
	*out = image;
	return NULL;
}
