/* A network: a name, a bridge, subnets. What was asked for, kept as JSON. */
#pragma once

#include "netns/address.h"
#include "netns/store.h"

/* clang-format off */
#define NETWORK(row) \
	row(STR, name,     "name",     REQUIRED) \
	row(STR, device,   "device",   REQUIRED) \
	row(STR, subnet4,  "subnet",   OPTIONAL) \
	row(STR, gateway4, "gateway",  OPTIONAL) \
	row(STR, subnet6,  "subnet6",  OPTIONAL) \
	row(STR, gateway6, "gateway6", OPTIONAL) \
	row(U32, mtu,      "mtu",      WRITTEN)
/* clang-format on */

SHAPE_STRUCT(network_words, NETWORK)

/* A subnet and the host's own number in it. */
struct segment {
	struct subnet subnet;
	uint64_t gateway;
};

struct network {
	struct network_words words;
	struct segment four, six; /* subnet.base.family 0: has none */
};

struct network_wishes {
	const char *name;
	const char *device;    /* NULL: skiffN */
	struct texts subnets;  /* one per family; none: a free one of IPv4 */
	struct texts gateways; /* none: number 1 */
	bool six;              /* a random private subnet of IPv6, unless one is given */
	uint32_t mtu;
};

enum { MTU_USUAL = 1500 };

must_use error *network_create(struct store *s, const struct network_wishes *wishes,
			       struct network **out);
/* ENOENT when there is none. */
must_use error *network_read(struct store *s, const char *name, struct network **out);
must_use error *network_forget(struct store *s, const char *name);
must_use error *network_list(struct store *s, struct texts *names);
/* Another network's or the host's routes must not lead there already. ignored: a device whose own
 * routes do not count. */
must_use error *network_is_free(struct store *s, const struct subnet *subnet, const char *name,
				const char *ignored);
