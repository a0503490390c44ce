#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/log.h"
#include "image/remove.h"
#include "image/store.h"

/* Held from the making of a stage until its owner is locked, and by those who look for stages
 * without an owner: else a stage could look deserted in its first moment. */
static error *lock_stages(struct store *s, int how, int *out)
{
	auto_fd int fd = openat(s->dir, "tmp/.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return error_errno("open tmp/.lock");
	while (flock(fd, how) < 0)
		if (errno != EINTR)
			return error_new(errno, "lock tmp/.lock");
	*out = take_fd(&fd);
	return NULL;
}

error *stage_new(struct store *s, struct stage *out)
{
	struct stage stage = { .store = s, .dir = -1, .owner = -1 };
	auto_fd int lock = -1;
	auto_fd int dir = -1;
	auto_fd int owner = -1;
	char path[64];
	uint64_t random;

	try(lock_stages(s, LOCK_EX, &lock));
	if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return error_errno("getrandom");
	snprintf(stage.name, sizeof(stage.name), "%d.%016" PRIx64, getpid(), random);
	snprintf(path, sizeof(path), "tmp/%s", stage.name);
	if (mkdirat(s->dir, path, 0700) < 0)
		return error_errno("make %s", path);
	dir = openat(s->dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return error_errno("open %s", path);
	owner = openat(dir, "owner", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (owner < 0 || flock(owner, LOCK_EX | LOCK_NB) < 0)
		return error_errno("lock %s", path);
	stage.dir = take_fd(&dir);
	stage.owner = take_fd(&owner);
	*out = stage;
	return NULL;
}

void stage_drop(struct stage *stage)
{
	char path[64];

	if (stage->dir < 0)
		return;
	close(stage->dir);
	stage->dir = -1;
	snprintf(path, sizeof(path), "tmp/%s", stage->name);
	auto_error error *e = remove_all(stage->store->dir, path);
	if (e)
		log_warning("%s: %s", path, error_message(e));
	close(stage->owner);
}

static bool is_deserted(int tmp, const char *name)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/owner", name);
	auto_fd int fd = openat(tmp, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT;
	return flock(fd, LOCK_EX | LOCK_NB) == 0;
}

void stage_tidy(struct store *s)
{
	auto_fd int lock = -1;
	int tmp = openat(s->dir, "tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *listing = tmp < 0 ? NULL : fdopendir(tmp);
	auto_error error *e = lock_stages(s, LOCK_EX | LOCK_NB, &lock);

	/* somebody else is at it, or makes a stage now: the next command will do */
	for (struct dirent *d; !e && listing && (d = readdir(listing));) {
		if (d->d_name[0] == '.' || !is_deserted(tmp, d->d_name))
			continue;
		auto_error error *failed = remove_all(tmp, d->d_name);
		if (failed)
			log_warning("tidy %s/tmp: %s", s->path, error_message(failed));
	}
	if (listing)
		closedir(listing);
}

error *store_put(struct store *s, const char *path, const void *data, size_t len)
{
	auto_stage struct stage stage = { .dir = -1 };

	try(stage_new(s, &stage));
	auto_fd int fd = openat(stage.dir, "file", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_errno("write %s", path);
	try_as(fd_write_all(fd, data, len), "%s", path);
	if (s->sync != SYNC_NONE && fsync(fd) < 0)
		return error_errno("write %s", path);
	if (renameat(stage.dir, "file", s->dir, path) < 0)
		return error_errno("write %s", path);
	return NULL;
}
