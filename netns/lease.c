#include "netns/lease.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/path.h"
#include "base/text.h"

/* clang-format off */
#define THIS lease
SHAPE(lease, LEASE)
#undef THIS
/* clang-format on */

static const char *folder_of(struct store *s, const char *network)
{
	return arena_printf(s->arena, "%s/%s", s->leases, network);
}

/* The number given last, so that an address that was just given back rests a while: somebody may
 * still talk to it. */
static uint64_t last_given(const char *folder)
{
	auto_free char *path = path_join(folder, ".last");
	auto_free char *text = NULL;
	uint64_t number;
	auto_error error *none =
		path ? file_read(AT_FDCWD, path, 32, &text, NULL) : error_new(ENOMEM, "lease");

	return !none && text_to_u64(text, &number) ? number : 0;
}

static error *keep_last_given(const char *folder, uint64_t number)
{
	auto_free char *path = path_join(folder, ".last");
	char text[24];
	int len = snprintf(text, sizeof(text), "%lu", (unsigned long)number);

	return path ? file_replace(AT_FDCWD, path, 0600, text, (size_t)len)
		    : error_new(ENOMEM, "lease");
}

static uint64_t last_of(const struct network *n)
{
	uint64_t four = n->four.subnet.base.family ? subnet_last(&n->four.subnet) : UINT64_MAX;
	uint64_t six = n->six.subnet.base.family ? subnet_last(&n->six.subnet) : UINT64_MAX;

	return four < six ? four : six;
}

static bool is_gateway(const struct network *n, uint64_t number)
{
	return (n->four.subnet.base.family && n->four.gateway == number) ||
	       (n->six.subnet.base.family && n->six.gateway == number);
}

static bool is_taken(const char *folder, uint64_t number)
{
	char name[24];

	snprintf(name, sizeof(name), "%lu", (unsigned long)number);
	auto_free char *path = path_join(folder, name);
	return !path || access(path, F_OK) == 0;
}

static error *choose(const struct network *n, const char *folder, uint64_t *out)
{
	uint64_t last = last_of(n);
	uint64_t from = last_given(folder);

	for (uint64_t tried = 0; tried < last; tried++) {
		uint64_t number = (from + tried) % last + 1;
		if (is_gateway(n, number) || is_taken(folder, number))
			continue;
		*out = number;
		return keep_last_given(folder, number);
	}
	return error_said(ENOSPC,
			  "network '%s': all %lu addresses are taken: delete containers, or run "
			  "skiff net prune",
			  n->words.name, (unsigned long)last - 1);
}

static error *check_asked(struct store *s, const struct network *n, const char *folder,
			  uint64_t number)
{
	struct leases others;

	if (number > last_of(n))
		return error_said(EINVAL, "--ip: network '%s' has no host of that number",
				  n->words.name);
	if (is_gateway(n, number))
		return error_said(EADDRINUSE, "--ip: that is the gateway of network '%s'",
				  n->words.name);
	if (!is_taken(folder, number))
		return NULL;
	try(lease_list(s, n->words.name, &others));
	for (size_t i = 0; i < others.n; i++)
		if (others.v[i].number == number)
			return error_said(EADDRINUSE, "--ip: container '%s' has that address",
					  others.v[i].id);
	return error_said(EADDRINUSE, "--ip: that address is taken");
}

static error *lease_write(const char *folder, const struct lease *lease)
{
	auto_json struct json *j = NULL;
	const char *text;
	size_t len;
	char name[24];

	snprintf(name, sizeof(name), "%lu", (unsigned long)lease->number);
	auto_free char *path = path_join(folder, name);
	try(json_new(JSON_ONE_LINE, &j));
	rows_write(&lease_shape, lease, NULL, j);
	try(json_finish(j, &text, &len));
	return path ? file_replace(AT_FDCWD, path, 0600, text, len) : error_new(ENOMEM, "lease");
}

error *lease_take(struct store *s, const struct network *n, uint64_t asked, struct lease *lease)
{
	const char *folder = folder_of(s, n->words.name);
	uint64_t number = asked;

	if (!folder)
		return arena_exhausted();
	try(path_make_folders(folder, 0700));
	if (asked)
		try(check_asked(s, n, folder, asked));
	else
		try(choose(n, folder, &number));
	lease->number = number;
	lease->network = n->words.name;
	/* at most 15 letters, and no other store's or network's */
	lease->device = arena_printf(s->arena, "sk%06x-%x", store_hash(s, n->words.name) & 0xffffff,
				     (unsigned)number);
	if (!lease->device || strlen(lease->device) > 15)
		return error_said(EINVAL, "--ip: host number %lu is too high for a device's name",
				  (unsigned long)number);
	return lease_write(folder, lease);
}

error *lease_drop(struct store *s, const struct lease *lease)
{
	const char *path = arena_printf(s->arena, "%s/%s/%lu", s->leases, lease->network,
					(unsigned long)lease->number);

	if (!path)
		return arena_exhausted();
	return unlink(path) < 0 && errno != ENOENT ? error_errno("remove %s", path) : NULL;
}

static error *read_one(struct store *s, const char *network, const char *name, struct lease *out)
{
	auto_free char *text = NULL;
	size_t len;
	const char *path = arena_printf(s->arena, "%s/%s/%s", s->leases, network, name);

	if (!path)
		return arena_exhausted();
	try(file_read(AT_FDCWD, path, 1 << 20, &text, &len));
	try_as(rows_read(&lease_shape, text, len, ROWS_LENIENT, s->arena, out), "%s", path);
	return NULL;
}

static error *list_one(struct store *s, const char *network, struct leases *to)
{
	struct texts names;
	const char *folder = folder_of(s, network);

	if (!folder)
		return arena_exhausted();
	try(store_list(s, folder, "", &names));
	struct lease *v = arena_array_of(s->arena, struct lease, to->n + names.n + 1);
	if (!v)
		return arena_exhausted();
	if (to->n)
		memcpy(v, to->v, to->n * sizeof(*v));
	to->v = v;
	for (size_t i = 0; i < names.n; i++) {
		uint64_t number;
		if (!text_to_u64(names.v[i], &number)) /* half of a write that was cut off */
			continue;
		try(read_one(s, network, names.v[i], &v[to->n]));
		v[to->n++].number = number;
	}
	return NULL;
}

error *lease_list(struct store *s, const char *network, struct leases *out)
{
	struct leases found = { 0 };
	struct texts networks = { (char *[]){ (char *)network, NULL }, 1 };

	if (!network)
		try(store_list(s, s->leases, "", &networks));
	for (size_t i = 0; i < networks.n; i++)
		try(list_one(s, networks.v[i], &found));
	*out = found;
	return NULL;
}

struct ip lease_ip(const struct lease *lease, const struct segment *segment)
{
	return subnet_host(&segment->subnet, lease->number);
}
