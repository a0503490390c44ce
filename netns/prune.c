#include "netns/prune.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/path.h"
#include "netns/attach.h"
#include "netns/link.h"
#include "netns/nat.h"

/* A container that is deleted, or being made by somebody who is gone, has no folder of states. */
static bool is_orphan(struct store *s, const struct lease *l)
{
	const char *path = arena_printf(s->arena, "%s/%s", s->root, l->id);

	return path && access(path, F_OK) < 0 && errno == ENOENT;
}

static error *end_orphans(struct store *s, struct nl_sock *socket,
			  void (*tell)(const char *fmt, ...))
{
	struct leases leases;

	try(lease_list(s, NULL, &leases));
	for (size_t i = 0; i < leases.n; i++) {
		struct lease *l = &leases.v[i];
		if (!is_orphan(s, l))
			continue;
		try(lease_end(s, l, socket));
		tell("address %lu of network %s, which container %s had\n",
		     (unsigned long)l->number, l->network, l->id);
	}
	return NULL;
}

struct known {
	struct store *s;
	struct nl_sock *socket;
	struct leases leases;
	void (*tell)(const char *fmt, ...);
};

static bool is_used(struct store *s, const struct leases *leases, const char *name)
{
	for (size_t i = 0; i < leases->n; i++) {
		struct network *n;
		auto_error error *gone = network_read(s, leases->v[i].network, &n);
		if (strcmp(leases->v[i].device, name) == 0 ||
		    (!gone && strcmp(n->words.device, name) == 0))
			return true;
	}
	return false;
}

static error *remove_unknown(const char *name, bool is_bridge, void *context)
{
	struct known *k = context;

	if (is_used(k->s, &k->leases, name))
		return NULL;
	try(link_remove(k->socket, name));
	k->tell("%s %s\n", is_bridge ? "bridge" : "device", name);
	return NULL;
}

/* What a write that was cut off has left. */
static error *remove_scraps(struct store *s)
{
	struct texts networks;

	try(store_list(s, s->leases, "", &networks));
	for (size_t i = 0; i < networks.n; i++) {
		struct texts scraps;
		const char *folder = arena_printf(s->arena, "%s/%s", s->leases, networks.v[i]);
		if (!folder)
			return arena_exhausted();
		try(store_list(s, folder, ".new", &scraps));
		for (size_t k = 0; k < scraps.n; k++) {
			const char *path = arena_printf(s->arena, "%s/%s.new", folder, scraps.v[k]);
			if (path)
				unlink(path);
		}
	}
	return NULL;
}

error *net_prune(struct store *s, void (*tell)(const char *fmt, ...))
{
	auto_(nl_socket_free) struct nl_sock *socket = NULL;
	struct known known = { .s = s, .tell = tell };

	try(netlink_open(&socket));
	known.socket = socket;
	try(end_orphans(s, socket, tell));
	try(lease_list(s, NULL, &known.leases));
	try(link_each(s, socket, remove_unknown, &known));
	try(remove_scraps(s));
	/* whatever the table holds, and whoever has flushed it: it is what the leases say */
	return nat_rebuild(s);
}
