#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "image/folder.h"
#include "image/import.h"

enum { WORKERS_MAX = 4 };

/* One layer on its way. Worker threads take jobs lowest first; a job that needs the layers below
 * waits for them, and these never wait for it. */
struct job {
	struct crew *crew;
	struct image_layer *layer;
	size_t index;
	bool done;
	struct layer_handle handle;
	char chain[LAYER_KEY_MAX]; /* names the lock: the layer and all below it, by diff_ids */

	struct lowers lowers; /* given to the extractor */
	struct lower_dir below;
	bool has_below;
};

struct crew {
	struct store *store;
	struct image *image;
	const struct import_options *options;
	struct import_progress *progress;
	struct budget budget;
	struct arena *arena; /* under the mutex */
	struct job *jobs;
	size_t n, next;
	size_t n_workers;
	long cpus;
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	error *failed; /* the first one */
	size_t ended;  /* workers */
};

/* Until all layers below are there. */
static error *wait_for_below(struct job *j)
{
	struct crew *c = j->crew;
	bool failed;

	pthread_mutex_lock(&c->mutex);
	for (;;) {
		bool all = true;
		for (size_t i = 0; i < j->index; i++)
			all &= c->jobs[i].done;
		failed = c->failed;
		if (all || failed)
			break;
		pthread_cond_wait(&c->changed, &c->mutex);
	}
	pthread_mutex_unlock(&c->mutex);
	return failed ? error_new(ECANCELED, "a layer below failed") : NULL;
}

static error *get_lowers(struct lowers *self, const struct lower_dir **out)
{
	struct job *j = (struct job *)((char *)self - offsetof(struct job, lowers));

	if (!j->has_below) {
		try(wait_for_below(j));
		j->below.fds = calloc(j->index + 1, sizeof(int));
		if (!j->below.fds)
			return error_new(ENOMEM, "layers");
		for (size_t i = j->index; i-- > 0;) {
			const struct job *lower = &j->crew->jobs[i];
			int fd = fcntl(lower->handle.diff, F_DUPFD_CLOEXEC, 0);
			if (fd < 0)
				return error_errno("open a layer below");
			j->below.fds[j->below.n++] = fd;
			if (lower->handle.meta->opaque_root)
				break;
		}
		j->has_below = true;
	}
	*out = &j->below;
	return NULL;
}

static error *open_layer(struct job *j, const char *key)
{
	struct crew *c = j->crew;

	pthread_mutex_lock(&c->mutex); /* for the arena */
	error *e = layer_open(c->store, key, c->arena, &j->handle);
	pthread_mutex_unlock(&c->mutex);
	return e;
}

/* *found: the store has the layer under that key. */
static error *look_for(struct job *j, const char *key, bool *found)
{
	auto_error error *e = open_layer(j, key);

	*found = !e;
	return e && error_code(e) != ENOENT ? take_ptr(&e) : NULL;
}

static error *key_above(struct job *j, const struct digest *diff_id, char *key)
{
	const char *parent = j->index ? j->crew->jobs[j->index - 1].handle.key : "";

	return layer_key_above(parent, diff_id, j->crew->options->flavour, key);
}

static error *describe_input(struct job *j, const struct blob *blob, struct layer_input *in)
{
	const struct crew *c = j->crew;
	const struct image_layer *l = j->layer;

	*in = (struct layer_input){
		.fd = blob->fd,
		.offset = blob->offset,
		.size = blob->size,
		.blob = l->digest.text[0] ? &l->digest : NULL,
		.diff_id = l->diff_id.text[0] ? &l->diff_id : NULL,
		.any_packing = !l->digest.text[0],
		.inflater = c->options->inflater,
		.max_archive = import_max_archive(c->options),
		.in_two_threads = c->cpus > 1,
		.progress = &c->progress->bytes,
	};
	return NULL;
}

/* The store has the layer. Is the blob that claims to be it really that? What was seen before need
 * not be read again; otherwise an image could name a layer that its maker never had. */
static error *check_blob(struct job *j)
{
	struct crew *c = j->crew;
	struct layer_input in;
	struct layer_output out;
	auto_blob struct blob blob = { .fd = -1 };

	if (j->layer->digest.text[0] && layer_has_blob(&j->handle, &j->layer->digest)) {
		if (j->layer->size > 0)
			c->progress->bytes += (uint64_t)j->layer->size;
		return NULL;
	}
	try(image_open_layer(c->image, j->layer, &blob));
	try(describe_input(j, &blob, &in));
	try(layer_check(&in, &out));
	if (!j->layer->digest.text[0])
		return NULL;
	pthread_mutex_lock(&c->mutex);
	error *e = layer_add_blob(c->store, &j->handle, &j->layer->digest, c->arena);
	pthread_mutex_unlock(&c->mutex);
	return e;
}

