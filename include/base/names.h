/* Tables of names and the numbers that they stand for. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct name {
	const char *text;
	int64_t value;
};

struct names {
	const char *what; /* "a namespace type": finishes the sentence "want ..." */
	const struct name *list;
	size_t n;
	bool unknown_is_fine; /* the specification asks for a warning instead of an error */
};

#define NAMES(label, rows, ...)                                                                    \
	{                                                                                          \
		.what = (label), .list = (rows), .n = COUNT(rows), ##__VA_ARGS__                   \
	}

/* The row with that name, or NULL. */
const struct name *name_find(const struct names *names, const char *text);
/* The first name of a value, or NULL. */
const char *name_of(const struct names *names, int64_t value);
