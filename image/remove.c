#include "image/remove.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/kernel.h"

/* Instead of going down, which costs a descriptor or a stack frame for each level of a tree that
 * somebody else may have made very deep, the folders inside a folder are moved up: top holds
 * folders that are emptied one after the other. */
struct removal {
	int top;
	unsigned long counter; /* for names in top */
};

static bool is_dots(const char *name)
{
	return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

/* Moves a folder out of `from` into top, under a name that is free there. */
static error *move_up(struct removal *r, int from, const char *name)
{
	for (;;) {
		char fresh[40];
		snprintf(fresh, sizeof(fresh), ".removed.%lu", r->counter++);
		if (renameat2(from, name, r->top, fresh, RENAME_NOREPLACE) == 0)
			return NULL;
		if (errno != EEXIST)
			return errno == ENOENT ? NULL : error_errno("remove %s", name);
	}
}

static error *remove_folder(struct removal *r, const char *name);

/* What is in dir goes: files at once, folders by way of top. With is_top they are removed in turn.
 */
static error *empty(struct removal *r, int fd, bool is_top)
{
	DIR *listing = fdopendir(fd);
	error *e = NULL;

	if (!listing) {
		close(fd);
		return error_errno("read a folder");
	}
	for (struct dirent *entry; !e && (entry = readdir(listing));) {
		const char *name = entry->d_name;
		if (is_dots(name) ||
		    (entry->d_type != DT_DIR && unlinkat(dirfd(listing), name, 0) == 0))
			continue;
		if (entry->d_type != DT_DIR && errno == ENOENT)
			continue;
		if (entry->d_type != DT_DIR && errno != EISDIR)
			e = error_errno("remove %s", name);
		else if (is_top)
			e = remove_folder(r, name);
		else if (unlinkat(dirfd(listing), name, AT_REMOVEDIR) < 0 && errno != ENOENT)
			e = errno == ENOTEMPTY || errno == EEXIST ? move_up(r, dirfd(listing), name)
								  : error_errno("remove %s", name);
	}
	closedir(listing);
	return e;
}

static error *remove_folder(struct removal *r, const char *name)
{
	if (unlinkat(r->top, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return NULL;
	if (errno != ENOTEMPTY && errno != EEXIST)
		return error_errno("remove %s", name);
	int dir = openat(r->top, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return errno == ENOENT ? NULL : error_errno("remove %s", name);
	try(empty(r, dir, false));
	if (unlinkat(r->top, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return error_errno("remove %s", name);
	return NULL;
}

static bool is_empty(int dir)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *listing = fd < 0 ? NULL : fdopendir(fd);
	bool empty_ = true;

	if (!listing)
		return true;
	for (struct dirent *entry; empty_ && (entry = readdir(listing));)
		empty_ = is_dots(entry->d_name);
	closedir(listing);
	return empty_;
}

error *remove_content(int dir)
{
	struct removal r = { .top = dir };

	do {
		int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			return error_errno("open a folder");
		try(empty(&r, fd, true));
	} while (!is_empty(dir));
	return NULL;
}

error *remove_all(int parent, const char *name)
{
	if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
		return NULL;
	if (errno != EISDIR && errno != EPERM)
		return error_errno("remove %s", name);
	if (unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return NULL;
	auto_fd int dir = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return errno == ENOENT ? NULL : error_errno("remove %s", name);
	try_as(remove_content(dir), "%s", name);
	if (unlinkat(parent, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return error_errno("remove %s", name);
	return NULL;
}
