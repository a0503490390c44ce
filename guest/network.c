/* The guest's network devices become the container's, with the addresses and routes that they have
 * on the host: by rtnetlink(7), of which four messages are needed. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/kernel.h"
#include "base/text.h"
#include "guest/guest.h"
#include "runtime/vm_shapes.h"

struct message {
	struct nlmsghdr head;
	char body[512];
};

static void begin(struct message *m, uint16_t type, uint16_t flags, const void *body, size_t len)
{
	memset(m, 0, sizeof(*m));
	m->head = (struct nlmsghdr){ .nlmsg_len = NLMSG_LENGTH((uint32_t)len),
				     .nlmsg_type = type,
				     .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags) };
	memcpy(m->body, body, len);
}

static void add(struct message *m, uint16_t type, const void *data, size_t len)
{
	struct rtattr *attr = (struct rtattr *)((char *)m + NLMSG_ALIGN(m->head.nlmsg_len));

	attr->rta_type = type;
	attr->rta_len = (uint16_t)RTA_LENGTH(len);
	memcpy(RTA_DATA(attr), data, len);
	m->head.nlmsg_len = NLMSG_ALIGN(m->head.nlmsg_len) + RTA_ALIGN(attr->rta_len);
}

static error *ask(int netlink, const struct message *m)
{
	struct {
		struct nlmsghdr head;
		struct nlmsgerr error;
		char rest[1024];
	} answer;

	if (send(netlink, m, m->head.nlmsg_len, 0) < 0)
		return error_errno("send to rtnetlink");
	ssize_t n = recv(netlink, &answer, sizeof(answer), 0);
	if (n < (ssize_t)sizeof(answer.head) || answer.head.nlmsg_type != NLMSG_ERROR)
		return error_new(EPROTO, "rtnetlink");
	return answer.error.error ? error_new(-answer.error.error, "rtnetlink") : NULL;
}

static error *open_netlink(int *out)
{
	*out = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	return *out < 0 ? error_errno("open rtnetlink") : NULL;
}

/* "10.0.0.2/24" or "fd00::1"; *bits is the whole length without a slash. */
static error *parse(const char *text, int *family, unsigned char address[16], uint8_t *bits)
{
	char plain[INET6_ADDRSTRLEN];
	size_t len = strcspn(text, "/");
	uint32_t given;

	*family = strchr(text, ':') ? AF_INET6 : AF_INET;
	if (len >= sizeof(plain))
		return error_new(EINVAL, "'%s' is no address", text);
	memcpy(plain, text, len);
	plain[len] = '\0';
	uint32_t whole = *family == AF_INET ? 32 : 128;
	if (inet_pton(*family, plain, address) != 1 ||
	    (text[len] && (!text_to_u32(text + len + 1, &given) || given > whole)))
		return error_new(EINVAL, "'%s' is no address", text);
	*bits = (uint8_t)(text[len] ? given : whole);
	return NULL;
}

static size_t size_of(int family)
{
	return family == AF_INET ? 4 : 16;
}

static error *find_device(const char *mac, unsigned *index)
{
	struct if_nameindex *all = if_nameindex();
	char path[64];

	*index = 0;
	for (size_t i = 0; all && all[i].if_index && !*index; i++) {
		auto_free char *address = NULL;
		snprintf(path, sizeof(path), "/sys/class/net/%s/address", all[i].if_name);
		auto_error error *e = file_read(AT_FDCWD, path, 64, &address, NULL);
		if (!e && text_starts(address, mac))
			*index = all[i].if_index;
	}
	if (all)
		if_freenameindex(all);
	return *index ? NULL : error_new(ENODEV, "the machine has no device %s", mac);
}

/* Into the container's namespace, where it gets the name that it has on the host. */
static error *move_device(int netlink, const struct vm_device *d, int ns)
{
	struct message m;
	struct ifinfomsg body = { .ifi_family = AF_UNSPEC };
	unsigned index;

	try(find_device(d->mac, &index));
	body.ifi_index = (int)index;
	begin(&m, RTM_NEWLINK, 0, &body, sizeof(body));
	add(&m, IFLA_NET_NS_FD, &ns, sizeof(ns));
	add(&m, IFLA_IFNAME, d->name, strlen(d->name) + 1);
	if (d->mtu)
		add(&m, IFLA_MTU, &d->mtu, sizeof(d->mtu));
	return ask(netlink, &m);
}