static void warn_of_losses(const struct job *j, const struct extract_result *r)
{
	if (r->lost_xattrs)
		log_warning("layer %zu: %lu xattrs could not be set", j->index + 1, r->lost_xattrs);
	if (r->lost_owners)
		log_warning("layer %zu: %lu owners could not be set: this user has one id only",
			    j->index + 1, r->lost_owners);
	if (r->skipped_devices)
		log_warning("layer %zu: %lu devices were left out", j->index + 1,
			    r->skipped_devices);
}

/* A stage's folder for the layer. "/" is 0755 and from 1970 unless the layer says otherwise. */
static error *make_target(const struct stage *stage, int *diff, int *record)
{
	static const struct timespec epoch[2];

	if (mkdirat(stage->dir, "layer", 0700) < 0 || mkdirat(stage->dir, "layer/diff", 0755) < 0)
		return error_errno("make a folder for the layer");
	*diff = openat(stage->dir, "layer/diff", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*diff < 0 || fchmod(*diff, 0755) < 0 || futimens(*diff, epoch) < 0)
		return error_errno("make a folder for the layer");
	*record = openat(stage->dir, "layer/records.zst", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
			 0600);
	return *record < 0 ? error_errno("make a file for the layer") : NULL;
}

/* Honest archives shrink to a tenth, files of zeros to a thousandth: whoever is short of space will
 * want to know. */
static void warn_of_ratio(const struct job *j, uint64_t unpacked)
{
	enum { LARGE = 64 << 20, RATIO = 100 };
	int64_t packed = j->layer->size;

	if (packed > 0 && unpacked > LARGE && unpacked / (uint64_t)packed >= RATIO)
		log_warning("layer %zu: %lld bytes become %llu", j->index + 1, (long long)packed,
			    (unsigned long long)unpacked);
}

static error *unpack(struct job *j, int diff, int record, struct layer_output *out)
{
	struct crew *c = j->crew;
	struct layer_input in;
	auto_blob struct blob blob = { .fd = -1 };
	const struct extract_options how = {
		.form = FORM_OVERLAY,
		.userxattr = c->store->userxattr,
		.is_bottom = j->index == 0,
		.lowers = &j->lowers,
		.devices = c->options->devices,
		.metadata = c->options->metadata,
		.budget = &c->budget,
	};

	if (c->image->source->kind == SOURCE_ROOTFS_DIR)
		return folder_unpack(c->image->source->fd, diff, record, &how, out);
	try(image_open_layer(c->image, j->layer, &blob));
	try(describe_input(j, &blob, &in));
	return layer_unpack(&in, diff, record, &how, out);
}

static error *make_layer(struct job *j)
{
	struct crew *c = j->crew;
	auto_stage struct stage stage = { .dir = -1 };
	auto_fd int diff = -1;
	auto_fd int record = -1;
	struct layer_output out = { 0 };
	char key[LAYER_KEY_MAX];
	char *blobs[] = { j->layer->digest.text, NULL };

	try(stage_new(c->store, &stage));
	try(make_target(&stage, &diff, &record));
	try(unpack(j, diff, record, &out));
	warn_of_losses(j, &out.extracted);
	warn_of_ratio(j, out.archive_size);
	j->layer->diff_id = out.diff_id;
	struct stored_layer meta = {
		.diff_id = out.diff_id.text,
		.blobs = { blobs, j->layer->digest.text[0] ? 1 : 0 },
		.archive_size = out.archive_size,
		.has_root = out.extracted.has_root,
		.opaque_root = out.extracted.opaque_root,
		.is_exact = out.extracted.is_exact,
		.userxattr = c->store->userxattr,
	};
	bool above = out.extracted.needs_parent || *c->options->flavour;
	if (above) {
		try(wait_for_below(j));
		try(key_above(j, &out.diff_id, key));
		meta.parent = j->index ? c->jobs[j->index - 1].handle.key : NULL;
	} else {
		layer_key(&out.diff_id, key);
	}
	try(layer_commit(c->store, &stage, key, &meta, out.extracted.needs_parent));
	return open_layer(j, key);
}

static error *find_or_make(struct job *j)
{
	struct crew *c = j->crew;
	const struct digest *diff_id = &j->layer->diff_id;
	char key[LAYER_KEY_MAX];
	auto_fd int lock = -1;
	bool found = false;

	if (!diff_id->text[0])
		return make_layer(j);
	layer_key(diff_id, key);
	if (!*c->options->flavour)
		try(look_for(j, key, &found));
	if (!found) {
		try(layer_lock(c->store, j->chain, &lock));
		if (!*c->options->flavour)
			try(look_for(j, key, &found));
	}
	if (!found && (*c->options->flavour || layer_needs_parent(c->store, diff_id))) {
		try(wait_for_below(j));
		try(key_above(j, diff_id, key));
		try(look_for(j, key, &found));
	}
	return found ? check_blob(j) : make_layer(j);
}

