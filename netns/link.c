#include "netns/link.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if.h>
#include <netlink/route/addr.h>
#include <netlink/route/link/bridge.h>
#include <netlink/route/link/veth.h>
#include <netlink/route/route.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/text.h"
#include "netns/sysctl.h"

#define INSIDE_NAME "eth0"

static void put_address(struct rtnl_addr *address)
{
	if (address)
		rtnl_addr_put(address);
}
static void put_route(struct rtnl_route *route)
{
	if (route)
		rtnl_route_put(route);
}
static void put_nl_addr(struct nl_addr *address)
{
	if (address)
		nl_addr_put(address);
}
DEFINE_AUTO(struct rtnl_addr *, put_address)
DEFINE_AUTO(struct rtnl_route *, put_route)
DEFINE_AUTO(struct nl_addr *, put_nl_addr)

/* The mark of the store's own: the group that a device is born into. (An alias would need a second
 * message, before which a crash leaves something that nobody knows.) */
static uint32_t mark(const struct store *s)
{
	return (store_hash(s, "mark") & 0x7fffffff) | 0x40000000;
}

static bool is_ours(const struct store *s, struct rtnl_link *link)
{
	return rtnl_link_get_group(link) == mark(s);
}

static struct nl_addr *nl_addr_of(const struct ip *ip, unsigned prefix)
{
	struct nl_addr *a = nl_addr_build(ip->family, ip->bytes, ip_size(ip->family));

	if (a)
		nl_addr_set_prefixlen(a, (int)prefix);
	return a;
}

/* The lease is what keeps addresses apart: no need to ask the neighbours first (IFA_F_NODAD). */
static error *add_address(struct nl_sock *socket, int index, const struct subnet *subnet,
			  uint64_t number)
{
	auto_(put_address) struct rtnl_addr *address = rtnl_addr_alloc();
	struct ip ip = subnet_host(subnet, number);
	auto_(put_nl_addr) struct nl_addr *local = nl_addr_of(&ip, subnet->prefix);
	char text[IP_TEXT];

	if (!address || !local)
		return error_new(ENOMEM, "address");
	rtnl_addr_set_ifindex(address, index);
	rtnl_addr_set_local(address, local);
	if (ip.family == AF_INET) {
		struct ip all = subnet_host(subnet, subnet_last(subnet) + 1);
		auto_(put_nl_addr) struct nl_addr *broadcast = nl_addr_of(&all, 32);
		if (!broadcast)
			return error_new(ENOMEM, "address");
		rtnl_addr_set_broadcast(address, broadcast);
	} else {
		rtnl_addr_set_flags(address, IFA_F_NODAD);
	}
	int e = rtnl_addr_add(socket, address, NLM_F_CREATE | NLM_F_REPLACE);
	return e < 0 ? netlink_failed(e, "add the address", ip_text(&ip, text)) : NULL;
}

static error *add_default_route(struct nl_sock *socket, int index, const struct segment *segment)
{
	static const struct ip any_four = { AF_INET, { 0 } };
	static const struct ip any_six = { AF_INET6, { 0 } };
	struct ip gateway = subnet_host(&segment->subnet, segment->gateway);
	auto_(put_route) struct rtnl_route *route = rtnl_route_alloc();
	auto_(put_nl_addr) struct nl_addr *dst =
		nl_addr_of(gateway.family == AF_INET ? &any_four : &any_six, 0);
	auto_(put_nl_addr) struct nl_addr *via = nl_addr_of(&gateway, 8 * ip_size(gateway.family));
	struct rtnl_nexthop *hop = rtnl_route_nh_alloc();
	char text[IP_TEXT];

	if (!route || !dst || !via || !hop)
		return error_new(ENOMEM, "route");
	rtnl_route_set_family(route, (uint8_t)gateway.family);
	rtnl_route_set_table(route, RT_TABLE_MAIN);
	rtnl_route_set_scope(route, RT_SCOPE_UNIVERSE);
	rtnl_route_set_protocol(route, RTPROT_STATIC);
	rtnl_route_set_dst(route, dst);
	rtnl_route_nh_set_ifindex(hop, index);
	rtnl_route_nh_set_gateway(hop, via);
	rtnl_route_add_nexthop(route, hop);
	int e = rtnl_route_add(socket, route, NLM_F_CREATE | NLM_F_EXCL);
	return e < 0 ? netlink_failed(e, "add the route through", ip_text(&gateway, text)) : NULL;
}

static error *add_addresses(struct nl_sock *socket, const char *device, const struct network *n,
			    const struct lease *lease, int *index)
{
	const struct segment *const segments[] = { &n->four, &n->six };
	auto_(link_put) struct rtnl_link *link = NULL;
	int e = rtnl_link_get_kernel(socket, 0, device, &link);

	if (e < 0)
		return netlink_failed(e, "find the device", device);
	*index = rtnl_link_get_ifindex(link);
	for (size_t i = 0; i < COUNT(segments); i++)
		if (segments[i]->subnet.base.family)
			try(add_address(socket, *index, &segments[i]->subnet,
					lease ? lease->number : segments[i]->gateway));
	return NULL;
}

