#include "base/rows.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <yajl/yajl_parse.h>

#include "base/log.h"
#include "base/text.h"

enum { DEPTH_MAX = 64 };

/* Where the parser stands: inside an object of a shape, a list, a map, or something to be skipped.
 */
struct frame {
	enum { IN_OBJECT, IN_LIST, IN_MAP, IN_SUBS, IN_SKIPPED } in;
	const struct shape *shape; /* IN_OBJECT */
	const struct row *row; /* IN_OBJECT: the field that comes; else: the field that this is */
	char *base;            /* IN_OBJECT: the struct; else: the struct that has the field */
	uint64_t seen;         /* IN_OBJECT: a bit for each row that was there */
	size_t capacity;       /* of the list that grows */
	char *key;             /* IN_MAP, IN_SUBS: the key that came last */
};

struct reader {
	struct arena *arena;
	enum rows_option options;
	error *error;
	size_t depth; /* frames in use */
	struct frame frames[DEPTH_MAX];
	const struct shape *root;
	void *out;
};

/* All growing members begin like this. */
struct any_list {
	char *v;
	size_t n;
};

static struct frame *top(struct reader *r)
{
	return &r->frames[r->depth - 1];
}

/* ".linux.namespaces[2].type" */
static void describe(const struct reader *r, char *text, size_t size)
{
	size_t used = 0;

	text[0] = '\0';
	for (size_t i = 0; i < r->depth && used < size; i++) {
		const struct frame *f = &r->frames[i];
		int n = 0;
		if (f->in == IN_OBJECT && f->row)
			n = snprintf(text + used, size - used, ".%s", f->row->json);
		else if (f->in == IN_LIST && f->row->kind == ROW_MASK)
			n = snprintf(text + used, size - used, "[%zu]", f->capacity);
		else if (f->in == IN_LIST)
			n = snprintf(text + used, size - used, "[%zu]",
				     ((struct any_list *)(f->base + f->row->offset))->n -
					     (i + 1 < r->depth));
		else if ((f->in == IN_MAP || f->in == IN_SUBS) && f->key)
			n = snprintf(text + used, size - used, ".%s", f->key);
		used += n > 0 ? (size_t)n : 0;
	}
}

static int fail(struct reader *r, int code, const char *what)
{
	char path[512];

	describe(r, path, sizeof(path));
	if (!r->error)
		r->error = path[0] ? error_said(code, "%s: %s", path, what)
				   : error_said(code, "%s", what);
	return 0;
}

static int want(struct reader *r, const struct row *row)
{
	static const char *const wants[] = {
		[ROW_BOOL] = "true or false",
		[ROW_OPT_BOOL] = "true or false",
		[ROW_U32] = "a number from 0 to 4294967295",
		[ROW_OPT_U32] = "a number from 0 to 4294967295",
		[ROW_U64] = "a whole number that is not negative",
		[ROW_OPT_U64] = "a whole number that is not negative",
		[ROW_I64] = "a whole number",
		[ROW_OPT_I64] = "a whole number",
		[ROW_STR] = "a string",
		[ROW_STRS] = "an array of strings",
		[ROW_U32S] = "an array of numbers from 0 to 4294967295",
		[ROW_MASK] = "an array of strings",
		[ROW_MAP] = "an object whose values are strings",
		[ROW_SUB] = "an object",
		[ROW_LIST] = "an array of objects",
		[ROW_SUBS] = "an object of objects",
	};
	/* one of the many that a field holds */
	static const char *const wants_inside[] = {
		[ROW_STRS] = "a string",  [ROW_U32S] = "a number from 0 to 4294967295",
		[ROW_MASK] = "a string",  [ROW_MAP] = "a string",
		[ROW_LIST] = "an object", [ROW_SUBS] = "an object",
	};
	const char *const *words = top(r)->in == IN_OBJECT ? wants : wants_inside;
	char text[128];

	snprintf(text, sizeof(text), "want %s", row->names ? row->names->what : words[row->kind]);
	return fail(r, EINVAL, text);
}

