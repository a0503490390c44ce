#include "image/tarwrite.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "image/tar_header.h"

static const char zeros[TAR_BLOCK];

static error *pad(struct tar_writer *w, uint64_t size)
{
	return w->write(w->context, zeros, (size_t)(-size % TAR_BLOCK));
}

/* "LENGTH KEY=VALUE\n"; the length counts its own digits. */
static error *add_record(struct tar_writer *w, const char *key, const void *value, size_t len)
{
	size_t rest = strlen(key) + len + 3;
	size_t whole = rest + 1;
	char digits[24];

	while (rest + (size_t)snprintf(digits, sizeof(digits), "%zu", whole) != whole)
		whole = rest + strlen(digits);
	if (w->len + whole > w->capacity) {
		size_t capacity = (w->len + whole) * 2;
		char *more = realloc(w->records, capacity);
		if (!more)
			return error_new(ENOMEM, "tar");
		w->records = more;
		w->capacity = capacity;
	}
	int n = sprintf(w->records + w->len, "%s %s=", digits, key);
	memcpy(w->records + w->len + n, value, len);
	w->len += whole;
	w->records[w->len - 1] = '\n';
	return NULL;
}

static error *add_text(struct tar_writer *w, const char *key, const char *value)
{
	return add_record(w, key, value, strlen(value));
}

static error *add_number(struct tar_writer *w, const char *key, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	return add_text(w, key, text);
}

static error *add_time(struct tar_writer *w, struct timespec t)
{
	char text[40];
	bool is_negative = t.tv_sec < 0;
	int64_t seconds = t.tv_sec;
	long nanoseconds = t.tv_nsec;

	if (is_negative && nanoseconds) {
		seconds++;
		nanoseconds = 1000000000 - nanoseconds;
	}
	int n = snprintf(text, sizeof(text), "%s%" PRId64, is_negative ? "-" : "",
			 is_negative ? -seconds : seconds);
	if (nanoseconds)
		snprintf(text + n, sizeof(text) - (size_t)n, ".%09ld", nanoseconds);
	return add_text(w, "mtime", text);
}

/* Octal in a field, or false when it does not fit. */
static bool set_octal(char *field, size_t len, uint64_t value)
{
	if (value >> (3 * (len - 1)))
		return false;
	field[len - 1] = '\0';
	for (size_t i = len - 1; i-- > 0; value >>= 3)
		field[i] = (char)('0' + (value & 7));
	return true;
}

static void set_checksum(union tar_header *h)
{
	unsigned sum = 0;

	memset(h->checksum, ' ', sizeof(h->checksum));
	for (size_t i = 0; i < TAR_BLOCK; i++)
		sum += (unsigned char)h->bytes[i];
	snprintf(h->checksum, sizeof(h->checksum), "%06o", sum);
}

static void begin_header(union tar_header *h, char type)
{
	memset(h, 0, sizeof(*h));
	memcpy(h->magic, "ustar\00000", 8);
	h->type = type;
}

