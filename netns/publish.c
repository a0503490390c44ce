#include "netns/publish.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/text.h"

enum { RANGE_MAX = 1024 };

static error *wrong(const char *word)
{
	return error_said(EINVAL,
			  "--publish: '%s' is not [IP:]HOST:CONTAINER[/tcp|/udp] such as 8080:80",
			  word);
}

/* "80" or "80-83" */
static bool read_range(char *text, uint32_t *first, uint32_t *last)
{
	char *dash = strchr(text, '-');

	if (dash)
		*dash++ = '\0';
	if (!text_to_u32(text, first) || !text_to_u32(dash ? dash : text, last))
		return false;
	return *first > 0 && *first <= *last && *last <= 65535 && *last - *first < RANGE_MAX;
}

/* Takes the address off the front: "192.0.2.1:", "[fd00::1]:". */
static bool read_ip(char **text, struct ip *out)
{
	bool in_brackets = **text == '[';
	char *end;

	*out = (struct ip){ 0 };
	if (in_brackets) {
		end = strchr(*text, ']');
		if (!end || end[1] != ':')
			return false;
		*end++ = '\0';
		++*text;
	} else {
		char *colon = strrchr(*text, ':');
		if (!colon)
			return false;
		*colon = '\0';
		end = strrchr(*text, ':');
		*colon = ':';
		if (!end)
			return true; /* none is given */
	}
	*end = '\0';
	if (!ip_parse(*text, out) || in_brackets != (out->family == AF_INET6))
		return false;
	*text = end + 1;
	return true;
}

static error *parse_word(const char *word, struct arena *arena, struct port *v, size_t *n)
{
	char *text = arena_strdup(arena, word);
	struct port p = { 0 };
	uint32_t host[2];
	uint32_t container[2];

	if (!text)
		return arena_exhausted();
	char *protocol = strchr(text, '/');
	if (protocol)
		*protocol++ = '\0';
	if (protocol && strcmp(protocol, "tcp") != 0 && strcmp(protocol, "udp") != 0)
		return error_said(EINVAL, "--publish: '%s': want tcp or udp behind the slash",
				  word);
	p.udp = protocol && strcmp(protocol, "udp") == 0;
	if (!read_ip(&text, &p.ip))
		return wrong(word);
	char *colon = strchr(text, ':');
	if (!colon)
		return wrong(word);
	*colon++ = '\0';
	if (!read_range(text, &host[0], &host[1]) ||
	    !read_range(colon, &container[0], &container[1]) ||
	    host[1] - host[0] != container[1] - container[0])
		return wrong(word);
	for (uint32_t i = 0; i <= host[1] - host[0]; i++) {
		p.host = (uint16_t)(host[0] + i);
		p.container = (uint16_t)(container[0] + i);
		if (v)
			v[*n] = p;
		++*n;
	}
	return NULL;
}

error *ports_parse(const struct texts *words, struct arena *arena, struct ports *out)
{
	size_t n = 0;

	for (size_t i = 0; i < words->n; i++)
		try(parse_word(words->v[i], arena, NULL, &n));
	struct port *v = arena_array_of(arena, struct port, n + 1);
	if (!v)
		return arena_exhausted();
	n = 0;
	for (size_t i = 0; i < words->n; i++)
		try(parse_word(words->v[i], arena, v, &n));
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < i; k++)
			if (port_clashes(&v[i], &v[k]))
				return error_said(EINVAL, "--publish: port %u is given twice",
						  v[i].host);
	*out = (struct ports){ v, n };
	return NULL;
}

static bool is_wildcard(const struct ip *ip)
{
	static const uint8_t zero[16];

	return !ip->family || memcmp(ip->bytes, zero, ip_size(ip->family)) == 0;
}

bool port_clashes(const struct port *a, const struct port *b)
{
	if (a->udp != b->udp || a->host != b->host)
		return false;
	return is_wildcard(&a->ip) || is_wildcard(&b->ip) || ip_same(&a->ip, &b->ip);
}

const char *port_text(const struct port *p, char text[64])
{
	char ip[IP_TEXT];
	const char *protocol = p->udp ? "udp" : "tcp";

	if (!p->ip.family)
		snprintf(text, 64, "%u/%s", p->host, protocol);
	else if (p->ip.family == AF_INET6)
		snprintf(text, 64, "[%s]:%u/%s", ip_text(&p->ip, ip), p->host, protocol);
	else
		snprintf(text, 64, "%s:%u/%s", ip_text(&p->ip, ip), p->host, protocol);
	return text;
}

/* Translation takes a port away from a program that listens there, without a word: so ask the
 * kernel as a program would. */
error *port_is_free(const struct port *p)
{
	int family = p->ip.family ? p->ip.family : AF_INET;
	auto_fd int fd = socket(family, (p->udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
	struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons(p->host) };
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons(p->host) };
	char text[64];
	int on = 1;

	if (fd < 0)
		return error_errno("socket");
	memcpy(&four.sin_addr, p->ip.bytes, 4);
	memcpy(&six.sin6_addr, p->ip.bytes, 16);
	if (!p->udp) /* connections that end are no listeners */
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	int e = family == AF_INET ? bind(fd, (struct sockaddr *)&four, sizeof(four))
				  : bind(fd, (struct sockaddr *)&six, sizeof(six));
	if (e < 0 && errno == EADDRINUSE)
		return error_said(EADDRINUSE, "--publish: port %s is in use on this host",
				  port_text(p, text));
	if (e < 0 && errno == EADDRNOTAVAIL)
		return error_said(EADDRNOTAVAIL,
				  "--publish: %s: that is not an address of this host",
				  port_text(p, text));
	return e < 0 ? error_errno("--publish: %s", port_text(p, text)) : NULL;
}
