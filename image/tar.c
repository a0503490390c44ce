#include "image/tar.h"

#include <stdio.h>
#include <string.h>

#include "image/acl.h"
#include "image/tar_header.h"

struct tar {
	struct stream *stream;
	struct tar_tap *tap;
	const char *chunk; /* what of the stream's chunk was not used yet */
	size_t chunk_len;
	uint64_t consumed;
	union tar_header header;

	uint64_t content_left; /* bytes of the entry's content that were not taken yet */
	size_t padding;        /* behind it */
	uint64_t position;     /* in the file, of content that comes next */
	size_t segment;        /* which one that is in */

	struct entry entry;
	char name[TAR_BLOCK], target[TAR_BLOCK]; /* out of the header */
	char *long_name, *long_target;           /* GNU; NULL: none */
	char *records;                           /* the pax header of this entry */
	struct pax pax;
	struct pax global; /* only ids and the time are accepted */
	struct segment *segments;
	struct xattr xattrs[TAR_XATTRS_MAX + 2];
	void *acls[2];
	bool ended;
};

error *tar_open(struct stream *s, struct tar_tap *tap, struct tar **out)
{
	struct tar *t = calloc(1, sizeof(*t));

	if (!t)
		return error_new(ENOMEM, "tar");
	t->stream = s;
	t->tap = tap;
	*out = t;
	return NULL;
}

static void drop(void *pointer)
{
	free(*(void **)pointer);
	*(void **)pointer = NULL;
}

/* Back to an entry about which nothing is known. */
static void forget(struct tar *t)
{
	drop(&t->long_name);
	drop(&t->long_target);
	drop(&t->records);
	drop(&t->pax.segments);
	drop(&t->acls[0]);
	drop(&t->acls[1]);
	t->pax.has = 0;
	t->pax.n_xattrs = t->pax.n_segments = 0;
	t->pax.acl_access = t->pax.acl_default = NULL;
	t->pax.sparse_major = t->pax.sparse_minor = 0;
	t->pax.offset_awaits_length = false;
	memset(&t->entry, 0, sizeof(t->entry));
}

void tar_free(struct tar *t)
{
	if (!t)
		return;
	forget(t);
	free(t->segments);
	free(t->global.segments);
	free(t);
}

static error *refill(struct tar *t)
{
	const void *chunk;

	if (t->chunk_len)
		return NULL;
	try(stream_next(t->stream, &chunk, &t->chunk_len));
	t->chunk = chunk;
	return NULL;
}

static error *take_raw(struct tar *t, void *to, size_t len, size_t *got)
{
	*got = 0;
	while (*got < len) {
		try(refill(t));
		size_t n = t->chunk_len < len - *got ? t->chunk_len : len - *got;
		if (n == 0)
			return NULL;
		if (to)
			memcpy((char *)to + *got, t->chunk, n);
		if (t->tap)
			try(t->tap->raw(t->tap, t->chunk, n));
		t->chunk += n;
		t->chunk_len -= n;
		t->consumed += n;
		*got += n;
	}
	return NULL;
}

static error *truncated(void)
{
	return error_said(EBADMSG, "the archive ends too early");
}

/* Exactly len bytes; to may be NULL. */
static error *take(struct tar *t, void *to, size_t len)
{
	size_t got;

	try(take_raw(t, to, len, &got));
	return got == len ? NULL : truncated();
}

static size_t padding_of(uint64_t size)
{
	return (size_t)(-size % TAR_BLOCK);
}

/* The data of a block that describes the next one; malloc()ed, with a NUL behind. */
static error *take_extension(struct tar *t, char **out, size_t *len)
{
	int64_t size;

	try(tar_number(t->header.size, sizeof(t->header.size), "size", &size));
	if (size < 0 || size > TAR_EXTENSION_MAX)
		return error_said(E2BIG, "an extended header has more than 1 MiB");
	auto_free char *data = malloc((size_t)size + 1);
	if (!data)
		return error_new(ENOMEM, "tar");
	try(take(t, data, (size_t)size));
	try(take(t, NULL, padding_of((uint64_t)size)));
	data[size] = '\0';
	*len = (size_t)size;
	*out = take_ptr(&data);
	return NULL;
}

