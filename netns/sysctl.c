#include "netns/sysctl.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "netns/netlink.h"

error *sysctl_ensure(const char *path, const char *value)
{
	auto_free char *now = NULL;
	char file[256];

	snprintf(file, sizeof(file), "/proc/sys/%s", path);
	auto_error error *e = file_read(AT_FDCWD, file, 64, &now, NULL);
	if (e)
		return error_code(e) == ENOENT ? NULL : take_ptr(&e);
	now[strcspn(now, "\n")] = '\0';
	if (strcmp(now, value) == 0)
		return NULL;
	try_as(file_write(AT_FDCWD, file, value), "set %s to %s", path, value);
	return NULL;
}

error *sysctl_set_device(const char *family, const char *device, const char *key, const char *value)
{
	char path[160];

	snprintf(path, sizeof(path), "net/%s/conf/%s/%s", family, device, key);
	return sysctl_ensure(path, value);
}

/* /proc/sys/net shows the settings of the namespace in which it is opened. */
error *sysctl_set_inside(int ns, const char *family, const char *device, const char *key,
			 const char *value)
{
	auto_fd int home = -1;

	try(namespace_open("/proc/self/ns/net", &home));
	if (setns(ns, CLONE_NEWNET) < 0)
		return error_errno("enter the network namespace");
	error *e = sysctl_set_device(family, device, key, value);
	if (setns(home, CLONE_NEWNET) < 0) {
		error_free(e);
		return error_errno("return to the network namespace");
	}
	return e;
}
