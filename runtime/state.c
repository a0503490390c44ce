#include "runtime/state.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/path.h"
#include "base/process.h"
#include "base/text.h"
#include "cgroup.h"

/* clang-format off */
#define THIS state_fixed
SHAPE(state_fixed, STATE_FIXED)
#undef THIS
/* clang-format on */

static const size_t STATE_MAX = (size_t)16 << 20;

error *state_root(const char *asked, bool make, char **out)
{
	const char *runtime_dir = getenv("XDG_RUNTIME_DIR");
	auto_free char *path = NULL;
	bool root = geteuid() == 0;

	if (asked) {
		try(path_absolute(asked, &path));
		if (strcmp(path, "/") == 0)
			return error_said(EINVAL,
					  "--root / would fill the host's root with states");
	} else if (root) {
		path = strdup("/run/skiff");
	} else if (runtime_dir && *runtime_dir == '/') {
		path = path_join(runtime_dir, "skiff");
	} else if (asprintf(&path, "/tmp/skiff-%u", geteuid()) < 0) {
		path = NULL;
	}
	if (!path)
		return error_new(ENOMEM, "--root");
	if (make) {
		struct stat st;
		/* others may pass through, for hooks of theirs, but not look */
		try_as(path_make_folders(path, root ? 0711 : 0700), "make the folder of states");
		if (!root && stat(path, &st) == 0 && st.st_uid != geteuid())
			return error_said(EPERM, "%s belongs to another user: give --root", path);
		/* keeps those who tidy XDG_RUNTIME_DIR away */
		if (!root && !asked && chmod(path, 01700) < 0)
			return error_errno("chmod %s", path);
	}
	*out = take_ptr(&path);
	return NULL;
}

bool state_id_is_valid(const char *id)
{
	size_t len = strlen(id);

	return len > 0 && len < 256 && id[0] != '.' &&
	       strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-.") ==
		       len;
}

static error *state_alloc(const char *root, const char *id, struct state **out)
{
	struct state *s = calloc(1, sizeof(*s));

	if (!state_id_is_valid(id)) {
		free(s);
		return error_said(
			EINVAL,
			"'%s' is not a container id: want letters, digits and _ + - . (not first)",
			id);
	}
	if (s)
		s->path = path_join(root, id);
	if (!s || !s->path) {
		free(s);
		return error_new(ENOMEM, "state");
	}
	s->dir = s->lock = -1;
	*out = s;
	return NULL;
}

/* Waits for a command that is at work on the container. */
static error *lock_state(struct state *s)
{
	s->lock = openat(s->dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (s->lock < 0)
		return error_errno("lock %s", s->path);
	while (flock(s->lock, LOCK_EX) < 0)
		if (errno != EINTR)
			return error_errno("lock %s", s->path);
	return NULL;
}

error *state_new(const char *root, const char *id, struct state **out)
{
	auto_state struct state *s = NULL;

	try(state_alloc(root, id, &s));
	if (mkdir(s->path, 0700) < 0)
		return errno == EEXIST
			       ? error_said(EEXIST, "container with id '%s' already exists", id)
			       : error_errno("make %s", s->path);
	s->dir = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->dir < 0)
		return error_errno("make %s", s->path);
	error *e = lock_state(s);
	if (e)
		rmdir(s->path);
	else
		*out = take_ptr(&s);
	return e;
}

static error *read_init(struct state *s)
{
	auto_free char *text = NULL;
	uint64_t pid;
	auto_error error *e = file_read(s->dir, "init", 64, &text, NULL);

	if (e) /* none yet */
		return error_code(e) == ENOENT ? NULL : take_ptr(&e);
	char *space = strchr(text, ' ');
	char *end = strchr(text, '\n');
	if (!space || !end)
		return NULL; /* it is being written */
	*space = *end = '\0';
	if (text_to_u64(text, &pid) && pid < INT32_MAX && text_to_u64(space + 1, &s->init_start))
		s->init = (pid_t)pid;
	return NULL;
}

error *state_open(const char *root, const char *id, bool lock, struct state **out)
{
	auto_state struct state *s = NULL;
	auto_free char *text = NULL;
	struct stat st;
	size_t len;

	try(state_alloc(root, id, &s));
	s->dir = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->dir < 0 && (errno == ENOENT || errno == ENOTDIR))
		return error_said(ENOENT, "container '%s' does not exist", id);
	if (s->dir < 0)
		return error_errno("open %s", s->path);
	if (lock)
		try(lock_state(s));
	if (lock && fstat(s->dir, &st) == 0 && st.st_nlink == 0) /* deleted while we waited */
		return error_said(ENOENT, "container '%s' does not exist", id);
	try(arena_new(&s->arena));
	auto_error error *e = file_read(s->dir, "state.json", STATE_MAX, &text, &len);
	if (e && error_code(e) != ENOENT)
		return take_ptr(&e);
	if (!e) {
		s->fixed = arena_new_of(s->arena, struct state_fixed);
		if (!s->fixed)
			return arena_exhausted();
		auto_error error *bad =
			rows_read(&state_fixed_shape, text, len, ROWS_LENIENT, s->arena, s->fixed);
		if (bad) { /* one that is damaged must still be deletable */
			log_warning("%s/state.json: %s", s->path, error_message(bad));
			s->fixed = NULL;
		}
	}
	try(read_init(s));
	*out = take_ptr(&s);
	return NULL;
}

