#include "runtime/network.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/text.h"
#include "netns.h"
#include "runtime/helper.h"
#include "runtime/state.h"

#define OWN_NAMES "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"

/* What a --net decides while it is read. */
struct draft {
	const struct runtime *rt;
	const struct network_options *o;
	struct life *l;
	struct life_network *net;
	struct net_request *request;
	const char *rest;      /* behind the colon; "" without one */
	bool has_namespace;    /* one of its own, or ... */
	const char *namespace; /* ... this one */
	const char *dns;       /* the name server, where it is not the host's */
	const char *resolv;    /* a file to take as it is */
	bool keeps_loopback_dns;
};

static error *none(struct draft *d)
{
	d->has_namespace = true;
	d->resolv = "";
	return NULL;
}

static error *host(struct draft *d)
{
	d->has_namespace = false;
	d->keeps_loopback_dns = true;
	return NULL;
}

/* --net pasta, or --net slirp4netns, or for an ordinary user bridge: whichever there is. */
static error *user_mode(struct draft *d, const char *program)
{
	if (!program)
		program = helper_exists(NET_PASTA) ? NET_PASTA : NET_SLIRP;
	if (!helper_exists(program))
		return error_said(
			ENOENT, "--net: an ordinary user's network needs pasta (package passt) or "
				"slirp4netns, and neither is installed; without: --net none or "
				"--net host");
	if (d->o->ips.n || d->o->mac)
		return error_said(ENOTSUP,
				  "--ip and --mac need a bridge, which takes root: %s has "
				  "addresses of its own",
				  program);
	d->has_namespace = d->net->is_user = true;
	d->request->network = (char *)program;
	d->dns = strcmp(program, NET_PASTA) == 0 ? NET_PASTA_DNS : NET_SLIRP_DNS;
	return NULL;
}

static error *bridge(struct draft *d)
{
	if (d->rt->rootless && *d->rest)
		return error_said(EPERM,
				  "--net bridge:%s: bridges need root; an ordinary user's "
				  "network is --net bridge, pasta or slirp4netns",
				  d->rest);
	if (d->rt->rootless)
		return user_mode(d, NULL);
	d->has_namespace = d->net->is_bridge = true;
	d->request->network = *d->rest ? (char *)d->rest : NET_DEFAULT;
	return NULL;
}

static error *pasta(struct draft *d)
{
	return user_mode(d, NET_PASTA);
}

static error *slirp(struct draft *d)
{
	return user_mode(d, NET_SLIRP);
}

/* The descriptor keeps the namespace that was checked to be the container's, whoever has its
 * number later. It stays open to the end of this program. */
static error *container(struct draft *d)
{
	auto_state struct state *s = NULL;
	auto_fd int pidfd = -1;
	char path[48];

	try_as(state_open(d->rt->root, d->rest, false, &s), "--net");
	snprintf(path, sizeof(path), "/proc/%d/ns/net", s->init);
	auto_fd int ns = s->init ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	auto_error error *gone = state_open_init(s, &pidfd);
	if (ns < 0 || gone)
		return error_said(ESRCH, "--net: container '%s' is not running", d->rest);
	d->namespace = arena_printf(d->l->arena, "/proc/self/fd/%d", take_fd(&ns));
	d->net->names =
		s->fixed && s->fixed->names ? arena_strdup(d->l->arena, s->fixed->names) : NULL;
	d->has_namespace = true;
	return d->namespace ? NULL : arena_exhausted();
}

static error *path(struct draft *d)
{
	d->has_namespace = true;
	d->namespace = arena_strdup(d->l->arena, d->rest);
	if (!d->namespace)
		return arena_exhausted();
	return d->rest[0] == '/' ? NULL
				 : error_said(EINVAL, "--net ns:PATH: want an absolute path");
}

enum rest { NO_REST, MAY_REST, MUST_REST };

static const struct mode {
	const char *word;
	enum rest rest;
	bool takes_ports;
	error *(*settle)(struct draft *d);
} modes[] = {
	{ "none", NO_REST, false, none },     { "host", NO_REST, false, host },
	{ "bridge", MAY_REST, true, bridge }, { "container", MUST_REST, false, container },
	{ "ns", MUST_REST, false, path },     { NET_PASTA, NO_REST, true, pasta },
	{ NET_SLIRP, NO_REST, true, slirp },
};

