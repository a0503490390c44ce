/* JSON objects as C structs. A field is named once, in a row; reading, checking, writing and
 * listing are made from the rows:
 *
 *     #define SPEC_ROOT(row) \
 *             row(STR,  path,     "path",     REQUIRED) \
 *             row(BOOL, readonly, "readonly", OPTIONAL)
 *
 * SHAPE_STRUCT makes the struct, SHAPE the table that the functions below run on. Everything that
 * is read lives in one arena. Unknown fields are skipped, null counts as absent, of two equal keys
 * the last wins.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/names.h"

enum row_kind {
	ROW_BOOL,     /* bool, false when absent */
	ROW_U32,      /* uint32_t, 0 when absent */
	ROW_U64,      /* uint64_t, 0 when absent */
	ROW_I64,      /* int64_t, 0 when absent */
	ROW_OPT_BOOL, /* struct opt_bool and so on: absent and 0 differ */
	ROW_OPT_U32,
	ROW_OPT_U64,
	ROW_OPT_I64,
	ROW_STR,  /* char *, NULL when absent */
	ROW_STRS, /* struct texts, .v is NULL when absent */
	ROW_U32S, /* struct u32s */
	ROW_NAME, /* struct opt_name: a word of a table */
	ROW_MASK, /* struct mask: words of a table as bits 1 << value */
	ROW_MAP,  /* struct pairs: text -> text */
	ROW_SUB,  /* struct spec_x *, NULL when absent */
	ROW_LIST, /* { struct spec_x *v; size_t n; } */
	ROW_SUBS, /* the same out of an object: each element begins with `char *key` */
};

/* WRITTEN: may be absent, and is written even when it is 0. */
enum row_flag { OPTIONAL = 0, REQUIRED = 1, WRITTEN = 2 };

struct opt_bool {
	bool set, value;
};
struct opt_u32 {
	bool set;
	uint32_t value;
};
struct opt_u64 {
	bool set;
	uint64_t value;
};
struct opt_i64 {
	bool set;
	int64_t value;
};
struct opt_name {
	bool set;
	int64_t value;
};
struct mask {
	bool set;
	uint64_t bits;
};
struct texts {
	char **v; /* NULL-terminated */
	size_t n;
};
struct u32s {
	uint32_t *v;
	size_t n;
};
struct pair {
	char *key, *value;
};
struct pairs {
	struct pair *v;
	size_t n;
};

struct shape;

struct row {
	const char *json;
	enum row_kind kind;
	enum row_flag flag;
	size_t offset;
	const struct shape *shape; /* ROW_SUB, ROW_LIST, ROW_SUBS */
	const struct names *names; /* ROW_NAME, ROW_MASK */
};

struct shape {
	size_t size;
	const struct row *rows;
	size_t n;
};

/* clang-format off */
#define ROW_TYPE_BOOL      bool
#define ROW_TYPE_U32       uint32_t
#define ROW_TYPE_U64       uint64_t
#define ROW_TYPE_I64       int64_t
#define ROW_TYPE_OPT_BOOL  struct opt_bool
#define ROW_TYPE_OPT_U32   struct opt_u32
#define ROW_TYPE_OPT_U64   struct opt_u64
#define ROW_TYPE_OPT_I64   struct opt_i64
#define ROW_TYPE_STR       char *
#define ROW_TYPE_STRS      struct texts
#define ROW_TYPE_U32S      struct u32s
#define ROW_TYPE_MAP       struct pairs
#define ROW_TYPE_NAME(t)   struct opt_name
#define ROW_TYPE_MASK(t)   struct mask
#define ROW_TYPE_SUB(s)    struct s *
#define ROW_TYPE_LIST(s)   struct { struct s *v; size_t n; }
#define ROW_TYPE_SUBS(s)   struct { struct s *v; size_t n; }

#define ROW_KIND_BOOL      .kind = ROW_BOOL
#define ROW_KIND_U32       .kind = ROW_U32
#define ROW_KIND_U64       .kind = ROW_U64
#define ROW_KIND_I64       .kind = ROW_I64
#define ROW_KIND_OPT_BOOL  .kind = ROW_OPT_BOOL
#define ROW_KIND_OPT_U32   .kind = ROW_OPT_U32
#define ROW_KIND_OPT_U64   .kind = ROW_OPT_U64
#define ROW_KIND_OPT_I64   .kind = ROW_OPT_I64
#define ROW_KIND_STR       .kind = ROW_STR
#define ROW_KIND_STRS      .kind = ROW_STRS
#define ROW_KIND_U32S      .kind = ROW_U32S
#define ROW_KIND_MAP       .kind = ROW_MAP
#define ROW_KIND_NAME(t)   .kind = ROW_NAME, .names = &t
#define ROW_KIND_MASK(t)   .kind = ROW_MASK, .names = &t
#define ROW_KIND_SUB(s)    .kind = ROW_SUB,  .shape = &s##_shape
#define ROW_KIND_LIST(s)   .kind = ROW_LIST, .shape = &s##_shape
#define ROW_KIND_SUBS(s)   .kind = ROW_SUBS, .shape = &s##_shape
/* clang-format on */

#define ROW_MEMBER(kind, member, json, flag) ROW_TYPE_##kind member;
#define SHAPE_STRUCT(name, ROWS)                                                                   \
	struct name {                                                                              \
		ROWS(ROW_MEMBER)                                                                   \
	};                                                                                         \
	extern const struct shape name##_shape;
/* For ROW_SUBS: the key of the object becomes the first member. */
#define SHAPE_STRUCT_KEYED(name, ROWS)                                                             \
	struct name {                                                                              \
		char *key;                                                                         \
		ROWS(ROW_MEMBER)                                                                   \
	};                                                                                         \
	extern const struct shape name##_shape;

/* Before SHAPE(spec_root, SPEC_ROOT): #define THIS spec_root (a macro cannot know who calls it). */
#define ROW_ENTRY(k, member, name, f)                                                              \
	{ ROW_KIND_##k, .json = name, .flag = f, .offset = offsetof(struct THIS, member) },
#define SHAPE(name, ROWS)                                                                          \
	static const struct row name##_rows[] = { ROWS(ROW_ENTRY) };                               \
	const struct shape name##_shape = { sizeof(struct name), name##_rows, COUNT(name##_rows) };

/* Hostile documents: objects nest at most 64 deep, two equal keys are an error. */
enum rows_option { ROWS_LENIENT = 0, ROWS_NO_DUPLICATES = 1 };

/* text need not end with NUL. The error carries the path: ".process.args[1]: want a string". */
must_use error *rows_read(const struct shape *shape, const char *text, size_t len,
			  enum rows_option options, struct arena *arena, void *out);

struct json;
/* Writes value as an object (with a key inside an object, NULL elsewhere), leaving out what is
 * absent. */
void rows_write(const struct shape *shape, const void *value, const char *key, struct json *to);
