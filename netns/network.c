#include "netns/network.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <netlink/route/route.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/text.h"
#include "netns.h"
#include "netns/netlink.h"

/* clang-format off */
#define THIS network_words
SHAPE(network_words, NETWORK)
#undef THIS
/* clang-format on */

/* Where the subnets of networks that ask for none come from: 10.90.0.0/22 to 10.99.252.0/22. A
 * bridge takes 1,023 ports, so that more addresses would be of no use. */
enum { POOL_FIRST = 90, POOL_LAST = 99, POOL_PREFIX = 22, NAME_MAX_ = 64 };

static const char *path_of(struct store *s, const char *name)
{
	return arena_printf(s->arena, "%s/%s.json", s->networks, name);
}

static error *check_name(const char *name)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
	size_t len = strlen(name);

	if (len == 0 || len > NAME_MAX_ || name[0] == '.' || name[0] == '-' ||
	    strspn(name, letters) != len)
		return error_said(EINVAL,
				  "'%s' is not a network's name: want letters, digits and _ - .",
				  name);
	return NULL;
}

static error *read_segment(const char *subnet, const char *gateway, struct segment *out)
{
	struct ip ip;

	if (!subnet)
		return NULL;
	try(subnet_parse(subnet, &out->subnet));
	if (!gateway || !ip_parse(gateway, &ip) ||
	    !subnet_number(&out->subnet, &ip, &out->gateway) || out->gateway == 0 ||
	    out->gateway > subnet_last(&out->subnet))
		return error_said(EINVAL, "gateway %s is not an address for a host of %s",
				  gateway ? gateway : "(none)", subnet);
	return NULL;
}

error *network_read(struct store *s, const char *name, struct network **out)
{
	auto_free char *text = NULL;
	size_t len;

	try(check_name(name));
	const char *path = path_of(s, name);
	struct network *n = arena_new_of(s->arena, struct network);
	if (!n || !path)
		return arena_exhausted();
	auto_error error *e = file_read(AT_FDCWD, path, 1 << 16, &text, &len);
	if (e && error_code(e) == ENOENT)
		return error_said(ENOENT, "there is no network '%s': see skiff net ls", name);
	if (e)
		return take_ptr(&e);
	try_as(rows_read(&network_words_shape, text, len, ROWS_LENIENT, s->arena, &n->words), "%s",
	       path);
	try_as(read_segment(n->words.subnet4, n->words.gateway4, &n->four), "%s", path);
	try_as(read_segment(n->words.subnet6, n->words.gateway6, &n->six), "%s", path);
	*out = n;
	return NULL;
}

static error *network_write(struct store *s, const struct network_words *words)
{
	auto_json struct json *j = NULL;
	const char *text;
	size_t len;
	const char *path = path_of(s, words->name);

	try(json_new(JSON_INDENTED, &j));
	rows_write(&network_words_shape, words, NULL, j);
	try(json_finish(j, &text, &len));
	return path ? file_replace(AT_FDCWD, path, 0600, text, len) : arena_exhausted();
}

error *network_forget(struct store *s, const char *name)
{
	const char *path = path_of(s, name);

	if (!path)
		return arena_exhausted();
	return unlink(path) < 0 && errno != ENOENT ? error_errno("remove %s", path) : NULL;
}

error *network_list(struct store *s, struct texts *names)
{
	return store_list(s, s->networks, ".json", names);
}

static bool is_route_of(struct rtnl_route *route, const char *device)
{
	struct rtnl_nexthop *hop = rtnl_route_nexthop_n(route, 0);
	char name[IF_NAMESIZE];

	return device && hop && if_indextoname((unsigned)rtnl_route_nh_get_ifindex(hop), name) &&
	       strcmp(name, device) == 0;
}

