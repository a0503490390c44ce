#include "image/layout.h"

#include <fcntl.h>
#include <string.h>

#include "base/text.h"

enum { INDEX_DEPTH_MAX = 4, MANIFESTS_MAX = 1024 };

/* The search for one manifest through indexes inside indexes. */
struct search {
	const struct source *source;
	const struct platform *platform;
	struct arena *arena;
	const char *ref;
	size_t seen;
	int best_fit;
	size_t n_best; /* how many fit as well */
	const struct image_descriptor *best;
	const char *best_name;
};

static const char *name_of_descriptor(const struct image_descriptor *d)
{
	const char *full = pairs_find(&d->annotations, "io.containerd.image.name");

	return full ? full : pairs_find(&d->annotations, "org.opencontainers.image.ref.name");
}

static bool has_ref(const struct image_descriptor *d, const char *ref)
{
	const char *name = pairs_find(&d->annotations, "org.opencontainers.image.ref.name");

	return text_same(name, ref) || text_same(name_of_descriptor(d), ref) ||
	       strcmp(d->digest, ref) == 0;
}

/* Signatures and provenance sit beside images and are none. */
static bool is_attestation(const struct image_descriptor *d)
{
	return text_same(pairs_find(&d->annotations, "vnd.docker.reference.type"),
			 "attestation-manifest") ||
	       (d->platform && text_same(d->platform->os, "unknown") &&
		text_same(d->platform->architecture, "unknown"));
}

static error *read_document(const struct source *s, const struct image_descriptor *d,
			    struct digest *digest, char **out, size_t *len)
{
	auto_blob struct blob blob = { .fd = -1 };

	try(digest_parse(d->digest, digest));
	if (d->size < 0 || d->size > DOCUMENT_MAX)
		return error_said(EINVAL, "%s: the size %lld is not from 0 to %d", d->digest,
				  (long long)d->size, DOCUMENT_MAX);
	try(source_blob(s, digest, &blob));
	try_as(blob_read(&blob, digest, d->size, DOCUMENT_MAX, out, len), "%s", d->digest);
	return NULL;
}

static error *consider_index(struct search *s, const struct image_index *index, int depth);

static error *consider(struct search *s, const struct image_descriptor *d, int depth)
{
	auto_free char *text = NULL;
	struct image_index *nested = NULL;
	struct digest digest;
	size_t len;

	if (++s->seen > MANIFESTS_MAX)
		return error_said(E2BIG, "more than %d manifests", MANIFESTS_MAX);
	if (is_attestation(d))
		return NULL;
	if (media_of(d->media_type) == MEDIA_IS_INDEX) {
		try(read_document(s->source, d, &digest, &text, &len));
		try_as(document_read_index(text, len, d->media_type, s->arena, &nested), "%s",
		       d->digest);
		return consider_index(s, nested, depth + 1);
	}
	int fit = platform_fit(s->platform, d->platform);
	if (fit == 0 || fit < s->best_fit)
		return NULL;
	if (fit == s->best_fit && s->best && strcmp(s->best->digest, d->digest) == 0)
		return NULL; /* one image under two names */
	s->n_best = fit > s->best_fit ? 1 : s->n_best + 1;
	s->best_fit = fit;
	s->best = d;
	return NULL;
}

static error *consider_index(struct search *s, const struct image_index *index, int depth)
{
	if (depth > INDEX_DEPTH_MAX)
		return error_said(ELOOP, "indexes nest deeper than %d", INDEX_DEPTH_MAX);
	for (size_t i = 0; i < index->manifests.n; i++) {
		const struct image_descriptor *d = &index->manifests.v[i];
		if (depth == 0 && s->ref && !has_ref(d, s->ref))
			continue;
		try(consider(s, d, depth));
		if (depth == 0 && s->best == d)
			s->best_name = name_of_descriptor(d);
	}
	return NULL;
}

static error *list_names(const struct image_index *index, struct arena *arena, const char **out)
{
	const char *list = "";

	for (size_t i = 0; i < index->manifests.n && i < 32; i++) {
		const char *name = name_of_descriptor(&index->manifests.v[i]);
		if (name)
			list = arena_printf(arena, "%s%s%s", list, *list ? ", " : "", name);
		if (!list)
			return arena_exhausted();
	}
	*out = *list ? list : "none";
	return NULL;
}

static error *choose(const struct source *source, const struct platform *platform,
		     struct arena *arena, const struct image_descriptor **out, const char **name)
{
	auto_blob struct blob blob = { .fd = -1 };
	auto_free char *text = NULL;
	struct search s = { source, platform, arena, source->ref };
	struct image_index *index;
	const char *names = NULL;
	size_t len;