/* The map of a sparse file in front of its data, as pax format 1.0 has it. */
static error *make_map(const struct entry *e, char **out, size_t *len)
{
	size_t size = (e->n_segments * 2 + 1) * 21 + TAR_BLOCK;
	char *map = calloc(1, size);
	size_t used;

	if (!map)
		return error_new(ENOMEM, "tar");
	used = (size_t)sprintf(map, "%zu\n", e->n_segments);
	for (size_t i = 0; i < e->n_segments; i++)
		used += (size_t)sprintf(map + used, "%" PRIu64 "\n%" PRIu64 "\n",
					e->segments[i].offset, e->segments[i].len);
	*len = (used + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
	*out = map;
	return NULL;
}

static error *add_records(struct tar_writer *w, const struct entry *e, const char *name,
			  uint64_t stored)
{
	w->len = 0;
	if (e->is_sparse) {
		try(add_number(w, "GNU.sparse.major", 1));
		try(add_number(w, "GNU.sparse.minor", 0));
		try(add_text(w, "GNU.sparse.name", name));
		try(add_number(w, "GNU.sparse.realsize", e->size));
	}
	if (strlen(name) > sizeof(((union tar_header *)0)->name))
		try(add_text(w, "path", name));
	if (e->target && strlen(e->target) > sizeof(((union tar_header *)0)->link))
		try(add_text(w, "linkpath", e->target));
	if (stored >> 33)
		try(add_number(w, "size", stored));
	if (e->uid >> 21)
		try(add_number(w, "uid", e->uid));
	if (e->gid >> 21)
		try(add_number(w, "gid", e->gid));
	if (e->mtime.tv_nsec || e->mtime.tv_sec < 0 || e->mtime.tv_sec >> 33)
		try(add_time(w, e->mtime));
	for (size_t i = 0; i < e->n_xattrs; i++) {
		char key[16 + 256];
		snprintf(key, sizeof(key), "SCHILY.xattr.%.255s", e->xattrs[i].name);
		try(add_record(w, key, e->xattrs[i].value, e->xattrs[i].len));
	}
	return NULL;
}

static error *write_pax(struct tar_writer *w)
{
	union tar_header h;

	begin_header(&h, 'x');
	snprintf(h.name, sizeof(h.name), "PaxHeaders/entry");
	set_octal(h.mode, sizeof(h.mode), 0644);
	set_octal(h.uid, sizeof(h.uid), 0);
	set_octal(h.gid, sizeof(h.gid), 0);
	set_octal(h.size, sizeof(h.size), w->len);
	set_octal(h.mtime, sizeof(h.mtime), 0);
	set_checksum(&h);
	try(w->write(w->context, &h, sizeof(h)));
	try(w->write(w->context, w->records, w->len));
	return pad(w, w->len);
}

static error *write_header(struct tar_writer *w, const struct entry *e, const char *name,
			   uint64_t stored)
{
	static const char types[] = {
		[ENTRY_FILE] = '0', [ENTRY_HARD_LINK] = '1', [ENTRY_SYMLINK] = '2',
		[ENTRY_CHAR] = '3', [ENTRY_BLOCK] = '4',     [ENTRY_DIR] = '5',
		[ENTRY_FIFO] = '6'
	};
	bool is_device = e->type == ENTRY_CHAR || e->type == ENTRY_BLOCK;
	union tar_header h;

	begin_header(&h, types[e->type]);
	memcpy(h.name, name, strnlen(name, sizeof(h.name)));
	if (e->target)
		memcpy(h.link, e->target, strnlen(e->target, sizeof(h.link)));
	/* what does not fit is in the pax header */
	set_octal(h.mode, sizeof(h.mode), e->mode);
	if (!set_octal(h.uid, sizeof(h.uid), e->uid))
		set_octal(h.uid, sizeof(h.uid), 0);
	if (!set_octal(h.gid, sizeof(h.gid), e->gid))
		set_octal(h.gid, sizeof(h.gid), 0);
	if (!set_octal(h.size, sizeof(h.size), stored))
		set_octal(h.size, sizeof(h.size), 0);
	if (e->mtime.tv_sec < 0 || !set_octal(h.mtime, sizeof(h.mtime), (uint64_t)e->mtime.tv_sec))
		set_octal(h.mtime, sizeof(h.mtime), 0);
	set_octal(h.major, sizeof(h.major), is_device ? e->major : 0);
	set_octal(h.minor, sizeof(h.minor), is_device ? e->minor : 0);
	set_checksum(&h);
	return w->write(w->context, &h, sizeof(h));
}

error *tar_write_entry(struct tar_writer *w, const struct entry *e, struct content *content)
{
	auto_free char *map = NULL;
	auto_free char *folder = NULL;
	const char *name = e->name;
	size_t map_len = 0;
	uint64_t stored = e->type == ENTRY_FILE ? e->size : 0;

	if (e->type == ENTRY_DIR) {
		if (asprintf(&folder, "%s/", *name ? name : ".") < 0)
			return error_new(ENOMEM, "tar");
		name = folder;
	}
	if (e->is_sparse) {
		try(make_map(e, &map, &map_len));
		stored = map_len;
		for (size_t i = 0; i < e->n_segments; i++)
			stored += e->segments[i].len;
	}
	try(add_records(w, e, name, stored));
	if (w->len)
		try(write_pax(w));
	try(write_header(w, e, name, stored));
	try(w->write(w->context, map, map_len));
	if (e->type != ENTRY_FILE)
		return NULL;
	for (;;) {
		const void *chunk;
		size_t len;
		uint64_t offset;
		try(content->next(content, &chunk, &len, &offset));
		if (len == 0)
			break;
		try(w->write(w->context, chunk, len));
	}
	return pad(w, stored);
}

error *tar_write_end(struct tar_writer *w)
{
	try(w->write(w->context, zeros, sizeof(zeros)));
	return w->write(w->context, zeros, sizeof(zeros));
}

void tar_writer_release(struct tar_writer *w)
{
	free(w->records);
	w->records = NULL;
}
