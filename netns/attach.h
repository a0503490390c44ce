/* Whether a lease is somebody's, and the end of one. */
#pragma once

#include "netns/lease.h"
#include "netns/netlink.h"

/* Takes back all that belongs to the lease, and the lease last; the bridge and the rules go with
 * the last of their users. */
must_use error *lease_end(struct store *s, const struct lease *lease, struct nl_sock *socket);
