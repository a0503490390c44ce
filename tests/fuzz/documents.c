/* Any bytes as each of the documents that an image has: index or manifest, configuration (and what becomes of it as a
 * container's), docker's manifest.json, and as a digest. Nothing may crash; what a reader promises must hold. */
#include "image/bundle.h"
#include "image/digest.h"
#include "image/documents.h"
#include "image/platform.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static error *as_index(const char *text, size_t size, struct arena *arena)
{
	struct platform here;
	struct image_index *index;
	struct digest digest;

	try(document_read_index(text, size, NULL, arena, &index));
	if (!index->config == !index->manifests.n && index->config)
		abort();
	try(platform_parse(NULL, &here));
	for (size_t i = 0; i < index->manifests.n; i++) {
		platform_fit(&here, index->manifests.v[i].platform);
		try(digest_parse(index->manifests.v[i].digest, &digest));
	}
	return NULL;
}

static error *as_config(const char *text, size_t size, struct arena *arena)
{
	static const struct lower_dir none = { NULL, 0 };
	struct image_config *config;
	struct conversion c;
	const struct bundle b = { .conversion = &c };
	struct spec *spec;

	try(document_read_config(text, size, arena, &config));
	if (!config->config || !config->rootfs)
		abort();
	try(convert(config, &none, false, NULL, size & 1, arena, &c));
	if (c.cwd[0] != '/')
		abort();
	return bundle_spec(&b, arena, &spec);
}

static error *as_docker(const char *text, size_t size, struct arena *arena)
{
	struct docker_manifest *docker;

	return document_read_docker(text, size, arena, &docker);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static error *(*const readers[])(const char *, size_t, struct arena *) = { as_index, as_config, as_docker };

	for (size_t i = 0; i < COUNT(readers); i++) {
		struct arena *arena = NULL;
		error *e = arena_new(&arena);
		if (!e)
			e = readers[i]((const char *)data, size, arena);
		error_free(e);
		arena_free(arena);
	}
	return 0;
}
