/* The rules, in one table of family inet per store. Everything that changes while containers come
 * and go is an element of a set or map, so that a container costs the same however many there are:
 *
 *     any4 any6   protocol, port -> container           published on every address of the host
 *     one4 one6   address, protocol, port -> container  published on one
 *     bridges     the bridges in use
 *     inner       (bridge, bridge): may talk to each other, which each may with itself
 *     subnets4/6  addresses that are hidden behind the host's
 *     own4 own6   the host's own addresses in them
 *
 * libnftables takes and applies a text as one transaction: all of it or nothing.
 */
#include "netns/nat.h"

#include <arpa/inet.h>
#include <nftables/libnftables.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A text that grows; memory that runs out is told at the end. */
struct script {
	FILE *to;
	char *text;
	size_t len;
	char table[32];
};

static error *script_begin(struct store *s, struct script *out)
{
	*out = (struct script){ 0 };
	out->to = open_memstream(&out->text, &out->len);
	store_table(s, out->table);
	return out->to ? NULL : error_new(ENOMEM, "rules");
}

static error *script_run(struct script *s)
{
	bool whole = !ferror(s->to) && fclose(s->to) == 0;
	struct nft_ctx *nft = whole ? nft_ctx_new(NFT_CTX_DEFAULT) : NULL;
	error *e = NULL;

	if (!nft) {
		free(s->text);
		return error_new(ENOMEM, "rules");
	}
	nft_ctx_buffer_output(nft);
	nft_ctx_buffer_error(nft);
	if (s->len && nft_run_cmd_from_buffer(nft, s->text) != 0) {
		const char *why = nft_ctx_get_error_buffer(nft);
		const char *text = why ? strstr(why, "Error: ") : NULL;
		int len = text ? (int)strcspn(text + 7, "\n") : 0;
		e = error_said(0, "nftables: %.*s", len ? len : 7, len ? text + 7 : "refused");
	}
	nft_ctx_free(nft);
	free(s->text);
	return e;
}

/* Containers talk to the world and are answered; to each other on their own bridge; and with
 * whoever comes through a published port. The world, and other bridges, get no further.
 * - "fib daddr type local": any address of this host, so that a published port answers on 127.0.0.1
 *   too; what leaves for a bridge with that as its sender gets the bridge's instead.
 * - "ct status dnat" out of a subnet: a container asks for a published port of its own network; the
 *   answer has to come back the same way (hairpin).
 * - "notrack": from container to container nothing is translated; where the host has bridged
 * packets pass its rules (br_netfilter), to remember their conversations would cost a tenth of the
 * speed. What was translated comes back to an address of the host's.
 * - "raw": route_localnet lets 127.0.0.0/8 in; no container may use that (CVE-2020-8558). */
static void write_base(const struct script *s)
{
	static const char rules[] =
		"add table inet %1$s\n"
		"add set inet %1$s bridges { type ifname; }\n"
		"add set inet %1$s inner { type ifname . ifname; }\n"
		"add set inet %1$s subnets4 { type ipv4_addr; flags interval; }\n"
		"add set inet %1$s subnets6 { type ipv6_addr; flags interval; }\n"
		"add set inet %1$s own4 { type ipv4_addr; }\n"
		"add set inet %1$s own6 { type ipv6_addr; }\n"
		"add map inet %1$s any4 { type inet_proto . inet_service : ipv4_addr . "
		"inet_service; }\n"
		"add map inet %1$s any6 { type inet_proto . inet_service : ipv6_addr . "
		"inet_service; }\n"
		"add map inet %1$s one4 { type ipv4_addr . inet_proto . inet_service : ipv4_addr . "
		"inet_service; }\n"
		"add map inet %1$s one6 { type ipv6_addr . inet_proto . inet_service : ipv6_addr . "
		"inet_service; }\n"
		"add chain inet %1$s publish\n"
		"add chain inet %1$s prerouting { type nat hook prerouting priority -100; }\n"
		"add chain inet %1$s output { type nat hook output priority -100; }\n"
		"add chain inet %1$s postrouting { type nat hook postrouting priority 100; }\n"
		"add chain inet %1$s raw { type filter hook prerouting priority -300; }\n"
		"add chain inet %1$s forward { type filter hook forward priority 0; }\n"
		"flush table inet %1$s\n"
		"add rule inet %1$s publish dnat ip to ip daddr . meta l4proto . th dport map "
		"@one4\n"
		"add rule inet %1$s publish dnat ip to meta l4proto . th dport map @any4\n"
		"add rule inet %1$s publish dnat ip6 to ip6 daddr . meta l4proto . th dport map "
		"@one6\n"
		"add rule inet %1$s publish dnat ip6 to meta l4proto . th dport map @any6\n"
		"add rule inet %1$s prerouting fib daddr type local jump publish\n"
		"add rule inet %1$s output fib daddr type local jump publish\n"
		"add rule inet %1$s postrouting ct status dnat ip saddr @subnets4 masquerade\n"
		"add rule inet %1$s postrouting ct status dnat ip6 saddr @subnets6 masquerade\n"
		"add rule inet %1$s postrouting ip saddr @subnets4 oifname != @bridges "
		"masquerade\n"
		"add rule inet %1$s postrouting ip6 saddr @subnets6 oifname != @bridges "
		"masquerade\n"
		"add rule inet %1$s postrouting ip saddr 127.0.0.0/8 oifname @bridges masquerade\n"
		"add rule inet %1$s raw iifname != @bridges accept\n"
		"add rule inet %1$s raw ip daddr 127.0.0.0/8 drop\n"
		"add rule inet %1$s raw ip daddr @subnets4 ip daddr != @own4 notrack\n"
		"add rule inet %1$s raw ip6 daddr @subnets6 ip6 daddr != @own6 notrack\n"
		"add rule inet %1$s forward iifname . oifname @inner accept\n"
		"add rule inet %1$s forward oifname != @bridges accept\n"
		"add rule inet %1$s forward ct state established,related accept\n"
		"add rule inet %1$s forward ct status dnat accept\n"
		"add rule inet %1$s forward drop\n";

	fprintf(s->to, rules, s->table);
}

