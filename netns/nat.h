/* Address translation and isolation: one nftables table of our own, see nat.c for its rules. */
#pragma once

#include "netns/lease.h"
#include "netns/publish.h"

/* The network's bridge is in use: makes the table unless it is there. Done again, it does no harm.
 */
must_use error *nat_open_network(struct store *s, const struct network *n);
must_use error *nat_close_network(struct store *s, const struct network *n);
must_use error *nat_publish(struct store *s, const struct network *n, const struct lease *lease,
			    const struct ports *ports);
must_use error *nat_withdraw(struct store *s, const struct network *n, const struct lease *lease,
			     const struct ports *ports);
/* Nobody uses any network: no table. */
must_use error *nat_close(struct store *s);
/* Makes the table anew, in one transaction, from the leases that there are. */
must_use error *nat_rebuild(struct store *s);