static error *bring_up(int netlink, unsigned index)
{
	struct message m;
	struct ifinfomsg body = { .ifi_family = AF_UNSPEC,
				  .ifi_index = (int)index,
				  .ifi_flags = IFF_UP,
				  .ifi_change = IFF_UP };

	begin(&m, RTM_NEWLINK, 0, &body, sizeof(body));
	return ask(netlink, &m);
}

static error *add_address(int netlink, unsigned index, const char *text)
{
	struct message m;
	struct ifaddrmsg body = { .ifa_index = index };
	unsigned char address[16];
	int family;

	try(parse(text, &family, address, &body.ifa_prefixlen));
	body.ifa_family = (uint8_t)family;
	/* the host has found out already that nobody else has it */
	body.ifa_flags = family == AF_INET6 ? IFA_F_NODAD : 0;
	begin(&m, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, &body, sizeof(body));
	add(&m, IFA_LOCAL, address, size_of(family));
	add(&m, IFA_ADDRESS, address, size_of(family));
	return ask(netlink, &m);
}

static error *add_route(int netlink, unsigned index, const struct vm_route *r)
{
	struct message m;
	unsigned char to[16] = { 0 };
	unsigned char gateway[16];
	int family = r->gateway && strchr(r->gateway, ':') ? AF_INET6 : AF_INET;
	struct rtmsg body = { .rtm_table = RT_TABLE_MAIN,
			      .rtm_protocol = RTPROT_STATIC,
			      .rtm_scope = r->gateway ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK,
			      .rtm_type = RTN_UNICAST };
	uint8_t ignored;

	if (strcmp(r->destination, "default") != 0)
		try(parse(r->destination, &family, to, &body.rtm_dst_len));
	body.rtm_family = (uint8_t)family;
	begin(&m, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, &body, sizeof(body));
	if (body.rtm_dst_len)
		add(&m, RTA_DST, to, size_of(family));
	if (r->gateway) {
		try(parse(r->gateway, &family, gateway, &ignored));
		add(&m, RTA_GATEWAY, gateway, size_of(family));
	}
	if (r->metric)
		add(&m, RTA_PRIORITY, &r->metric, sizeof(r->metric));
	add(&m, RTA_OIF, &index, sizeof(index));
	return ask(netlink, &m);
}

static error *set_up(int netlink, const struct vm_device *d)
{
	unsigned index = if_nametoindex(d->name);

	try(bring_up(netlink, index));
	for (size_t i = 0; i < d->addresses.n; i++)
		try_as(add_address(netlink, index, d->addresses.v[i]), "%s", d->addresses.v[i]);
	return NULL;
}

/* What is reached directly comes before what is reached by way of it. */
static error *add_routes(int netlink, const struct vm_network *net, bool direct)
{
	for (size_t i = 0; i < net->devices.n; i++) {
		const struct vm_device *d = &net->devices.v[i];
		for (size_t r = 0; r < d->routes.n; r++)
			if (!d->routes.v[r].gateway == direct)
				try_as(add_route(netlink, if_nametoindex(d->name), &d->routes.v[r]),
				       "route to %s", d->routes.v[r].destination);
	}
	return NULL;
}

error *guest_network(const char *json, pid_t pid)
{
	auto_arena struct arena *arena = NULL;
	struct vm_network net = { 0 };
	char path[32];
	auto_fd int outside = -1;
	auto_fd int inside = -1;

	try(arena_new(&arena));
	try(rows_read(&vm_network_shape, json, strlen(json), ROWS_NO_DUPLICATES, arena, &net));
	snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	auto_fd int ns = open(path, O_RDONLY | O_CLOEXEC);
	if (ns < 0)
		return error_errno("open %s", path);
	try(open_netlink(&outside));
	for (size_t i = 0; i < net.devices.n; i++)
		try_as(move_device(outside, &net.devices.v[i], ns), "move %s",
		       net.devices.v[i].name);
	if (sys_setns(ns, CLONE_NEWNET) < 0)
		return error_errno("enter the container's network");
	try(open_netlink(&inside));
	for (size_t i = 0; i < net.devices.n; i++)
		try_as(set_up(inside, &net.devices.v[i]), "%s", net.devices.v[i].name);
	try(add_routes(inside, &net, true));
	return add_routes(inside, &net, false);
}
