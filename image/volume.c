#include "image/volume.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "image/metadata.h"

enum { DEPTH_MAX = 64 }; /* each level holds descriptors of every layer */

struct copy {
	bool userxattr;
	int depth;
};

static error *copy_folder(struct copy *c, const struct lower_dir *from, int to);

/* Holes stay holes: an image may hold a file of many gigabytes that takes no room. */
static error *copy_content(int from, int to, const char *name, off_t size)
{
	off_t end = 0;

	if (ftruncate(to, size) < 0)
		return error_errno("copy %s", name);
	for (off_t at = 0; (at = lseek(from, end, SEEK_DATA)) >= 0;) {
		end = lseek(from, at, SEEK_HOLE);
		if (end < 0 || lseek(to, at, SEEK_SET) < 0)
			return error_errno("copy %s", name);
		while (at < end)
			if (sendfile(to, from, &at, (size_t)(end - at)) <= 0)
				return error_errno("copy %s", name);
	}
	return errno == ENXIO ? NULL : error_errno("copy %s", name);
}

static error *copy_file(const struct lower_object *object, const char *name, int to)
{
	auto_fd int from =
		openat(object->dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	auto_fd int file = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	const struct timespec times[2] = { object->st.st_atim, object->st.st_mtim };

	if (from < 0 || file < 0)
		return error_errno("copy %s", name);
	try(copy_content(from, file, name, object->st.st_size));
	try(metadata_copy_folder(from, file));
	return futimens(file, times) < 0 ? error_errno("set the times of %s", name) : NULL;
}

static error *copy_link(const struct lower_object *object, const char *name, int to)
{
	char target[4096];
	ssize_t n = readlinkat(object->dir, name, target, sizeof(target) - 1);

	target[n < 0 ? 0 : n] = '\0';
	if (n < 0 || symlinkat(target, to, name) < 0 ||
	    fchownat(to, name, object->st.st_uid, object->st.st_gid, AT_SYMLINK_NOFOLLOW) < 0)
		return error_errno("copy the link %s", name);
	return NULL;
}

static error *copy_subfolder(struct copy *c, const struct lower_dir *below, const char *name,
			     int to)
{
	if (mkdirat(to, name, 0700) < 0)
		return error_errno("make %s", name);
	auto_fd int dir = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return error_errno("open %s", name);
	return copy_folder(c, below, dir);
}

/* Devices, pipes and sockets are left out. */
static error *copy_object(struct copy *c, const struct lower_dir *from, const char *name, int to)
{
	struct lower_object object = { 0 };
	struct stat there;
	error *e = NULL;

	if (fstatat(to, name, &there, AT_SYMLINK_NOFOLLOW) == 0)
		return NULL; /* a higher layer's */
	try(lower_lookup(from, name, c->userxattr, &object));
	if (object.exists && S_ISDIR(object.st.st_mode))
		e = copy_subfolder(c, &object.below, name, to);
	else if (object.exists && S_ISREG(object.st.st_mode))
		e = copy_file(&object, name, to);
	else if (object.exists && S_ISLNK(object.st.st_mode))
		e = copy_link(&object, name, to);
	lower_object_close(&object);
	return e;
}

static error *copy_listed(struct copy *c, const struct lower_dir *from, int layer, int to)
{
	int fd = openat(layer, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *listing = fd < 0 ? NULL : fdopendir(fd);
	error *e = NULL;

	if (!listing) {
		e = error_errno("read a folder");
		if (fd >= 0)
			close(fd);
		return e;
	}
	for (struct dirent *d; !e && (d = readdir(listing));)
		if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
			e = copy_object(c, from, d->d_name, to);
	closedir(listing);
	return e;
}

static error *copy_folder(struct copy *c, const struct lower_dir *from, int to)
{
	if (++c->depth > DEPTH_MAX)
		return error_new(ELOOP, "folders nested more than %d deep", DEPTH_MAX);
	for (size_t i = 0; i < from->n; i++)
		try(copy_listed(c, from, from->fds[i], to));
	c->depth--;
	return metadata_copy_folder(from->fds[0], to);
}

static error *fill(struct store *s, const struct lower_dir *layers, const char *path, int to)
{
	struct copy c = { .userxattr = s->userxattr };
	struct lower_dir from = { 0 };
	auto_error error *e = lower_open_folder(layers, path, s->userxattr, &from);

	if (e) /* a volume where the image has nothing begins empty */
		return error_code(e) == ENOENT ? NULL : take_ptr(&e);
	e = copy_folder(&c, &from, to);
	lower_dir_close(&from);
	return take_ptr(&e);
}

error *volume_ensure(struct store *s, const char *word, const struct lower_dir *layers)
{
	auto_stage struct stage stage = { .dir = -1 };
	size_t len = strcspn(word, ":");
	auto_free char *name = strndup(word, len);
	auto_free char *path = word[len] ? strdup(word + len + 1) : NULL;
	auto_free char *place = NULL;

	if (!name || !path || strchr(name, '/') || *name == '.' || !*name)
		return error_said(EINVAL, "--volume: '%s' is not NAME:PATH", word);
	path[strcspn(path, ":")] = '\0';
	if (asprintf(&place, "volumes/%s", name) < 0)
		return error_new(ENOMEM, "volume");
	if (faccessat(s->dir, place, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return NULL;
	try(stage_new(s, &stage));
	if (mkdirat(stage.dir, "volume", 0755) < 0)
		return error_errno("make volume %s", name);
	auto_fd int dir = openat(stage.dir, "volume", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return error_errno("make volume %s", name);
	try_as(fill(s, layers, path, dir), "volume %s", name);
	if (renameat2(stage.dir, "volume", s->dir, place, RENAME_NOREPLACE) < 0 && errno != EEXIST)
		return error_errno("make volume %s", name);
	return NULL;
}
