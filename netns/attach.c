/* A container comes to a network and leaves it. The order is what makes a crash harmless: the lease
 * first, then what it names; on the way out the lease goes last. */
#include "netns/attach.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/path.h"
#include "netns.h"
#include "netns/flows.h"
#include "netns/hosts.h"
#include "netns/link.h"
#include "netns/nat.h"

static error *read_request(struct store *s, const char *id, struct net_request *out)
{
	auto_free char *text = NULL;
	size_t len;
	const char *path = arena_printf(s->arena, "%s/%s/network.json", s->root, id);

	if (!path)
		return arena_exhausted();
	try(file_read(AT_FDCWD, path, 1 << 20, &text, &len));
	try_as(rows_read(&net_request_shape, text, len, ROWS_LENIENT, s->arena, out), "%s", path);
	return NULL;
}

/* Where bridges and rules are: those of another namespace cannot be reached from here. */
static uint64_t this_namespace(void)
{
	struct stat st;

	return stat("/proc/self/ns/net", &st) == 0 ? st.st_ino : 0;
}

static error *find_network(struct store *s, const char *name, struct network **out)
{
	auto_error error *e = network_read(s, name, out);

	if (e && error_code(e) == ENOENT && strcmp(name, NET_DEFAULT) == 0) {
		const struct network_wishes usual = { .name = NET_DEFAULT };
		return network_create(s, &usual, out);
	}
	return take_ptr(&e);
}

/* --ip, for each family one: both must be of the same host number, since that is what a lease is */
static error *asked_number(const struct network *n, const struct net_request *r, uint64_t *out)
{
	uint64_t number = 0;

	for (size_t i = 0; i < r->ips.n; i++) {
		struct ip ip;
		uint64_t found;
		if (!ip_parse(r->ips.v[i], &ip))
			return error_said(EINVAL, "--ip: '%s' is not an address", r->ips.v[i]);
		if (!subnet_number(&n->four.subnet, &ip, &found) &&
		    !subnet_number(&n->six.subnet, &ip, &found))
			return error_said(EINVAL,
					  "--ip: %s is not in network '%s' (%s%s%s): create one "
					  "with that subnet, see skiff net create",
					  r->ips.v[i], n->words.name,
					  n->words.subnet4 ? n->words.subnet4 : "",
					  n->words.subnet4 && n->words.subnet6 ? ", " : "",
					  n->words.subnet6 ? n->words.subnet6 : "");
		if (!found || (number && number != found))
			return error_said(EINVAL,
					  number ? "--ip: IPv4 and IPv6 address must end in the "
						   "same host number"
						 : "--ip: that is the subnet's own address");
		number = found;
	}
	*out = number;
	return NULL;
}

static error *check_ports(struct store *s, const struct ports *ports)
{
	struct leases others;
	char text[64];

	if (!ports->n)
		return NULL;
	try(lease_list(s, NULL, &others));
	for (size_t i = 0; i < others.n; i++) {
		struct ports theirs;
		try(ports_parse(&others.v[i].ports, s->arena, &theirs));
		for (size_t a = 0; a < theirs.n; a++)
			for (size_t b = 0; b < ports->n; b++)
				if (port_clashes(&theirs.v[a], &ports->v[b]))
					return error_said(
						EADDRINUSE,
						"--publish: port %s is published by container '%s'",
						port_text(&ports->v[b], text), others.v[i].id);
	}
	for (size_t i = 0; i < ports->n; i++)
		try(port_is_free(&ports->v[i]));
	return NULL;
}

/* 02 says that it was given locally. The same address comes with the same hardware address: what
 * neighbours remember stays true. */
static error *choose_mac(struct store *s, const struct net_request *r, const struct lease *l,
			 uint8_t mac[6])
{
	uint32_t hash = store_hash(s, l->network) ^ (uint32_t)(l->number >> 16);

	if (r->mac && !mac_parse(r->mac, mac))
		return error_said(EINVAL,
				  "--mac: '%s' is not an address of one device, such as "
				  "02:00:00:00:00:01",
				  r->mac);
	if (r->mac)
		return NULL;
	mac[0] = 0x02;
	mac[1] = (uint8_t)(hash >> 16);
	mac[2] = (uint8_t)(hash >> 8);
	mac[3] = (uint8_t)hash;
	mac[4] = (uint8_t)(l->number >> 8);
	mac[5] = (uint8_t)l->number;
	return NULL;
}

/* Rules first: no bridge is ever without them. */
static error *bring_up_network(struct store *s, const struct network *n, struct nl_sock *socket)
{
	bool there;

	try(bridge_find(s, n, socket, &there));
	if (there)
		return NULL;
	try(nat_open_network(s, n));
	return bridge_make(s, n, socket);
}

