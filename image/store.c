#include "image/store.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/path.h"

/* clang-format off */
#define THIS stored_layer
SHAPE(stored_layer, STORED_LAYER)
#undef THIS
#define THIS stored_image
SHAPE(stored_image, STORED_IMAGE)
#undef THIS
/* clang-format on */

static const char version[] = "1\n";

error *store_path(const char *asked, bool rootless, char **out)
{
	const char *data = getenv("XDG_DATA_HOME");
	const char *home = getenv("HOME");
	char *path = NULL;

	if (asked)
		return path_absolute(asked, out);
	if (!rootless)
		path = strdup("/var/lib/skiff");
	else if (data && *data == '/')
		path = path_join(data, "skiff");
	else if (home && *home == '/')
		path = path_join(home, ".local/share/skiff");
	else
		return error_said(ENOENT, "neither $XDG_DATA_HOME nor $HOME is set: give --root");
	*out = path;
	return path ? NULL : error_new(ENOMEM, "store");
}

static error *check_version(struct store *s)
{
	auto_free char *text = NULL;
	auto_error error *e = file_read(s->dir, "version", 64, &text, NULL);

	if (e && error_code(e) == ENOENT)
		return file_replace(s->dir, "version", 0600, version, sizeof(version) - 1);
	if (e)
		return take_ptr(&e);
	if (strcmp(text, version) != 0)
		return error_said(EINVAL, "the store %s has version %.20s: want %s", s->path, text,
				  version);
	return NULL;
}

/* Names that differ only in case would be one file: a layer could replace what it does not name. */
static error *check_case(struct store *s)
{
	unsigned flags = 0;

	if (ioctl(s->dir, FS_IOC_GETFLAGS, &flags) == 0 && flags & FS_CASEFOLD_FL)
		return error_said(EINVAL, "the store %s does not tell upper from lower case",
				  s->path);
	return NULL;
}

static error *make_folders(struct store *s)
{
	static const char *const folders[] = { "tmp",          "locks",        "blobs",
					       "blobs/sha256", "blobs/sha512", "layers",
					       "needs-parent", "images",       "refs",
					       "containers",   "empty",        "volumes" };

	/* 0700: what is setuid inside must not be run by users of the host (CVE-2021-41091) */
	try(path_make_folders(s->path, 0700));
	s->dir = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->dir < 0)
		return error_errno("open %s", s->path);
	for (size_t i = 0; i < COUNT(folders); i++)
		if (mkdirat(s->dir, folders[i], 0700) < 0 && errno != EEXIST)
			return error_errno("make %s in %s", folders[i], s->path);
	return NULL;
}

error *store_open(const char *path, bool userxattr, struct store **out)
{
	auto_store struct store *s = calloc(1, sizeof(*s));

	if (!s)
		return error_new(ENOMEM, "store");
	s->dir = s->lock = -1;
	s->userxattr = userxattr;
	s->path = strdup(path);
	if (!s->path)
		return error_new(ENOMEM, "store");
	try_as(make_folders(s), "store");
	try(check_version(s));
	try(check_case(s));
	s->lock = openat(s->dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (s->lock < 0)
		return error_errno("open the lock of %s", s->path);
	while (flock(s->lock, LOCK_SH) < 0)
		if (errno != EINTR)
			return error_errno("lock %s", s->path);
	stage_tidy(s);
	*out = take_ptr(&s);
	return NULL;
}

void store_free(struct store *s)
{
	if (!s)
		return;
	if (s->lock >= 0)
		close(s->lock);
	if (s->dir >= 0)
		close(s->dir);
	free(s->path);
	free(s);
}
