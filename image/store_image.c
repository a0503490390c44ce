#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/text.h"
#include "image/documents.h"
#include "image/store.h"

static void blob_path(const struct digest *digest, char *out, size_t size)
{
	snprintf(out, size, "blobs/%s/%s", digest->algorithm, digest_hex(digest));
}

error *store_blob_read(struct store *s, const struct digest *digest, char **out, size_t *len)
{
	char path[DIGEST_MAX + 16];
	auto_free char *text = NULL;
	auto_hasher struct hasher *h = NULL;
	struct digest is;

	blob_path(digest, path, sizeof(path));
	try(file_read(s->dir, path, DOCUMENT_MAX, &text, len));
	try(hasher_new(digest->algorithm, &h));
	try(hasher_add(h, text, *len));
	try(hasher_finish(h, &is));
	if (!digest_same(&is, digest))
		return error_said(EBADMSG, "%s/%s is damaged: its digest is %s", s->path, path,
				  is.text);
	*out = take_ptr(&text);
	return NULL;
}

error *store_blob_write(struct store *s, const struct digest *digest, const void *data, size_t len)
{
	char path[DIGEST_MAX + 16];

	blob_path(digest, path, sizeof(path));
	return store_put(s, path, data, len);
}

/* --- images --- */

static error *image_path(const char *manifest, char *out, size_t size)
{
	struct digest d;

	try(digest_parse(manifest, &d));
	snprintf(out, size, "images/%s-%s.json", d.algorithm, digest_hex(&d));
	return NULL;
}

error *store_image_write(struct store *s, const struct stored_image *image)
{
	char path[DIGEST_MAX + 24];
	auto_json struct json *j = NULL;
	const char *text;
	size_t len;

	try(image_path(image->manifest, path, sizeof(path)));
	try(json_new(JSON_INDENTED, &j));
	rows_write(&stored_image_shape, image, NULL, j);
	try(json_finish(j, &text, &len));
	return store_put(s, path, text, len);
}

error *store_image_read(struct store *s, const char *manifest, struct arena *arena,
			struct stored_image **out)
{
	char path[DIGEST_MAX + 24];
	auto_free char *text = NULL;
	struct stored_image *image = arena_new_of(arena, struct stored_image);
	size_t len;

