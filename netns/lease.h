/* Who has which address of a network. A lease is one file, named by the host number, which gives
 * both the IPv4 and the IPv6 address. It is written before anything else is made and removed after
 * everything else is gone, so that whatever a crash leaves has a lease to find it by. */
#pragma once

#include "netns/network.h"

/* clang-format off */
#define LEASE(row) \
	row(STR,  id,       "id",       REQUIRED) \
	row(STR,  network,  "network",  REQUIRED) \
	row(U64,  number,   "number",   REQUIRED) \
	row(STR,  device,   "device",   REQUIRED) \
	row(STR,  hostname, "hostname", OPTIONAL) \
	row(STR,  hosts,    "hosts",    OPTIONAL) \
	row(STRS, extra,    "extraHosts", OPTIONAL) \
	row(STRS, ports,    "ports",    OPTIONAL) \
	row(U64,  home,     "namespace", OPTIONAL)
/* clang-format on */

/* device: the host's end of the pair. ports: as for ports_parse. home: the inode of the network
 * namespace in which bridge and rules are. */
SHAPE_STRUCT(lease, LEASE)

struct leases {
	struct lease *v;
	size_t n;
};

/* Takes a number: the asked one (0: the next after the one given last), and writes the lease, whose
 * other members are given. */
must_use error *lease_take(struct store *s, const struct network *n, uint64_t asked,
			   struct lease *lease);
must_use error *lease_drop(struct store *s, const struct lease *lease);
/* Those of one network, or with NULL of all. */
must_use error *lease_list(struct store *s, const char *network, struct leases *out);
struct ip lease_ip(const struct lease *lease, const struct segment *segment);
