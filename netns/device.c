#include <linux/if.h>
#include <netlink/route/addr.h>
#include <netlink/route/route.h>
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

/* What the kernel drops when a device leaves its namespace. */
struct properties {
	struct nl_cache *addresses, *routes;
	int index; /* as the device had it */
};

static void properties_free(struct properties *p)
{
	cache_free(p->addresses);
	cache_free(p->routes);
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

/* Those that somebody has set, in the main table, through this device alone. */
static bool is_kept_route(struct rtnl_route *route, int index)
{
	uint8_t protocol = rtnl_route_get_protocol(route);
	struct rtnl_nexthop *hop = rtnl_route_nexthop_n(route, 0);

	return rtnl_route_get_table(route) == RT_TABLE_MAIN &&
	       (protocol == RTPROT_STATIC || protocol == RTPROT_BOOT) &&
	       rtnl_route_get_nnexthops(route) == 1 && hop &&
	       rtnl_route_nh_get_ifindex(hop) == index;
}

/* A gateway can be named only when a route leads to it: those without one come first. */
static error *add_routes(struct nl_sock *there, struct nl_cache *routes, int old_index,
			 int new_index)
{
	for (int with_gateway = 0; with_gateway < 2; with_gateway++)
		for (struct nl_object *o = nl_cache_get_first(routes); o;
		     o = nl_cache_get_next(o)) {
			if (!is_kept_route((struct rtnl_route *)o, old_index))
				continue;
			struct rtnl_route *copy = (struct rtnl_route *)nl_object_clone(o);
			if (!copy)
				return error_new(ENOMEM, "routes");
			struct rtnl_nexthop *hop = rtnl_route_nexthop_n(copy, 0);
			bool has_gateway = rtnl_route_nh_get_gateway(hop) != NULL;
			rtnl_route_nh_set_ifindex(hop, new_index);
			int e = has_gateway == with_gateway
					? rtnl_route_add(there, copy, NLM_F_CREATE | NLM_F_REPLACE)
					: 0;
			rtnl_route_put(copy);
			if (e < 0)
				return netlink_failed(e, "give back a route of", "the device");
		}
	return NULL;
}

static error *read_properties(struct nl_sock *from, const char *name, struct properties *out)
{
	auto_(link_put) struct rtnl_link *link = NULL;
	int e = rtnl_addr_alloc_cache(from, &out->addresses);

	if (e >= 0)
		e = rtnl_route_alloc_cache(from, AF_UNSPEC, 0, &out->routes);
	if (e < 0)
		return netlink_failed(e, "list the addresses and routes of", name);
	e = rtnl_link_get_kernel(from, 0, name, &link);
	if (e < 0)
		return netlink_failed(e, "find the device", name);
	out->index = rtnl_link_get_ifindex(link);
	return NULL;
}

static error *settle_there(struct nl_sock *to, const char *name, const struct properties *p)
{
	int index = 0;

	try(bring_up(to, name, &index));
	try(add_addresses(to, p->addresses, p->index, index));
	return add_routes(to, p->routes, p->index, index);
}

struct place {
	struct nl_sock *socket;
	int ns;
};

static bool is_there(struct nl_sock *socket, const char *name)
{
	auto_(link_put) struct rtnl_link *link = NULL;

	return rtnl_link_get_kernel(socket, 0, name, &link) >= 0;
}

/* Back to where it was, with all that it had. Over sockets of its own: one on which a message
 * failed is out of step. That this fails too is no second error. */
static void take_back(const struct place *from, const struct place *to, const char *name_there,
		      const char *name, const struct properties *p)
{
	auto_(nl_socket_free) struct nl_sock *source = NULL;
	auto_(nl_socket_free) struct nl_sock *target = NULL;
	auto_error error *e = netlink_open_in(from->ns, &source);

	if (!e)
		e = netlink_open_in(to->ns, &target);
	if (!e && !is_there(source, name))
		e = move_link(target, name_there, from->ns, name);
	if (!e)
		e = settle_there(source, name, p);
}

static error *move_between(const struct place *from, const struct place *to, const char *name,
			   const char *new_name)
{
	struct properties p = { 0 };
	error *e = read_properties(from->socket, name, &p);

	if (!e) {
		/* one that cannot have its new name has arrived under the old one */
		e = move_link(from->socket, name, to->ns, new_name);
		if (e)
			take_back(from, to, name, name, &p);
		else if ((e = settle_there(to->socket, new_name, &p)))
			take_back(from, to, new_name, name, &p);
	}
	properties_free(&p);
	return e;
}

static error *open_places(const char *namespace, struct place *here, struct place *there)
{
	try(namespace_open("/proc/self/ns/net", &here->ns));
	try(namespace_open(namespace, &there->ns));
	try(netlink_open(&here->socket));
	return netlink_open_in(there->ns, &there->socket);
}

static void close_place(struct place *p)
{
	nl_socket_free(p->socket);
	if (p->ns >= 0)
		close(p->ns);
}

error *netns_move_device(const char *namespace, const char *name, const char *new_name)
{
	struct place here = { NULL, -1 };
	struct place there = { NULL, -1 };
	error *e = open_places(namespace, &here, &there);

	if (!e)
		e = move_between(&here, &there, name, new_name);
	close_place(&here);
	close_place(&there);
	return e;
}

error *netns_return_device(const char *namespace, const char *new_name, const char *name)
{
	struct place here = { NULL, -1 };
	struct place there = { NULL, -1 };
	auto_error error *e = open_places(namespace, &here, &there);

	if (!e)
		e = move_between(&there, &here, new_name, name);
	close_place(&here);
	close_place(&there);
	return e && error_code(e) == ENODEV ? NULL : take_ptr(&e);
}
