#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/json.h"
#include "image/store.h"

enum { META_MAX = 1 << 20 };

void layer_key(const struct digest *diff_id, char *out)
{
	snprintf(out, LAYER_KEY_MAX, "%s-%s", diff_id->algorithm, digest_hex(diff_id));
}

error *layer_key_above(const char *parent, const struct digest *diff_id, const char *flavour,
		       char *out)
{
	char text[LAYER_KEY_MAX * 3];
	struct digest d;

	int n = snprintf(text, sizeof(text), "%s %s %s", parent, diff_id->text, flavour);
	try(digest_of(text, (size_t)n, &d));
	snprintf(out, LAYER_KEY_MAX, "chain-%s", digest_hex(&d));
	return NULL;
}

void layer_close(struct layer_handle *h)
{
	if (h->dir >= 0)
		close(h->dir);
	if (h->diff >= 0)
		close(h->diff);
	h->dir = h->diff = -1;
}

error *layer_open(struct store *s, const char *key, struct arena *arena, struct layer_handle *out)
{
	char path[LAYER_KEY_MAX + 8];
	auto_free char *text = NULL;
	size_t len;
	struct stored_layer *meta = arena_new_of(arena, struct stored_layer);

	if (!meta)
		return arena_exhausted();
	snprintf(path, sizeof(path), "layers/%s", key);
	auto_fd int dir = openat(s->dir, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return error_errno("layer %s", key);
	auto_fd int diff = openat(dir, "diff", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (diff < 0)
		return error_errno("layer %s: diff", key);
	try_as(file_read(dir, "meta.json", META_MAX, &text, &len), "layer %s", key);
	try_as(rows_read(&stored_layer_shape, text, len, ROWS_NO_DUPLICATES, arena, meta),
	       "layer %s: meta.json", key);
	snprintf(out->key, sizeof(out->key), "%s", key);
	out->dir = take_fd(&dir);
	out->diff = take_fd(&diff);
	out->meta = meta;
	return NULL;
}

bool layer_has_blob(const struct layer_handle *h, const struct digest *blob)
{
	for (size_t i = 0; i < h->meta->blobs.n; i++)
		if (strcmp(h->meta->blobs.v[i], blob->text) == 0)
			return true;
	return false;
}

static error *write_meta(int dir, const struct stored_layer *meta)
{
	auto_json struct json *j = NULL;
	const char *text;
	size_t len;

	try(json_new(JSON_INDENTED, &j));
	rows_write(&stored_layer_shape, meta, NULL, j);
	try(json_finish(j, &text, &len));
	return file_replace(dir, "meta.json", 0600, text, len);
}

error *layer_add_blob(struct store *s, struct layer_handle *h, const struct digest *blob,
		      struct arena *arena)
{
	struct texts *blobs = &h->meta->blobs;
	char **v = arena_array_of(arena, char *, blobs->n + 2);

	(void)s;
	if (!v)
		return arena_exhausted();
	for (size_t i = 0; i < blobs->n; i++)
		v[i] = blobs->v[i];
	v[blobs->n] = arena_strdup(arena, blob->text);
	if (!v[blobs->n])
		return arena_exhausted();
	blobs->v = v;
	blobs->n++;
	/* one at a time; who loses what another added reads that blob once more, no worse */
	if (flock(h->dir, LOCK_EX) < 0)
		return error_errno("lock layer %s", h->key);
	error *e = write_meta(h->dir, h->meta);
	flock(h->dir, LOCK_UN);
	return e;
}

error *layer_lock(struct store *s, const char *chain, int *lock)
{
	char path[LAYER_KEY_MAX + 8];

	snprintf(path, sizeof(path), "locks/%s", chain);
	for (;;) {
		struct stat held;
		struct stat named;
		auto_fd int fd =
			openat(s->dir, path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (fd < 0)
			return error_errno("open %s", path);
		while (flock(fd, LOCK_EX) < 0)
			if (errno != EINTR)
				return error_errno("lock %s", path);
		/* gc may have removed it in the meantime */
		if (fstat(fd, &held) < 0 || fstatat(s->dir, path, &named, 0) < 0 ||
		    held.st_ino != named.st_ino)
			continue;
		*lock = take_fd(&fd);
		return NULL;
	}
}

static void needs_parent_path(const struct digest *diff_id, char *out, size_t size)
{
	snprintf(out, size, "needs-parent/%s-%s", diff_id->algorithm, digest_hex(diff_id));
}

bool layer_needs_parent(struct store *s, const struct digest *diff_id)
{
	char path[LAYER_KEY_MAX + 16];

	needs_parent_path(diff_id, path, sizeof(path));
	return faccessat(s->dir, path, F_OK, 0) == 0;
}

static error *note_needs_parent(struct store *s, const char *diff_id)
{
	char path[LAYER_KEY_MAX + 16];
	struct digest digest;

	try(digest_parse(diff_id, &digest));
	needs_parent_path(&digest, path, sizeof(path));
	auto_fd int fd = openat(s->dir, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	return fd < 0 ? error_errno("make %s", path) : NULL;
}

error *layer_commit(struct store *s, struct stage *stage, const char *key,
		    const struct stored_layer *meta, bool needs_parent)
{
	char path[LAYER_KEY_MAX + 8];
	auto_fd int dir = openat(stage->dir, "layer", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		return error_errno("layer %s", key);
	try(write_meta(dir, meta));
	/* what the name says must be on the disk before the name is */
	if (s->sync != SYNC_NONE && syncfs(dir) < 0)
		return error_errno("sync");
	if (needs_parent)
		try(note_needs_parent(s, meta->diff_id));
	snprintf(path, sizeof(path), "layers/%s", key);
	if (renameat2(stage->dir, "layer", s->dir, path, RENAME_NOREPLACE) < 0 && errno != EEXIST)
		return error_errno("rename to %s", path);
	auto_fd int layers = openat(s->dir, "layers", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->sync != SYNC_NONE && (layers < 0 || fsync(layers) < 0))
		return error_errno("sync layers");
	return NULL;
}