static error *bring_up(struct nl_sock *socket, const char *device)
{
	auto_(link_put) struct rtnl_link *link = NULL;
	auto_(link_put) struct rtnl_link *change = rtnl_link_alloc();
	int e = rtnl_link_get_kernel(socket, 0, device, &link);

	if (e < 0)
		return netlink_failed(e, "find the device", device);
	if (!change)
		return error_new(ENOMEM, "bring up %s", device);
	rtnl_link_set_flags(change, IFF_UP);
	e = rtnl_link_change(socket, link, change, 0);
	return e < 0 ? netlink_failed(e, "bring up the device", device) : NULL;
}

/* Without an address of its own a bridge takes the lowest of its ports', and changes it as
 * they come and go. */
static void set_own_mac(struct rtnl_link *link, uint32_t hash)
{
	const uint8_t mac[6] = { 0x02,
				 0x53,
				 (uint8_t)(hash >> 24),
				 (uint8_t)(hash >> 16),
				 (uint8_t)(hash >> 8),
				 (uint8_t)hash };
	auto_(put_nl_addr) struct nl_addr *address = nl_addr_build(AF_LLC, mac, sizeof(mac));

	if (address)
		rtnl_link_set_addr(link, address);
}

/* route_localnet: what connects to 127.0.0.1 at a published port leaves through the bridge; the
 * rules keep containers from 127.0.0.0/8 itself. accept_ra: a container is no router of ours
 * (CVE-2020-13401). accept_dad: its link-local address comes from a hardware address
 * that is ours, and without it no neighbour can be asked for a second. Forwarding is the host's,
 * and stays when the bridge is gone. */
static error *set_host_sysctls(const struct network *n)
{
	const char *device = n->words.device;

	if (n->four.subnet.base.family) {
		try(sysctl_set_device("ipv4", device, "route_localnet", "1"));
		try(sysctl_ensure("net/ipv4/ip_forward", "1"));
	}
	try(sysctl_set_device("ipv6", device, "accept_ra", "0"));
	try(sysctl_set_device("ipv6", device, "accept_dad", "0"));
	if (n->six.subnet.base.family)
		try(sysctl_ensure("net/ipv6/conf/all/forwarding", "1"));
	return NULL;
}

error *bridge_make(struct store *s, const struct network *n, struct nl_sock *socket)
{
	auto_(link_put) struct rtnl_link *link = rtnl_link_bridge_alloc();
	int index;

	/* the host may have got other routes since the network was created */
	if (n->four.subnet.base.family)
		try(network_is_free(s, &n->four.subnet, n->words.name, n->words.device));
	if (n->six.subnet.base.family)
		try(network_is_free(s, &n->six.subnet, n->words.name, n->words.device));
	if (!link)
		return error_new(ENOMEM, "bridge");
	rtnl_link_set_name(link, n->words.device);
	rtnl_link_set_group(link, mark(s));
	rtnl_link_set_mtu(link, n->words.mtu);
	set_own_mac(link, store_hash(s, n->words.name));
	int e = rtnl_link_add(socket, link, NLM_F_CREATE | NLM_F_EXCL);
	if (e < 0)
		return netlink_failed(e, "make the bridge", n->words.device);
	error *failed = set_host_sysctls(n);
	if (!failed)
		failed = bring_up(socket, n->words.device);
	if (!failed)
		failed = add_addresses(socket, n->words.device, n, NULL, &index);
	if (failed) {
		auto_error error *left = link_remove(socket, n->words.device);
	}
	return failed;
}

error *bridge_find(struct store *s, const struct network *n, struct nl_sock *socket, bool *there)
{
	auto_(link_put) struct rtnl_link *link = NULL;
	int e = rtnl_link_get_kernel(socket, 0, n->words.device, &link);

	if (e >= 0 && !is_ours(s, link))
		return error_said(EEXIST,
				  "network '%s': this host has a device '%s' that is not skiff's",
				  n->words.name, n->words.device);
	*there = e >= 0;
	return NULL;
}

error *link_remove(struct nl_sock *socket, const char *name)
{
	auto_(link_put) struct rtnl_link *link = rtnl_link_alloc();

	if (!link)
		return error_new(ENOMEM, "remove %s", name);
	rtnl_link_set_name(link, name);
	int e = rtnl_link_delete(socket, link);
	return e < 0 && e != -NLE_NODEV && e != -NLE_OBJ_NOTFOUND
		       ? netlink_failed(e, "remove the device", name)
		       : NULL;
}

