/* JSON of others, copied into ours. */
#include "base/json.h"

#include <string.h>

#include "../check.h"

static error *copy(const char *text, char *out, size_t size)
{
	auto_json struct json *j = NULL;
	const char *whole;

	try(json_new(JSON_ONE_LINE, &j));
	json_object(j, NULL);
	try(json_copy_members(j, text, strlen(text), "machine"));
	json_end(j);
	try(json_finish(j, &whole, NULL));
	snprintf(out, size, "%s", whole);
	return NULL;
}

int main(void)
{
	static const char *const wrong[] = { "",    "5",        "[]",   "{",
					     "{}}", "{\"a\":}", "null", "\"text\"" };
	char out[200];

	CHECK_FINE(copy("{\"a\": [1, -2, null, true, {\"b\": \"c\\u001b\"}], \"d\": {}}", out,
			sizeof(out)));
	CHECK_TEXT(out, "{\"a\":[1,-2,null,true,{\"b\":\"c\\u001B\"}],\"d\":{}}");
	for (size_t i = 0; i < COUNT(wrong); i++)
		CHECK_FAILS(copy(wrong[i], out, sizeof(out)), EPROTO, "not a JSON object");
	/* a name that is kept for another's words; below it may be used */
	CHECK_FAILS(copy("{\"a\": 1, \"machine\": 5}", out, sizeof(out)), EPROTO, "JSON");
	CHECK_FINE(copy("{\"a\": {\"machine\": 5}, \"machines\": 1}", out, sizeof(out)));
	return 0;
}
