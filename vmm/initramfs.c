/* The first file system of a guest: a cpio archive of the "newc" kind (the kernel's
 * Documentation/driver-api/early-userspace/buffer-format.rst), not compressed, since a guest
 * unpacks it at each start. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "vmm.h"

static error *pad(int fd, size_t len)
{
	static const char zero[4];

	return fd_write_all(fd, zero, (4 - len % 4) % 4);
}

static error *add_entry(int fd, const char *name, unsigned mode, unsigned rdev_major,
			unsigned rdev_minor, const void *data, size_t len)
{
	static unsigned inode;
	char head[128];
	size_t name_len = strlen(name) + 1;
	int n = snprintf(head, sizeof(head),
			 "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X", ++inode,
			 mode, 0U, 0U, 1U, 0U, (unsigned)len, 0U, 0U, rdev_major, rdev_minor,
			 (unsigned)name_len, 0U);

	try(fd_write_all(fd, head, (size_t)n));
	try(fd_write_all(fd, name, name_len));
	try(pad(fd, (size_t)n + name_len));
	try(fd_write_all(fd, data, len));
	return pad(fd, len);
}

static error *add_file(int fd, int dir, const char *file, const char *name, unsigned mode)
{
	auto_free char *data = NULL;
	size_t len;

	try(file_read(dir, file, (size_t)64 << 20, &data, &len));
	return add_entry(fd, name, S_IFREG | mode, 0, 0, data, len);
}

/* modules/order: "KIND NAME.ko" in each line; see docs/sandbox.md. */
static error *add_modules(int fd, int dir)
{
	auto_free char *order = NULL;
	char name[128];
	char file[64];

	try(file_read(dir, "order", 1 << 16, &order, NULL));
	try(add_entry(fd, "modules", S_IFDIR | 0755, 0, 0, "", 0));
	try(add_entry(fd, "modules/order", S_IFREG | 0644, 0, 0, order, strlen(order)));
	for (char *rest = order, *line; (line = strsep(&rest, "\n"));) {
		if (sscanf(line, "%*s %63s", file) != 1)
			continue;
		if (strchr(file, '/'))
			return error_said(EINVAL, "modules/order: '%s' is no file's name", file);
		snprintf(name, sizeof(name), "modules/%s", file);
		try(add_file(fd, dir, file, name, 0644));
	}
	return NULL;
}

error *machine_write_initramfs(int fd, const char *agent, int modules)
{
	try(add_entry(fd, "dev", S_IFDIR | 0755, 0, 0, "", 0));
	/* the kernel opens it for process 1 before that can mount anything */
	try(add_entry(fd, "dev/console", S_IFCHR | 0600, 5, 1, "", 0));
	try_as(add_file(fd, AT_FDCWD, agent, "init", 0755), "%s", agent);
	if (modules >= 0)
		try_as(add_modules(fd, modules), "the kernel's modules");
	return add_entry(fd, "TRAILER!!!", 0, 0, 0, "", 0);
}
