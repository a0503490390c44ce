#include <string.h>

#include "base/text.h"
#include "image/tar_header.h"

bool pax_time(const char *text, struct timespec *out)
{
	bool negative = *text == '-';
	uint64_t seconds = 0;
	long nanoseconds = 0;
	long unit = 100000000;
	const char *at = text + negative;

	if (*at < '0' || *at > '9')
		return false;
	for (; *at >= '0' && *at <= '9'; at++)
		if ((seconds = seconds * 10 + (uint64_t)(*at - '0')) > (uint64_t)1 << 56)
			return false;
	if (*at == '.')
		for (at++; *at >= '0' && *at <= '9'; at++, unit /= 10)
			nanoseconds += unit * (*at - '0'); /* unit is 0 beyond nanoseconds */
	if (*at)
		return false;
	out->tv_sec = negative ? -(time_t)seconds : (time_t)seconds;
	out->tv_nsec = nanoseconds;
	if (negative && nanoseconds) {
		out->tv_sec--;
		out->tv_nsec = 1000000000 - nanoseconds;
	}
	return true;
}

error *sparse_map_check(const struct segment *segments, size_t n, uint64_t size, uint64_t stored)
{
	uint64_t end = 0;
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++) {
		const struct segment *s = &segments[i];
		if (s->offset < end || s->offset > size || s->len > size - s->offset)
			return error_said(EINVAL, "the map of a sparse file is not in order");
		end = s->offset + s->len;
		sum += s->len;
	}
	if (sum != stored)
		return error_said(EINVAL, "the map of a sparse file does not fit its data");
	return NULL;
}

error *sparse_map_from_text(const char *map, struct segment *segments, size_t *n)
{
	const char *at = map;
	uint64_t *number = &segments[0].offset;

	for (*n = 0; *at;) {
		char digits[24];
		size_t len = strcspn(at, ",");
		if (*n == TAR_SEGMENTS_MAX || len >= sizeof(digits))
			return error_said(EINVAL, "the map of a sparse file is too large");
		memcpy(digits, at, len);
		digits[len] = '\0';
		if (!text_to_u64(digits, number))
			return error_said(EINVAL, "the map of a sparse file is damaged");
		if (number == &segments[*n].offset)
			number = &segments[*n].len;
		else if (++*n < TAR_SEGMENTS_MAX)
			number = &segments[*n].offset;
		at += len;
		if (*at == ',' && !*++at)
			break;
	}
	if (*n < TAR_SEGMENTS_MAX && number != &segments[*n].offset)
		return error_said(EINVAL, "the map of a sparse file is damaged");
	return NULL;
}

static error *add_xattr(struct pax *pax, const char *name, const void *value, size_t len)
{
	size_t i = 0;

	if (!*name || strlen(name) > 255)
		return error_said(EINVAL, "the name of an xattr is empty or too long");
	if (len > TAR_XATTR_MAX)
		return error_said(E2BIG, "xattr %s has more than 64 KiB", name);
	while (i < pax->n_xattrs && strcmp(pax->xattrs[i].name, name) != 0)
		i++;
	if (i == TAR_XATTRS_MAX)
		return error_said(E2BIG, "more than %d xattrs", TAR_XATTRS_MAX);
	if (i == pax->n_xattrs)
		pax->n_xattrs++;
	pax->xattrs[i] = (struct xattr){ name, value, len };
	return NULL;
}

static int base64_digit(char c)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* LIBARCHIVE.xattr.NAME: the value in base64, in place. bsdtar writes SCHILY.xattr.NAME beside it,
 * which then stands first or second; both say the same. */
static error *add_base64_xattr(struct pax *pax, const char *name, char *value, size_t len)
{
	unsigned bits = 0;
	int n_bits = 0;
	size_t used = 0;

	while (len && value[len - 1] == '=')
		len--;
	for (size_t i = 0; i < len; i++) {
		int digit = base64_digit(value[i]);
		if (digit < 0)
			return error_said(EINVAL, "xattr %s is not base64", name);
		bits = bits << 6 | (unsigned)digit;
		n_bits += 6;
		if (n_bits >= 8)
			value[used++] = (char)(bits >> (n_bits -= 8));
	}
	for (size_t i = 0; i < pax->n_xattrs; i++)
		if (strcmp(pax->xattrs[i].name, name) == 0)
			return NULL;
	return add_xattr(pax, name, value, used);
}

/* One thing that is known under a keyword. Values that must be text hold no NUL: a path that ends
 * at a NUL for one reader and goes on for another names two files. */
static error *take_text(const char *key, const char *value, size_t len, size_t max, unsigned bit,
			const char **to, struct pax *pax)
{
	if (memchr(value, '\0', len))
		return error_said(EINVAL, "pax %s holds a NUL byte", key);
	if (len == 0 || len > max)
		return error_said(ENAMETOOLONG, "pax %s is empty or longer than %zu bytes", key,
				  max);
	*to = value;
	pax->has |= bit;
	return NULL;
}

static error *take_number(const char *key, const char *value, size_t len, unsigned bit,
			  uint64_t *to, struct pax *pax)
{
	if (strlen(value) != len || !text_to_u64(value, to) || *to > INT64_MAX)
		return error_said(EINVAL, "pax %s: '%.40s' is not a number from 0 on", key, value);
	pax->has |= bit;
	return NULL;
}

static error *take_id(const char *key, const char *value, size_t len, unsigned bit, uint32_t *to,
		      struct pax *pax)
{
	uint64_t id;

