/* A sandbox's network: each device of the container's namespace gets a tap, and what comes in at
 * one goes out at the other, so that the machine at the tap takes the device's place. Nothing of it
 * outlives the namespace. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_tun.h>
#include <linux/pkt_sched.h>
#include <linux/tc_act/tc_mirred.h>
#include <net/if.h>
#include <netlink/route/act/mirred.h>
#include <netlink/route/addr.h>
#include <netlink/route/classifier.h>
#include <netlink/route/cls/u32.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/qdisc.h>
#include <netlink/route/route.h>
#include <netlink/route/tc.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/json.h"
#include "netns/netlink.h"
#include "netns/verb.h"

#define TAP_PREFIX "skifftap"

/* It stays until its namespace ends; the machine opens it by its name. */
static error *make_tap(const char *name)
{
	struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	auto_fd int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (fd < 0)
		return error_errno("open /dev/net/tun");
	if (ioctl(fd, TUNSETIFF, &request) < 0 || ioctl(fd, TUNSETPERSIST, 1) < 0)
		return error_errno("make the tap %s", name);
	return NULL;
}

static error *bring_up(struct nl_sock *socket, int index, unsigned mtu)
{
	auto_(link_put) struct rtnl_link *old = NULL;
	auto_(link_put) struct rtnl_link *change = rtnl_link_alloc();
	int e = rtnl_link_get_kernel(socket, index, NULL, &old);

	if (e < 0 || !change)
		return netlink_failed(e, "look at", "the tap");
	rtnl_link_set_flags(change, IFF_UP);
	if (mtu)
		rtnl_link_set_mtu(change, mtu);
	e = rtnl_link_change(socket, old, change, 0);
	return e < 0 ? netlink_failed(e, "bring up", rtnl_link_get_name(old)) : NULL;
}

static struct rtnl_qdisc *ingress_of(int index)
{
	struct rtnl_qdisc *q = rtnl_qdisc_alloc();

	if (q) {
		rtnl_tc_set_ifindex(TC_CAST(q), index);
		rtnl_tc_set_parent(TC_CAST(q), TC_H_INGRESS);
		rtnl_tc_set_handle(TC_CAST(q), TC_HANDLE(0xffffU, 0));
		rtnl_tc_set_kind(TC_CAST(q), "ingress");
	}
	return q;
}

/* With it goes where it led. One that is not there is fine. */
static void remove_ingress(struct nl_sock *socket, int index)
{
	struct rtnl_qdisc *q = ingress_of(index);

	if (q) {
		rtnl_qdisc_delete(socket, q);
		rtnl_qdisc_put(q);
	}
}

static error *add_ingress(struct nl_sock *socket, int index)
{
	struct rtnl_qdisc *q = ingress_of(index);

	if (!q)
		return error_new(ENOMEM, "tc");
	int e = rtnl_qdisc_add(socket, q, NLM_F_CREATE);
	rtnl_qdisc_put(q);
	return e < 0 ? netlink_failed(e, "queue", "what comes in") : NULL;
}

static error *redirect(struct nl_sock *socket, int from, int to)
{
	struct rtnl_cls *c = rtnl_cls_alloc();
	struct rtnl_act *act = rtnl_act_alloc();
	int e = c && act ? 0 : -NLE_NOMEM;

	if (!e) {
		rtnl_tc_set_kind(TC_CAST(act), "mirred");
		rtnl_mirred_set_action(act, TCA_EGRESS_REDIR);
		rtnl_mirred_set_policy(act, TC_ACT_STOLEN);
		rtnl_mirred_set_ifindex(act, (uint32_t)to);
		rtnl_tc_set_ifindex(TC_CAST(c), from);
		rtnl_tc_set_parent(TC_CAST(c), TC_HANDLE(0xffffU, 0));
		rtnl_cls_set_prio(c, 1);
		rtnl_cls_set_protocol(c, ETH_P_ALL);
		e = rtnl_tc_set_kind(TC_CAST(c), "u32");
	}
	if (!e)
		e = rtnl_u32_add_key_uint32(c, 0, 0, 0, 0); /* everything */
	if (!e)
		e = rtnl_u32_set_cls_terminal(c); /* or the action would not be taken */
	if (!e)
		e = rtnl_u32_add_action(c, act);
	if (!e)
		e = rtnl_cls_add(socket, c, NLM_F_CREATE);
	if (act)
		rtnl_act_put(act);
	if (c)
		rtnl_cls_put(c);
	return e < 0 ? netlink_failed(e, "redirect", "what comes in") : NULL;
}