/* A default route leads everywhere and is no obstacle. */
static error *no_route_leads_to(const struct subnet *subnet, const char *ignored)
{
	auto_(nl_socket_free) struct nl_sock *socket = NULL;
	auto_(cache_free) struct nl_cache *routes = NULL;
	char text[IP_TEXT];

	try(netlink_open(&socket));
	int e = rtnl_route_alloc_cache(socket, subnet->base.family, 0, &routes);
	if (e < 0)
		return netlink_failed(e, "list", "the routes");
	for (struct nl_object *o = nl_cache_get_first(routes); o; o = nl_cache_get_next(o)) {
		struct rtnl_route *route = (struct rtnl_route *)o;
		struct nl_addr *dst = rtnl_route_get_dst(route);
		struct subnet there = { { subnet->base.family, { 0 } }, 0 };
		if (rtnl_route_get_table(route) == RT_TABLE_LOCAL || !dst ||
		    nl_addr_get_prefixlen(dst) == 0 ||
		    nl_addr_get_len(dst) > sizeof(there.base.bytes))
			continue;
		memcpy(there.base.bytes, nl_addr_get_binary_addr(dst), nl_addr_get_len(dst));
		there.prefix = nl_addr_get_prefixlen(dst);
		if (subnet_overlaps(subnet, &there) && !is_route_of(route, ignored))
			return error_said(EEXIST,
					  "subnet %s/%u: this host has a route to %s/%u already: "
					  "choose another with --subnet",
					  ip_text(&subnet->base, text), subnet->prefix,
					  ip_text(&there.base, (char[IP_TEXT]){ 0 }), there.prefix);
	}
	return NULL;
}

error *network_is_free(struct store *s, const struct subnet *subnet, const char *name,
		       const char *ignored)
{
	struct texts names;
	char text[IP_TEXT];

	try(network_list(s, &names));
	for (size_t i = 0; i < names.n; i++) {
		struct network *other;
		if (name && strcmp(names.v[i], name) == 0)
			continue;
		try(network_read(s, names.v[i], &other));
		if (subnet_overlaps(subnet, &other->four.subnet) ||
		    subnet_overlaps(subnet, &other->six.subnet))
			return error_said(EEXIST, "subnet %s/%u overlaps that of the network '%s'",
					  ip_text(&subnet->base, text), subnet->prefix, names.v[i]);
	}
	return no_route_leads_to(subnet, ignored);
}

static error *choose_four(struct store *s, struct segment *out)
{
	for (unsigned second = POOL_FIRST; second <= POOL_LAST; second++)
		for (unsigned third = 0; third < 256; third += 1 << (24 - POOL_PREFIX)) {
			struct subnet subnet = {
				{ AF_INET, { 10, (uint8_t)second, (uint8_t)third } }, POOL_PREFIX
			};
			auto_error error *taken = network_is_free(s, &subnet, NULL, NULL);
			if (!taken) {
				*out = (struct segment){ subnet, 1 };
				return NULL;
			}
			if (error_code(taken) != EEXIST)
				return take_ptr(&taken);
		}
	return error_said(ENOSPC,
			  "no subnet is free between 10.%d.0.0 and 10.%d.255.255: give "
			  "--subnet",
			  POOL_FIRST, POOL_LAST);
}

/* RFC 4193: fd, 40 random bits, a subnet's number, here 0 */
static error *choose_six(struct segment *out)
{
	struct subnet subnet = { { AF_INET6, { 0xfd } }, 64 };

	if (getrandom(&subnet.base.bytes[1], 5, 0) != 5)
		return error_errno("getrandom");
	*out = (struct segment){ subnet, 1 };
	return NULL;
}

static error *add_subnets(const struct network_wishes *w, struct network *n)
{
	for (size_t i = 0; i < w->subnets.n; i++) {
		struct subnet subnet;
		try(subnet_parse(w->subnets.v[i], &subnet));
		struct segment *to = subnet.base.family == AF_INET ? &n->four : &n->six;
		if (to->subnet.base.family)
			return error_said(EINVAL,
					  "--subnet: want one of IPv4 and one of IPv6 at most");
		*to = (struct segment){ subnet, 1 };
	}
	for (size_t i = 0; i < w->gateways.n; i++) {
		struct ip ip;
		if (!ip_parse(w->gateways.v[i], &ip))
			return error_said(EINVAL, "--gateway: '%s' is not an address",
					  w->gateways.v[i]);
		struct segment *of = ip.family == AF_INET ? &n->four : &n->six;
		if (!of->subnet.base.family || !subnet_number(&of->subnet, &ip, &of->gateway) ||
		    !of->gateway || of->gateway > subnet_last(&of->subnet))
			return error_said(EINVAL, "--gateway: %s is no host of a --subnet",
					  w->gateways.v[i]);
	}
	return NULL;
}