static void write_element(const struct script *s, const char *verb, const char *set,
			  const char *element)
{
	fprintf(s->to, "%s element inet %s %s { %s }\n", verb, s->table, set, element);
}

static void write_network(const struct script *s, const char *verb, const struct network *n)
{
	const struct segment *const segments[] = { &n->four, &n->six };
	char text[128];

	snprintf(text, sizeof(text), "\"%s\"", n->words.device);
	write_element(s, verb, "bridges", text);
	snprintf(text, sizeof(text), "\"%1$s\" . \"%1$s\"", n->words.device);
	write_element(s, verb, "inner", text);
	for (size_t i = 0; i < COUNT(segments); i++) {
		char ip[IP_TEXT];
		const struct subnet *subnet = &segments[i]->subnet;
		if (!subnet->base.family)
			continue;
		snprintf(text, sizeof(text), "%s/%u", ip_text(&subnet->base, ip), subnet->prefix);
		bool is_four = subnet->base.family == AF_INET;
		write_element(s, verb, is_four ? "subnets4" : "subnets6", text);
		struct ip own = subnet_host(subnet, segments[i]->gateway);
		write_element(s, verb, is_four ? "own4" : "own6", ip_text(&own, ip));
	}
}

static bool is_any(const struct ip *ip)
{
	static const uint8_t zero[16];

	return !ip->family || memcmp(ip->bytes, zero, ip_size(ip->family)) == 0;
}

static void write_port(const struct script *s, const char *verb, const struct segment *segment,
		       const struct lease *lease, const struct port *p)
{
	int family = segment->subnet.base.family;
	const char *protocol = p->udp ? "udp" : "tcp";
	struct ip inside = lease_ip(lease, segment);
	char own[IP_TEXT];
	char to[IP_TEXT];
	char text[192];

	if (!family || (p->ip.family && p->ip.family != family))
		return;
	ip_text(&inside, to);
	if (is_any(&p->ip))
		snprintf(text, sizeof(text), "%s . %u : %s . %u", protocol, p->host, to,
			 p->container);
	else
		snprintf(text, sizeof(text), "%s . %s . %u : %s . %u", ip_text(&p->ip, own),
			 protocol, p->host, to, p->container);
	const char *const sets[2][2] = { { "one4", "any4" }, { "one6", "any6" } };
	write_element(s, verb, sets[family == AF_INET6][is_any(&p->ip)], text);
}

static void write_ports(const struct script *s, const char *verb, const struct network *n,
			const struct lease *lease, const struct ports *ports)
{
	for (size_t i = 0; i < ports->n; i++) {
		write_port(s, verb, &n->four, lease, &ports->v[i]);
		write_port(s, verb, &n->six, lease, &ports->v[i]);
	}
}

error *nat_open_network(struct store *s, const struct network *n)
{
	struct script x;

	try(script_begin(s, &x));
	write_base(&x);
	write_network(&x, "add", n);
	return script_run(&x);
}

/* To remove what may be gone already: adding it first is no error, nor is removing it then. */
error *nat_close_network(struct store *s, const struct network *n)
{
	struct script x;

	try(script_begin(s, &x));
	write_base(&x);
	write_network(&x, "add", n);
	write_network(&x, "delete", n);
	return script_run(&x);
}

error *nat_publish(struct store *s, const struct network *n, const struct lease *lease,
		   const struct ports *ports)
{
	struct script x;

	try(script_begin(s, &x));
	write_ports(&x, "add", n, lease, ports);
	auto_error error *e = script_run(&x);
	/* somebody has flushed all rules of the host: the leases know what belongs there */
	return e ? nat_rebuild(s) : NULL;
}

error *nat_withdraw(struct store *s, const struct network *n, const struct lease *lease,
		    const struct ports *ports)
{
	struct script x;

	try(script_begin(s, &x));
	write_ports(&x, "add", n, lease, ports);
	write_ports(&x, "delete", n, lease, ports);
	return script_run(&x);
}

error *nat_close(struct store *s)
{
	struct script x;

	try(script_begin(s, &x));
	fprintf(x.to, "add table inet %1$s\ndelete table inet %1$s\n", x.table);
	return script_run(&x);
}

static error *write_lease(struct store *s, const struct script *x, const struct lease *lease)
{
	struct network *n;
	struct ports ports;

	try(network_read(s, lease->network, &n));
	try(ports_parse(&lease->ports, s->arena, &ports));
	write_network(x, "add", n);
	write_ports(x, "add", n, lease, &ports);
	return NULL;
}

error *nat_rebuild(struct store *s)
{
	struct leases leases;
	struct script x;
	error *e = NULL;

	try(lease_list(s, NULL, &leases));
	if (!leases.n)
		return nat_close(s);
	try(script_begin(s, &x));
	fprintf(x.to, "add table inet %1$s\ndelete table inet %1$s\n", x.table);
	write_base(&x);
	for (size_t i = 0; !e && i < leases.n; i++)
		e = write_lease(s, &x, &leases.v[i]);
	if (!e)
		return script_run(&x);
	fclose(x.to);
	free(x.text);
	return e;
}