	try(take_number(key, value, len, bit, &id, pax));
	if (id >= UINT32_MAX)
		return error_said(ERANGE, "pax %s: %s is beyond 4294967294", key, value);
	*to = (uint32_t)id;
	return NULL;
}

/* Format 0.0: offset and length come as records of their own, again and again. */
static error *take_sparse_number(const char *key, const char *value, size_t len, struct pax *pax)
{
	bool is_offset = strcmp(key, "GNU.sparse.offset") == 0;
	uint64_t number;

	try(take_number(key, value, len, 0, &number, pax));
	if (is_offset == pax->offset_awaits_length)
		return error_said(EINVAL, "the map of a sparse file is damaged");
	if (!pax->segments)
		pax->segments = calloc(TAR_SEGMENTS_MAX, sizeof(*pax->segments));
	if (!pax->segments)
		return error_new(ENOMEM, "tar");
	if (pax->n_segments == TAR_SEGMENTS_MAX)
		return error_said(EINVAL, "the map of a sparse file is too large");
	if (is_offset)
		pax->segments[pax->n_segments].offset = number;
	else
		pax->segments[pax->n_segments++].len = number;
	pax->offset_awaits_length = is_offset;
	return NULL;
}

static error *take_sparse(const char *key, const char *value, size_t len, struct pax *pax)
{
	const char *what = key + strlen("GNU.sparse.");

	if (strcmp(what, "name") == 0)
		return take_text(key, value, len, TAR_PATH_MAX, PAX_SPARSE_NAME, &pax->sparse_name,
				 pax);
	if (strcmp(what, "map") == 0)
		return take_text(key, value, len, TAR_EXTENSION_MAX, PAX_SPARSE_MAP,
				 &pax->sparse_map, pax);
	if (strcmp(what, "size") == 0 || strcmp(what, "realsize") == 0)
		return take_number(key, value, len, PAX_SPARSE_SIZE, &pax->sparse_size, pax);
	if (strcmp(what, "major") == 0)
		return take_number(key, value, len, PAX_SPARSE_1_0, &pax->sparse_major, pax);
	if (strcmp(what, "minor") == 0)
		return take_number(key, value, len, PAX_SPARSE_1_0, &pax->sparse_minor, pax);
	if (strcmp(what, "offset") == 0 || strcmp(what, "numbytes") == 0)
		return take_sparse_number(key, value, len, pax);
	return NULL; /* numblocks says nothing new */
}

static error *take_record(const char *key, char *value, size_t len, struct pax *pax)
{
	if (strcmp(key, "path") == 0)
		return take_text(key, value, len, TAR_PATH_MAX, PAX_PATH, &pax->path, pax);
	if (strcmp(key, "linkpath") == 0)
		return take_text(key, value, len, TAR_PATH_MAX, PAX_LINK, &pax->link, pax);
	if (strcmp(key, "size") == 0)
		return take_number(key, value, len, PAX_SIZE, &pax->size, pax);
	if (strcmp(key, "uid") == 0)
		return take_id(key, value, len, PAX_UID, &pax->uid, pax);
	if (strcmp(key, "gid") == 0)
		return take_id(key, value, len, PAX_GID, &pax->gid, pax);
	if (strcmp(key, "mtime") == 0) {
		if (strlen(value) != len || !pax_time(value, &pax->mtime))
			return error_said(EINVAL, "pax mtime: '%.40s' is not a time", value);
		pax->has |= PAX_MTIME;
		return NULL;
	}
	if (text_starts(key, "SCHILY.xattr."))
		return add_xattr(pax, key + strlen("SCHILY.xattr."), value, len);
	if (text_starts(key, "LIBARCHIVE.xattr."))
		return add_base64_xattr(pax, key + strlen("LIBARCHIVE.xattr."), value, len);
	if (len == 0 && text_starts(key, "SCHILY.acl."))
		return NULL; /* "none" in some writers' words */
	if (strcmp(key, "SCHILY.acl.access") == 0)
		return take_text(key, value, len, TAR_XATTR_MAX, 0, &pax->acl_access, pax);
	if (strcmp(key, "SCHILY.acl.default") == 0)
		return take_text(key, value, len, TAR_XATTR_MAX, 0, &pax->acl_default, pax);
	if (text_starts(key, "GNU.sparse."))
		return take_sparse(key, value, len, pax);
	return NULL; /* comments, other times, names of owners: nothing that a root file system
			needs */
}

/* "LENGTH KEY=VALUE\n", where LENGTH counts the whole record. */
error *pax_read(char *records, size_t len, struct pax *pax)
{
	for (size_t at = 0; at < len;) {
		size_t whole = 0;
		size_t i = at;
		for (; i < len && i - at < 8 && records[i] >= '0' && records[i] <= '9'; i++)
			whole = whole * 10 + (size_t)(records[i] - '0');
		if (i == at || i == len || records[i] != ' ' || whole > len - at ||
		    whole < i - at + 4 || records[at + whole - 1] != '\n')
			return error_said(EINVAL, "a pax record is damaged");
		char *key = records + i + 1;
		char *end = records + at + whole - 1;
		char *equals = memchr(key, '=', (size_t)(end - key));
		if (!equals || equals == key || memchr(key, '\0', (size_t)(equals - key)))
			return error_said(EINVAL, "a pax record is damaged");
		*equals = *end = '\0';
		try(take_record(key, equals + 1, (size_t)(end - equals - 1), pax));
		at += whole;
	}
	return pax->offset_awaits_length ? error_said(EINVAL, "the map of a sparse file is damaged")
					 : NULL;
}
