/* The writing half of rows: structs -> JSON. */
#include "base/json.h"
#include "base/rows.h"

/* All growing members begin like this. */
struct any_list {
	const char *v;
	size_t n;
};

/* One function for each kind of row; at is the member. What is absent is left out. */
static void write_bool(const struct row *row, const char *at, struct json *to)
{
	if (*(const bool *)at || row->flag != OPTIONAL)
		json_bool(to, row->json, *(const bool *)at);
}

static void write_u32(const struct row *row, const char *at, struct json *to)
{
	if (*(const uint32_t *)at || row->flag != OPTIONAL)
		json_u64(to, row->json, *(const uint32_t *)at);
}

static void write_u64(const struct row *row, const char *at, struct json *to)
{
	if (*(const uint64_t *)at || row->flag != OPTIONAL)
		json_u64(to, row->json, *(const uint64_t *)at);
}

static void write_i64(const struct row *row, const char *at, struct json *to)
{
	if (*(const int64_t *)at || row->flag != OPTIONAL)
		json_i64(to, row->json, *(const int64_t *)at);
}

static void write_opt_bool(const struct row *row, const char *at, struct json *to)
{
	if (((const struct opt_bool *)at)->set)
		json_bool(to, row->json, ((const struct opt_bool *)at)->value);
}

static void write_opt_u32(const struct row *row, const char *at, struct json *to)
{
	if (((const struct opt_u32 *)at)->set)
		json_u64(to, row->json, ((const struct opt_u32 *)at)->value);
}

static void write_opt_u64(const struct row *row, const char *at, struct json *to)
{
	if (((const struct opt_u64 *)at)->set)
		json_u64(to, row->json, ((const struct opt_u64 *)at)->value);
}

static void write_opt_i64(const struct row *row, const char *at, struct json *to)
{
	if (((const struct opt_i64 *)at)->set)
		json_i64(to, row->json, ((const struct opt_i64 *)at)->value);
}

static void write_str(const struct row *row, const char *at, struct json *to)
{
	if (*(char *const *)at)
		json_text(to, row->json, *(char *const *)at);
}

static void write_strs(const struct row *row, const char *at, struct json *to)
{
	const struct texts *list = (const struct texts *)at;

	if (list->v)
		json_texts(to, row->json, list->v, list->n);
}

static void write_u32s(const struct row *row, const char *at, struct json *to)
{
	const struct u32s *list = (const struct u32s *)at;

	if (!list->n)
		return;
	json_array(to, row->json);
	for (size_t i = 0; i < list->n; i++)
		json_u64(to, NULL, list->v[i]);
	json_end(to);
}

static void write_name(const struct row *row, const char *at, struct json *to)
{
	const struct opt_name *name = (const struct opt_name *)at;

	if (name->set)
		json_text(to, row->json, name_of(row->names, name->value));
}

static void write_mask(const struct row *row, const char *at, struct json *to)
{
	const struct mask *mask = (const struct mask *)at;

	if (!mask->set)
		return;
	json_array(to, row->json);
	for (size_t i = 0; i < row->names->n; i++)
		if (mask->bits >> row->names->list[i].value & 1)
			json_text(to, NULL, row->names->list[i].text);
	json_end(to);
}

static void write_map(const struct row *row, const char *at, struct json *to)
{
	const struct pairs *pairs = (const struct pairs *)at;

	if (pairs->n)
		json_pairs(to, row->json, pairs->v, pairs->n);
}

static void write_sub(const struct row *row, const char *at, struct json *to)
{
	if (*(char *const *)at)
		rows_write(row->shape, *(char *const *)at, row->json, to);
}

static void write_list(const struct row *row, const char *at, struct json *to)
{
	const struct any_list *list = (const struct any_list *)at;
	bool keyed = row->kind == ROW_SUBS;

	if (!list->n)
		return;
	if (keyed)
		json_object(to, row->json);
	else
		json_array(to, row->json);
	for (size_t i = 0; i < list->n; i++) {
		const char *element = list->v + i * row->shape->size;
		rows_write(row->shape, element, keyed ? *(char *const *)element : NULL, to);
	}
	json_end(to);
}

static void (*const writers[])(const struct row *row, const char *at, struct json *to) = {
	[ROW_BOOL] = write_bool,         [ROW_U32] = write_u32,
	[ROW_U64] = write_u64,           [ROW_I64] = write_i64,
	[ROW_OPT_BOOL] = write_opt_bool, [ROW_OPT_U32] = write_opt_u32,
	[ROW_OPT_U64] = write_opt_u64,   [ROW_OPT_I64] = write_opt_i64,
	[ROW_STR] = write_str,           [ROW_STRS] = write_strs,
	[ROW_U32S] = write_u32s,         [ROW_NAME] = write_name,
	[ROW_MASK] = write_mask,         [ROW_MAP] = write_map,
	[ROW_SUB] = write_sub,           [ROW_LIST] = write_list,
	[ROW_SUBS] = write_list,
};

void rows_write(const struct shape *shape, const void *value, const char *key, struct json *to)
{
	json_object(to, key);
	for (size_t i = 0; i < shape->n; i++)
		writers[shape->rows[i].kind](&shape->rows[i],
					     (const char *)value + shape->rows[i].offset, to);
	json_end(to);
}