static error *settle_mode(struct draft *d, const char *net)
{
	size_t len = strcspn(net, ":");

	d->rest = net[len] ? net + len + 1 : "";
	for (size_t i = 0; i < COUNT(modes); i++) {
		const struct mode *m = &modes[i];
		if (strncmp(m->word, net, len) != 0 || m->word[len])
			continue;
		if ((m->rest == NO_REST && net[len]) || (m->rest == MUST_REST && !*d->rest))
			break;
		if (!m->takes_ports && (d->o->ports.n || d->o->ips.n || d->o->mac))
			return error_said(EINVAL,
					  "--publish, --ip and --mac are for --net bridge: with "
					  "--net %s there is no address to give or to publish",
					  net);
		return m->settle(d);
	}
	return error_said(EINVAL,
			  "--net: '%s' is none of none, host, bridge[:NAME], container:ID, "
			  "ns:PATH, pasta, slirp4netns",
			  net);
}

/* A copy of the spec with another network namespace and host name. */
static error *change_spec(struct draft *d)
{
	struct arena *arena = d->l->arena;
	const struct spec *old = d->l->spec;
	struct spec *s = arena_new_of(arena, struct spec);
	struct spec_linux *x = arena_new_of(arena, struct spec_linux);
	size_t n = old->linux_->namespaces.n;
	struct spec_namespace *list = arena_array_of(arena, struct spec_namespace, n + 1);

	if (!s || !x || !list)
		return arena_exhausted();
	*s = *old;
	*x = *old->linux_;
	s->linux_ = x;
	if (d->o->hostname && !(s->hostname = arena_strdup(arena, d->o->hostname)))
		return arena_exhausted();
	if (d->o->net) {
		x->namespaces.n = 0;
		for (size_t i = 0; i < n; i++)
			if (old->linux_->namespaces.v[i].type.value != NS_NETWORK)
				list[x->namespaces.n++] = old->linux_->namespaces.v[i];
		if (d->has_namespace)
			list[x->namespaces.n++] =
				(struct spec_namespace){ .type = { true, NS_NETWORK },
							 .path = (char *)d->namespace };
		x->namespaces.v = list;
	}
	d->l->spec = s;
	return spec_check(s);
}

static bool is_address(const char *text)
{
	unsigned char bytes[16];

	return inet_pton(strchr(text, ':') ? AF_INET6 : AF_INET, text, bytes) == 1;
}

static bool is_name(const char *text, size_t len)
{
	return len > 0 && len < 256 &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._") >=
		       len;
}

/* NAME:IP, or NAME:host-gateway, which only the program that connects knows */
static error *write_host(const struct draft *d, const char *word, FILE *to)
{
	const char *colon = strchr(word, ':');
	bool gateway = colon && strcmp(colon, ":host-gateway") == 0;

	if (gateway && !d->net->is_bridge)
		return error_said(
			EINVAL, "--add-host: '%s': host-gateway is for --net bridge as root", word);
	if (!colon || !is_name(word, (size_t)(colon - word)) ||
	    (!gateway && !is_address(colon + 1)))
		return error_said(EINVAL, "--add-host: '%s' is not NAME:IP", word);
	if (!gateway)
		fprintf(to, "%s\t%.*s\n", colon + 1, (int)(colon - word), word);
	return NULL;
}

static error *write_hosts(struct draft *d)
{
	auto_free char *text = NULL;
	auto_free char *of_host = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);
	error *e = NULL;

	if (!to)
		return error_new(ENOMEM, "--add-host");
	auto_error error *no_file =
		d->has_namespace ? NULL
				 : file_read(AT_FDCWD, "/etc/hosts", 1 << 20, &of_host, NULL);
	fputs(of_host && !no_file ? of_host : OWN_NAMES, to);
	if (!d->net->is_bridge && d->has_namespace)
		fprintf(to, "127.0.0.1\t%s\n", d->net->hostname);
	for (size_t i = 0; !e && i < d->o->hosts.n; i++)
		e = write_host(d, d->o->hosts.v[i], to);
	fclose(to);
	if (e)
		return e;
	d->net->hosts = arena_strdup(d->l->arena, text);
	return d->net->hosts ? NULL : arena_exhausted();
}

/* The host's, without name servers that only the host reaches. */
static error *copy_resolv(struct draft *d, FILE *to)
{
	static const char *const files[] = { "/etc/resolv.conf",
					     "/run/systemd/resolve/resolv.conf" };

	for (size_t i = 0; i < COUNT(files); i++) {
		auto_free char *text = NULL;
		bool dropped = false;
		auto_error error *none_there = file_read(AT_FDCWD, files[i], 1 << 20, &text, NULL);
		if (none_there)
			continue;
		if (!d->keeps_loopback_dns && i == 0 && strstr(text, "127.0.0.53"))
			continue; /* systemd's own: the second file has those behind it */
		for (char *line = text, *next; line && *line; line = next) {
			next = strchr(line, '\n');
			if (next)
				*next++ = '\0';
			const char *server = text_starts(line, "nameserver") ? line + 10 : "";
			server += strspn(server, " \t");
			if (!d->keeps_loopback_dns &&
			    (text_starts(server, "127.") || text_starts(server, "::1")))
				dropped = true;
			else
				fprintf(to, "%s\n", line);
		}
		if (dropped)
			fputs("# the host's own name server at 127.0.0.1 is out of reach: "
			      "--dns\n",
			      to);
		return NULL;
	}
	return NULL;
}

