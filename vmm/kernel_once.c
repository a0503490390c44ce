/* A bzImage that somebody brings: what is packed in it is kept in the store, so that no guest has
 * to unpack it at each start. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/text.h"
#include "vmm.h"
#include "vmm/kernel.h"

enum { TICK_NS = 50000000 };

/* The name that it is kept under has the time of the last change, which the kernel knows by ticks:
 * two changes within one look like one. So nothing is read within the tick of a change. */
static void let_a_tick_pass(const struct stat *st)
{
	static const struct timespec tick = { .tv_nsec = TICK_NS };
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	int64_t age = (int64_t)(now.tv_sec - st->st_ctim.tv_sec) * 1000000000 +
		      (now.tv_nsec - st->st_ctim.tv_nsec);
	if (age < TICK_NS)
		nanosleep(&tick, NULL);
}

static bool has_changed(const struct stat *a, const struct stat *b)
{
	return a->st_size != b->st_size || a->st_ctim.tv_sec != b->st_ctim.tv_sec ||
	       a->st_ctim.tv_nsec != b->st_ctim.tv_nsec;
}

/* What the same file was before it was changed; and what was left half done, a day ago. Machines
 * that run keep what they have. */
static void remove_older(const char *path)
{
	auto_free char *folder = strdup(path);
	time_t day_ago = time(NULL) - 24 * 3600;
	struct stat st;

	if (!folder)
		return;
	char *name = strrchr(folder, '/');
	*name++ = '\0';
	size_t same = strcspn(name, "-") + 1;
	DIR *dir = opendir(folder);
	for (struct dirent *d; dir && (d = readdir(dir));)
		if ((strncmp(d->d_name, name, same) == 0 && strcmp(d->d_name, name) != 0) ||
		    (text_starts(d->d_name, "fresh.") &&
		     fstatat(dirfd(dir), d->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		     st.st_mtime < day_ago))
			unlinkat(dirfd(dir), d->d_name, 0);
	if (dir)
		closedir(dir);
}

/* Whoever comes meanwhile does the same work, and the last one's stays: they are alike. */
static error *unpack(int packed, const char *name, const struct stat *st, const char *fresh, int fd,
		     const char *path)
{
	struct stat now;

	try(kernel_unpack(packed, name, fd));
	if (fstat(packed, &now) < 0)
		return error_errno("%s", name);
	if (has_changed(st, &now))
		return error_said(EBUSY, "%s changes while it is read", name);
	if (fchmod(fd, 0644) < 0 || rename(fresh, path) < 0)
		return error_errno("rename %s", fresh);
	remove_older(path);
	return NULL;
}

error *kernel_unpack_once(const char *store, const char *bzimage, char **out)
{
	auto_free char *path = NULL;
	auto_free char *folder = path_join(store, KERNEL_UNPACKED);
	auto_free char *fresh = folder ? path_join(folder, "fresh.XXXXXX") : NULL;
	auto_fd int packed = open(bzimage, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (!fresh)
		return error_new(ENOMEM, "a path");
	if (packed < 0 || fstat(packed, &st) < 0)
		return error_errno("%s", bzimage);
	let_a_tick_pass(&st);
	if (fstat(packed, &st) < 0)
		return error_errno("%s", bzimage);
	try(kernel_unpacked_path(store, &st, &path));
	auto_error error *e = kernel_check_unpacked(path);
	if (e && error_code(e) != ENOENT)
		return take_ptr(&e);
	if (e) {
		try(path_make_folders(folder, 0755));
		auto_fd int fd = mkostemp(fresh, O_CLOEXEC);
		if (fd < 0)
			return error_errno("make %s", fresh);
		error *failed = unpack(packed, bzimage, &st, fresh, fd, path);
		if (failed) {
			unlink(fresh);
			return failed;
		}
		try(kernel_check_unpacked(path));
	}
	*out = take_ptr(&path);
	return NULL;
}
