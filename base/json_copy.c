/* JSON that another process has written, copied into our own: parsed and written anew, so that what
 * comes out is well-formed whatever came in. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_parse.h>

#include "base/json.h"

struct copy {
	struct json *to;
	int depth;
	char *key; /* of the next value */
	const char *reserved;
};

/* A key is written with its value. */
static const char *take_key(struct copy *c, char **owned)
{
	*owned = c->key;
	c->key = NULL;
	return *owned;
}

static char *text_of(const unsigned char *text, size_t len)
{
	char *copy = malloc(len + 1);

	if (copy) {
		memcpy(copy, text, len);
		copy[len] = '\0';
	}
	return copy;
}

static int on_null(void *context)
{
	struct copy *c = context;
	auto_free char *key = NULL;

	json_null(c->to, take_key(c, &key));
	return c->depth > 0;
}

static int on_bool(void *context, int value)
{
	struct copy *c = context;
	auto_free char *key = NULL;

	json_bool(c->to, take_key(c, &key), value);
	return c->depth > 0;
}

static int on_number(void *context, const char *text, size_t len)
{
	struct copy *c = context;
	auto_free char *key = NULL;
	auto_free char *number = text_of((const unsigned char *)text, len);
	char *end;

	take_key(c, &key);
	if (!number || !c->depth)
		return 0;
	errno = 0;
	unsigned long long whole = strtoull(number, &end, 10);
	if (!*end && !errno && *number != '-') {
		json_u64(c->to, key, whole);
		return 1;
	}
	errno = 0;
	long long negative = strtoll(number, &end, 10);
	if (!*end && !errno)
		json_i64(c->to, key, negative);
	else
		json_double(c->to, key, strtod(number, NULL));
	return 1;
}

static int on_string(void *context, const unsigned char *text, size_t len)
{
	struct copy *c = context;
	auto_free char *key = NULL;
	auto_free char *value = text_of(text, len);

	take_key(c, &key);
	if (!value || !c->depth)
		return 0;
	json_text(c->to, key, value);
	return 1;
}

static int on_key(void *context, const unsigned char *text, size_t len)
{
	struct copy *c = context;

	free(c->key);
	c->key = text_of(text, len);
	return c->key && !(c->depth == 1 && c->reserved && strcmp(c->key, c->reserved) == 0);
}

static int open_object(void *context)
{
	struct copy *c = context;
	auto_free char *key = NULL;

	if (c->depth++ > 0)
		json_object(c->to, take_key(c, &key));
	return c->depth < 32;
}

static int open_array(void *context)
{
	struct copy *c = context;
	auto_free char *key = NULL;

	if (!c->depth++)
		return 0;
	json_array(c->to, take_key(c, &key));
	return c->depth < 32;
}

static int close_any(void *context)
{
	struct copy *c = context;

	if (--c->depth > 0)
		json_end(c->to);
	return 1;
}

error *json_copy_members(struct json *to, const char *text, size_t len, const char *reserved)
{
	static yajl_callbacks callbacks = {
		.yajl_null = on_null,
		.yajl_boolean = on_bool,
		.yajl_number = on_number,
		.yajl_string = on_string,
		.yajl_start_map = open_object,
		.yajl_map_key = on_key,
		.yajl_end_map = close_any,
		.yajl_start_array = open_array,
		.yajl_end_array = close_any,
	};
	struct copy c = { .to = to, .reserved = reserved };
	yajl_handle parser = yajl_alloc(&callbacks, NULL, &c);

	if (!parser)
		return error_new(ENOMEM, "read JSON");
	bool good = yajl_parse(parser, (const unsigned char *)text, len) == yajl_status_ok &&
		    yajl_complete_parse(parser) == yajl_status_ok;
	yajl_free(parser);
	free(c.key);
	return good ? NULL : error_new(EPROTO, "not a JSON object");
}