bool state_exists(const char *root, const char *id)
{
	auto_free char *path = path_join(root, id);

	return path && access(path, F_OK) == 0;
}

error *state_write_fixed(struct state *s, const struct state_fixed *fixed)
{
	auto_json struct json *j = NULL;
	const char *text;
	size_t len;

	try(json_new(JSON_ONE_LINE, &j));
	rows_write(&state_fixed_shape, fixed, NULL, j);
	try(json_finish(j, &text, &len));
	return file_replace(s->dir, "state.json", 0600, text, len);
}

error *state_write_init(struct state *s, pid_t init)
{
	char text[64];

	s->init = init;
	s->init_start = process_start_time(init);
	int len =
		snprintf(text, sizeof(text), "%d %llu\n", init, (unsigned long long)s->init_start);
	/* a number without its line end would not count: no need for a rename */
	return file_create(s->dir, "init", 0600, text, (size_t)len);
}

void state_free(struct state *s)
{
	if (!s)
		return;
	if (s->dir >= 0)
		close(s->dir);
	if (s->lock >= 0)
		close(s->lock);
	arena_free(s->arena);
	free(s->path);
	free(s);
}

error *state_remove(struct state *s)
{
	return path_remove_tree(AT_FDCWD, s->path);
}

/* The first process holds the lock until exec closes it. */
static bool waits_for_start(const struct state *s)
{
	auto_fd int fd = openat(s->dir, "start.lock", O_RDONLY | O_CLOEXEC);

	return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

static bool is_paused(const struct state *s)
{
	auto_cgroup struct cgroup *c = NULL;
	auto_error error *gone = s->fixed ? cgroup_open(s->fixed->cgroup_path, &c) : NULL;

	return !gone && cgroup_is_frozen(c);
}

enum container_status state_status(const struct state *s)
{
	if (!s->init) {
		/* whoever makes it holds the lock; else it was killed on the way */
		auto_fd int lock = openat(s->dir, "lock", O_RDONLY | O_CLOEXEC);
		bool at_work = lock >= 0 && flock(lock, LOCK_SH | LOCK_NB) < 0;
		return at_work ? CREATING : STOPPED;
	}
	if (process_start_time(s->init) != s->init_start)
		return STOPPED;
	if (is_paused(s))
		return PAUSED;
	return waits_for_start(s) ? CREATED : RUNNING;
}

const char *state_status_word(enum container_status status)
{
	static const char *const words[] = { "creating", "created", "running", "paused",
					     "stopped" };

	return words[status];
}

error *state_json(const struct state_fixed *fixed, enum container_status status, pid_t pid,
		  bool more, char **out)
{
	auto_json struct json *j = NULL;
	const char *text;

	try(json_new(more ? JSON_INDENTED : JSON_ONE_LINE, &j));
	json_object(j, NULL);
	json_text(j, "ociVersion", fixed->oci_version);
	json_text(j, "id", fixed->id);
	json_text(j, "status", state_status_word(status));
	json_i64(j, "pid", status == STOPPED ? 0 : pid);
	json_text(j, "bundle", fixed->bundle);
	if (more) {
		json_text(j, "rootfs", fixed->rootfs);
		json_text(j, "created", fixed->created);
		json_text(j, "owner", fixed->owner);
	}
	if (fixed->annotations.n || more)
		json_pairs(j, "annotations", fixed->annotations.v, fixed->annotations.n);
	json_end(j);
	try(json_finish(j, &text, NULL));
	*out = strdup(text);
	return *out ? NULL : error_new(ENOMEM, "state");
}

error *state_spec(struct state *s, const struct spec **out)
{
	return spec_read_file(s->dir, "config.json", s->arena, out);
}

error *state_open_init(const struct state *s, int *pidfd)
{
	return process_open(s->init, s->init_start, pidfd);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

error *state_list(const char *root, char ***ids, size_t *n)
{
	DIR *dir = opendir(root);
	struct strings list = { 0 };
	error *e = NULL;

	if (!dir && errno != ENOENT)
		return error_errno("open %s", root);
	for (struct dirent *d; dir && !e && (d = readdir(dir));)
		if (state_id_is_valid(d->d_name))
			e = strings_add(&list, d->d_name);
	if (dir)
		closedir(dir);
	if (e) {
		strings_free(&list);
		return e;
	}
	if (list.n)
		qsort(list.v, list.n, sizeof(char *), by_name);
	*ids = list.v;
	*n = list.n;
	return NULL;
}
