#include "image/documents.h"

#include <string.h>

#include "base/text.h"

/* clang-format off */
#define THIS image_platform
SHAPE(image_platform, IMAGE_PLATFORM)
#undef THIS
#define THIS image_descriptor
SHAPE(image_descriptor, IMAGE_DESCRIPTOR)
#undef THIS
#define THIS image_index
SHAPE(image_index, IMAGE_INDEX)
#undef THIS
#define THIS image_layout
SHAPE(image_layout, IMAGE_LAYOUT)
#undef THIS
#define THIS image_nothing
SHAPE(image_nothing, IMAGE_NOTHING)
#undef THIS
#define THIS image_execution
SHAPE(image_execution, IMAGE_EXECUTION)
#undef THIS
#define THIS image_rootfs
SHAPE(image_rootfs, IMAGE_ROOTFS)
#undef THIS
#define THIS image_config
SHAPE(image_config, IMAGE_CONFIG)
#undef THIS
#define THIS docker_image
SHAPE(docker_image, DOCKER_IMAGE)
#undef THIS
#define THIS docker_manifest
SHAPE(docker_manifest, DOCKER_MANIFEST)
#undef THIS
/* clang-format on */

#define DOCKER "application/vnd.docker."

enum media media_of(const char *type)
{
	static const struct {
		const char *type;
		enum media means;
	} types[] = {
		{ MEDIA_INDEX, MEDIA_IS_INDEX },
		{ DOCKER "distribution.manifest.list.v2+json", MEDIA_IS_INDEX },
		{ MEDIA_MANIFEST, MEDIA_IS_MANIFEST },
		{ DOCKER "distribution.manifest.v2+json", MEDIA_IS_MANIFEST },
		{ MEDIA_CONFIG, MEDIA_IS_CONFIG },
		{ DOCKER "container.image.v1+json", MEDIA_IS_CONFIG },
		{ MEDIA_LAYER, MEDIA_IS_LAYER },
		{ MEDIA_LAYER_GZIP, MEDIA_IS_LAYER },
		{ MEDIA_LAYER_ZSTD, MEDIA_IS_LAYER },
		{ "application/vnd.oci.image.layer.nondistributable.v1.tar", MEDIA_IS_LAYER },
		{ "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", MEDIA_IS_LAYER },
		{ "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd", MEDIA_IS_LAYER },
		{ DOCKER "image.rootfs.diff.tar", MEDIA_IS_LAYER },
		{ DOCKER "image.rootfs.diff.tar.gzip", MEDIA_IS_LAYER },
		{ DOCKER "image.rootfs.diff.tar.zstd", MEDIA_IS_LAYER },
		{ DOCKER "image.rootfs.foreign.diff.tar.gzip", MEDIA_IS_LAYER },
	};

	for (size_t i = 0; type && i < COUNT(types); i++)
		if (strcmp(types[i].type, type) == 0)
			return types[i].means;
	return MEDIA_IS_OTHER;
}

const char *pairs_find(const struct pairs *pairs, const char *key)
{
	for (size_t i = 0; i < pairs->n; i++)
		if (strcmp(pairs->v[i].key, key) == 0)
			return pairs->v[i].value;
	return NULL;
}

/* Two equal labels: one reader takes the first, another the last. */
static error *check_pairs(const struct pairs *pairs, const char *what)
{
	for (size_t i = 1; i < pairs->n && pairs->n < 4096; i++)
		for (size_t j = 0; j < i; j++)
			if (strcmp(pairs->v[i].key, pairs->v[j].key) == 0)
				return error_said(EINVAL, "%s has %s twice", what, pairs->v[i].key);
	return NULL;
}

/* What it holds, what it calls itself and what its descriptor says must be one: readers go by
 * different ones of the three. */
static error *check_kind(const struct image_index *x, const char *said)
{
	if (x->manifests.n && (x->config || x->layers.n))
		return error_said(EINVAL, "both an index and a manifest");
	if (x->media_type && said && media_of(said) != MEDIA_IS_OTHER &&
	    media_of(x->media_type) != media_of(said))
		return error_said(EINVAL, "it calls itself %s, its descriptor says %s",
				  x->media_type, said);
	enum media media = media_of(x->media_type ? x->media_type : said);
	if ((media == MEDIA_IS_INDEX && x->config) ||
	    (media == MEDIA_IS_MANIFEST && x->manifests.n))
		return error_said(EINVAL, "its media type is not what it is");
	if (media != MEDIA_IS_INDEX && media != MEDIA_IS_MANIFEST && x->media_type)
		return error_said(EINVAL, "unknown media type %s", x->media_type);
	return NULL;
}

error *document_read_index(const char *text, size_t len, const char *said, struct arena *arena,
			   struct image_index **out)
{
	struct image_index *x = arena_new_of(arena, struct image_index);

	if (!x)
		return arena_exhausted();
	try(rows_read(&image_index_shape, text, len, ROWS_NO_DUPLICATES, arena, x));
	if (x->schema_version != 2)
		return error_said(EINVAL, "schemaVersion is %u: want 2", x->schema_version);
	try(check_kind(x, said));
	if (!x->config && !x->manifests.n)
		return error_said(ENOENT, "no image in it");
	if (x->layers.n > LAYERS_MAX)
		return error_said(E2BIG, "%zu layers: %d are the most", x->layers.n, LAYERS_MAX);
	*out = x;
	return NULL;
}

error *document_read_config(const char *text, size_t len, struct arena *arena,
			    struct image_config **out)
{
	struct image_config *c = arena_new_of(arena, struct image_config);

	if (!c)
		return arena_exhausted();
	try_as(rows_read(&image_config_shape, text, len, ROWS_NO_DUPLICATES, arena, c),
	       "image configuration");
	if (!c->config)
		c->config = arena_new_of(arena, struct image_execution);
	if (!c->rootfs)
		c->rootfs = arena_new_of(arena, struct image_rootfs);
	if (!c->config || !c->rootfs)
		return arena_exhausted();
	if (c->rootfs->type && strcmp(c->rootfs->type, "layers") != 0)
		return error_said(EINVAL, "image configuration: .rootfs.type is not 'layers'");
	try_as(check_pairs(&c->config->labels, ".config.Labels"), "image configuration");
	*out = c;
	return NULL;
}

/* An array at the top, which rows do not know: it is read as the only field of an object. */
error *document_read_docker(const char *text, size_t len, struct arena *arena,
			    struct docker_manifest **out)
{
	static const char head[] = "{\"images\":";
	size_t head_len = sizeof(head) - 1;
	struct docker_manifest *m = arena_new_of(arena, struct docker_manifest);
	char *object = arena_alloc(arena, len + head_len + 2);

	if (!m || !object)
		return arena_exhausted();
	memcpy(object, head, head_len);
	memcpy(object + head_len, text, len);
	memcpy(object + head_len + len, "}", 2);
	try_as(rows_read(&docker_manifest_shape, object, head_len + len + 1, ROWS_NO_DUPLICATES,
			 arena, m),
	       "manifest.json");
	for (size_t i = 0; i < m->images.n; i++)
		if (m->images.v[i].layers.n > LAYERS_MAX)
			return error_said(E2BIG, "manifest.json: more than %d layers", LAYERS_MAX);
	*out = m;
	return NULL;
}
