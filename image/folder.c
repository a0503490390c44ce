#include "image/folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/text.h"
#include "image/tarwrite.h"
#include "image/whiteout.h"

struct walk {
	struct folder_sink *sink;
	bool with_whiteouts, userxattr;
	struct inodes links; /* inode -> index of the first name */
	struct strings names;
	char path[PLACE_PATH_MAX + 1];
	int depth;
};

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static error *list(int dir, struct strings *out)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *listing = fd < 0 ? NULL : fdopendir(fd);
	error *e = NULL;

	if (!listing)
		return error_errno("read a folder");
	for (struct dirent *d; !e && (d = readdir(listing));)
		if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
			e = strings_add(out, d->d_name);
	closedir(listing);
	if (out->n)
		qsort(out->v, out->n, sizeof(*out->v), compare_names);
	return e;
}

/* A file under one more name: the entry becomes a link to its first. */
static error *take_file(struct walk *w, struct object *o)
{
	const struct stat *st = object_stat(o);
	struct entry e = *object_entry(o);
	uint32_t first;

	if (e.type != ENTRY_DIR && st->st_nlink > 1) {
		if (inodes_get(&w->links, st->st_ino, &first)) {
			struct entry link = { .type = ENTRY_HARD_LINK,
					      .name = e.name,
					      .mode = e.mode,
					      .uid = e.uid,
					      .gid = e.gid,
					      .mtime = e.mtime,
					      .target = w->names.v[first] };
			return w->sink->take(w->sink, &link, object_content(o));
		}
		try(inodes_put(&w->links, st->st_ino, (uint32_t)w->names.n));
		try(strings_add(&w->names, e.name));
	}
	return w->sink->take(w->sink, &e, object_content(o));
}

/* ".wh.NAME" beside the folder's other names, ".wh..wh..opq" in it. */
static error *take_whiteout(struct walk *w, size_t folder_len, const char *name)
{
	auto_free char *path = NULL;
	struct entry e = { .type = ENTRY_FILE, .mode = 0 };

	if (asprintf(&path, "%.*s%s%s", (int)folder_len, w->path, folder_len ? "/" : "", name) < 0)
		return error_new(ENOMEM, "whiteout");
	e.name = path;
	return w->sink->take(w->sink, &e, NULL);
}

static error *walk_folder(struct walk *w, int dir);

static error *walk_object(struct walk *w, int dir, const char *name)
{
	auto_object struct object *o = NULL;
	size_t len = strlen(w->path);
	size_t name_len = strlen(name);

	if (len + name_len + 2 > sizeof(w->path) || w->depth > PLACE_DEPTH_MAX)
		return error_new(ENAMETOOLONG, "%s/%s", w->path, name);
	if (len)
		w->path[len] = '/';
	memcpy(w->path + len + (len > 0), name, name_len + 1);
	error *e = object_open(dir, name, w->path, &o);
	if (!e && overlay_is_whiteout(object_stat(o))) {
		char whiteout[WHITEOUT_NAME_MAX];
		w->path[len] = '\0';
		snprintf(whiteout, sizeof(whiteout), WHITEOUT_PREFIX "%s", name);
		return w->with_whiteouts ? take_whiteout(w, len, whiteout) : NULL;
	}
	if (!e && !object_is_socket(o))
		e = take_file(w, o);
	bool is_dir = !e && object_entry(o)->type == ENTRY_DIR;
	if (is_dir) {
		object_free(take_ptr(&o)); /* its memory is not needed on the way down */
		auto_fd int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		e = fd < 0 ? error_errno("open %s", w->path) : walk_folder(w, fd);
	}
	w->path[len] = '\0';
	return e;
}

static error *walk_folder(struct walk *w, int dir)
{
	struct strings names = { 0 };
	error *e = list(dir, &names);

	w->depth++;
	if (!e && w->with_whiteouts && overlay_is_opaque(dir, w->userxattr))
		e = take_whiteout(w, strlen(w->path), WHITEOUT_OPAQUE);
	for (size_t i = 0; !e && i < names.n; i++)
		e = walk_object(w, dir, names.v[i]);
	strings_free(&names);
	w->depth--;
	return e;
}

