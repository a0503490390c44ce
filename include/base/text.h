/* Numbers and lists out of text, strictly: no sign that was not asked for, no junk behind, no
 * overflow. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* Decimal only. True when the whole text is a number of that range. */
bool text_to_u64(const char *text, uint64_t *out);
bool text_to_i64(const char *text, int64_t *out);
bool text_to_u32(const char *text, uint32_t *out);
bool text_starts(const char *text, const char *start);
bool text_ends(const char *text, const char *end);
bool text_same(const char *a, const char *b); /* NULL equals NULL only */

/* "64m", "1G", "512", "-1" (= unlimited) as bytes; the suffixes b, k, m, g, t are powers of 1,024.
 */
bool text_to_bytes(const char *text, int64_t *out);

/* A list of numbers such as "0-3,7" as bits of a mask of `size` bytes (a multiple of 8). The error
 * names what is wrong; numbers beyond the mask are one too. */
must_use error *text_to_bits(const char *list, unsigned long *mask, size_t size);

/* A growing NULL-terminated list of strings that it owns. */
struct strings {
	char **v;
	size_t n;
};
must_use error *strings_add(struct strings *list, const char *text);
void strings_free(struct strings *list);
