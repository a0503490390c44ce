#include "image/export.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/json.h"
#include "image/documents.h"
#include "image/folder.h"
#include "image/record.h"

struct export
{
	struct store *store;
	const struct stored_image *image;
	const char *name;
	enum export_form form;
	enum pack_how how;
	int into;
	struct arena *arena;
	char *config; /* its text, with the diff_ids as they are now */
	struct digest config_digest;
	struct packed *layers;
};

/* --- layers --- */

/* An archive made anew, through a pipe: of a layer that cannot be put together again. */
struct remake {
	int diff, fd;
	bool userxattr;
	error *failed;
};

static error *write_pipe(void *context, const void *data, size_t len)
{
	return fd_write_all(((struct remake *)context)->fd, data, len);
}

static void *remake(void *context)
{
	struct remake *r = context;

	r->failed = folder_write(r->diff, true, r->userxattr, write_pipe, r);
	close(r->fd);
	return NULL;
}

static error *pack_remade(struct export *x, const struct layer_handle *h, int fd,
			  struct packed *out)
{
	auto_stream struct stream *stream = NULL;
	int ends[2];
	pthread_t thread;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_errno("pipe");
	struct remake r = { .diff = h->diff, .fd = ends[1], .userxattr = x->store->userxattr };
	auto_fd int from = ends[0];
	int code = pthread_create(&thread, NULL, remake, &r);
	if (code) {
		close(ends[1]);
		return error_new(code, "start a thread");
	}
	error *e = stream_file(from, 0, -1, NULL, &stream);
	if (!e)
		e = pack_stream(stream, x->how, fd, out);
	close(take_fd(&from)); /* a writer that goes on gets EPIPE */
	pthread_join(thread, NULL);
	if (!e)
		return r.failed;
	error_free(r.failed);
	return e;
}

static error *pack_as_it_came(struct export *x, const struct layer_handle *h, int fd,
			      struct packed *out)
{
	auto_stream struct stream *stream = NULL;
	auto_fd int records = openat(h->dir, "records.zst", O_RDONLY | O_CLOEXEC);

	if (records < 0)
		return error_errno("open records.zst");
	try(record_replay(records, h->diff, &stream));
	try(pack_stream(stream, x->how, fd, out));
	struct digest want;
	try(digest_parse(h->meta->diff_id, &want));
	if (strcmp(want.algorithm, "sha256") == 0 && !digest_same(&want, &out->diff_id))
		return error_said(EBADMSG, "it is not what was imported: see verify");
	return NULL;
}

static void blob_name(const struct export *x, const struct digest *d, const char *ending, char *out,
		      size_t size)
{
	if (x->form == EXPORT_OCI)
		snprintf(out, size, "blobs/%s/%s", d->algorithm, digest_hex(d));
	else
		snprintf(out, size, "%s%s", digest_hex(d), ending);
}

