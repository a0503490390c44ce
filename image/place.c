#include "image/place.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "base/kernel.h"
#include "image/metadata.h"

error *place_normalize(const char *name, char *out)
{
	size_t used = 0;
	int depth = 0;

	if (strlen(name) > PLACE_PATH_MAX)
		return error_said(ENAMETOOLONG, "a path has more than 32 KiB");
	for (const char *part = name; *part;) {
		size_t n = strcspn(part, "/");
		if (n == 2 && part[0] == '.' && part[1] == '.')
			return error_said(EINVAL, "'%s' has '..' in it", name);
		if (n > PLACE_NAME_MAX)
			return error_said(ENAMETOOLONG, "a name has more than 255 bytes");
		if (n && !(n == 1 && part[0] == '.')) {
			if (++depth > PLACE_DEPTH_MAX)
				return error_said(ENAMETOOLONG, "a path has more than %d folders",
						  PLACE_DEPTH_MAX);
			if (used)
				out[used++] = '/';
			memmove(out + used, part, n);
			used += n;
		}
		part += n + (part[n] == '/');
	}
	out[used] = '\0';
	return NULL;
}

void tree_forget(struct tree *t)
{
	if (t->parent >= 0)
		close(t->parent);
	t->parent = -1;
	free(t->parent_path);
	t->parent_path = NULL;
}

error *tree_note_time(struct tree *t, const char *path, uint64_t ino, struct timespec mtime)
{
	uint32_t index;

	if (!inodes_get(&t->dirs, ino, &index)) {
		if (t->n_times == t->times_capacity) {
			size_t capacity = t->times_capacity ? t->times_capacity * 2 : 64;
			struct dir_time *times = realloc(t->times, capacity * sizeof(*times));
			if (!times)
				return error_new(ENOMEM, "folders");
			t->times = times;
			t->times_capacity = capacity;
		}
		index = (uint32_t)t->n_times;
		try(inodes_put(&t->dirs, ino, index));
		t->times[t->n_times++] = (struct dir_time){ .ino = ino };
	}
	char *copy = strdup(path);
	if (!copy)
		return error_new(ENOMEM, "folders");
	free(t->times[index].path);
	t->times[index].path = copy;
	t->times[index].mtime = mtime;
	return NULL;
}

error *tree_note_folder(struct tree *t, const char *path, int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return error_errno("look at /%s", path);
	if (inodes_get(&t->dirs, st.st_ino, NULL))
		return NULL;
	return tree_note_time(t, path, st.st_ino, st.st_mtim);
}

error *tree_entered(struct tree *t, const char *path, int fd)
{
	auto_fd int owned = fd;
	char *copy = strdup(path);

	if (!copy)
		return error_new(ENOMEM, "folders");
	tree_forget(t);
	t->parent_path = copy;
	t->parent = take_fd(&owned);
	t->parent_has_default_acl = fgetxattr(fd, "system.posix_acl_default", NULL, 0) > 0;
	return tree_note_folder(t, path, fd);
}

/* --- the walk by parts: for paths that the kernel cannot open at once --- */

struct walk {
	struct tree *t;
	char *pending; /* what is still to be walked */
	char *at;      /* where it has come to: no links in it */
	size_t depth;
	int fd;    /* that folder */
	int links; /* followed so far */
};

enum { LINKS_MAX = 40 }; /* as the kernel */

static void walk_release(struct walk *w)
{
	free(w->pending);
	free(w->at);
	if (w->fd >= 0)
		close(w->fd);
}

#define auto_walk __attribute__((cleanup(walk_release)))