static error *run_job(struct job *j)
{
	const char *name = j->layer->digest.text[0] ? j->layer->digest.text
			   : j->layer->member       ? j->layer->member
						    : j->crew->image->source->path;

	try_as(find_or_make(j), "layer %zu (%s)", j->index + 1, name);
	return NULL;
}

static void *work(void *context)
{
	struct crew *c = context;

	pthread_mutex_lock(&c->mutex);
	while (c->next < c->n && !c->failed) {
		struct job *j = &c->jobs[c->next++];
		pthread_mutex_unlock(&c->mutex);
		error *e = run_job(j);
		lower_dir_close(&j->below);
		pthread_mutex_lock(&c->mutex);
		if (e && c->failed)
			error_free(e);
		else if (e)
			c->failed = e;
		else
			j->done = true;
		c->progress->layers_done += !e;
		pthread_cond_broadcast(&c->changed);
	}
	c->ended++;
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->mutex);
	return NULL;
}

static void show_until_ended(struct crew *c, size_t started)
{
	pthread_mutex_lock(&c->mutex);
	while (c->ended < started) {
		struct timespec until;
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += 100000000;
		until.tv_sec += until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
		pthread_cond_timedwait(&c->changed, &c->mutex, &until);
		if (c->progress->show)
			c->progress->show(c->progress, false);
	}
	pthread_mutex_unlock(&c->mutex);
	if (c->progress->show)
		c->progress->show(c->progress, true);
}

static error *run_crew(struct crew *c)
{
	pthread_t threads[WORKERS_MAX];
	size_t started = 0;
	int code = 0;

	while (started < c->n_workers && !code) {
		code = pthread_create(&threads[started], NULL, work, c);
		started += !code;
	}
	if (started == 0)
		return error_new(code, "start a thread");
	show_until_ended(c, started);
	for (size_t i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
	return take_ptr(&c->failed);
}

/* The specification's chain id, by which concurrent imports of an image find that they do the same.
 */
static error *name_chain(struct job *j)
{
	const char *below = j->index ? j->crew->jobs[j->index - 1].chain : "";

	j->crew->progress->total += j->layer->size > 0 ? (uint64_t)j->layer->size : 0;
	return layer_key_above(below, &j->layer->diff_id, j->crew->options->flavour, j->chain);
}

error *image_import_layers(struct store *s, struct image *image, const struct import_options *o,
			   struct import_progress *progress, struct arena *arena,
			   struct imported_layer **out)
{
	struct crew c = {
		.store = s,
		.image = image,
		.options = o,
		.progress = progress,
		.budget = { .max_bytes = o->max_bytes, .max_entries = o->max_entries },
		.arena = arena,
		.n = image->n_layers,
	};
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	struct imported_layer *list = arena_array_of(arena, struct imported_layer, c.n + 1);
	error *e = NULL;

	c.jobs = calloc(c.n + 1, sizeof(*c.jobs));
	if (!c.jobs || !list) {
		free(c.jobs);
		return error_new(ENOMEM, "layers");
	}
	c.cpus = cpus;
	c.n_workers = cpus > WORKERS_MAX ? WORKERS_MAX : cpus < 1 ? 1 : (size_t)cpus;
	if (c.n_workers > c.n)
		c.n_workers = c.n;
	progress->layers = (unsigned)c.n;
	pthread_mutex_init(&c.mutex, NULL);
	pthread_cond_init(&c.changed, NULL);
	for (size_t i = 0; i < c.n && !e; i++) {
		c.jobs[i] = (struct job){ .crew = &c, .layer = &image->layers[i], .index = i };
		c.jobs[i].lowers.get = get_lowers;
		c.jobs[i].handle.dir = c.jobs[i].handle.diff = -1;
		e = name_chain(&c.jobs[i]);
	}
	if (!e && c.n)
		e = run_crew(&c);
	for (size_t i = 0; i < c.n; i++) {
		memcpy(list[i].key, c.jobs[i].handle.key, LAYER_KEY_MAX);
		list[i].meta = c.jobs[i].handle.meta;
		layer_close(&c.jobs[i].handle);
	}
	pthread_mutex_destroy(&c.mutex);
	pthread_cond_destroy(&c.changed);
	free(c.jobs);
	*out = list;
	return e;
}