/* Room for one more element of a list that only grows. */
static void *append(struct reader *r, struct frame *f, size_t size)
{
	struct any_list *list = (struct any_list *)(f->base + f->row->offset);

	/* one element more than needed: struct texts ends with NULL */
	if (list->n + 1 >= f->capacity) {
		size_t capacity = f->capacity ? f->capacity * 2 : 8;
		char *v = arena_alloc(r->arena, capacity * size);
		if (!v) {
			if (!r->error)
				r->error = arena_exhausted();
			return NULL;
		}
		if (list->n)
			memcpy(v, list->v, list->n * size);
		list->v = v;
		f->capacity = capacity;
	}
	return list->v + size * list->n++;
}

static char *keep_text(struct reader *r, const unsigned char *text, size_t len)
{
	if (memchr(text, '\0', len)) {
		fail(r, EINVAL, "a string must not hold a NUL byte");
		return NULL;
	}
	char *copy = arena_strndup(r->arena, (const char *)text, len);
	if (!copy && !r->error)
		r->error = arena_exhausted();
	return copy;
}

static int push(struct reader *r, struct frame frame)
{
	if (r->depth == DEPTH_MAX)
		return fail(r, EINVAL, "nested more than 64 deep");
	r->frames[r->depth++] = frame;
	return 1;
}

static int skip(struct reader *r)
{
	return push(r, (struct frame){ .in = IN_SKIPPED });
}

/* A value that is not an object or array arrived for the field that the top frame awaits; NULL when
 * nobody wants it. *base is the struct it goes to. */
static const struct row *awaited(struct reader *r, char **base)
{
	if (r->depth == 0)
		return NULL;
	*base = top(r)->base;
	return top(r)->in == IN_SKIPPED ? NULL : top(r)->row;
}

static int on_null(void *context)
{
	struct reader *r = context;
	struct frame *f = r->depth ? top(r) : NULL;

	if (!f)
		return fail(r, EINVAL, "want an object");
	if (f->in == IN_OBJECT && f->row) /* as if it were not there */
		f->seen &= ~(1ULL << (size_t)(f->row - f->shape->rows));
	if (f->in == IN_LIST)
		return want(r, f->row);
	return 1;
}

static int on_boolean(void *context, int value)
{
	struct reader *r = context;
	char *base = NULL;
	const struct row *row = awaited(r, &base);

	if (!r->depth)
		return fail(r, EINVAL, "want an object");
	if (!row)
		return 1;
	if (top(r)->in == IN_OBJECT && row->kind == ROW_BOOL)
		*(bool *)(base + row->offset) = value;
	else if (top(r)->in == IN_OBJECT && row->kind == ROW_OPT_BOOL)
		*(struct opt_bool *)(base + row->offset) = (struct opt_bool){ true, value };
	else
		return want(r, row);
	return 1;
}

/* Takes text as a number of the row's kind; false when it does not fit. */
static bool store_number(const struct row *row, char *at, const char *text)
{
	switch (row->kind) {
	case ROW_U32:
		return text_to_u32(text, (uint32_t *)at);
	case ROW_U64:
		return text_to_u64(text, (uint64_t *)at);
	case ROW_I64:
		return text_to_i64(text, (int64_t *)at);
	case ROW_OPT_U32:
		((struct opt_u32 *)at)->set = true;
		return text_to_u32(text, &((struct opt_u32 *)at)->value);
	case ROW_OPT_U64:
		((struct opt_u64 *)at)->set = true;
		return text_to_u64(text, &((struct opt_u64 *)at)->value);
	case ROW_OPT_I64:
		((struct opt_i64 *)at)->set = true;
		return text_to_i64(text, &((struct opt_i64 *)at)->value);
	default:
		return false;
	}
}

