#include "image/lower.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "base/path.h"

static const char *opaque_name(bool userxattr)
{
	return userxattr ? "user.overlay.opaque" : "trusted.overlay.opaque";
}

bool overlay_is_opaque(int dir, bool userxattr)
{
	char value = 0;

	return fgetxattr(dir, opaque_name(userxattr), &value, 1) == 1 && value == 'y';
}

error *overlay_set_opaque(int dir, bool userxattr)
{
	if (fsetxattr(dir, opaque_name(userxattr), "y", 1, 0) < 0)
		return error_errno("mark a folder as opaque (%s)", opaque_name(userxattr));
	return NULL;
}

bool overlay_is_whiteout(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0);
}

void lower_dir_close(struct lower_dir *dir)
{
	for (size_t i = 0; i < dir->n; i++)
		close(dir->fds[i]);
	free(dir->fds);
	*dir = (struct lower_dir){ 0 };
}

void lower_object_close(struct lower_object *object)
{
	lower_dir_close(&object->below);
}

error *lower_lookup(const struct lower_dir *dir, const char *name, bool userxattr,
		    struct lower_object *out)
{
	struct lower_object found = { 0 };

	if (dir->n) {
		found.below.fds = calloc(dir->n, sizeof(int));
		if (!found.below.fds)
			return error_new(ENOMEM, "look into the layers below");
	}
	for (size_t i = 0; i < dir->n; i++) {
		struct stat st;
		if (fstatat(dir->fds[i], name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
			if (errno == ENOENT)
				continue;
			lower_object_close(&found);
			return error_errno("look for %s in the layers below", name);
		}
		if (overlay_is_whiteout(&st) || (found.exists && !S_ISDIR(st.st_mode)))
			break;
		if (!found.exists) {
			found.exists = true;
			found.st = st;
			found.dir = dir->fds[i];
		}
		if (!S_ISDIR(st.st_mode))
			break;
		int fd = openat(dir->fds[i], name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0) {
			lower_object_close(&found);
			return error_errno("open %s in a layer below", name);
		}
		found.below.fds[found.below.n++] = fd;
		if (overlay_is_opaque(fd, userxattr))
			break;
	}
	*out = found;
	return NULL;
}

static error *copy_dir(const struct lower_dir *from, struct lower_dir *out)
{
	struct lower_dir copy = { .fds = calloc(from->n + 1, sizeof(int)) };

	if (!copy.fds)
		return error_new(ENOMEM, "look into the layers");
	for (; copy.n < from->n; copy.n++)
		if ((copy.fds[copy.n] = fcntl(from->fds[copy.n], F_DUPFD_CLOEXEC, 0)) < 0) {
			error *e = error_errno("look into the layers");
			lower_dir_close(&copy);
			return e;
		}
	*out = copy;
	return NULL;
}

/* What a path shall lead to: a regular file, or a folder. */
struct goal {
	bool is_folder;
	int fd;
	struct lower_dir folder;
};

static bool is_reached(const struct goal *g)
{
	return g->fd >= 0 || g->folder.fds;
}

/* found, the path's last part, is what was looked for, or an error. */
static error *reach(struct goal *g, struct lower_object *found, const char *part, const char *path)
{
	if (g->is_folder && S_ISDIR(found->st.st_mode)) {
		g->folder = found->below;
		found->below = (struct lower_dir){ 0 };
		return NULL;
	}
	if (g->is_folder || !S_ISREG(found->st.st_mode))
		return error_said(g->is_folder ? ENOTDIR : EINVAL, "%s is not a %s", path,
				  g->is_folder ? "folder" : "file");
	g->fd = openat(found->dir, part, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	return g->fd < 0 ? error_errno("open %s", path) : NULL;
}

/* The path that a link makes of what led to it, before, and of what was to come. */
static error *follow(const struct lower_object *link, const char *name, const char *before,
		     const char *rest, char **next)
{
	char target[4096];
	ssize_t n = readlinkat(link->dir, name, target, sizeof(target) - 1);

	if (n < 0)
		return error_errno("read the link %s", name);
	target[n] = '\0';
	if (asprintf(next, "%s/%s/%s", target[0] == '/' ? "" : before, target, rest ? rest : "") <
	    0)
		return error_new(ENOMEM, "%s", name);
	return NULL;
}

/* One try without links: walks `path` and ends at its goal, or at the first link, whose place and
 * the rest behind it make the path to be tried next. */
static error *open_or_follow(const struct lower_dir *roots, const char *path, bool userxattr,
			     struct goal *goal, char **next)
{
	auto_free char *walked = strdup(path);
	struct lower_dir dir = { 0 };
	struct lower_object found = { 0 };
	char *rest = walked;
	error *e = walked ? copy_dir(roots, &dir) : error_new(ENOMEM, "%s", path);

	for (char *part; !e && !is_reached(goal) && !*next && (part = strsep(&rest, "/"));) {
		if (!*part)
			continue;
		e = lower_lookup(&dir, part, userxattr, &found);
		if (e)
			break;
		if (!found.exists) {
			e = error_new(ENOENT, "%s", path);
		} else if (S_ISLNK(found.st.st_mode)) {
			auto_free char *before = strndup(path, (size_t)(part - walked));
			e = before ? follow(&found, part, before, rest, next)
				   : error_new(ENOMEM, "%s", path);
		} else if (!rest) {
			e = reach(goal, &found, part, path);
		} else if (!S_ISDIR(found.st.st_mode)) {
			e = error_said(goal->is_folder ? ENOTDIR : EINVAL,
				       "%s leads through what is not a folder", path);
		}
		lower_dir_close(&dir);
		dir = found.below;
	}
	lower_dir_close(&dir);
	return e;
}

static error *open_goal(const struct lower_dir *roots, const char *path, bool userxattr,
			struct goal *goal)
{
	auto_free char *now = path_clean(path);

	for (int links = 0; now && links < 40; links++) {
		auto_free char *next = NULL;
		if (goal->is_folder && strcmp(now, "/") == 0)
			return copy_dir(roots, &goal->folder);
		try(open_or_follow(roots, now, userxattr, goal, &next));
		if (is_reached(goal))
			return NULL;
		free(now);
		now = next ? path_clean(next) : NULL;
	}
	return now ? error_new(ELOOP, "%s", path) : error_new(ENOENT, "%s", path);
}

error *lower_open_file(const struct lower_dir *roots, const char *path, bool userxattr, int *out)
{
	struct goal goal = { .fd = -1 };

	try(open_goal(roots, path, userxattr, &goal));
	*out = goal.fd;
	return NULL;
}

error *lower_open_folder(const struct lower_dir *roots, const char *path, bool userxattr,
			 struct lower_dir *out)
{
	struct goal goal = { .is_folder = true, .fd = -1 };

	try(open_goal(roots, path, userxattr, &goal));
	*out = goal.folder;
	return NULL;
}
