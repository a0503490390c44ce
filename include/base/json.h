/* The only JSON writer. Inside an object every call has a key, inside an array NULL. Errors
 * (memory) are kept and told by json_finish. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct json;
struct pair;

enum json_form { JSON_ONE_LINE, JSON_INDENTED };

must_use error *json_new(enum json_form form, struct json **out);
void json_object(struct json *j, const char *key);
void json_array(struct json *j, const char *key);
void json_end(struct json *j); /* of the object or array that was begun last */
void json_text(struct json *j, const char *key, const char *value); /* NULL writes null */
void json_texts(struct json *j, const char *key, char *const *values, size_t n);
void json_pairs(struct json *j, const char *key, const struct pair *pairs, size_t n);
void json_bool(struct json *j, const char *key, bool value);
void json_i64(struct json *j, const char *key, int64_t value);
void json_u64(struct json *j, const char *key, uint64_t value);
void json_double(struct json *j, const char *key, double value);
void json_null(struct json *j, const char *key);

/* --- json_copy.c: the members of the object that text holds go into the object that was begun
 * last. EPROTO when it is no object, or has a member `reserved` (NULL: any may be); what came
 * before the fault is written then. */
must_use error *json_copy_members(struct json *j, const char *text, size_t len,
				  const char *reserved);

/* The text so far, which lives as long as j; len may be NULL. */
must_use error *json_finish(struct json *j, const char **text, size_t *len);
void json_free(struct json *j);

DEFINE_AUTO(struct json *, json_free)
#define auto_json auto_(json_free)
