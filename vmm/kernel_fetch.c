#include <fcntl.h>
#include <glob.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/process.h"
#include "base/text.h"
#include "vmm/kernel.h"

/* An empty package that depends on the current kernel's. */
#define USUAL_PACKAGE "linux-image-cloud-amd64"

static error *print(char **out, const char *fmt, ...) printf_like(2, 3);

static error *print(char **out, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	int len = vasprintf(out, fmt, args);
	va_end(args);
	if (len >= 0)
		return NULL;
	*out = NULL;
	return error_new(ENOMEM, "a path");
}

/* Runs a program in the folder, with its standard output into `out` (-1: ours). */
static error *run(const char *folder, int out, char *const words[])
{
	posix_spawn_file_actions_t actions;
	pid_t pid;
	int status;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addchdir_np(&actions, folder);
	posix_spawn_file_actions_adddup2(&actions, out >= 0 ? out : 2, 1);
	int code = posix_spawnp(&pid, words[0], &actions, NULL, words, environ);
	posix_spawn_file_actions_destroy(&actions);
	if (code)
		return error_new(code, "run %s", words[0]);
	try(process_wait(pid, &status));
	if (status)
		return error_said(0, "%s %s: exit status %d", words[0], words[1],
				  process_exit_code(status));
	return NULL;
}

/* linux-image-6.1.0-99-cloud-amd64, which the usual package depends on. */
static error *current_package(char **out)
{
	auto_free char *text = NULL;
	auto_fd int fd = memfd_create("depends", MFD_CLOEXEC);
	char *words[] = { "apt-cache", "depends", USUAL_PACKAGE, NULL };

	if (fd < 0)
		return error_errno("memfd_create");
	try(run("/", fd, words));
	lseek(fd, 0, SEEK_SET);
	try(fd_read_all(fd, 1 << 20, &text, NULL));
	char *name = strstr(text, "Depends: linux-image-");
	if (!name)
		return error_said(ENOENT,
				  "apt knows no %s: run 'apt-get update', or name a package",
				  USUAL_PACKAGE);
	name += strlen("Depends: ");
	*out = strndup(name, strcspn(name, " \n"));
	return *out ? NULL : error_new(ENOMEM, "%s", name);
}

static error *find_one(const char *pattern, char **out)
{
	glob_t found;
	error *e = NULL;

	if (glob(pattern, 0, NULL, &found) != 0)
		return error_said(ENOENT, "there is no %s in the package", pattern);
	*out = strdup(found.gl_pathv[0]);
	if (!*out)
		e = error_new(ENOMEM, "%s", pattern);
	globfree(&found);
	return e;
}

static error *download(const char *work, const char *package)
{
	auto_free char *pattern = NULL;
	auto_free char *deb = NULL;
	char *get[] = { "apt-get",
			"download",
			"-q",
			"-o",
			"APT::Sandbox::User=root",
			(char *)(uintptr_t)package,
			NULL };
	char *unpack[] = { "dpkg-deb", "-x", NULL, "package", NULL };

	try_as(run(work, -1, get), "download %s (if it is outdated, 'apt-get update' helps)",
	       package);
	try(print(&pattern, "%s/*.deb", work));
	try(find_one(pattern, &deb));
	unpack[2] = deb;
	return run(work, -1, unpack);
}

/* Out of the unpacked package, into work/VERSION. */
static error *take_kernel(const char *work, char **version)
{
	auto_free char *pattern = NULL;
	auto_free char *bzimage = NULL;
	auto_free char *folder = NULL;
	auto_free char *vmlinux = NULL;
	auto_free char *from = NULL;
	auto_free char *to = NULL;

	try(print(&pattern, "%s/package/boot/vmlinuz-*", work));
	try(find_one(pattern, &bzimage));
	*version = strdup(strrchr(bzimage, '/') + strlen("/vmlinuz-"));
	if (!*version)
		return error_new(ENOMEM, "%s", bzimage);
	try(print(&folder, "%s/%s", work, *version));
	try(print(&vmlinux, "%s/vmlinux", folder));
	try(print(&from, "%s/package/lib/modules/%s", work, *version));
	try(print(&to, "%s/modules", folder));
	try(path_make_folders(folder, 0755));
	auto_fd int packed = open(bzimage, O_RDONLY | O_CLOEXEC);
	auto_fd int fd = open(vmlinux, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (packed < 0 || fd < 0)
		return error_errno("unpack %s to %s", bzimage, vmlinux);
	try(kernel_unpack(packed, bzimage, fd));
	return kernel_take_modules(from, to);
}

static error *publish(const char *store, const char *work, const char *version)
{
	auto_free char *from = NULL;
	auto_free char *to = NULL;
	auto_free char *fresh = NULL;
	auto_free char *current = NULL;

	try(print(&from, "%s/%s", work, version));
	try(print(&to, "%s/%s", store, version));
	try(print(&fresh, "%s/link", work));
	try(print(&current, "%s/current", store));
	if (rename(from, to) < 0) {
		/* it is there from an earlier time: sandboxes that boot it keep it */
		if (errno != ENOTEMPTY && errno != EEXIST)
			return error_errno("rename %s", from);
	}
	if (symlink(version, fresh) < 0 || rename(fresh, current) < 0)
		return error_errno("make %s", current);
	printf("%s\n", to);
	return NULL;
}

error *kernel_fetch(const char *store, const char *package)
{
	auto_free char *usual = NULL;
	auto_free char *work = NULL;
	auto_free char *version = NULL;

	try(path_make_folders(store, 0755));
	if (!package)
		try(current_package(&usual));
	try(print(&work, "%s/fetch.XXXXXX", store));
	if (!mkdtemp(work))
		return error_errno("make %s", work);
	error *e = download(work, package ? package : usual);
	if (!e)
		e = take_kernel(work, &version);
	if (!e)
		e = publish(store, work, version);
	error *left = path_remove_tree(AT_FDCWD, work);
	if (!e)
		return left;
	error_free(left);
	return e;
}