static error *join_devices(struct nl_sock *socket, int device, int tap)
{
	remove_ingress(socket, device); /* an earlier sandbox's, that was killed */
	try(add_ingress(socket, device));
	try(add_ingress(socket, tap));
	try(redirect(socket, device, tap));
	return redirect(socket, tap, device);
}

/* --- what the guest shall have --- */

static void put_addresses(struct json *to, struct nl_cache *addresses, int index)
{
	char text[128];

	json_array(to, "addresses");
	for (struct nl_object *o = nl_cache_get_first(addresses); o; o = nl_cache_get_next(o)) {
		struct rtnl_addr *a = (struct rtnl_addr *)o;
		if (rtnl_addr_get_ifindex(a) == index && rtnl_addr_get_local(a) &&
		    rtnl_addr_get_scope(a) == RT_SCOPE_UNIVERSE) {
			char plain[96];
			nl_addr2str(rtnl_addr_get_local(a), plain, sizeof(plain));
			plain[strcspn(plain, "/")] = '\0';
			snprintf(text, sizeof(text), "%s/%d", plain, rtnl_addr_get_prefixlen(a));
			json_text(to, NULL, text);
		}
	}
	json_end(to);
}

static void put_route(struct json *to, struct rtnl_route *r, struct rtnl_nexthop *hop)
{
	struct nl_addr *gateway = rtnl_route_nh_get_gateway(hop);
	struct nl_addr *destination = rtnl_route_get_dst(r);
	char text[128];

	json_object(to, NULL);
	nl_addr2str(destination, text, sizeof(text));
	bool is_default = !destination || nl_addr_get_prefixlen(destination) == 0;
	json_text(to, "destination", is_default ? "default" : text);
	if (gateway)
		json_text(to, "gateway", nl_addr2str(gateway, text, sizeof(text)));
	if (rtnl_route_get_priority(r))
		json_u64(to, "metric", rtnl_route_get_priority(r));
	json_end(to);
}

/* Not those that the kernel makes by itself for each address. */
static void put_routes(struct json *to, struct nl_cache *routes, int index)
{
	json_array(to, "routes");
	for (struct nl_object *o = nl_cache_get_first(routes); o; o = nl_cache_get_next(o)) {
		struct rtnl_route *r = (struct rtnl_route *)o;
		struct rtnl_nexthop *hop = rtnl_route_nexthop_n(r, 0);
		if (hop && rtnl_route_nh_get_ifindex(hop) == index &&
		    rtnl_route_get_table(r) == RT_TABLE_MAIN &&
		    rtnl_route_get_type(r) == RTN_UNICAST &&
		    rtnl_route_get_protocol(r) != RTPROT_KERNEL)
			put_route(to, r, hop);
	}
	json_end(to);
}

struct tables {
	struct nl_sock *socket;
	struct nl_cache *links, *addresses, *routes;
};

static error *lead_device(const struct tables *t, struct rtnl_link *link, struct json *to)
{
	char tap[IF_NAMESIZE];
	char mac[32];
	int index = rtnl_link_get_ifindex(link);

	snprintf(tap, sizeof(tap), TAP_PREFIX "%d", index);
	try(make_tap(tap));
	int tap_index = (int)if_nametoindex(tap);
	try(bring_up(t->socket, tap_index, rtnl_link_get_mtu(link)));
	try(join_devices(t->socket, index, tap_index));
	json_object(to, NULL);
	json_text(to, "name", rtnl_link_get_name(link));
	json_text(to, "mac", nl_addr2str(rtnl_link_get_addr(link), mac, sizeof(mac)));
	json_text(to, "tap", tap);
	json_u64(to, "mtu", rtnl_link_get_mtu(link));
	put_addresses(to, t->addresses, index);
	put_routes(to, t->routes, index);
	json_end(to);
	return NULL;
}

