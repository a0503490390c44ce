/* Network devices and namespaces, over netlink (libnl-3, libnl-route-3), and address translation,
 * over libnftables. Built into skiff-net, a program of its own that skiff runs when a container
 * asks for any of it. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/rows.h"

/* --- request.c: what skiff tells skiff-net about a container: ROOT/ID/network.json --- */

/* clang-format off */
#define NET_REQUEST(row) \
	row(STR,  network,  "network",  REQUIRED) \
	row(STR,  hostname, "hostname", OPTIONAL) \
	row(STR,  hosts,    "hosts",    OPTIONAL) \
	row(STRS, ips,      "ips",      OPTIONAL) \
	row(STR,  mac,      "mac",      OPTIONAL) \
	row(STRS, ports,    "ports",    OPTIONAL) \
	row(STRS, extra,    "extraHosts", OPTIONAL)
/* clang-format on */

/* network: a network's name, or NET_USER_MODE. hosts: the file that is the container's /etc/hosts;
 * absolute. ports: as --publish takes them. extra: as --add-host takes them. */
SHAPE_STRUCT(net_request, NET_REQUEST)

/* The network that `--net bridge` means; it is made when it is first used. */
#define NET_DEFAULT "bridge"
/* In the place of a network's name: pasta or slirp4netns, which need no rights. */
#define NET_USER_MODE "user"
#define NET_PASTA     "pasta"
#define NET_SLIRP     "slirp4netns"

/* Where these programs have their name server. */
#define NET_SLIRP_DNS "10.0.2.3"
#define NET_PASTA_DNS "169.254.1.1"

/* --- device.c: linux.netDevices --- */

/* Moves the device `name` of the caller's network namespace into that of the process, where it is
 * called new_name and is up. Its permanent addresses of global scope and its static routes go with
 * it, as the specification asks; the kernel drops them on the way. On failure it is back where it
 * was. */
must_use error *netns_move_device(const char *namespace, const char *name, const char *new_name);
/* The reverse: the device new_name of that namespace comes back to the caller's as `name`.
 * One that is gone already is fine. */
must_use error *netns_return_device(const char *namespace, const char *new_name, const char *name);

/* --- attach.c --- */

/* Connects the container ROOT/ID, whose network namespace is the file, as its network.json asks.
 * When it fails, nothing of it is left. */
must_use error *net_attach(const char *root, const char *id, const char *namespace);
/* Takes back whatever of that there is. */
must_use error *net_detach(const char *root, const char *id);
