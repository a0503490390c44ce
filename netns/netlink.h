/* What all users of libnl share. */
#pragma once

#include <netlink/netlink.h>
#include <netlink/route/link.h>

#include "base/error.h"

static inline void link_put(struct rtnl_link *link)
{
	if (link)
		rtnl_link_put(link);
}
static inline void cache_free(struct nl_cache *cache)
{
	if (cache)
		nl_cache_free(cache);
}
DEFINE_AUTO(struct nl_sock *, nl_socket_free)
DEFINE_AUTO(struct rtnl_link *, link_put)
DEFINE_AUTO(struct nl_cache *, cache_free)

/* "WHAT NAME: why", from libnl's own number. */
must_use error *netlink_failed(int code, const char *what, const char *name);
must_use error *namespace_open(const char *path, int *out);
must_use error *netlink_open(struct nl_sock **out);
/* A socket works in the namespace in which it was made, wherever its process goes later. */
must_use error *netlink_open_in(int ns, struct nl_sock **out);
