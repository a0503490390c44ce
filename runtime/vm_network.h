/* The network of a sandbox: what the host's side finds in the container's network namespace, and
 * the guest's side makes again. */
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
/* clang-format on */

SHAPE_STRUCT(vm_route, VM_ROUTE)
SHAPE_STRUCT(vm_device, VM_DEVICE)
SHAPE_STRUCT(vm_network, VM_NETWORK)
