#include "netns/flows.h"

#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <stdlib.h>
#include <string.h>

#include "netns/netlink.h"

struct tuple {
	struct ip source, target;
	uint8_t protocol;
	uint16_t target_port;
};

/* To delete one. */
struct order {
	struct nl_msg *message;
};

struct search {
	const struct ports *ports;
	const struct ip *container;
	struct order *found;
	size_t n;
};

static void read_ip(struct nlattr *a, struct ip *out)
{
	if (!a || nla_len(a) > (int)sizeof(out->bytes))
		return;
	out->family = nla_len(a) == 4 ? AF_INET : AF_INET6;
	memcpy(out->bytes, nla_data(a), (size_t)nla_len(a));
}

static bool read_tuple(struct nlattr *from, struct tuple *out)
{
	struct nlattr *parts[CTA_TUPLE_MAX + 1];
	struct nlattr *ip[CTA_IP_MAX + 1];
	struct nlattr *proto[CTA_PROTO_MAX + 1];

	*out = (struct tuple){ 0 };
	if (!from || nla_parse_nested(parts, CTA_TUPLE_MAX, from, NULL) < 0 ||
	    !parts[CTA_TUPLE_IP] || !parts[CTA_TUPLE_PROTO] ||
	    nla_parse_nested(ip, CTA_IP_MAX, parts[CTA_TUPLE_IP], NULL) < 0 ||
	    nla_parse_nested(proto, CTA_PROTO_MAX, parts[CTA_TUPLE_PROTO], NULL) < 0)
		return false;
	read_ip(ip[CTA_IP_V4_SRC] ? ip[CTA_IP_V4_SRC] : ip[CTA_IP_V6_SRC], &out->source);
	read_ip(ip[CTA_IP_V4_DST] ? ip[CTA_IP_V4_DST] : ip[CTA_IP_V6_DST], &out->target);
	if (proto[CTA_PROTO_NUM])
		out->protocol = nla_get_u8(proto[CTA_PROTO_NUM]);
	if (proto[CTA_PROTO_DST_PORT])
		out->target_port = ntohs(nla_get_u16(proto[CTA_PROTO_DST_PORT]));
	return true;
}

static bool is_meant(const struct search *s, const struct tuple *orig, const struct tuple *reply)
{
	bool translated = !ip_same(&reply->source, &orig->target);

	if (orig->protocol != IPPROTO_UDP || (translated && !ip_same(&reply->source, s->container)))
		return false;
	for (size_t i = 0; i < s->ports->n; i++)
		if (s->ports->v[i].udp && s->ports->v[i].host == orig->target_port)
			return true;
	return false;
}

static int look_at(struct nl_msg *message, void *context)
{
	struct search *s = context;
	struct nlmsghdr *head = nlmsg_hdr(message);
	struct nlattr *a[CTA_MAX + 1];
	struct tuple orig;
	struct tuple reply;

	if (nlmsg_parse(head, sizeof(struct nfgenmsg), a, CTA_MAX, NULL) < 0 ||
	    !read_tuple(a[CTA_TUPLE_ORIG], &orig) || !read_tuple(a[CTA_TUPLE_REPLY], &reply) ||
	    !is_meant(s, &orig, &reply))
		return NL_OK;
	struct order *more = realloc(s->found, (s->n + 1) * sizeof(*more));
	if (!more)
		return NL_STOP;
	s->found = more;
	struct nl_msg *order = nlmsg_alloc_simple(NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE,
						  NLM_F_REQUEST | NLM_F_ACK);
	struct nfgenmsg family = { .nfgen_family = (uint8_t)orig.source.family,
				   .version = NFNETLINK_V0 };
	if (order && nlmsg_append(order, &family, sizeof(family), NLMSG_ALIGNTO) == 0 &&
	    nla_put(order, CTA_TUPLE_ORIG | NLA_F_NESTED, nla_len(a[CTA_TUPLE_ORIG]),
		    nla_data(a[CTA_TUPLE_ORIG])) == 0)
		s->found[s->n++].message = order;
	else if (order)
		nlmsg_free(order);
	return NL_OK;
}

static bool has_udp(const struct ports *ports)
{
	for (size_t i = 0; i < ports->n; i++)
		if (ports->v[i].udp)
			return true;
	return false;
}

error *flows_forget(const struct ports *ports, const struct ip *container)
{
	auto_(nl_socket_free) struct nl_sock *socket = NULL;
	struct nfgenmsg family = { .nfgen_family = (uint8_t)container->family,
				   .version = NFNETLINK_V0 };
	struct search search = { .ports = ports, .container = container };

	if (!container->family || !has_udp(ports))
		return NULL;
	socket = nl_socket_alloc();
	int e = socket ? nl_connect(socket, NETLINK_NETFILTER) : -NLE_NOMEM;
	if (e >= 0)
		e = nl_socket_modify_cb(socket, NL_CB_VALID, NL_CB_CUSTOM, look_at, &search);
	if (e >= 0)
		e = nl_send_simple(socket, NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET,
				   NLM_F_DUMP, &family, sizeof(family));
	if (e >= 0)
		e = nl_recvmsgs_default(socket);
	for (size_t i = 0; i < search.n; i++) {
		if (e >= 0 && nl_send_auto(socket, search.found[i].message) >= 0)
			nl_wait_for_ack(socket); /* one that has just ended is forgotten too */
		nlmsg_free(search.found[i].message);
	}
	free(search.found);
	return e < 0 ? netlink_failed(e, "forget", "conversations of UDP") : NULL;
}
