#include "netns/hosts.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/text.h"

#define BEGIN "# skiff: the network's containers\n"
#define END   "# skiff: end\n"

enum { HOSTS_MAX = 1 << 20 };

char *hosts_splice(const char *text, const char *block)
{
	const char *begin = strstr(text, BEGIN);
	const char *end = begin ? strstr(begin, END) : NULL;
	size_t before = begin ? (size_t)(begin - text) : strlen(text);
	const char *after = end ? end + strlen(END) : "";
	bool open_line = before && text[before - 1] != '\n';
	char *out = NULL;

	if (asprintf(&out, "%.*s%s" BEGIN "%s" END "%s", (int)before, text, open_line ? "\n" : "",
		     block, after) < 0)
		return NULL;
	return out;
}

/* In place, since the file is mounted in the container: another inode would not show there. What
 * is written is never shorter than what a reader needs, so it is cut last. */
static error *rewrite(const char *path, const char *block)
{
	auto_free char *old = NULL;
	auto_free char *new = NULL;
	struct stat st;
	auto_fd int fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return error_errno("open %s", path);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return error_said(EINVAL, "%s is not a file", path);
	try(fd_read_all(fd, HOSTS_MAX, &old, NULL));
	new = hosts_splice(old, block);
	if (!new)
		return error_new(ENOMEM, "%s", path);
	if (strcmp(old, new) == 0)
		return NULL;
	size_t len = strlen(new);
	if (pwrite(fd, new, len, 0) != (ssize_t)len || ftruncate(fd, (off_t)len) < 0)
		return error_errno("write %s", path);
	return NULL;
}

static void write_line(FILE *to, const struct network *n, const struct lease *l)
{
	const struct segment *const segments[] = { &n->four, &n->six };
	char text[IP_TEXT];

	for (size_t i = 0; i < COUNT(segments); i++) {
		if (!segments[i]->subnet.base.family)
			continue;
		struct ip ip = lease_ip(l, segments[i]);
		bool two = l->hostname && *l->hostname && strcmp(l->hostname, l->id) != 0;
		fprintf(to, "%s\t%s%s%s\n", ip_text(&ip, text), l->id, two ? " " : "",
			two ? l->hostname : "");
	}
}

/* --add-host NAME:host-gateway */
static void write_extra(FILE *to, const struct network *n, const struct lease *l)
{
	const char *gateway = n->words.gateway4 ? n->words.gateway4 : n->words.gateway6;

	for (size_t i = 0; i < l->extra.n; i++) {
		const char *colon = strchr(l->extra.v[i], ':');
		if (colon && strcmp(colon, ":host-gateway") == 0)
			fprintf(to, "%s\t%.*s\n", gateway, (int)(colon - l->extra.v[i]),
				l->extra.v[i]);
	}
}

static error *refresh_one(const struct network *n, const struct leases *all, size_t own)
{
	auto_free char *block = NULL;
	size_t len;
	FILE *to = open_memstream(&block, &len);

	if (!to)
		return error_new(ENOMEM, "hosts");
	/* its own name first, in case another has the same */
	write_line(to, n, &all->v[own]);
	write_extra(to, n, &all->v[own]);
	for (size_t i = 0; i < all->n; i++)
		if (i != own)
			write_line(to, n, &all->v[i]);
	if (fclose(to) != 0)
		return error_new(ENOMEM, "hosts");
	return rewrite(all->v[own].hosts, block);
}

error *hosts_refresh(struct store *s, const struct network *n)
{
	struct leases all;

	try(lease_list(s, n->words.name, &all));
	for (size_t i = 0; i < all.n; i++) {
		auto_error error *left = all.v[i].hosts ? refresh_one(n, &all, i) : NULL;
	}
	return NULL;
}