static error *export_layer(struct export *x, size_t n)
{
	struct layer_handle h = { .dir = -1, .diff = -1 };
	char name[DIGEST_MAX + 16];

	auto_fd int fd = openat(x->into, "layer.new", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return error_errno("make a file");
	try(layer_open(x->store, x->image->layers.v[n], x->arena, &h));
	error *e = h.meta->is_exact ? pack_as_it_came(x, &h, fd, &x->layers[n])
				    : pack_remade(x, &h, fd, &x->layers[n]);
	layer_close(&h);
	if (e)
		return error_wrap(e, "layer %zu", n + 1);
	blob_name(x, &x->layers[n].blob, ".tar", name, sizeof(name));
	return renameat(x->into, "layer.new", x->into, name) < 0 ? error_errno("rename to %s", name)
								 : NULL;
}

/* --- documents --- */

/* A digest in a text by another of the same length, wherever it stands. */
static void replace(char *text, const char *from, const char *to)
{
	for (char *at = strstr(text, from); at; at = strstr(at + strlen(to), from))
		memcpy(at, to, strlen(to));
}

static error *read_config(struct export *x)
{
	struct image_config *config = NULL;
	struct digest digest;
	size_t len;

	try(digest_parse(x->image->config, &digest));
	try(store_blob_read(x->store, &digest, &x->config, &len));
	try(document_read_config(x->config, len, x->arena, &config));
	for (size_t i = 0; i < config->rootfs->diff_ids.n; i++)
		if (strlen(config->rootfs->diff_ids.v[i]) == strlen(x->layers[i].diff_id.text))
			replace(x->config, config->rootfs->diff_ids.v[i],
				x->layers[i].diff_id.text);
		else if (strcmp(config->rootfs->diff_ids.v[i], x->layers[i].diff_id.text) != 0)
			return error_said(ENOTSUP,
					  "a layer with a sha512 diff_id must be made anew");
	return digest_of(x->config, strlen(x->config), &x->config_digest);
}

static error *put_text(struct export *x, const char *name, const char *text)
{
	return file_create(x->into, name, 0644, text, strlen(text));
}

static void write_descriptor(struct json *j, const char *key, const char *type,
			     const struct digest *d, uint64_t size)
{
	json_object(j, key);
	json_text(j, "mediaType", type);
	json_text(j, "digest", d->text);
	json_u64(j, "size", size);
}

static error *put_manifest(struct export *x, struct digest *digest, size_t *len)
{
	static const char *const types[] = { MEDIA_LAYER, MEDIA_LAYER_GZIP, MEDIA_LAYER_ZSTD };
	auto_json struct json *j = NULL;
	char name[DIGEST_MAX + 16];
	const char *text;

	try(json_new(JSON_ONE_LINE, &j));
	json_object(j, NULL);
	json_u64(j, "schemaVersion", 2);
	json_text(j, "mediaType", MEDIA_MANIFEST);
	write_descriptor(j, "config", MEDIA_CONFIG, &x->config_digest, strlen(x->config));
	json_end(j);
	json_array(j, "layers");
	for (size_t i = 0; i < x->image->layers.n; i++) {
		write_descriptor(j, NULL, types[x->how], &x->layers[i].blob, x->layers[i].size);
		json_end(j);
	}
	json_end(j);
	json_end(j);
	try(json_finish(j, &text, len));
	try(digest_of(text, *len, digest));
	blob_name(x, digest, "", name, sizeof(name));
	return put_text(x, name, text);
}

static error *put_oci_documents(struct export *x)
{
	auto_json struct json *j = NULL;
	struct digest manifest;
	const char *text;
	size_t len = 0;

	try(put_manifest(x, &manifest, &len));
	try(json_new(JSON_ONE_LINE, &j));
	json_object(j, NULL);
	json_u64(j, "schemaVersion", 2);
	json_text(j, "mediaType", MEDIA_INDEX);
	json_array(j, "manifests");
	write_descriptor(j, NULL, MEDIA_MANIFEST, &manifest, len);
	if (x->name) {
		json_object(j, "annotations");
		json_text(j, "org.opencontainers.image.ref.name", x->name);
		json_end(j);
	}
	json_end(j);
	json_end(j);
	json_end(j);
	try(json_finish(j, &text, NULL));
	try(put_text(x, "index.json", text));
	return put_text(x, "oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}");
}

static error *put_docker_documents(struct export *x)
{
	auto_json struct json *j = NULL;
	char name[DIGEST_MAX + 16];
	const char *text;

	try(json_new(JSON_ONE_LINE, &j));
	json_array(j, NULL);
	json_object(j, NULL);
	blob_name(x, &x->config_digest, ".json", name, sizeof(name));
	json_text(j, "Config", name);
	json_array(j, "RepoTags");
	if (x->name && strchr(x->name, ':')) {
		json_text(j, NULL, x->name);
	} else if (x->name) {
		const char *tagged = arena_printf(x->arena, "%s:latest", x->name);
		json_text(j, NULL, tagged);
	}
	json_end(j);
	json_array(j, "Layers");
	for (size_t i = 0; i < x->image->layers.n; i++) {
		blob_name(x, &x->layers[i].blob, ".tar", name, sizeof(name));
		json_text(j, NULL, name);
	}
	json_end(j);
	json_end(j);
	json_end(j);
	try(json_finish(j, &text, NULL));
	return put_text(x, "manifest.json", text);
}

error *image_export(struct store *s, const struct stored_image *image, const char *name,
		    enum export_form form, enum pack_how how, int into, struct arena *arena)
{
	char config_name[DIGEST_MAX + 16];
	struct export x = {
		.store = s,
		.image = image,
		.name = name,
		.form = form,
		.how = how,
		.into = into,
		.arena = arena,
		.layers = arena_array_of(arena, struct packed, image->layers.n + 1),
	};

	if (!x.layers)
		return arena_exhausted();
	if (form == EXPORT_OCI &&
	    (mkdirat(into, "blobs", 0755) < 0 || mkdirat(into, "blobs/sha256", 0755) < 0))
		return error_errno("make blobs");
	for (size_t i = 0; i < image->layers.n; i++)
		try(export_layer(&x, i));
	error *e = read_config(&x);
	if (!e) {
		blob_name(&x, &x.config_digest, ".json", config_name, sizeof(config_name));
		e = put_text(&x, config_name, x.config);
	}
	if (!e)
		e = form == EXPORT_OCI ? put_oci_documents(&x) : put_docker_documents(&x);
	free(x.config);
	return e;
}