	try(source_member(source, "index.json", &blob));
	try(blob_read(&blob, NULL, -1, DOCUMENT_MAX, &text, &len));
	try_as(document_read_index(text, len, MEDIA_INDEX, arena, &index), "index.json");
	try(list_names(index, arena, &names));
	try(consider_index(&s, index, 0));
	if (s.n_best == 0 && s.ref && !s.seen)
		return error_said(ENOENT, "no image '%s' in it; there are: %s", s.ref, names);
	if (s.n_best == 0)
		return error_said(ENOENT, "no image for %s/%s in it: --platform chooses another",
				  platform->os, platform->architecture);
	if (s.n_best > 1)
		return error_said(EINVAL, "%zu images fit: name one behind a colon; there are: %s",
				  s.n_best, names);
	*out = s.best;
	*name = s.best_name;
	return NULL;
}

static error *check_layout(const struct source *s, struct arena *arena)
{
	auto_blob struct blob blob = { .fd = -1 };
	auto_free char *text = NULL;
	struct image_layout layout = { 0 };
	size_t len;

	try(source_member(s, "oci-layout", &blob));
	try(blob_read(&blob, NULL, -1, 4096, &text, &len));
	try_as(rows_read(&image_layout_shape, text, len, ROWS_NO_DUPLICATES, arena, &layout),
	       "oci-layout");
	if (!text_starts(layout.version, "1."))
		return error_said(EINVAL, "oci-layout: version %s: want 1", layout.version);
	return NULL;
}

/* The archive's digest of each layer, one for each: too few, too many or wrong ones would let a
 * layer pass for another. */
static error *take_diff_ids(struct image *i)
{
	const struct texts *ids = &i->config->rootfs->diff_ids;

	if (ids->n != i->n_layers)
		return error_said(EINVAL, "the configuration has %zu diff_ids for %zu layers",
				  ids->n, i->n_layers);
	for (size_t n = 0; n < ids->n; n++)
		try(digest_parse(ids->v[n], &i->layers[n].diff_id));
	return NULL;
}

static error *find_in_layout(struct image *i, const struct platform *platform)
{
	const struct source *s = i->source;
	const struct image_descriptor *d = NULL;
	struct image_index *m;

	try(check_layout(s, i->arena));
	try(choose(s, platform, i->arena, &d, &i->name));
	try_as(read_document(s, d, &i->manifest_digest, &i->manifest, &i->manifest_len),
	       "manifest");
	try_as(document_read_index(i->manifest, i->manifest_len,
				   d->media_type ? d->media_type : MEDIA_MANIFEST, i->arena, &m),
	       "manifest");
	if (!m->config)
		return error_said(EINVAL, "manifest: no .config");
	if (media_of(m->config->media_type) != MEDIA_IS_CONFIG)
		return error_said(EINVAL, "manifest: its configuration is %s: not an image to run",
				  m->config->media_type ? m->config->media_type : "untyped");
	try_as(read_document(s, m->config, &i->config_digest, &i->config_text, &i->config_len),
	       "configuration");
	try(document_read_config(i->config_text, i->config_len, i->arena, &i->config));
	i->n_layers = m->layers.n;
	i->layers = arena_array_of(i->arena, struct image_layer, m->layers.n + 1);
	if (!i->layers)
		return arena_exhausted();
	for (size_t n = 0; n < m->layers.n; n++) {
		const struct image_descriptor *l = &m->layers.v[n];
		if (media_of(l->media_type) != MEDIA_IS_LAYER)
			return error_said(EINVAL, "layer %zu: unknown media type %s", n + 1,
					  l->media_type ? l->media_type : "(none)");
		if (l->size < 0)
			return error_said(EINVAL, "layer %zu: the size is negative", n + 1);
		i->layers[n] = (struct image_layer){ .size = l->size };
		try_as(digest_parse(l->digest, &i->layers[n].digest), "layer %zu", n + 1);
	}
	return take_diff_ids(i);
}

/* --- docker save --- */

/* "app:1" also finds a name that has more in front, as "host/library/app:1"; no tag means latest.
 */
