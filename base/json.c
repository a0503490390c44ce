#include "base/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <yajl/yajl_gen.h>

#include "base/rows.h"

enum { DEPTH_MAX = 128 };

struct json {
	yajl_gen gen;
	yajl_gen_status status; /* the first that was not OK */
	size_t depth;
	bool is_array[DEPTH_MAX];
};

error *json_new(enum json_form form, struct json **out)
{
	struct json *j = calloc(1, sizeof(*j));

	if (!j)
		return error_new(ENOMEM, "write JSON");
	j->gen = yajl_gen_alloc(NULL);
	if (!j->gen) {
		free(j);
		return error_new(ENOMEM, "write JSON");
	}
	if (form == JSON_INDENTED) {
		yajl_gen_config(j->gen, yajl_gen_beautify, 1);
		yajl_gen_config(j->gen, yajl_gen_indent_string, "    ");
	}
	*out = j;
	return NULL;
}

static void note(struct json *j, yajl_gen_status status)
{
	if (status != yajl_gen_status_ok && j->status == yajl_gen_status_ok)
		j->status = status;
}

static void string(struct json *j, const char *text)
{
	note(j, yajl_gen_string(j->gen, (const unsigned char *)text, strlen(text)));
}

static void key_of(struct json *j, const char *key)
{
	if (key)
		string(j, key);
}

static void begin(struct json *j, const char *key, bool is_array)
{
	key_of(j, key);
	note(j, is_array ? yajl_gen_array_open(j->gen) : yajl_gen_map_open(j->gen));
	if (j->depth < DEPTH_MAX)
		j->is_array[j->depth] = is_array;
	j->depth++;
}

void json_object(struct json *j, const char *key)
{
	begin(j, key, false);
}

void json_array(struct json *j, const char *key)
{
	begin(j, key, true);
}

void json_end(struct json *j)
{
	j->depth--;
	note(j, j->depth < DEPTH_MAX && j->is_array[j->depth] ? yajl_gen_array_close(j->gen)
							      : yajl_gen_map_close(j->gen));
}

void json_text(struct json *j, const char *key, const char *value)
{
	key_of(j, key);
	if (value)
		string(j, value);
	else
		note(j, yajl_gen_null(j->gen));
}

void json_texts(struct json *j, const char *key, char *const *values, size_t n)
{
	json_array(j, key);
	for (size_t i = 0; i < n; i++)
		string(j, values[i]);
	json_end(j);
}

void json_pairs(struct json *j, const char *key, const struct pair *pairs, size_t n)
{
	json_object(j, key);
	for (size_t i = 0; i < n; i++)
		json_text(j, pairs[i].key, pairs[i].value);
	json_end(j);
}

void json_bool(struct json *j, const char *key, bool value)
{
	key_of(j, key);
	note(j, yajl_gen_bool(j->gen, value));
}

static void number(struct json *j, const char *key, const char *digits)
{
	key_of(j, key);
	note(j, yajl_gen_number(j->gen, digits, strlen(digits)));
}

void json_i64(struct json *j, const char *key, int64_t value)
{
	char digits[24];

	snprintf(digits, sizeof(digits), "%" PRId64, value);
	number(j, key, digits);
}

void json_u64(struct json *j, const char *key, uint64_t value)
{
	char digits[24];

	snprintf(digits, sizeof(digits), "%" PRIu64, value);
	number(j, key, digits);
}

void json_double(struct json *j, const char *key, double value)
{
	char digits[48];

	snprintf(digits, sizeof(digits), "%.2f", value);
	number(j, key, digits);
}

void json_null(struct json *j, const char *key)
{
	json_text(j, key, NULL);
}

error *json_finish(struct json *j, const char **text, size_t *len)
{
	const unsigned char *buffer = NULL;
	size_t n = 0;

	note(j, yajl_gen_get_buf(j->gen, &buffer, &n));
	if (j->status != yajl_gen_status_ok)
		return error_new(0, "write JSON: yajl status %d", (int)j->status);
	*text = (const char *)buffer;
	if (len)
		*len = n;
	return NULL;
}

void json_free(struct json *j)
{
	if (!j)
		return;
	yajl_gen_free(j->gen);
	free(j);
}