static bool has_link_address(struct rtnl_link *link)
{
	struct nl_addr *address = rtnl_link_get_addr(link);

	return address && nl_addr_get_len(address) == ETH_ALEN &&
	       !(rtnl_link_get_flags(link) & IFF_LOOPBACK) && !nl_addr_iszero(address) &&
	       strncmp(rtnl_link_get_name(link), TAP_PREFIX, strlen(TAP_PREFIX)) != 0;
}

static error *read_tables(struct tables *t)
{
	int e = rtnl_link_alloc_cache(t->socket, AF_UNSPEC, &t->links);

	if (e >= 0)
		e = rtnl_addr_alloc_cache(t->socket, &t->addresses);
	if (e >= 0)
		e = rtnl_route_alloc_cache(t->socket, AF_UNSPEC, 0, &t->routes);
	return e < 0 ? netlink_failed(e, "list", "the network's devices") : NULL;
}

static error *lead_all(struct tables *t, struct json *to)
{
	try(netlink_open(&t->socket));
	try(read_tables(t));
	json_object(to, NULL);
	json_array(to, "devices");
	for (struct nl_object *o = nl_cache_get_first(t->links); o; o = nl_cache_get_next(o)) {
		struct rtnl_link *link = (struct rtnl_link *)o;
		if (has_link_address(link))
			try_as(lead_device(t, link, to), "%s", rtnl_link_get_name(link));
	}
	json_end(to);
	json_end(to);
	return NULL;
}

static error *lead(const struct request *r, int n, char **words)
{
	struct tables t = { 0 };
	auto_json struct json *to = NULL;
	auto_fd int ns = -1;
	const char *text;

	(void)r, (void)n;
	try(namespace_open(words[0], &ns));
	if (setns(ns, CLONE_NEWNET) < 0)
		return error_errno("enter %s", words[0]);
	try(json_new(JSON_ONE_LINE, &to));
	error *e = lead_all(&t, to);
	if (t.links)
		nl_cache_free(t.links);
	if (t.addresses)
		nl_cache_free(t.addresses);
	if (t.routes)
		nl_cache_free(t.routes);
	nl_socket_free(t.socket);
	try(e);
	try(json_finish(to, &text, NULL));
	puts(text);
	return NULL;
}

const struct verb verb_lead = {
	.name = "lead",
	.args = "NAMESPACE",
	.min = 1,
	.max = 1,
	.run = lead,
};

/* The devices are the namespace's own again. */
static error *unlead(const struct request *r, int n, char **words)
{
	struct tables t = { 0 };
	auto_fd int ns = -1;

	(void)r, (void)n;
	auto_error error *gone = namespace_open(words[0], &ns);
	if (gone)
		return error_code(gone) == ENOENT ? NULL : take_ptr(&gone);
	if (setns(ns, CLONE_NEWNET) < 0)
		return error_errno("enter %s", words[0]);
	try(netlink_open(&t.socket));
	int e = rtnl_link_alloc_cache(t.socket, AF_UNSPEC, &t.links);
	for (struct nl_object *o = e < 0 ? NULL : nl_cache_get_first(t.links); o;
	     o = nl_cache_get_next(o))
		if (has_link_address((struct rtnl_link *)o))
			remove_ingress(t.socket, rtnl_link_get_ifindex((struct rtnl_link *)o));
	if (t.links)
		nl_cache_free(t.links);
	nl_socket_free(t.socket);
	return e < 0 ? netlink_failed(e, "list", "the network's devices") : NULL;
}

const struct verb verb_unlead = {
	.name = "unlead",
	.args = "NAMESPACE",
	.min = 1,
	.max = 1,
	.run = unlead,
};