static error *take_pax(struct tar *t)
{
	size_t len;

	if (t->records)
		return error_said(EINVAL, "two pax headers for one entry");
	try(take_extension(t, &t->records, &len));
	return pax_read(t->records, len, &t->pax);
}

/* Values that hold for all that follows. Names and sizes for all make no sense but for an attack.
 */
static error *take_global_pax(struct tar *t)
{
	auto_free char *records = NULL;
	size_t len;

	try(take_extension(t, &records, &len));
	try(pax_read(records, len, &t->global));
	if (t->global.has & ~(unsigned)(PAX_UID | PAX_GID | PAX_MTIME) || t->global.n_xattrs ||
	    t->global.n_segments || t->global.acl_access || t->global.acl_default)
		return error_said(EINVAL,
				  "a pax header for all entries may only set ids and times");
	return NULL;
}

static error *take_long(struct tar *t, char **to)
{
	size_t len;

	if (*to)
		return error_said(EINVAL, "two long names for one entry");
	try(take_extension(t, to, &len));
	while (len && !(*to)[len - 1])
		len--;
	if (len == 0 || memchr(*to, '\0', len) || len > TAR_PATH_MAX)
		return error_said(EINVAL, "a long name is damaged");
	return NULL;
}

static void copy_field(char *to, const char *field, size_t len)
{
	size_t n = strnlen(field, len);

	memcpy(to, field, n);
	to[n] = '\0';
}

static error *settle_names(struct tar *t)
{
	const union tar_header *h = &t->header;
	size_t used = 0;

	if (tar_is_ustar(h) && h->prefix[0]) {
		copy_field(t->name, h->prefix, sizeof(h->prefix));
		used = strlen(t->name);
		t->name[used++] = '/';
	}
	copy_field(t->name + used, h->name, sizeof(h->name));
	copy_field(t->target, h->link, sizeof(h->link));
	if ((t->long_name && t->pax.has & PAX_PATH) || (t->long_target && t->pax.has & PAX_LINK))
		return error_said(EINVAL, "two long names for one entry");
	t->entry.name = t->long_name ? t->long_name : t->name;
	t->entry.target = t->long_target ? t->long_target : t->target;
	if (t->pax.has & PAX_PATH)
		t->entry.name = t->pax.path;
	if (t->pax.has & PAX_SPARSE_NAME)
		t->entry.name = t->pax.sparse_name;
	if (t->pax.has & PAX_LINK)
		t->entry.target = t->pax.link;
	return t->entry.name[0] ? NULL : error_said(EINVAL, "an entry has no name");
}

static error *settle_id(const char *field, const char *what, const struct pax *local,
			const struct pax *global, unsigned bit, uint32_t *out)
{
	bool is_uid = bit == PAX_UID;
	const struct pax *from = local->has & bit ? local : global->has & bit ? global : NULL;
	int64_t value;

	if (from) {
		*out = is_uid ? from->uid : from->gid;
		return NULL;
	}
	try(tar_number(field, 8, what, &value));
	if (value < 0 || value >= UINT32_MAX)
		return error_said(ERANGE, "the %s %lld is not from 0 to 4294967294", what,
				  (long long)value);
	*out = (uint32_t)value;
	return NULL;
}

static error *settle_numbers(struct tar *t)
{
	const union tar_header *h = &t->header;
	struct entry *e = &t->entry;
	int64_t value;

	try(tar_number(h->mode, sizeof(h->mode), "mode", &value));
	e->mode = (uint32_t)value & 07777;
	try(settle_id(h->uid, "uid", &t->pax, &t->global, PAX_UID, &e->uid));
	try(settle_id(h->gid, "gid", &t->pax, &t->global, PAX_GID, &e->gid));
	if (t->pax.has & PAX_MTIME) {
		e->mtime = t->pax.mtime;
	} else if (t->global.has & PAX_MTIME) {
		e->mtime = t->global.mtime;
	} else {
		try(tar_number(h->mtime, sizeof(h->mtime), "time", &value));
		e->mtime = (struct timespec){ .tv_sec = value };
	}
	if (e->type != ENTRY_CHAR && e->type != ENTRY_BLOCK)
		return NULL;
	try(tar_number(h->major, sizeof(h->major), "device number", &value));
	e->major = (uint32_t)value;
	if (value < 0 || value > 4095)
		return error_said(ERANGE, "the device number is out of range");
	try(tar_number(h->minor, sizeof(h->minor), "device number", &value));
	e->minor = (uint32_t)value;
	return value < 0 || value > 0xfffff
		       ? error_said(ERANGE, "the device number is out of range")
		       : NULL;
}