/* What the layers below have at `at`, which is a real path of real folders in this layer. */
static error *descend_lower(struct tree *t, const char *at, struct lower_dir *out)
{
	const struct lower_dir *roots;
	struct lower_dir dir = { 0 };
	auto_free char *path = strdup(at);
	auto_fd int own = fcntl(t->root, F_DUPFD_CLOEXEC, 0);

	t->asked_lowers = true;
	*out = dir;
	if (t->is_bottom)
		return NULL;
	try(t->lowers->get(t->lowers, &roots));
	dir.fds = calloc(roots->n + 1, sizeof(int));
	if (!path || !dir.fds || own < 0)
		return error_new(ENOMEM, "look into the layers below");
	for (; dir.n < roots->n; dir.n++)
		if ((dir.fds[dir.n] = fcntl(roots->fds[dir.n], F_DUPFD_CLOEXEC, 0)) < 0)
			return error_errno("look into the layers below");
	char *rest = path;
	for (char *part; *rest && (part = strsep(&rest, "/")); rest = rest ? rest : (char *)"") {
		struct lower_object found;
		error *e = lower_lookup(&dir, part, t->userxattr, &found);
		lower_dir_close(&dir);
		if (e)
			return e;
		dir = found.below;
		int next = openat(own, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		close(own);
		own = next;
		if (own < 0 || overlay_is_opaque(own, t->userxattr))
			lower_dir_close(&dir);
		if (own < 0)
			return error_errno("open /%s", at);
	}
	*out = dir;
	return NULL;
}

static error *walk_enter(struct walk *w, const char *part)
{
	size_t used = strlen(w->at);
	int next = openat(w->fd, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (next < 0)
		return error_errno("open /%s/%s", w->at, part);
	close(w->fd);
	w->fd = next;
	if (used + strlen(part) + 2 > PLACE_PATH_MAX || ++w->depth > PLACE_DEPTH_MAX)
		return error_said(ENAMETOOLONG, "a path is too long or too deep");
	if (used)
		w->at[used++] = '/';
	memcpy(w->at + used, part, strlen(part) + 1);
	return NULL;
}

/* From the root to `at` again, after ".." or an absolute link. */
static error *walk_reopen(struct walk *w)
{
	auto_free char *path = strdup(w->at);
	int fd = fcntl(w->t->root, F_DUPFD_CLOEXEC, 0);

	close(w->fd);
	w->fd = fd;
	if (!path || fd < 0)
		return error_new(ENOMEM, "walk");
	w->at[0] = '\0';
	w->depth = 0;
	char *rest = path;
	for (char *part; *path && (part = strsep(&rest, "/"));)
		try(walk_enter(w, part));
	return NULL;
}

static error *walk_up(struct walk *w)
{
	char *slash = strrchr(w->at, '/');

	*(slash ? slash : w->at) = '\0';
	return walk_reopen(w);
}

/* A link in dir takes the place of the part; rest is what follows it. */
static error *walk_link(struct walk *w, int dir, const char *part, const char *rest)
{
	char target[4096];
	ssize_t n = readlinkat(dir, part, target, sizeof(target) - 1);

	if (n < 0)
		return error_errno("read the link /%s/%s", w->at, part);
	target[n] = '\0';
	if (++w->links > LINKS_MAX)
		return error_new(ELOOP, "/%s/%s", w->at, part);
	size_t size = (size_t)n + strlen(rest) + 2;
	char *pending = malloc(size);
	if (!pending)
		return error_new(ENOMEM, "walk");
	memcpy(pending, target, (size_t)n);
	pending[n] = '/';
	memcpy(pending + n + 1, rest, strlen(rest) + 1);
	free(w->pending);
	w->pending = pending;
	if (target[0] != '/')
		return NULL;
	w->at[0] = '\0';
	return walk_reopen(w);
}

/* A folder that has no entry of its own: like the one below it, or plain. */
static error *walk_make(struct walk *w, const char *part, const struct lower_object *like,
			bool is_opaque)
{
	static const struct timespec epoch;
	struct stat st;

	try(tree_note_folder(w->t, w->at, w->fd));
	if (mkdirat(w->fd, part, 0700) < 0)
		return error_errno("make the folder /%s/%s", w->at, part);
	try(walk_enter(w, part));
	if (like && like->below.n)
		try_as(metadata_copy_folder(like->below.fds[0], w->fd), "/%s", w->at);
	else if (fchown(w->fd, 0, 0) < 0 || fchmod(w->fd, 0755) < 0)
		return error_errno("make the folder /%s", w->at);
	if (is_opaque)
		try(overlay_set_opaque(w->fd, w->t->userxattr));
	if (fstat(w->fd, &st) < 0)
		return error_errno("look at /%s", w->at);
	if (w->t->wants_made)
		try(inodes_put(&w->t->made, st.st_ino, 1));
	return tree_note_time(w->t, w->at, st.st_ino,
			      like && like->below.n ? like->st.st_mtim : epoch);
}

/* The part is not in this layer's folder: what the layers below have decides. */
static error *walk_missing(struct walk *w, const char *part, const char *rest)
{
	struct lower_dir below = { 0 };
	struct lower_object found = { 0 };

	if (w->t->form == FORM_FLAT)
		return walk_make(w, part, NULL, false);
	try(descend_lower(w->t, w->at, &below));
	error *e = lower_lookup(&below, part, w->t->userxattr, &found);
	if (!e && found.exists && S_ISLNK(found.st.st_mode))
		e = walk_link(w, found.dir, part, rest);
	else if (!e)
		e = walk_make(w, part, &found, false);
	lower_object_close(&found);
	lower_dir_close(&below);
	return e;
}

/* Something that is no folder is where one must be. A whiteout, or what a layer below left behind
 * in flat form, makes room: the entry implies a folder. */
static error *walk_blocked(struct walk *w, const char *part, const struct stat *st)
{
	bool is_whiteout = w->t->form == FORM_OVERLAY && overlay_is_whiteout(st);
	bool is_older = w->t->wants_made && !inodes_get(&w->t->made, st->st_ino, NULL);

	if (!is_whiteout && !is_older)
		return error_new(ENOTDIR, "/%s/%s", w->at, part);
	try(tree_note_folder(w->t, w->at, w->fd));
	if (unlinkat(w->fd, part, 0) < 0)
		return error_errno("remove /%s/%s", w->at, part);
	return walk_make(w, part, NULL, is_whiteout);
}

static error *walk_part(struct walk *w, const char *part, const char *rest)
{
	struct stat st;

	if (strcmp(part, ".") == 0 || !*part)
		return NULL;
	if (strcmp(part, "..") == 0)
		return walk_up(w);
	if (fstatat(w->fd, part, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno != ENOENT)
			return error_errno("look at /%s/%s", w->at, part);
		return walk_missing(w, part, rest);
	}
	if (S_ISDIR(st.st_mode))
		return walk_enter(w, part);
	if (S_ISLNK(st.st_mode))
		return walk_link(w, w->fd, part, rest);
	return walk_blocked(w, part, &st);
}

static error *walk_all(struct walk *w, const char *path)
{
	w->at = calloc(1, PLACE_PATH_MAX + 1);
	w->pending = strdup(path);
	w->fd = fcntl(w->t->root, F_DUPFD_CLOEXEC, 0);
	if (!w->at || !w->pending || w->fd < 0)
		return error_new(ENOMEM, "walk");
	while (*w->pending) {
		auto_free char *now = take_ptr(&w->pending);
		size_t n = strcspn(now, "/");
		char *rest = now + n + (now[n] == '/');
		now[n] = '\0';
		w->pending = strdup(rest);
		if (!w->pending)
			return error_new(ENOMEM, "walk");
		if (n > PLACE_NAME_MAX)
			return error_said(ENAMETOOLONG, "a name has more than 255 bytes");
		try(walk_part(w, now, rest));
	}
	return NULL;
}

/* Most folders are there, and then one call opens them. */
static bool open_at_once(const struct tree *t, const char *path, int *out)
{
	if (strlen(path) >= 4096)
		return false;
	*out = sys_openat2(t->root, *path ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0,
			   RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
	return *out >= 0;
}

error *tree_folder_apart(struct tree *t, const char *path, int *out, struct lower_dir *lower)
{
	auto_walk struct walk w = { .t = t, .fd = -1 };

	if (!lower && open_at_once(t, path, out))
		return NULL;
	try(walk_all(&w, path));
	if (lower)
		try(descend_lower(t, w.at, lower));
	*out = take_fd(&w.fd);
	return NULL;
}

error *tree_folder(struct tree *t, const char *path, int *out)
{
	int fd = -1;

	if (!t->parent_path || strcmp(path, t->parent_path) != 0) {
		try(tree_folder_apart(t, path, &fd, NULL));
		try(tree_entered(t, path, fd));
	}
	*out = t->parent;
	return NULL;
}

/* A folder may be gone, or another one may have its name: then its time is nobody's. */
static error *set_time(struct tree *t, const struct dir_time *d)
{
	const struct timespec times[] = { { .tv_nsec = UTIME_OMIT }, d->mtime };
	struct stat st;
	auto_fd int fd = -1;

	if (!open_at_once(t, d->path, &fd)) {
		auto_walk struct walk w = { .t = t, .fd = -1 };
		if (strlen(d->path) < 4096)
			return NULL;
		try(walk_all(&w, d->path));
		fd = take_fd(&w.fd);
	}
	if (fstat(fd, &st) < 0 || st.st_ino != d->ino)
		return NULL;
	return futimens(fd, times) < 0 ? error_errno("set the time of /%s", d->path) : NULL;
}

error *tree_finish(struct tree *t)
{
	tree_forget(t);
	for (size_t i = 0; i < t->n_times; i++)
		try(set_time(t, &t->times[i]));
	return NULL;
}

void tree_release(struct tree *t)
{
	tree_forget(t);
	for (size_t i = 0; i < t->n_times; i++)
		free(t->times[i].path);
	free(t->times);
	inodes_free(&t->dirs);
	inodes_free(&t->made);
}