error *folder_walk(int dir, bool with_whiteouts, bool userxattr, struct folder_sink *sink)
{
	auto_free struct walk *w = calloc(1, sizeof(*w));
	auto_object struct object *root = NULL;

	if (!w)
		return error_new(ENOMEM, "walk");
	w->sink = sink;
	w->with_whiteouts = with_whiteouts;
	w->userxattr = userxattr;
	try(object_open(dir, ".", "./", &root));
	error *e = sink->take(sink, object_entry(root), NULL);
	if (!e)
		e = walk_folder(w, dir);
	inodes_free(&w->links);
	strings_free(&w->names);
	return e;
}

/* --- as an archive --- */

struct tar_sink {
	struct folder_sink sink;
	struct tar_writer writer;
};

static error *no_content(struct content *c, const void **chunk, size_t *len, uint64_t *offset)
{
	(void)c, (void)chunk, (void)offset;
	*len = 0;
	return NULL;
}

static error *write_one(struct folder_sink *sink, const struct entry *e, struct content *content)
{
	struct content nothing = { no_content };
	struct entry named = *e;

	if (strcmp(e->name, "./") == 0)
		named.name = "";
	return tar_write_entry(&((struct tar_sink *)sink)->writer, &named,
			       content ? content : &nothing);
}

error *folder_write(int dir, bool with_whiteouts, bool userxattr,
		    error *(*write)(void *context, const void *data, size_t len), void *context)
{
	struct tar_sink t = { .sink.take = write_one,
			      .writer = { .write = write, .context = context } };
	error *e = folder_walk(dir, with_whiteouts, userxattr, &t.sink);

	if (!e)
		e = tar_write_end(&t.writer);
	tar_writer_release(&t.writer);
	return e;
}

/* The archive goes through a pipe from one thread to another. */
struct pipe_writer {
	int dir, fd;
	error *failed;
};

static error *write_pipe(void *context, const void *data, size_t len)
{
	return fd_write_all(((struct pipe_writer *)context)->fd, data, len);
}

static void *write_folder(void *context)
{
	struct pipe_writer *w = context;

	w->failed = folder_write(w->dir, false, false, write_pipe, w);
	close(w->fd);
	return NULL;
}

error *folder_unpack(int dir, int into, int record, const struct extract_options *how,
		     struct layer_output *out)
{
	int ends[2];
	pthread_t thread;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_errno("pipe");
	struct pipe_writer w = { .dir = dir, .fd = ends[1] };
	int code = pthread_create(&thread, NULL, write_folder, &w);
	if (code) {
		close(ends[0]);
		close(ends[1]);
		return error_new(code, "start a thread");
	}
	struct layer_input in = { .fd = ends[0], .size = -1, .max_archive = UINT64_MAX };
	error *e = layer_unpack(&in, into, record, how, out);
	close(ends[0]); /* a writer that goes on gets EPIPE */
	pthread_join(thread, NULL);
	if (w.failed && (!e || error_code(w.failed) != EPIPE)) {
		error_free(e);
		return w.failed;
	}
	error_free(w.failed);
	return e;
}

/* --- into another folder --- */

struct merge_sink {
	struct folder_sink sink;
	struct extract *x;
	bool with_root;
};

static error *merge_one(struct folder_sink *sink, const struct entry *e, struct content *content)
{
	struct content nothing = { no_content };
	struct merge_sink *m = (struct merge_sink *)sink;

	if (!m->with_root && strcmp(e->name, "./") == 0)
		return NULL;
	return extract_entry(m->x, e, content ? content : &nothing);
}

error *folder_merge(int layer, bool userxattr, bool with_root, int into,
		    const struct extract_options *how, struct extract_result *out)
{
	auto_extract struct extract *x = NULL;

	try(extract_new(into, how, &x));
	struct merge_sink m = { .sink.take = merge_one, .x = x, .with_root = with_root };
	try(folder_walk(layer, true, userxattr, &m.sink));
	return extract_finish(x, out);
}