error *bridge_remove(struct store *s, const char *device, struct nl_sock *socket)
{
	auto_(link_put) struct rtnl_link *link = NULL;
	int e = rtnl_link_get_kernel(socket, 0, device, &link);

	return e >= 0 && is_ours(s, link) ? link_remove(socket, device) : NULL;
}

static error *make_both_ends(struct store *s, const struct network *n, const struct lease *lease,
			     const uint8_t mac[6], int ns, struct nl_sock *socket)
{
	auto_(link_put) struct rtnl_link *bridge = NULL;
	auto_(link_put) struct rtnl_link *outside = rtnl_link_veth_alloc();
	struct rtnl_link *inside = outside ? rtnl_link_veth_get_peer(outside) : NULL;
	auto_(link_put) struct rtnl_link *inside_held = inside;
	auto_(put_nl_addr) struct nl_addr *address = nl_addr_build(AF_LLC, mac, 6);
	int e = rtnl_link_get_kernel(socket, 0, n->words.device, &bridge);

	if (e < 0)
		return netlink_failed(e, "find the bridge", n->words.device);
	if (!inside || !address)
		return error_new(ENOMEM, "pair of devices");
	rtnl_link_set_name(outside, lease->device);
	rtnl_link_set_group(outside, mark(s));
	rtnl_link_set_mtu(outside, n->words.mtu);
	rtnl_link_set_master(outside, rtnl_link_get_ifindex(bridge));
	rtnl_link_set_flags(outside, IFF_UP);
	rtnl_link_set_name(inside, INSIDE_NAME);
	rtnl_link_set_mtu(inside, n->words.mtu);
	rtnl_link_set_addr(inside, address);
	rtnl_link_set_ns_fd(inside, ns);
	/* a crash may have left one of this name, which the lease says is ours */
	try(link_remove(socket, lease->device));
	e = rtnl_link_add(socket, outside, NLM_F_CREATE | NLM_F_EXCL);
	return e < 0 ? netlink_failed(e, "make the pair of devices", lease->device) : NULL;
}

/* A container that asks for its own published port is sent back through the port that it came
 * from, where the host has bridged packets pass its rules (br_netfilter). */
static error *allow_hairpin(struct nl_sock *socket, const char *device)
{
	auto_(link_put) struct rtnl_link *link = NULL;
	auto_(link_put) struct rtnl_link *change = rtnl_link_bridge_alloc();
	int e = rtnl_link_get_kernel(socket, 0, device, &link);

	if (e < 0)
		return netlink_failed(e, "find the device", device);
	if (!change)
		return error_new(ENOMEM, "%s", device);
	rtnl_link_set_family(change, AF_BRIDGE);
	rtnl_link_set_ifindex(change, rtnl_link_get_ifindex(link));
	rtnl_link_bridge_set_flags(change, RTNL_BRIDGE_HAIRPIN_MODE);
	e = rtnl_link_change(socket, change, change, 0);
	return e < 0 ? netlink_failed(e, "set the hairpin mode of", device) : NULL;
}

static error *set_up_inside(const struct network *n, const struct lease *lease, int ns)
{
	auto_(nl_socket_free) struct nl_sock *there = NULL;
	int index;

	/* another container of the network is no router either */
	try(sysctl_set_inside(ns, "ipv6", INSIDE_NAME, "accept_ra", "0"));
	try(sysctl_set_inside(ns, "ipv6", INSIDE_NAME, "accept_dad", "0"));
	try(netlink_open_in(ns, &there));
	try(bring_up(there, INSIDE_NAME));
	try(add_addresses(there, INSIDE_NAME, n, lease, &index));
	if (n->four.subnet.base.family)
		try(add_default_route(there, index, &n->four));
	return n->six.subnet.base.family ? add_default_route(there, index, &n->six) : NULL;
}

error *pair_make(struct store *s, const struct network *n, const struct lease *lease,
		 const uint8_t mac[6], int ns, struct nl_sock *socket)
{
	try(make_both_ends(s, n, lease, mac, ns, socket));
	if (lease->ports.n)
		try(allow_hairpin(socket, lease->device));
	return set_up_inside(n, lease, ns);
}

error *link_each(struct store *s, struct nl_sock *socket,
		 error *(*visit)(const char *name, bool is_bridge, void *context), void *context)
{
	auto_(cache_free) struct nl_cache *links = NULL;
	int e = rtnl_link_alloc_cache(socket, AF_UNSPEC, &links);

	if (e < 0)
		return netlink_failed(e, "list", "the devices");
	for (struct nl_object *o = nl_cache_get_first(links); o; o = nl_cache_get_next(o)) {
		struct rtnl_link *link = (struct rtnl_link *)o;
		const char *type = rtnl_link_get_type(link);
		if (is_ours(s, link))
			try(visit(rtnl_link_get_name(link), type && strcmp(type, "bridge") == 0,
				  context));
	}
	return NULL;
}