static error *forget_flows(const struct network *n, const struct lease *lease,
			   const struct ports *ports)
{
	const struct segment *const segments[] = { &n->four, &n->six };

	for (size_t i = 0; i < COUNT(segments); i++) {
		struct ip own = lease_ip(lease, segments[i]);
		if (own.family)
			try(flows_forget(ports, &own));
	}
	return NULL;
}

/* What happens under the lock: after it the lease keeps everything in place. */
static error *settle(struct store *s, const struct network *n, const struct ports *ports,
		     const struct lease *lease, struct nl_sock *socket)
{
	try(bring_up_network(s, n, socket));
	if (ports->n)
		try(nat_publish(s, n, lease, ports));
	try(forget_flows(n, lease, ports));
	return hosts_refresh(s, n);
}

static error *take_lease(struct store *s, const char *id, const struct network *n,
			 const struct net_request *r, struct lease *out)
{
	uint64_t asked = 0;

	try(asked_number(n, r, &asked));
	*out = (struct lease){ .id = arena_strdup(s->arena, id),
			       .hostname = r->hostname,
			       .hosts = r->hosts,
			       .extra = r->extra,
			       .ports = r->ports,
			       .home = this_namespace() };
	return out->id ? lease_take(s, n, asked, out) : arena_exhausted();
}

static error *attach(struct store *s, const char *id, const struct net_request *r, int ns,
		     struct nl_sock *socket)
{
	struct network *n;
	struct lease lease;
	struct ports ports;
	uint8_t mac[6];

	try(ports_parse(&r->ports, s->arena, &ports));
	try(find_network(s, r->network, &n));
	try(check_ports(s, &ports));
	try(take_lease(s, id, n, r, &lease));
	error *e = choose_mac(s, r, &lease, mac);
	if (!e)
		e = settle(s, n, &ports, &lease, socket);
	store_unlock(s);
	if (!e)
		e = pair_make(s, n, &lease, mac, ns, socket);
	if (!e)
		return NULL;
	auto_error error *left = store_lock(s);
	if (!left)
		left = lease_end(s, &lease, socket);
	return e;
}

error *net_attach(const char *root, const char *id, const char *namespace)
{
	auto_store struct store *s = NULL;
	auto_(nl_socket_free) struct nl_sock *socket = NULL;
	struct net_request request = { 0 };
	auto_fd int ns = -1;

	/* whoever asked may be killed, and what it made taken back, before this is done. The path
	 * leads through its own folder of /proc: where it can be opened now, the order came in
	 * time. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	try(namespace_open(namespace, &ns));
	try(netlink_open(&socket));
	try(store_open(root, &s));
	try(read_request(s, id, &request));
	return attach(s, id, &request, ns, socket);
}

static error *close_network(struct store *s, const struct network *n, struct nl_sock *socket,
			    bool *was_last)
{
	struct leases left;

	try(lease_list(s, n->words.name, &left));
	*was_last = left.n == 0;
	if (left.n)
		return hosts_refresh(s, n);
	try(lease_list(s, NULL, &left));
	error *e = left.n ? nat_close_network(s, n) : nat_close(s);
	error *bridge = bridge_remove(s, n->words.device, socket);
	if (!e)
		return bridge;
	error_free(bridge);
	return e;
}

error *lease_end(struct store *s, const struct lease *lease, struct nl_sock *socket)
{
	struct network *n = NULL;
	struct ports ports = { 0 };
	bool was_last = false;

	/* made in another namespace of the host, which may be gone: its devices go with the
	 * container, and `skiff net prune` there finds the rest */
	if (lease->home && lease->home != this_namespace())
		return lease_drop(s, lease);
	auto_error error *no_network = network_read(s, lease->network, &n);
	auto_error error *no_ports = ports_parse(&lease->ports, s->arena, &ports);
	auto_error error *rules =
		n && !no_ports && ports.n ? nat_withdraw(s, n, lease, &ports) : NULL;
	if (n && !no_ports)
		try(forget_flows(n, lease, &ports));
	try(link_remove(socket, lease->device));
	try(lease_drop(s, lease));
	error *e = n ? close_network(s, n, socket, &was_last) : NULL;
	if (!e && (rules || no_network) && !was_last)
		e = nat_rebuild(s);
	return e;
}

error *net_detach(const char *root, const char *id)
{
	auto_store struct store *s = NULL;
	auto_(nl_socket_free) struct nl_sock *socket = NULL;
	struct leases leases;
	char folder[4096];
	error *e = NULL;

	snprintf(folder, sizeof(folder), "%s/.net", root);
	if (access(folder, F_OK) < 0 && errno == ENOENT) /* it had a network in user mode */
		return NULL;
	try(netlink_open(&socket));
	try(store_open(root, &s));
	try(lease_list(s, NULL, &leases));
	for (size_t i = 0; !e && i < leases.n; i++)
		if (strcmp(leases.v[i].id, id) == 0)
			e = lease_end(s, &leases.v[i], socket);
	return e;
}
