/* Mark and sweep. While it marks nobody else uses the store; what is dead is then moved away at
 * once and removed when the others go on. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/text.h"
#include "image/store.h"

struct marks {
	struct store *store;
	struct arena *arena;
	struct strings keep; /* paths in the store */
	struct stage *stage; /* where the dead go; NULL: they stay, and are counted */
	size_t moved;
};

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_kept(const struct marks *m, const char *path)
{
	return m->keep.n && bsearch(&path, m->keep.v, m->keep.n, sizeof(char *), compare);
}

static error *keep(struct marks *m, const char *folder, const char *text, const char *ending)
{
	char path[512];
	struct digest d;
	auto_error error *e = digest_parse(text, &d);

	if (e) /* a layer's key */
		snprintf(path, sizeof(path), "%s/%s", folder, text);
	else if (strcmp(folder, "blobs") == 0)
		snprintf(path, sizeof(path), "blobs/%s/%s", d.algorithm, digest_hex(&d));
	else
		snprintf(path, sizeof(path), "%s/%s-%s%s", folder, d.algorithm, digest_hex(&d),
			 ending);
	return strings_add(&m->keep, path);
}

/* An image that something needs: its files, and its layers. */
static error *mark_image(struct marks *m, const char *manifest)
{
	struct stored_image *image = NULL;
	auto_error error *e = store_image_read(m->store, manifest, m->arena, &image);

	if (e) /* a name whose image is gone keeps nothing; one that cannot be read must stop us */
		return error_code(e) == ENOENT ? NULL : take_ptr(&e);
	try(keep(m, "images", image->manifest, ".json"));
	try(keep(m, "images", image->manifest, ".root"));
	try(keep(m, "blobs", image->manifest, ""));
	try(keep(m, "blobs", image->config, ""));
	for (size_t i = 0; i < image->layers.n; i++) {
		struct layer_handle h = { .dir = -1, .diff = -1 };
		struct digest d;
		try(keep(m, "layers", image->layers.v[i], ""));
		auto_error error *gone = layer_open(m->store, image->layers.v[i], m->arena, &h);
		auto_error error *bad = gone ? NULL : digest_parse(h.meta->diff_id, &d);
		layer_close(&h);
		if (!gone && !bad)
			try(keep(m, "needs-parent", h.meta->diff_id, ""));
	}
	return NULL;
}

static error *mark_names(struct marks *m)
{
	struct ref *refs;
	size_t n = 0;

	try(ref_list(m->store, m->arena, &refs, &n));
	for (size_t i = 0; i < n; i++)
		try(mark_image(m, refs[i].manifest));
	return NULL;
}

/* The folders of a bundle that somebody removed are nobody's. */
static bool has_lost_bundle(int containers, const char *id)
{
	auto_free char *bundle = NULL;
	char path[300];

	snprintf(path, sizeof(path), "%s/bundle", id);
	auto_error error *none = file_read(containers, path, 4096, &bundle, NULL);
	return !none && access(bundle, F_OK) < 0 && errno == ENOENT;
}

static error *mark_containers(struct marks *m)
{
	int fd = openat(m->store->dir, "containers", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *listing = fd < 0 ? NULL : fdopendir(fd);
	error *e = NULL;

	if (!listing)
		return error_errno("read containers");
	for (struct dirent *d; !e && (d = readdir(listing));) {
		auto_free char *manifest = NULL;
		char path[300];
		if (d->d_name[0] == '.' || has_lost_bundle(dirfd(listing), d->d_name))
			continue;
		snprintf(path, sizeof(path), "containers/%s", d->d_name);
		e = strings_add(&m->keep, path);
		snprintf(path, sizeof(path), "%s/image", d->d_name);
		auto_error error *none =
			file_read(dirfd(listing), path, DIGEST_MAX, &manifest, NULL);
		if (!none && !e)
			e = mark_image(m, manifest);
	}
	closedir(listing);
	return e;
}

static error *sweep_folder(struct marks *m, const char *folder, size_t *count)
{
	int fd = openat(m->store->dir, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *listing = fd < 0 ? NULL : fdopendir(fd);
	error *e = NULL;

	if (!listing)
		return error_errno("read %s", folder);
	for (struct dirent *d; !e && (d = readdir(listing));) {
		char path[300];
		char dead[32];
		snprintf(path, sizeof(path), "%s/%s", folder, d->d_name);
		if (d->d_name[0] == '.' || is_kept(m, path))
			continue;
		*count += 1;
		if (!m->stage)
			continue;
		snprintf(dead, sizeof(dead), "dead.%zu", m->moved++);
		if (renameat(m->store->dir, path, m->stage->dir, dead) < 0)
			e = error_errno("remove %s", path);
	}
	closedir(listing);
	return e;
}

/* Images first: what they name must not go before them. */
static error *sweep(struct marks *m, struct gc_result *out)
{
	size_t ignored = 0;

	if (m->keep.n)
		qsort(m->keep.v, m->keep.n, sizeof(char *), compare);
	try(sweep_folder(m, "images", &out->images));
	try(sweep_folder(m, "containers", &ignored));
	try(sweep_folder(m, "layers", &out->layers));
	try(sweep_folder(m, "blobs/sha256", &out->blobs));
	try(sweep_folder(m, "blobs/sha512", &out->blobs));
	try(sweep_folder(m, "needs-parent", &ignored));
	return sweep_folder(m, "locks", &ignored);
}

static error *lock_store(struct store *s, int how)
{
	while (flock(s->lock, how) < 0)
		if (errno != EINTR)
			return error_errno("lock %s", s->path);
	return NULL;
}

error *store_gc(struct store *s, bool dry_run, struct gc_result *out)
{
	auto_stage struct stage stage = { .dir = -1 };
	struct marks m = { .store = s };

	*out = (struct gc_result){ 0 };
	if (!dry_run) {
		try(stage_new(s, &stage));
		m.stage = &stage;
	}
	/* an exclusive lock on what is shared so far: the kernel lets go in between, nothing is
	 * read yet */
	try(lock_store(s, LOCK_EX));
	error *e = arena_new(&m.arena);
	if (!e)
		e = mark_names(&m);
	if (!e)
		e = mark_containers(&m);
	if (!e)
		e = sweep(&m, out);
	error *unlock = lock_store(s, LOCK_SH);
	strings_free(&m.keep);
	arena_free(m.arena);
	if (e)
		error_free(unlock);
	return e ? e : unlock;
}
