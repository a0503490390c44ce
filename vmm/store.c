/* Where kernels are kept, and which of them are there unpacked. skiff and skiff-kernel must agree.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/path.h"
#include "vmm.h"

error *kernel_store(char **out)
{
	const char *asked = getenv("SKIFF_KERNELS");
	const char *data = getenv("XDG_DATA_HOME");
	const char *home = getenv("HOME");

	if (asked)
		*out = strdup(asked);
	else if (geteuid() == 0)
		*out = strdup("/var/lib/skiff/kernels");
	else if (data)
		*out = path_join(data, "skiff/kernels");
	else if (home)
		*out = path_join(home, ".local/share/skiff/kernels");
	else
		return error_said(0, "neither SKIFF_KERNELS nor HOME says where kernels are kept");
	return *out ? NULL : error_new(ENOMEM, "the kernels' folder");
}

bool kernel_is_packed(int fd)
{
	char magic[4];

	return pread(fd, magic, sizeof(magic), 0x202) == sizeof(magic) &&
	       memcmp(magic, "HdrS", sizeof(magic)) == 0;
}

error *kernel_unpacked_path(const char *store, const struct stat *of, char **out)
{
	int len = asprintf(out, "%s/" KERNEL_UNPACKED "/%llx.%llx-%llx-%llx.%lx-%llx.%lx", store,
			   (unsigned long long)of->st_dev, (unsigned long long)of->st_ino,
			   (unsigned long long)of->st_size, (unsigned long long)of->st_mtim.tv_sec,
			   of->st_mtim.tv_nsec, (unsigned long long)of->st_ctim.tv_sec,
			   of->st_ctim.tv_nsec);

	if (len >= 0)
		return NULL;
	*out = NULL;
	return error_new(ENOMEM, "a path");
}

/* Nobody else can have put it there or can change it. */
static bool is_ours(const struct stat *st, mode_t kind)
{
	return (st->st_mode & S_IFMT) == kind && (st->st_uid == geteuid() || st->st_uid == 0) &&
	       !(st->st_mode & 022);
}

error *kernel_check_unpacked(const char *path)
{
	auto_free char *folder = strdup(path);
	struct stat st;

	if (!folder)
		return error_new(ENOMEM, "%s", path);
	*strrchr(folder, '/') = '\0';
	if (lstat(folder, &st) < 0)
		return error_errno("%s", folder);
	if (!is_ours(&st, S_IFDIR))
		return error_said(EPERM, "%s is not yours alone: others could change kernels in it",
				  folder);
	if (lstat(path, &st) < 0)
		return error_errno("%s", path);
	if (!is_ours(&st, S_IFREG))
		return error_said(EPERM, "%s is not yours alone: others could change it", path);
	return NULL;
}