/* The xattr form of an ACL says it all; the text form is for archives that lack that one. */
static error *settle_acl(struct tar *t, const char *name, const char *text, void **memory)
{
	struct entry *e = &t->entry;
	struct xattr *x = &t->xattrs[e->n_xattrs];

	if (!text)
		return NULL;
	for (size_t i = 0; i < t->pax.n_xattrs; i++)
		if (strcmp(t->pax.xattrs[i].name, name) == 0)
			return NULL;
	*memory = malloc(acl_size_max(text));
	if (!*memory)
		return error_new(ENOMEM, "ACL");
	*x = (struct xattr){ .name = name, .value = *memory };
	try(acl_from_text(text, *memory, &x->len));
	e->n_xattrs++;
	return NULL;
}

static error *settle_xattrs(struct tar *t)
{
	size_t sum = 0;

	for (size_t i = 0; i < t->pax.n_xattrs; i++) {
		sum += t->pax.xattrs[i].len;
		t->xattrs[i] = t->pax.xattrs[i];
	}
	t->entry.xattrs = t->xattrs;
	t->entry.n_xattrs = t->pax.n_xattrs;
	if (sum > TAR_EXTENSION_MAX)
		return error_said(E2BIG, "the xattrs of an entry have more than 1 MiB");
	try(settle_acl(t, "system.posix_acl_access", t->pax.acl_access, &t->acls[0]));
	return settle_acl(t, "system.posix_acl_default", t->pax.acl_default, &t->acls[1]);
}

static error *make_segments(struct tar *t)
{
	if (!t->segments)
		t->segments = malloc(sizeof(*t->segments) * TAR_SEGMENTS_MAX);
	return t->segments ? NULL : error_new(ENOMEM, "tar");
}

/* One field of a GNU map; false for an empty one, which ends it. */
static error *take_gnu_segment(struct tar *t, const char *field, bool *more)
{
	int64_t offset;
	int64_t len;
	size_t n = t->entry.n_segments;

	*more = field[0] != '\0';
	if (!*more)
		return NULL;
	if (n == TAR_SEGMENTS_MAX)
		return error_said(EINVAL, "the map of a sparse file is too large");
	try(tar_number(field, 12, "offset", &offset));
	try(tar_number(field + 12, 12, "length", &len));
	if (offset < 0 || len < 0)
		return error_said(EINVAL, "the map of a sparse file is damaged");
	t->segments[n] = (struct segment){ (uint64_t)offset, (uint64_t)len };
	t->entry.n_segments = n + 1;
	return NULL;
}

/* Old GNU: 4 fields in the header, 21 in each block that follows, behind them a flag for one more.
 */
static error *take_gnu_map(struct tar *t)
{
	enum {
		IN_HEADER = 386,
		FIELDS = 4,
		FLAG = 482,
		REAL_SIZE = 483,
		MORE_FIELDS = 21,
		MORE_FLAG = 504
	};
	const char *h = t->header.bytes;
	char block[TAR_BLOCK] = { 0 };
	bool more = true;
	int64_t size;

	try(tar_number(h + REAL_SIZE, 12, "size", &size));
	if (size < 0)
		return error_said(EINVAL, "the size is negative");
	t->entry.size = (uint64_t)size;
	for (size_t i = 0; more && i < FIELDS; i++)
		try(take_gnu_segment(t, h + IN_HEADER + i * 24, &more));
	for (char flag = h[FLAG]; flag; flag = block[MORE_FLAG]) {
		try(take(t, block, sizeof(block)));
		for (size_t i = 0; more && i < MORE_FIELDS; i++)
			try(take_gnu_segment(t, block + i * 24, &more));
	}
	return NULL;
}

