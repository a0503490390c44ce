/* Bridges, and pairs of devices of which one end is a container's. */
#pragma once

#include "netns/lease.h"
#include "netns/netlink.h"

/* Whether the network's bridge is there. EEXIST: a device of that name is, which is not ours. */
must_use error *bridge_find(struct store *s, const struct network *n, struct nl_sock *socket,
			    bool *there);
/* Makes it, with the host's addresses, and lets the host forward. */
must_use error *bridge_make(struct store *s, const struct network *n, struct nl_sock *socket);
/* Removes it when it is there and this store's. */
must_use error *bridge_remove(struct store *s, const char *device, struct nl_sock *socket);

/* One end becomes a port of the bridge; the other is "eth0" in the namespace, with addresses and
 * default routes, and up. */
must_use error *pair_make(struct store *s, const struct network *n, const struct lease *lease,
			  const uint8_t mac[6], int ns, struct nl_sock *socket);
/* One that is gone is fine. */
must_use error *link_remove(struct nl_sock *socket, const char *name);

/* Every bridge and pair of this store's carries its mark; calls visit with their names. */
must_use error *link_each(struct store *s, struct nl_sock *socket,
			  error *(*visit)(const char *name, bool is_bridge, void *context),
			  void *context);
