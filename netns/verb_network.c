/* create, ls, inspect, rm, prune: what a person does with networks. */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/json.h"
#include "base/path.h"
#include "netns/lease.h"
#include "netns/prune.h"
#include "netns/verb.h"

/* clang-format off */
static const struct option_row create_options[] = {
	{ "subnet",  0, OPT_MANY, REQUEST(subnets),  "CIDR", "its addresses; one of IPv4, one of IPv6 (a free one of IPv4)" },
	{ "gateway", 0, OPT_MANY, REQUEST(gateways), "IP",   "this host's own address in a subnet (the first)" },
	{ "ipv6",    0, OPT_FLAG, REQUEST(six),      NULL,   "with a private subnet of IPv6 too" },
	{ "mtu",     0, OPT_U32,  REQUEST(mtu),      "N",    "the longest packet (1500)" },
	{ "device",  0, OPT_TEXT, REQUEST(device),   "NAME", "what the bridge is called (skiff0, skiff1 ...)" },
};
static const struct option_row ls_options[] = {
	{ "format", 'f', OPT_TEXT, REQUEST(format), "FORMAT", "table or json" },
};
/* clang-format on */

static error *create(const struct request *r, int n, char **words)
{
	auto_store struct store *s = NULL;
	struct network *made;
	const struct network_wishes w = {
		.name = words[0],
		.device = r->device,
		.subnets = { r->subnets.v, r->subnets.n },
		.gateways = { r->gateways.v, r->gateways.n },
		.six = r->six,
		.mtu = r->mtu,
	};

	(void)n;
	try(store_open(r->root, &s));
	try(network_create(s, &w, &made));
	puts(made->words.name);
	return NULL;
}

static error *print_json(struct json *j)
{
	const char *text;

	try(json_finish(j, &text, NULL));
	puts(text);
	return NULL;
}

static void write_ip(struct json *j, const char *key, const struct segment *segment,
		     const struct lease *l)
{
	char text[IP_TEXT];

	if (!segment->subnet.base.family)
		return;
	struct ip ip = lease_ip(l, segment);
	json_text(j, key, ip_text(&ip, text));
}

static error *write_network(struct store *s, const struct network *n, struct json *j)
{
	struct leases leases;

	try(lease_list(s, n->words.name, &leases));
	json_object(j, NULL);
	json_text(j, "name", n->words.name);
	json_text(j, "device", n->words.device);
	if (n->words.subnet4) {
		json_text(j, "subnet", n->words.subnet4);
		json_text(j, "gateway", n->words.gateway4);
	}
	if (n->words.subnet6) {
		json_text(j, "subnet6", n->words.subnet6);
		json_text(j, "gateway6", n->words.gateway6);
	}
	json_u64(j, "mtu", n->words.mtu);
	json_array(j, "containers");
	for (size_t i = 0; i < leases.n; i++) {
		const struct lease *l = &leases.v[i];
		json_object(j, NULL);
		json_text(j, "id", l->id);
		write_ip(j, "ip", &n->four, l);
		write_ip(j, "ip6", &n->six, l);
		json_texts(j, "ports", l->ports.v, l->ports.n);
		json_end(j);
	}
	json_end(j);
	json_end(j);
	return NULL;
}

static error *write_networks(struct store *s, const struct texts *names, struct json *j)
{
	struct network *n;

	json_array(j, NULL);
	for (size_t i = 0; i < names->n; i++) {
		try(network_read(s, names->v[i], &n));
		try(write_network(s, n, j));
	}
	json_end(j);
	return print_json(j);
}

static error *print_table(struct store *s, const struct texts *names)
{
	struct network *n;
	struct leases leases;

	printf("%-16s %-15s %-18s %-22s %s\n", "NAME", "DEVICE", "SUBNET", "SUBNET6", "CONTAINERS");
	for (size_t i = 0; i < names->n; i++) {
		try(network_read(s, names->v[i], &n));
		try(lease_list(s, names->v[i], &leases));
		printf("%-16s %-15s %-18s %-22s %zu\n", n->words.name, n->words.device,
		       n->words.subnet4 ? n->words.subnet4 : "-",
		       n->words.subnet6 ? n->words.subnet6 : "-", leases.n);
	}
	return NULL;
}

static error *ls(const struct request *r, int n, char **words)
{
	auto_store struct store *s = NULL;
	auto_json struct json *j = NULL;
	struct texts names;

	(void)n, (void)words;
	if (r->format && strcmp(r->format, "table") != 0 && strcmp(r->format, "json") != 0)
		return error_said(EINVAL, "--format: want table or json");
	try(store_open(r->root, &s));
	try(network_list(s, &names));
	if (!r->format || strcmp(r->format, "table") == 0)
		return print_table(s, &names);
	try(json_new(JSON_INDENTED, &j));
	return write_networks(s, &names, j);
}

static error *inspect(const struct request *r, int n, char **words)
{
	auto_store struct store *s = NULL;
	auto_json struct json *j = NULL;

	try(store_open(r->root, &s));
	try(json_new(JSON_INDENTED, &j));
	return write_networks(s, &(struct texts){ words, (size_t)n }, j);
}

static error *rm(const struct request *r, int n, char **words)
{
	auto_store struct store *s = NULL;
	struct network *network;
	struct leases leases;

	try(store_open(r->root, &s));
	for (int i = 0; i < n; i++) {
		try(network_read(s, words[i], &network));
		try(lease_list(s, words[i], &leases));
		if (leases.n)
			return error_said(EBUSY,
					  "network '%s' is used by container '%s' and %zu more: "
					  "delete them first",
					  words[i], leases.v[0].id, leases.n - 1);
		auto_free char *folder = path_join(s->leases, words[i]);
		if (!folder)
			return error_new(ENOMEM, "%s", words[i]);
		try(path_remove_tree(AT_FDCWD, folder));
		try(network_forget(s, words[i]));
	}
	return NULL;
}

static void tell(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	printf("removed ");
	vprintf(fmt, args);
	va_end(args);
}

static error *prune(const struct request *r, int n, char **words)
{
	auto_store struct store *s = NULL;

	(void)n, (void)words;
	try(store_open(r->root, &s));
	return net_prune(s, tell);
}

const struct verb verb_create = {
	.name = "create",
	.args = "NAME",
	.summary = "make a network",
	VERB_OPTIONS(create_options),
	.min = 1,
	.max = 1,
	.run = create,
};
const struct verb verb_ls = {
	.name = "ls",
	.args = "",
	.summary = "list networks",
	VERB_OPTIONS(ls_options),
	.run = ls,
};
const struct verb verb_inspect = {
	.name = "inspect",
	.args = "NAME...",
	.summary = "print networks and who is in them, as JSON",
	.min = 1,
	.max = -1,
	.run = inspect,
};
const struct verb verb_rm = {
	.name = "rm",
	.args = "NAME...",
	.summary = "remove networks that nobody uses",
	.min = 1,
	.max = -1,
	.run = rm,
};
const struct verb verb_prune = {
	.name = "prune",
	.args = "",
	.summary = "remove what a crash left: addresses, devices, rules",
	.run = prune,
};