static error *write_resolv(struct draft *d)
{
	auto_free char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);
	error *e = NULL;

	if (!to)
		return error_new(ENOMEM, "--dns");
	for (size_t i = 0; !e && i < d->o->dns.n; i++)
		if (is_address(d->o->dns.v[i]))
			fprintf(to, "nameserver %s\n", d->o->dns.v[i]);
		else
			e = error_said(EINVAL, "--dns: '%s' is not an address", d->o->dns.v[i]);
	if (!d->o->dns.n && d->dns)
		fprintf(to, "nameserver %s\n", d->dns);
	else if (!d->o->dns.n && !d->resolv)
		e = copy_resolv(d, to);
	fclose(to);
	if (e)
		return e;
	d->net->resolv = arena_strdup(d->l->arena, text);
	return d->net->resolv ? NULL : arena_exhausted();
}

/* On the disk where the container has its writable layer there, since it may write to them as much
 * as it likes; else among the states. */
static error *settle_names(struct draft *d, const char *container_dir)
{
	struct arena *arena = d->l->arena;
	const char *own = d->l->spec->hostname;

	d->net->hostname = own && *own ? own : arena_strndup(arena, d->l->id, 64);
	if (d->net->names) { /* those of the container whose network it shares */
		if (d->o->dns.n || d->o->hosts.n)
			return error_said(EINVAL, "--dns and --add-host: the files are those of "
						  "the container whose network this shares");
		return NULL;
	}
	d->net->writes_names = true;
	d->net->names = container_dir ? arena_strdup(arena, container_dir)
				      : arena_printf(arena, "%s/%s", d->l->state_root, d->l->id);
	if (!d->net->names || !d->net->hostname)
		return arena_exhausted();
	try(write_hosts(d));
	return write_resolv(d);
}

static error *fill_request(const struct draft *d)
{
	struct net_request *r = d->request;

	r->hostname = (char *)d->net->hostname;
	r->hosts = arena_printf(d->l->arena, "%s/hosts", d->net->names);
	r->ips = d->o->ips;
	r->mac = (char *)d->o->mac;
	r->ports = d->o->ports;
	r->extra = d->o->hosts;
	d->net->request = r;
	return r->hosts ? NULL : arena_exhausted();
}

error *network_settle(const struct runtime *rt, const struct container_options *c, struct life *l)
{
	struct network_options o = c->network;
	struct draft d = { .rt = rt, .o = &o, .l = l };

	if (!o.net && (o.ports.n || o.ips.n || o.mac)) /* which mean nothing elsewhere */
		o.net = "bridge";
	if (!o.net && !o.dns.n && !o.hosts.n && !o.hostname)
		return NULL;
	d.net = arena_new_of(l->arena, struct life_network);
	d.request = arena_new_of(l->arena, struct net_request);
	if (!d.net || !d.request)
		return arena_exhausted();
	d.has_namespace = spec_namespace(l->spec, NS_NETWORK) != NULL;
	if (o.net)
		try(settle_mode(&d, o.net));
	try(change_spec(&d));
	if (!o.net && !o.dns.n && !o.hosts.n)
		return NULL; /* a host name, no more */
	try(settle_names(&d, c->container_dir));
	l->network = d.net;
	return fill_request(&d);
}

static error *own_words(char *const words[], struct strings *argv)
{
	auto_free char *program = NULL;

	try(helper_own("skiff-net", &program));
	error *e = strings_add(argv, program);
	for (; !e && *words; words++)
		e = strings_add(argv, *words);
	return e;
}

error *network_run(char *const words[])
{
	struct strings argv = { 0 };
	auto_free char *said = NULL;
	size_t len;
	error *e = own_words(words, &argv);

	if (!e)
		e = helper_output(argv.v, &said, &len);
	strings_free(&argv);
	return e;
}

error *network_program(const struct runtime *rt, char *const words[])
{
	struct strings argv = { 0 };
	error *e = own_words((char *[]){ "--root", (char *)rt->root, NULL }, &argv);

	for (; !e && *words; words++)
		e = strings_add(&argv, *words);
	if (!e) {
		execv(argv.v[0], argv.v);
		e = error_errno("%s", argv.v[0]);
	}
	strings_free(&argv);
	return e;
}
