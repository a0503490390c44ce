#include "image/acl.h"

#include <endian.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/* linux/posix_acl_xattr.h: a version, then entries sorted by tag and id, all little-endian. */
enum { ACL_VERSION = 2 };
enum {
	TAG_USER_OBJ = 1,
	TAG_USER = 2,
	TAG_GROUP_OBJ = 4,
	TAG_GROUP = 8,
	TAG_MASK = 16,
	TAG_OTHER = 32
};

struct acl_entry {
	uint16_t tag, permissions;
	uint32_t id;
};

size_t acl_size_max(const char *text)
{
	size_t n = 1;

	for (; *text; text++)
		n += *text == ',' || *text == '\n';
	return 4 + n * sizeof(struct acl_entry);
}

static bool take_permissions(const char *text, uint16_t *out)
{
	static const char letters[] = "xwr";

	*out = 0;
	for (; *text && *text != ' ' && *text != '\t' && *text != '#'; text++) {
		const char *at = strchr(letters, *text);
		if (at)
			*out |= (uint16_t)(1 << (at - letters));
		else if (*text != '-')
			return false;
	}
	return true;
}

/* "user:NAME-OR-ID:rwx", and from some writers ":ID" behind that. */
static error *take_entry(char *text, struct acl_entry *out)
{
	static const struct {
		const char *word;
		uint16_t alone, with_id;
	} tags[] = {
		{ "user", TAG_USER_OBJ, TAG_USER },
		{ "u", TAG_USER_OBJ, TAG_USER },
		{ "group", TAG_GROUP_OBJ, TAG_GROUP },
		{ "g", TAG_GROUP_OBJ, TAG_GROUP },
		{ "mask", TAG_MASK, 0 },
		{ "m", TAG_MASK, 0 },
		{ "other", TAG_OTHER, 0 },
		{ "o", TAG_OTHER, 0 },
	};
	char *rest = text;
	const char *word = strsep(&rest, ":");
	char *who = rest ? strsep(&rest, ":") : NULL;
	char *permissions = rest ? strsep(&rest, ":") : NULL;
	uint32_t id = UINT32_MAX;

	if (who && !permissions && (*word == 'm' || *word == 'o')) { /* "mask:rwx" */
		permissions = who;
		who = (char *)"";
	}
	if (!permissions || !take_permissions(permissions, &out->permissions))
		return error_said(EINVAL, "an ACL entry is damaged");
	if (*who && !text_to_u32(rest && *rest ? rest : who, &id))
		return error_said(EINVAL, "an ACL names '%.40s', whose id is not given", who);
	for (size_t i = 0; i < COUNT(tags); i++)
		if (strcmp(tags[i].word, word) == 0) {
			out->tag = *who ? tags[i].with_id : tags[i].alone;
			out->id = id;
			return out->tag ? NULL : error_said(EINVAL, "an ACL entry is damaged");
		}
	return error_said(EINVAL, "an ACL has an entry '%.40s'", word);
}

static int compare(const void *a, const void *b)
{
	const struct acl_entry *x = a;
	const struct acl_entry *y = b;

	if (x->tag != y->tag)
		return x->tag < y->tag ? -1 : 1;
	return x->id < y->id ? -1 : x->id > y->id;
}

error *acl_from_text(const char *text, void *out, size_t *len)
{
	auto_free char *copy = strdup(text);
	auto_free struct acl_entry *entries = malloc(acl_size_max(text));
	uint32_t version = htole32(ACL_VERSION);
	size_t n = 0;

	if (!copy || !entries)
		return error_new(ENOMEM, "ACL");
	char *rest = copy;
	for (char *part; (part = strsep(&rest, ",\n"));) {
		part += strspn(part, " \t");
		if (!*part || *part == '#')
			continue;
		try(take_entry(part, &entries[n]));
		n++;
	}
	qsort(entries, n, sizeof(*entries), compare);
	for (size_t i = 0; i < n; i++) {
		entries[i].tag = htole16(entries[i].tag);
		entries[i].permissions = htole16(entries[i].permissions);
		entries[i].id = htole32(entries[i].id);
	}
	memcpy(out, &version, sizeof(version));
	memcpy((char *)out + sizeof(version), entries, n * sizeof(*entries));
	*len = sizeof(version) + n * sizeof(*entries);
	return NULL;
}