/* One decimal line of the map that stands before the data (format 1.0). */
static error *take_map_line(struct tar *t, char *block, size_t *at, uint64_t *out)
{
	uint64_t value = 0;

	for (int digits = 0;; digits++) {
		if (*at == TAR_BLOCK) {
			if (t->content_left < TAR_BLOCK)
				return error_said(EINVAL, "the map of a sparse file is damaged");
			try(take(t, block, TAR_BLOCK));
			t->content_left -= TAR_BLOCK;
			*at = 0;
		}
		char c = block[(*at)++];
		if (c == '\n' && digits)
			break;
		if (c < '0' || c > '9' || digits == 18)
			return error_said(EINVAL, "the map of a sparse file is damaged");
		value = value * 10 + (uint64_t)(c - '0');
	}
	*out = value;
	return NULL;
}

static error *take_map_1_0(struct tar *t)
{
	char block[TAR_BLOCK];
	size_t at = TAR_BLOCK;
	uint64_t n;

	try(take_map_line(t, block, &at, &n));
	if (n > TAR_SEGMENTS_MAX)
		return error_said(EINVAL, "the map of a sparse file is too large");
	for (size_t i = 0; i < n; i++) {
		try(take_map_line(t, block, &at, &t->segments[i].offset));
		try(take_map_line(t, block, &at, &t->segments[i].len));
	}
	t->entry.n_segments = n;
	return NULL;
}

static error *settle_sparse(struct tar *t)
{
	struct entry *e = &t->entry;

	if (t->header.type == 'S') {
		e->is_sparse = true;
		try(make_segments(t));
		try(take_gnu_map(t));
	} else if (t->pax.has & (PAX_SPARSE_MAP | PAX_SPARSE_1_0) || t->pax.n_segments) {
		if (!(t->pax.has & PAX_SPARSE_SIZE))
			return error_said(EINVAL, "a sparse file without its size");
		e->is_sparse = true;
		e->size = t->pax.sparse_size;
		try(make_segments(t));
		if (t->pax.sparse_major == 1 && t->pax.sparse_minor == 0) {
			try(take_map_1_0(t));
		} else if (t->pax.sparse_major) {
			return error_said(EINVAL, "a sparse file of an unknown format");
		} else if (t->pax.has & PAX_SPARSE_MAP) {
			try(sparse_map_from_text(t->pax.sparse_map, t->segments, &e->n_segments));
		} else {
			e->n_segments = t->pax.n_segments;
			if (e->n_segments)
				memcpy(t->segments, t->pax.segments,
				       e->n_segments * sizeof(struct segment));
		}
	}
	if (!e->is_sparse)
		return NULL;
	e->segments = t->segments;
	return sparse_map_check(e->segments, e->n_segments, e->size, t->content_left);
}

/* How much follows. The pax size counts for the content and for what is skipped alike: two readers
 * that disagree there see two different archives (CVE-2025-62518). Entries that are no files have
 * no content whatever the field says, as in the readers of the other tools. */
static error *settle_size(struct tar *t)
{
	int64_t size;

	try(tar_number(t->header.size, sizeof(t->header.size), "size", &size));
	if (t->pax.has & PAX_SIZE)
		size = (int64_t)t->pax.size;
	if (size < 0)
		return error_said(EINVAL, "the size is negative");
	if (t->entry.type != ENTRY_FILE)
		size = 0;
	t->entry.size = (uint64_t)size;
	t->content_left = (uint64_t)size;
	t->padding = padding_of((uint64_t)size);
	t->position = t->segment = 0;
	return NULL;
}

static error *settle_type(struct tar *t)
{
	static const struct {
		char type;
		enum entry_type means;
	} types[] = {
		{ '0', ENTRY_FILE }, { '\0', ENTRY_FILE },     { '7', ENTRY_FILE },
		{ 'S', ENTRY_FILE }, { '1', ENTRY_HARD_LINK }, { '2', ENTRY_SYMLINK },
		{ '3', ENTRY_CHAR }, { '4', ENTRY_BLOCK },     { '5', ENTRY_DIR },
		{ '6', ENTRY_FIFO },
	};
	size_t len = strlen(t->entry.name);

	for (size_t i = 0; i < COUNT(types); i++)
		if (types[i].type == t->header.type) {
			t->entry.type = types[i].means;
			/* how folders were written before they had a type */
			if (t->entry.type == ENTRY_FILE && t->entry.name[len - 1] == '/')
				t->entry.type = ENTRY_DIR;
			return NULL;
		}
	return error_said(EINVAL, "an entry of the unknown type '%c' (%d)",
			  t->header.type > ' ' ? t->header.type : '?', t->header.type);
}

