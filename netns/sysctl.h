/* Settings below /proc/sys/net. What the kernel was built without is none to set. */
#pragma once

#include "base/error.h"

/* For a device of this namespace: net.FAMILY.conf.DEVICE.KEY. */
must_use error *sysctl_set_device(const char *family, const char *device, const char *key,
				  const char *value);
/* The same in another namespace. */
must_use error *sysctl_set_inside(int ns, const char *family, const char *device, const char *key,
				  const char *value);
/* Writes only what is not so already. path: below /proc/sys. */
must_use error *sysctl_ensure(const char *path, const char *value);