static int on_number(void *context, const char *digits, size_t len)
{
	struct reader *r = context;
	char text[32];
	char *base = NULL;
	const struct row *row = awaited(r, &base);

	if (!r->depth)
		return fail(r, EINVAL, "want an object");
	if (!row)
		return 1;
	if (len >= sizeof(text))
		return want(r, row);
	memcpy(text, digits, len);
	text[len] = '\0';
	if (top(r)->in == IN_LIST && row->kind == ROW_U32S) {
		uint32_t value;
		if (!text_to_u32(text, &value))
			return want(r, row);
		uint32_t *slot = append(r, top(r), sizeof(*slot));
		if (slot)
			*slot = value;
		return slot != NULL;
	}
	if (top(r)->in != IN_OBJECT || !store_number(row, base + row->offset, text))
		return want(r, row);
	return 1;
}

/* One word of a ROW_NAME or ROW_MASK. */
static int on_word(struct reader *r, const struct row *row, void *at, const char *word)
{
	const struct name *name = name_find(row->names, word);
	char text[256];

	if (!name) {
		snprintf(text, sizeof(text), "'%s' is not %s", word, row->names->what);
		if (!row->names->unknown_is_fine)
			return fail(r, EINVAL, text);
		log_warning("config.json: %s: ignored", text);
		return 1;
	}
	if (row->kind == ROW_NAME)
		*(struct opt_name *)at = (struct opt_name){ true, name->value };
	else
		((struct mask *)at)->bits |= 1ULL << name->value;
	return 1;
}

static int on_string(void *context, const unsigned char *bytes, size_t len)
{
	struct reader *r = context;
	char *base = NULL;
	const struct row *row = awaited(r, &base);

	if (!r->depth)
		return fail(r, EINVAL, "want an object");
	if (!row)
		return 1;
	struct frame *f = top(r);
	bool takes = f->in == IN_OBJECT ? row->kind == ROW_STR || row->kind == ROW_NAME
		     : f->in == IN_LIST ? row->kind == ROW_STRS || row->kind == ROW_MASK
					: f->in == IN_MAP;
	if (!takes)
		return want(r, row);
	char *text = keep_text(r, bytes, len);
	if (!text)
		return 0;
	if (row->kind == ROW_NAME || row->kind == ROW_MASK) {
		int fine = on_word(r, row, base + row->offset, text);
		f->capacity++; /* a mask has no length: describe() needs the index */
		return fine;
	}
	if (row->kind == ROW_STR) {
		*(char **)(base + row->offset) = text;
		return 1;
	}
	if (row->kind == ROW_STRS) {
		char **slot = append(r, f, sizeof(*slot));
		if (slot)
			*slot = text;
		return slot != NULL;
	}
	struct pair *slot = append(r, f, sizeof(*slot));
	if (slot)
		*slot = (struct pair){ f->key, text };
	return slot != NULL;
}

static int enter_object(struct reader *r, const struct shape *shape, char *base)
{
	return push(r, (struct frame){ .in = IN_OBJECT, .shape = shape, .base = base });
}

static int on_start_map(void *context)
{
	struct reader *r = context;
	char *base = NULL;

	if (r->depth == 0)
		return enter_object(r, r->root, r->out);
	const struct row *row = awaited(r, &base);
	if (!row)
		return skip(r);
	struct frame *f = top(r);
	if (f->in == IN_OBJECT && (row->kind == ROW_MAP || row->kind == ROW_SUBS)) {
		*(struct any_list *)(base + row->offset) = (struct any_list){ 0 };
		return push(r, (struct frame){ .in = row->kind == ROW_MAP ? IN_MAP : IN_SUBS,
					       .row = row,
					       .base = base });
	}
	char *sub = NULL;
	if (f->in == IN_OBJECT && row->kind == ROW_SUB) {
		sub = arena_alloc(r->arena, row->shape->size);
		*(char **)(base + row->offset) = sub;
		if (!sub && !r->error)
			r->error = arena_exhausted();
	} else if ((f->in == IN_LIST && row->kind == ROW_LIST) || f->in == IN_SUBS) {
		sub = append(r, f, row->shape->size);
		if (sub && f->in == IN_SUBS)
			*(char **)sub = f->key;
	} else {
		return want(r, row);
	}
	return sub ? enter_object(r, row->shape, sub) : 0;
}

