/* INIT: tmpcopyup, a tmpfs that begins as a copy of what it covers. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "base/path.h"
#include "runtime/init_mounts.h"

static error *copy_folder(int from, int to, int depth);

static error *copy_xattrs(int from, int to)
{
	char names[4096];
	char value[4096];
	ssize_t n = flistxattr(from, names, sizeof(names));

	for (ssize_t at = 0; at < n; at += (ssize_t)strlen(names + at) + 1) {
		ssize_t size = fgetxattr(from, names + at, value, sizeof(value));
		/* a tmpfs does not take every kind: what it cannot hold stays behind */
		if (size >= 0 && fsetxattr(to, names + at, value, (size_t)size, 0) < 0 &&
		    errno != EOPNOTSUPP && errno != EPERM)
			return error_errno("set %s", names + at);
	}
	return NULL;
}

static error *copy_attributes(int from, int to, const struct stat *st)
{
	struct timespec times[2] = { st->st_atim, st->st_mtim };

	if (fchown(to, st->st_uid, st->st_gid) < 0 && errno != EPERM && errno != EINVAL)
		return error_errno("change the owner");
	if (fchmod(to, st->st_mode & 07777) < 0)
		return error_errno("change the mode");
	try(copy_xattrs(from, to));
	return futimens(to, times) < 0 ? error_errno("set the times") : NULL;
}

static error *copy_file(int dir, const char *name, int to, const struct stat *st)
{
	auto_fd int source = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	auto_fd int target = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	ssize_t n;

	if (source < 0 || target < 0)
		return error_errno("open %s", name);
	while ((n = sendfile(target, source, NULL, (size_t)1 << 30)) > 0) {
	}
	if (n < 0)
		return error_errno("copy %s", name);
	return copy_attributes(source, target, st);
}

static error *copy_link(int dir, const char *name, int to, const struct stat *st)
{
	char text[4096];
	ssize_t n = readlinkat(dir, name, text, sizeof(text) - 1);

	if (n < 0)
		return error_errno("read the link %s", name);
	text[n] = '\0';
	if (symlinkat(text, to, name) < 0 ||
	    (fchownat(to, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0 && errno != EPERM))
		return error_errno("make the link %s", name);
	return NULL;
}

static error *copy_subfolder(int dir, const char *name, int to, const struct stat *st, int depth)
{
	if (mkdirat(to, name, 0700) < 0)
		return error_errno("make %s", name);
	auto_fd int source = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	auto_fd int target = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (source < 0 || target < 0)
		return error_errno("open %s", name);
	try(copy_folder(source, target, depth + 1));
	return copy_attributes(source, target, st);
}

static error *copy_entry(int dir, const char *name, int to, int depth)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return error_errno("look at %s", name);
	if (S_ISDIR(st.st_mode))
		return copy_subfolder(dir, name, to, &st, depth);
	if (S_ISLNK(st.st_mode))
		return copy_link(dir, name, to, &st);
	if (S_ISREG(st.st_mode))
		return copy_file(dir, name, to, &st);
	/* sockets, pipes and devices: the node, as far as we may make it */
	if (mknodat(to, name, st.st_mode, st.st_rdev) < 0 && errno != EPERM)
		return error_errno("make %s", name);
	return NULL;
}

static error *copy_folder(int from, int to, int depth)
{
	int listed = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *entries = listed < 0 ? NULL : fdopendir(listed);
	error *e = NULL;

	if (!entries) {
		e = error_errno("read a folder");
		if (listed >= 0)
			close(listed);
		return e;
	}
	if (depth > 64) /* each level holds three descriptors */
		e = error_new(ELOOP, "folders nested more than 64 deep");
	for (struct dirent *d; !e && (d = readdir(entries));)
		if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
			e = copy_entry(from, d->d_name, to, depth);
	closedir(entries);
	return e;
}

error *copy_up(int from, int to)
{
	struct stat st;

	try(copy_folder(from, to, 0));
	/* the mount's own folder: from is O_PATH and to is a mount's root, so by name */
	auto_fd int source = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_fd int target = openat(to, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (source < 0 || target < 0 || fstat(source, &st) < 0)
		return error_errno("open the folder");
	return copy_attributes(source, target, &st);
}
