#include <linux/if.h>
#include <netlink/route/addr.h>
#include <stdbool.h>
#include <string.h>

#include "netns.h"
#include "netns/netlink.h"

/* In one message: out of this namespace, into that one, under the new name; a device that is up
 * cannot be renamed. */
static error *move_link(struct nl_sock *from, const char *name, int ns, const char *new_name)
{
	auto_(link_put) struct rtnl_link *link = NULL;
	auto_(link_put) struct rtnl_link *change = rtnl_link_alloc();
	int e = rtnl_link_get_kernel(from, 0, name, &link);

	if (e < 0)
		return netlink_failed(e, "find the device", name);
	if (!change)
		return error_new(ENOMEM, "move %s", name);
	rtnl_link_set_ifindex(change, rtnl_link_get_ifindex(link));
	rtnl_link_unset_flags(change, IFF_UP);
	rtnl_link_set_ns_fd(change, ns);
	rtnl_link_set_name(change, new_name);
	e = rtnl_link_change(from, link, change, 0);
	return e < 0 ? netlink_failed(e, "move the device", name) : NULL;
}

static error *bring_up(struct nl_sock *there, const char *name, int *index)
{
	auto_(link_put) struct rtnl_link *link = NULL;
	auto_(link_put) struct rtnl_link *change = rtnl_link_alloc();
	int e = rtnl_link_get_kernel(there, 0, name, &link);

	if (e < 0)
		return netlink_failed(e, "find the device", name);
	if (!change)
		return error_new(ENOMEM, "bring up %s", name);
	*index = rtnl_link_get_ifindex(link);
	rtnl_link_set_flags(change, IFF_UP);
	e = rtnl_link_change(there, link, change, 0);
	return e < 0 ? netlink_failed(e, "bring up the device", name) : NULL;
}

static bool is_kept(struct rtnl_addr *address, int index)
{
	return rtnl_addr_get_ifindex(address) == index &&
	       rtnl_addr_get_scope(address) == RT_SCOPE_UNIVERSE &&
	       rtnl_addr_get_flags(address) & IFA_F_PERMANENT;
}

static error *add_addresses(struct nl_sock *there, struct nl_cache *addresses, int old_index,
			    int new_index)
{
	for (struct nl_object *o = nl_cache_get_first(addresses); o; o = nl_cache_get_next(o)) {
		struct rtnl_addr *address = (struct rtnl_addr *)o;
		if (!is_kept(address, old_index))
			continue;
		struct rtnl_addr *copy = rtnl_addr_alloc();
		int e = copy ? 0 : -NLE_NOMEM;
		if (copy) {
			rtnl_addr_set_ifindex(copy, new_index);
			rtnl_addr_set_local(copy, rtnl_addr_get_local(address));
			if (rtnl_addr_get_broadcast(address))
				rtnl_addr_set_broadcast(copy, rtnl_addr_get_broadcast(address));
			rtnl_addr_set_prefixlen(copy, rtnl_addr_get_prefixlen(address));
			e = rtnl_addr_add(there, copy, NLM_F_CREATE | NLM_F_REPLACE);
			rtnl_addr_put(copy);
		}
		if (e < 0)
			return netlink_failed(e, "give back an address of", "the device");
	}
	return NULL;
}

static error *move_between(struct nl_sock *from, struct nl_sock *to, int to_ns, const char *name,
			   const char *new_name)
{
	auto_(cache_free) struct nl_cache *addresses = NULL;
	auto_(link_put) struct rtnl_link *link = NULL;
	int index = 0;
	int e = rtnl_addr_alloc_cache(from, &addresses);

	if (e < 0)
		return netlink_failed(e, "list the addresses of", name);
	e = rtnl_link_get_kernel(from, 0, name, &link);
	if (e < 0)
		return netlink_failed(e, "find the device", name);
	int old_index = rtnl_link_get_ifindex(link);
	try(move_link(from, name, to_ns, new_name));
	try(bring_up(to, new_name, &index));
	return add_addresses(to, addresses, old_index, index);
}

error *netns_move_device(const char *namespace, const char *name, const char *new_name)
{
	auto_(nl_socket_free) struct nl_sock *here = NULL;
	auto_(nl_socket_free) struct nl_sock *there = NULL;
	auto_fd int home = -1;
	auto_fd int ns = -1;

	try(namespace_open("/proc/self/ns/net", &home));
	try(namespace_open(namespace, &ns));
	try(netlink_open(&here));
	try(netlink_open_in(ns, &there));
	error *e = move_between(here, there, ns, name, new_name);
	if (e) { /* it may be there already; that it is not is no second error */
		auto_error error *not_there = move_between(there, here, home, new_name, name);
	}
	return e;
}

error *netns_return_device(const char *namespace, const char *new_name, const char *name)
{
	auto_(nl_socket_free) struct nl_sock *here = NULL;
	auto_(nl_socket_free) struct nl_sock *there = NULL;
	auto_fd int home = -1;
	auto_fd int ns = -1;

	try(namespace_open("/proc/self/ns/net", &home));
	try(namespace_open(namespace, &ns));
	try(netlink_open(&here));
	try(netlink_open_in(ns, &there));
	error *e = move_between(there, here, home, new_name, name);
	if (e && error_code(e) == ENODEV) {
		error_free(e);
		return NULL;
	}
	return e;
}
