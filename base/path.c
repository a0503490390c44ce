#include "base/path.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/kernel.h"

char *path_clean(const char *path)
{
	char *clean = malloc(strlen(path) + 2);
	size_t len = 0;

	if (!clean)
		return NULL;
	for (const char *part = path; *part;) {
		size_t n = strcspn(part, "/");
		if (n == 2 && part[0] == '.' && part[1] == '.') {
			while (len > 0 && clean[--len] != '/') {
			}
		} else if (n > 0 && !(n == 1 && part[0] == '.')) {
			clean[len++] = '/';
			memcpy(clean + len, part, n);
			len += n;
		}
		part += n + (part[n] == '/');
	}
	if (len == 0)
		clean[len++] = '/';
	clean[len] = '\0';
	return clean;
}

char *path_join(const char *dir, const char *name)
{
	char *joined = NULL;

	if (name[0] == '/')
		return strdup(name);
	return asprintf(&joined, "%s/%s", dir, name) < 0 ? NULL : joined;
}

error *path_absolute(const char *path, char **out)
{
	auto_free char *here = path[0] == '/' ? strdup("/") : getcwd(NULL, 0);

	if (!here)
		return error_errno("find the current directory");
	auto_free char *joined = path_join(here, path);
	char *clean = joined ? path_clean(joined) : NULL;
	if (!clean)
		return error_new(ENOMEM, "%s", path);
	*out = clean;
	return NULL;
}

error *root_open(int root, const char *path, uint64_t flags, int *out)
{
	int fd;

	/* openat2 gives EAGAIN when a rename elsewhere crossed its walk of "..". */
	for (int tries = 0; tries < 64; tries++) {
		fd = sys_openat2(root, path, flags | O_CLOEXEC, 0,
				 RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
		if (fd >= 0 || errno != EAGAIN)
			break;
	}
	if (fd < 0)
		return error_errno("open %s in the root", path);
	*out = fd;
	return NULL;
}

/* The folder `name` of the folder at, followed inside root if it is a link, made if it is missing.
 */
static error *ensure_folder(int root, const char *so_far, int at, const char *name, int *out)
{
	auto_error error *e = root_open(root, so_far, O_PATH | O_DIRECTORY, out);

	if (!e || error_code(e) != ENOENT)
		return take_ptr(&e);
	if (mkdirat(at, name, 0755) < 0 && errno != EEXIST)
		return error_errno("make folder %s in the root", so_far);
	return root_open(root, so_far, O_PATH | O_DIRECTORY, out);
}

error *root_ensure_parent(int root, const char *path, int *out, const char **name)
{
	auto_free char *walked = strdup(path);
	auto_fd int at = -1;

	if (!walked)
		return error_new(ENOMEM, "%s", path);
	try(root_open(root, ".", O_PATH | O_DIRECTORY, &at));
	const char *last = strrchr(path, '/');
	last = last ? last + 1 : path;
	for (char *part = walked + strspn(walked, "/"); part - walked < last - path;) {
		char *end = part + strcspn(part, "/");
		*end = '\0';
		int next = -1;
		try(ensure_folder(root, walked, at, part, &next));
		close(at);
		at = next;
		*end = '/';
		part = end + strspn(end, "/");
	}
	*out = take_fd(&at);
	*name = last;
	return NULL;
}

/* Where a link leads that leads to nothing yet, as seen inside the root. malloc()ed, or NULL. */
static char *link_target(int parent, const char *name, const char *clean)
{
	char text[PATH_MAX];
	ssize_t n = readlinkat(parent, name, text, sizeof(text) - 1);

	if (n <= 0)
		return NULL;
	text[n] = '\0';
	auto_free char *folder = strndup(clean, (size_t)(strrchr(clean, '/') - clean));
	auto_free char *joined = folder ? path_join(folder, text) : NULL;
	return joined ? path_clean(joined) : NULL;
}

static error *ensure(int root, const char *path, int is_file, int links, int *out)
{
	auto_error error *e = root_open(root, path, O_PATH, out); /* the usual case: it is there */
	auto_fd int parent = -1;
	const char *name;

	if (!e || error_code(e) != ENOENT)
		return take_ptr(&e);
	auto_free char *clean = path_clean(path);
	if (!clean)
		return error_new(ENOMEM, "%s", path);
	try(root_ensure_parent(root, clean, &parent, &name));
	if (!is_file)
		return ensure_folder(root, clean, parent, name, out);
	int made = openat(parent, name, O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (made >= 0)
		close(made);
	else if (errno != EEXIST)
		return error_errno("make file %s in the root", path);
	auto_free char *target =
		made < 0 && links > 0 && clean[0] == '/' ? link_target(parent, name, clean) : NULL;
	return target ? ensure(root, target, is_file, links - 1, out)
		      : root_open(root, clean, O_PATH, out);
}

error *root_ensure(int root, const char *path, int is_file, int *out)
{
	return ensure(root, path, is_file, 0, out);
}

error *root_ensure_linked(int root, const char *path, int *out)
{
	return ensure(root, path, true, 8, out);
}

error *path_make_folders(const char *path, mode_t mode)
{
	auto_free char *walked = strdup(path);

	if (!walked)
		return error_new(ENOMEM, "%s", path);
	for (char *end = walked + 1; *end; end++) {
		if (*end != '/')
			continue;
		*end = '\0';
		if (mkdir(walked, 0755) < 0 && errno != EEXIST)
			return error_errno("make folder %s", walked);
		*end = '/';
	}
	if (mkdir(walked, mode) < 0 && errno != EEXIST)
		return error_errno("make folder %s", walked);
	return NULL;
}

static error *remove_below(int dir, dev_t device);

/* fd is opened for reading and given away. */
static error *remove_entries(int fd, dev_t device)
{
	DIR *listing = fdopendir(fd);
	error *e = NULL;

	if (!listing) {
		close(fd);
		return error_errno("read a folder");
	}
	for (struct dirent *entry; !e && (entry = readdir(listing));) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (unlinkat(dirfd(listing), entry->d_name, 0) == 0 || errno == ENOENT)
			continue;
		if (errno != EISDIR && errno != EPERM) {
			e = error_errno("remove %s", entry->d_name);
			break;
		}
		int below = openat(dirfd(listing), entry->d_name,
				   O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		e = below < 0 ? error_errno("open %s", entry->d_name) : remove_below(below, device);
		if (!e && unlinkat(dirfd(listing), entry->d_name, AT_REMOVEDIR) < 0)
			e = error_errno("remove %s", entry->d_name);
	}
	closedir(listing);
	return e;
}

static error *remove_below(int dir, dev_t device)
{
	struct stat st;

	if (fstat(dir, &st) == 0 && st.st_dev != device) {
		close(dir);
		return error_new(EBUSY, "a file system is mounted in it");
	}
	return remove_entries(dir, device);
}

error *path_remove_tree(int parent, const char *name)
{
	struct stat st;
	int dir = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (dir < 0 && errno == ENOENT)
		return NULL;
	if (dir < 0 || fstat(dir, &st) < 0) {
		error *e = error_errno("open %s", name);
		if (dir >= 0)
			close(dir);
		return e;
	}
	try_as(remove_entries(dir, st.st_dev), "%s", name);
	if (unlinkat(parent, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return error_errno("remove %s", name);
	return NULL;
}
