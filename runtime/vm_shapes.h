/* What the two sides of a sandbox tell each other as JSON: the network that the host's side finds
 * in the container's namespace, which the guest's makes again; and the guest's processes. */
#pragma once

#include "base/rows.h"

/* clang-format off */
#define VM_ROUTE(row) \
	row(STR,  destination, "destination", REQUIRED) /* "default" or ADDRESS/BITS */ \
	row(STR,  gateway,     "gateway",     OPTIONAL) \
	row(U32,  metric,      "metric",      OPTIONAL)

#define VM_DEVICE(row) \
	row(STR,  name,        "name",        REQUIRED) \
	row(STR,  mac,         "mac",         REQUIRED) \
	row(STR,  tap,         "tap",         REQUIRED) /* its twin on the host, for the machine */ \
	row(U32,  mtu,         "mtu",         OPTIONAL) \
	row(STRS, addresses,   "addresses",   OPTIONAL) \
	row(LIST(vm_route), routes, "routes", OPTIONAL)

#define VM_NETWORK(row) \
	row(LIST(vm_device), devices, "devices", OPTIONAL)

#define VM_PROCESS(row) \
	row(U32,  pid,         "pid",         REQUIRED) \
	row(U32,  ppid,        "ppid",        WRITTEN) \
	row(U32,  uid,         "uid",         WRITTEN) \
	row(STR,  command,     "command",     REQUIRED)

#define VM_PROCESSES(row) \
	row(LIST(vm_process), list, "processes", OPTIONAL)
/* clang-format on */

SHAPE_STRUCT(vm_route, VM_ROUTE)
SHAPE_STRUCT(vm_device, VM_DEVICE)
SHAPE_STRUCT(vm_network, VM_NETWORK)
SHAPE_STRUCT(vm_process, VM_PROCESS)
SHAPE_STRUCT(vm_processes, VM_PROCESSES)