static error *device_is_free(struct store *s, const char *device, bool *free)
{
	struct texts names;

	*free = if_nametoindex(device) == 0;
	try(network_list(s, &names));
	for (size_t i = 0; i < names.n && *free; i++) {
		struct network *other;
		try(network_read(s, names.v[i], &other));
		*free = strcmp(other->words.device, device) != 0;
	}
	return NULL;
}

static error *choose_device(struct store *s, const char *asked, char **out)
{
	bool free = false;

	if (asked && (!*asked || strlen(asked) >= IF_NAMESIZE || strpbrk(asked, "/: \"")))
		return error_said(EINVAL, "--device: '%s' is not a name of at most %d letters",
				  asked, IF_NAMESIZE - 1);
	if (asked) {
		*out = arena_strdup(s->arena, asked);
		try(device_is_free(s, asked, &free));
		if (!free)
			return error_said(EEXIST, "--device: there is a device '%s' already",
					  asked);
	}
	for (unsigned i = 0; !free; i++) {
		*out = arena_printf(s->arena, "skiff%u", i);
		if (!*out)
			return arena_exhausted();
		try(device_is_free(s, *out, &free));
	}
	return *out ? NULL : arena_exhausted();
}

static error *put_words(struct store *s, const struct segment *from, char **subnet, char **gateway)
{
	char text[IP_TEXT];

	if (!from->subnet.base.family)
		return NULL;
	struct ip own = subnet_host(&from->subnet, from->gateway);
	*subnet = arena_printf(s->arena, "%s/%u", ip_text(&from->subnet.base, text),
			       from->subnet.prefix);
	*gateway = arena_strdup(s->arena, ip_text(&own, text));
	return *subnet && *gateway ? NULL : arena_exhausted();
}

static error *settle_subnets(struct store *s, const struct network_wishes *w, struct network *n)
{
	if (n->four.subnet.base.family)
		try(network_is_free(s, &n->four.subnet, NULL, NULL));
	if (n->six.subnet.base.family)
		try(network_is_free(s, &n->six.subnet, NULL, NULL));
	if (w->subnets.n == 0)
		try(choose_four(s, &n->four));
	if (w->six && !n->six.subnet.base.family)
		try(choose_six(&n->six));
	if (w->mtu && (w->mtu < 576 || w->mtu > 65535))
		return error_said(EINVAL, "--mtu: want 576 to 65535");
	if (n->six.subnet.base.family && w->mtu && w->mtu < 1280)
		return error_said(EINVAL, "--mtu: IPv6 needs 1280 at least");
	return NULL;
}

error *network_create(struct store *s, const struct network_wishes *w, struct network **out)
{
	struct network *n = arena_new_of(s->arena, struct network);
	struct network *there;

	if (!n)
		return arena_exhausted();
	try(check_name(w->name));
	auto_error error *missing = network_read(s, w->name, &there);
	if (!missing)
		return error_said(EEXIST, "there is a network '%s' already", w->name);
	if (error_code(missing) != ENOENT)
		return take_ptr(&missing);
	try(add_subnets(w, n));
	try(settle_subnets(s, w, n));
	n->words.name = arena_strdup(s->arena, w->name);
	n->words.mtu = w->mtu ? w->mtu : MTU_USUAL;
	try(choose_device(s, w->device, &n->words.device));
	try(put_words(s, &n->four, &n->words.subnet4, &n->words.gateway4));
	try(put_words(s, &n->six, &n->words.subnet6, &n->words.gateway6));
	try(network_write(s, &n->words));
	*out = n;
	return NULL;
}