	if (!image)
		return arena_exhausted();
	try(image_path(manifest, path, sizeof(path)));
	try(file_read(s->dir, path, DOCUMENT_MAX, &text, &len));
	try_as(rows_read(&stored_image_shape, text, len, ROWS_NO_DUPLICATES, arena, image), "%s",
	       path);
	*out = image;
	return NULL;
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names in a folder of the store, sorted, without those that begin with a dot. */
static error *list_folder(struct store *s, const char *folder, struct strings *out)
{
	int fd = openat(s->dir, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *listing = fd < 0 ? NULL : fdopendir(fd);
	error *e = NULL;

	if (!listing)
		return error_errno("read %s", folder);
	for (struct dirent *d; !e && (d = readdir(listing));)
		if (d->d_name[0] != '.')
			e = strings_add(out, d->d_name);
	closedir(listing);
	if (out->n)
		qsort(out->v, out->n, sizeof(*out->v), compare_texts);
	return e;
}

error *store_image_list(struct store *s, struct arena *arena, char ***out, size_t *n)
{
	struct strings files = { 0 };
	error *e = list_folder(s, "images", &files);
	char **list = arena_array_of(arena, char *, files.n + 1);
	size_t used = 0;

	for (size_t i = 0; !e && i < files.n && list; i++) {
		size_t len = strlen(files.v[i]);
		char *dash = strchr(files.v[i], '-');
		if (!text_ends(files.v[i], ".json") || !dash)
			continue;
		*dash = ':';
		list[used] = arena_strndup(arena, files.v[i], len - strlen(".json"));
		if (list[used])
			used++;
	}
	strings_free(&files);
	*out = list;
	*n = used;
	return e ? e : list ? NULL : arena_exhausted();
}

error *store_image_remove(struct store *s, const char *manifest)
{
	char path[DIGEST_MAX + 24];

	try(image_path(manifest, path, sizeof(path)));
	if (unlinkat(s->dir, path, 0) < 0 && errno != ENOENT)
		return error_errno("remove %s", path);
	return NULL;
}

/* --- names --- */

error *ref_check(const char *name)
{
	size_t len = strlen(name);

	if (!len || len > 200)
		return error_said(EINVAL, "a name has from 1 to 200 bytes");
	for (const char *c = name; *c; c++)
		if ((unsigned char)*c <= ' ' || *c == 0x7f || *c == '%')
			return error_said(EINVAL, "'%s' is not a name for an image", name);
	if (name[0] == '-' || text_starts(name, "sha256:") || text_starts(name, "sha512:"))
		return error_said(EINVAL, "'%s' is not a name for an image", name);
	return NULL;
}

/* '/' and a leading dot cannot be in the name of a file. */
static void ref_path(const char *name, char *out)
{
	char *to = out + sprintf(out, "refs/");

	for (const char *c = name; *c; c++)
		if (*c == '/' || (c == name && *c == '.'))
			to += sprintf(to, "%%%02X", *c);
		else
			*to++ = *c;
	*to = '\0';
}

static void ref_decode(char *name)
{
	char *to = name;

	for (const char *c = name; *c; c++) {
		unsigned byte;
		if (*c == '%' && sscanf(c + 1, "%2X", &byte) == 1) {
			*to++ = (char)byte;
			c += 2;
		} else {
			*to++ = *c;
		}
	}
	*to = '\0';
}

enum { REF_PATH_MAX = 16 + 3 * 200 };

error *ref_set(struct store *s, const char *name, const char *manifest)
{
	char path[REF_PATH_MAX];
	char line[DIGEST_MAX + 2];

	try(ref_check(name));
	ref_path(name, path);
	int n = snprintf(line, sizeof(line), "%s\n", manifest);
	return store_put(s, path, line, (size_t)n);
}

error *ref_remove(struct store *s, const char *name)
{
	char path[REF_PATH_MAX];

	try(ref_check(name));
	ref_path(name, path);
	return unlinkat(s->dir, path, 0) < 0 ? error_errno("image %s", name) : NULL;
}

static error *ref_read(struct store *s, const char *path, struct arena *arena, char **out)
{
	auto_free char *line = NULL;
	struct digest digest;

	try(file_read(s->dir, path, DIGEST_MAX + 2, &line, NULL));
	line[strcspn(line, "\n")] = '\0';
	try_as(digest_parse(line, &digest), "%s", path);
	*out = arena_strdup(arena, line);
	return *out ? NULL : arena_exhausted();
}

error *ref_list(struct store *s, struct arena *arena, struct ref **out, size_t *n)
{
	struct strings files = { 0 };
	error *e = list_folder(s, "refs", &files);
	struct ref *refs = arena_array_of(arena, struct ref, files.n + 1);
	size_t used = 0;

	for (size_t i = 0; !e && refs && i < files.n; i++) {
		char path[300];
		snprintf(path, sizeof(path), "refs/%s", files.v[i]);
		e = ref_read(s, path, arena, &refs[used].manifest);
		if (e && error_code(e) == ENOENT) { /* removed meanwhile */
			error_free(take_ptr(&e));
			continue;
		}
		ref_decode(files.v[i]);
		refs[used].name = arena_strdup(arena, files.v[i]);
		used += refs[used].name != NULL;
	}
	strings_free(&files);
	*out = refs;
	*n = used;
	return e ? e : refs ? NULL : arena_exhausted();
}

/* By the digest of a manifest or configuration, or a beginning of it that fits one image only. */
static error *find_by_digest(struct store *s, const char *name, struct arena *arena,
			     struct stored_image **out)
{
	const char *hex = strchr(name, ':') ? strchr(name, ':') + 1 : name;
	struct stored_image *found = NULL;
	char **list;
	size_t n;

	if (strlen(hex) < 6 || strspn(hex, "0123456789abcdef") != strlen(hex))
		return error_said(ENOENT, "no image '%s' in %s", name, s->path);
	try(store_image_list(s, arena, &list, &n));
	for (size_t i = 0; i < n; i++) {
		struct stored_image *image = NULL;
		try(store_image_read(s, list[i], arena, &image));
		const char *manifest = strchr(image->manifest, ':');
		const char *config = strchr(image->config, ':');
		if (!(manifest && text_starts(manifest + 1, hex)) &&
		    !(config && text_starts(config + 1, hex)))
			continue;
		if (found)
			return error_said(EINVAL, "more than one image begins with '%s'", name);
		found = image;
	}
	*out = found;
	return found ? NULL : error_said(ENOENT, "no image '%s' in %s", name, s->path);
}

error *store_image_find(struct store *s, const char *name, struct arena *arena,
			struct stored_image **out)
{
	static const char *const endings[] = { "", ":latest" };

	for (size_t i = 0; i < COUNT(endings); i++) {
		char full[220];
		char path[REF_PATH_MAX];
		char *manifest = NULL;
		snprintf(full, sizeof(full), "%.200s%s", name, endings[i]);
		auto_error error *bad = ref_check(full);
		if (bad)
			break;
		ref_path(full, path);
		auto_error error *e = ref_read(s, path, arena, &manifest);
		if (!e)
			return store_image_read(s, manifest, arena, out);
		if (error_code(e) != ENOENT)
			return take_ptr(&e);
	}
	return find_by_digest(s, name, arena, out);
}