static bool has_tag(const struct docker_image *d, const char *ref)
{
	for (size_t t = 0; t < d->repo_tags.n; t++) {
		const char *tag = d->repo_tags.v[t];
		for (const char *at = tag; at; at = strchr(at, '/') ? strchr(at, '/') + 1 : NULL) {
			size_t len = strlen(ref);
			if (strncmp(at, ref, len) == 0 &&
			    (!at[len] || strcmp(at + len, ":latest") == 0))
				return true;
		}
	}
	return false;
}

static error *choose_docker(const struct source *s, const struct docker_manifest *m,
			    const struct docker_image **out)
{
	const struct docker_image *found = NULL;

	for (size_t n = 0; n < m->images.n; n++)
		if (!s->ref || has_tag(&m->images.v[n], s->ref)) {
			if (found)
				return error_said(EINVAL,
						  "%zu images in it: name one behind a colon",
						  m->images.n);
			found = &m->images.v[n];
		}
	if (!found)
		return error_said(ENOENT, "no image%s%s in it", s->ref ? " " : "",
				  s->ref ? s->ref : "");
	*out = found;
	return NULL;
}

static error *find_in_docker_archive(struct image *i)
{
	auto_blob struct blob list = { .fd = -1 };
	auto_blob struct blob config = { .fd = -1 };
	auto_free char *text = NULL;
	const struct docker_image *d = NULL;
	struct docker_manifest *m;
	size_t len;

	try(source_member(i->source, "manifest.json", &list));
	try_as(blob_read(&list, NULL, -1, DOCKER_MANIFEST_MAX, &text, &len), "manifest.json");
	try(document_read_docker(text, len, i->arena, &m));
	try(choose_docker(i->source, m, &d));
	try(source_member(i->source, d->config, &config));
	try_as(blob_read(&config, NULL, -1, DOCUMENT_MAX, &i->config_text, &i->config_len), "%s",
	       d->config);
	try(digest_of(i->config_text, i->config_len, &i->config_digest));
	try(document_read_config(i->config_text, i->config_len, i->arena, &i->config));
	i->name = d->repo_tags.n ? d->repo_tags.v[0] : NULL;
	i->n_layers = d->layers.n;
	i->layers = arena_array_of(i->arena, struct image_layer, d->layers.n + 1);
	if (!i->layers)
		return arena_exhausted();
	for (size_t n = 0; n < d->layers.n; n++)
		i->layers[n] = (struct image_layer){ .size = -1, .member = d->layers.v[n] };
	return take_diff_ids(i);
}

static error *find_rootfs(struct image *i)
{
	i->layers = arena_array_of(i->arena, struct image_layer, 1);
	i->config = arena_new_of(i->arena, struct image_config);
	if (!i->layers || !i->config)
		return arena_exhausted();
	i->layers[0] = (struct image_layer){ .size = -1 };
	i->n_layers = 1;
	i->config->config = arena_new_of(i->arena, struct image_execution);
	i->config->rootfs = arena_new_of(i->arena, struct image_rootfs);
	return i->config->config && i->config->rootfs ? NULL : arena_exhausted();
}

error *image_open_layer(const struct image *i, const struct image_layer *layer, struct blob *out)
{
	struct blob blob;

	if (layer->digest.text[0])
		try(source_blob(i->source, &layer->digest, &blob));
	else if (layer->member)
		try(source_member(i->source, layer->member, &blob));
	else
		blob = (struct blob){ i->source->fd, false, 0, -1 };
	if (layer->size >= 0 && blob.size != layer->size) {
		error *e = error_said(EBADMSG, "%s has %lld bytes, not %lld", layer->digest.text,
				      (long long)blob.size, (long long)layer->size);
		blob_close(&blob);
		return e;
	}
	*out = blob;
	return NULL;
}

error *image_find(struct source *s, const struct platform *platform, struct image **out)
{
	auto_image struct image *i = calloc(1, sizeof(*i));

	if (!i)
		return error_new(ENOMEM, "image");
	i->source = s;
	try(arena_new(&i->arena));
	switch (s->kind) {
	case SOURCE_OCI_DIR:
	case SOURCE_OCI_ARCHIVE:
		try_as(find_in_layout(i, platform), "%s", s->path);
		break;
	case SOURCE_DOCKER_ARCHIVE:
		try_as(find_in_docker_archive(i), "%s", s->path);
		break;
	case SOURCE_ROOTFS_FILE:
	case SOURCE_ROOTFS_DIR:
		try(find_rootfs(i));
		break;
	}
	*out = take_ptr(&i);
	return NULL;
}

void image_free(struct image *i)
{
	if (!i)
		return;
	arena_free(i->arena);
	free(i->manifest);
	free(i->config_text);
	free(i);
}