static error *settle(struct tar *t)
{
	try(settle_names(t));
	try_as(settle_type(t), "%s", t->entry.name);
	try_as(settle_size(t), "%s", t->entry.name);
	try_as(settle_numbers(t), "%s", t->entry.name);
	try_as(settle_sparse(t), "%s", t->entry.name);
	try_as(settle_xattrs(t), "%s", t->entry.name);
	return NULL;
}

static error *skip_content(struct tar *t)
{
	const void *chunk;
	size_t len;
	uint64_t offset;

	if (!t->tap && t->stream->skip && t->content_left > t->chunk_len) {
		t->content_left -= t->chunk_len;
		t->consumed += t->chunk_len + t->content_left;
		t->chunk_len = 0;
		try(t->stream->skip(t->stream, t->content_left));
		t->content_left = 0;
	}
	while (t->content_left)
		try(tar_content(t, &chunk, &len, &offset));
	try(take(t, NULL, t->padding));
	t->padding = 0;
	return NULL;
}

static bool is_zero(const union tar_header *h)
{
	static const char zero[TAR_BLOCK];

	return memcmp(h->bytes, zero, TAR_BLOCK) == 0;
}

/* Two blocks of NUL bytes end an archive; some writers leave them out. What follows is read for the
 * sake of the digest, and so that it can be written again. */
static error *take_header(struct tar *t, bool *ended)
{
	size_t got;

	*ended = true;
	try(take_raw(t, &t->header, TAR_BLOCK, &got));
	if (got == 0)
		return NULL;
	if (got < TAR_BLOCK)
		return truncated();
	if (!is_zero(&t->header)) {
		*ended = false;
		return tar_checksum_is_right(&t->header)
			       ? NULL
			       : error_said(EBADMSG, "not a tar archive, or damaged");
	}
	try(take_raw(t, &t->header, TAR_BLOCK, &got));
	if (got == TAR_BLOCK && !is_zero(&t->header))
		return error_said(EBADMSG, "the archive goes on behind a block that ends it");
	do
		try(take_raw(t, NULL, 1 << 20, &got));
	while (got);
	return NULL;
}

error *tar_next(struct tar *t, const struct entry **out)
{
	*out = NULL;
	try(skip_content(t));
	forget(t);
	while (!t->ended) {
		try(take_header(t, &t->ended));
		if (t->ended)
			break;
		switch (t->header.type) {
		case 'x':
		case 'X':
			try(take_pax(t));
			continue;
		case 'g':
			try(take_global_pax(t));
			continue;
		case 'L':
			try(take_long(t, &t->long_name));
			continue;
		case 'K':
			try(take_long(t, &t->long_target));
			continue;
		case 'V': /* a label */
			try(take(t, NULL, 0));
			continue;
		default:
			try(settle(t));
			*out = &t->entry;
			return NULL;
		}
	}
	if (t->records || t->long_name || t->long_target)
		return truncated();
	return NULL;
}

uint64_t tar_position(const struct tar *t)
{
	return t->consumed;
}

error *tar_content(struct tar *t, const void **chunk, size_t *len, uint64_t *offset)
{
	const struct entry *e = &t->entry;
	uint64_t most = t->content_left;

	*len = 0;
	if (!most)
		return NULL;
	if (e->is_sparse) {
		while (t->position == e->segments[t->segment].len) {
			t->segment++;
			t->position = 0;
		}
		most = e->segments[t->segment].len - t->position;
	}
	try(refill(t));
	if (!t->chunk_len)
		return truncated();
	*len = t->chunk_len < most ? t->chunk_len : (size_t)most;
	*chunk = t->chunk;
	*offset = t->position + (e->is_sparse ? e->segments[t->segment].offset : 0);
	t->position += *len;
	t->content_left -= *len;
	t->chunk += *len;
	t->chunk_len -= *len;
	t->consumed += *len;
	return t->tap ? t->tap->content(t->tap, *offset, *len) : NULL;
}