static int on_key(void *context, const unsigned char *bytes, size_t len)
{
	struct reader *r = context;
	struct frame *f = top(r);

	if (f->in == IN_SKIPPED)
		return 1;
	if (f->in != IN_OBJECT) {
		f->key = keep_text(r, bytes, len);
		return f->key != NULL;
	}
	f->row = NULL;
	for (size_t i = 0; i < f->shape->n; i++) {
		const struct row *row = &f->shape->rows[i];
		if (strncmp(row->json, (const char *)bytes, len) != 0 || row->json[len])
			continue;
		f->row = row;
		if (f->seen & 1ULL << i && r->options & ROWS_NO_DUPLICATES)
			return fail(r, EINVAL, "stands there twice");
		f->seen |= 1ULL << i;
	}
	return 1;
}

static int on_end_map(void *context)
{
	struct reader *r = context;
	struct frame *f = top(r);

	if (f->in == IN_OBJECT) {
		f->row = NULL;
		for (size_t i = 0; i < f->shape->n; i++) {
			if (!(f->shape->rows[i].flag & REQUIRED) || f->seen & 1ULL << i)
				continue;
			f->row = &f->shape->rows[i];
			return fail(r, EINVAL, "is required");
		}
	}
	r->depth--;
	return 1;
}

static int on_start_array(void *context)
{
	struct reader *r = context;
	char *base = NULL;

	if (r->depth == 0)
		return fail(r, EINVAL, "want an object");
	const struct row *row = awaited(r, &base);
	if (!row)
		return skip(r);
	bool takes = row->kind == ROW_STRS || row->kind == ROW_U32S || row->kind == ROW_MASK ||
		     row->kind == ROW_LIST;
	if (top(r)->in != IN_OBJECT || !takes)
		return want(r, row);
	if (row->kind == ROW_MASK) {
		*(struct mask *)(base + row->offset) = (struct mask){ .set = true };
		return push(r, (struct frame){ .in = IN_LIST, .row = row, .base = base });
	}
	*(struct any_list *)(base + row->offset) = (struct any_list){ 0 };
	if (!push(r, (struct frame){ .in = IN_LIST, .row = row, .base = base }))
		return 0;
	if (row->kind == ROW_STRS) { /* an empty list is not an absent one */
		if (!append(r, top(r), sizeof(char *)))
			return 0;
		((struct texts *)(base + row->offset))->n = 0;
	}
	return 1;
}

static int on_end_array(void *context)
{
	struct reader *r = context;

	r->depth--;
	return 1;
}

static const yajl_callbacks callbacks = {
	.yajl_null = on_null,
	.yajl_boolean = on_boolean,
	.yajl_number = on_number,
	.yajl_string = on_string,
	.yajl_start_map = on_start_map,
	.yajl_map_key = on_key,
	.yajl_end_map = on_end_map,
	.yajl_start_array = on_start_array,
	.yajl_end_array = on_end_array,
};

/* yajl words a syntax error over several lines with a drawing; one line is wanted. */
static error *syntax_error(yajl_handle parser, const char *text, size_t len)
{
	unsigned char *why = yajl_get_error(parser, 0, (const unsigned char *)text, len);
	size_t at = yajl_get_bytes_consumed(parser);
	size_t line = 1;

	for (size_t i = 0; i < at && i < len; i++)
		line += text[i] == '\n';
	error *e = error_said(EINVAL, "line %zu: not JSON: %.*s", line,
			      why ? (int)strcspn((char *)why, "\n") : 0, why ? (char *)why : "");
	yajl_free_error(parser, why);
	return e;
}

error *rows_read(const struct shape *shape, const char *text, size_t len, enum rows_option options,
		 struct arena *arena, void *out)
{
	struct reader r = { .arena = arena, .options = options, .root = shape, .out = out };
	yajl_handle parser = yajl_alloc(&callbacks, NULL, &r);

	if (!parser)
		return error_new(ENOMEM, "read JSON");
	yajl_status status = yajl_parse(parser, (const unsigned char *)text, len);
	if (status == yajl_status_ok)
		status = yajl_complete_parse(parser);
	if (status != yajl_status_ok && !r.error)
		r.error = syntax_error(parser, text, len);
	yajl_free(parser);
	return r.error;
}
