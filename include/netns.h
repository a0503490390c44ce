/* Network devices and namespaces, over netlink (libnl-3, libnl-route-3). Built into skiff-net, a
 * program of its own that skiff runs when a container asks for any of it. */
#pragma once

#include <sys/types.h>

#include "base/error.h"

/* --- device.c: linux.netDevices --- */

/* Moves the device `name` of the caller's network namespace into that of the process, where it is
 * called new_name and is up. Its permanent addresses of global scope go with it, as the
 * specification asks; the kernel drops them on the way. On failure it is back where it was. */
must_use error *netns_move_device(const char *namespace, const char *name, const char *new_name);
/* The reverse: the device new_name of that namespace comes back to the caller's as `name`.
 * One that is gone already is fine. */
must_use error *netns_return_device(const char *namespace, const char *new_name, const char *name);
