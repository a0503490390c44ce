/* What unit tests say with: the first thing that is not so ends the program with its place. */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

#define CHECK_FAIL(...)                                                                            \
	do {                                                                                       \
		fprintf(stderr, "%s:%d: ", __FILE__, __LINE__);                                    \
		fprintf(stderr, __VA_ARGS__);                                                      \
		fprintf(stderr, "\n");                                                             \
		exit(1);                                                                           \
	} while (0)

#define CHECK(condition)                                                                           \
	do {                                                                                       \
		if (!(condition))                                                                  \
			CHECK_FAIL("not so: %s", #condition);                                      \
	} while (0)

#define CHECK_TEXT(text, want)                                                                     \
	do {                                                                                       \
		const char *is_ = (text), *want_ = (want);                                         \
		if (!is_ || strcmp(is_, want_) != 0)                                               \
			CHECK_FAIL("%s is '%s', not '%s'", #text, is_ ? is_ : "(null)", want_);    \
	} while (0)

/* A call that returns an error *: it is fine; it fails with a code and a text that has `part`. */
#define CHECK_FINE(call)                                                                           \
	do {                                                                                       \
		error *failed_ = (call);                                                           \
		if (failed_)                                                                       \
			CHECK_FAIL("%s: %s", #call, error_message(failed_));                       \
	} while (0)

#define CHECK_FAILS(call, code, part)                                                              \
	do {                                                                                       \
		error *failed_ = (call);                                                           \
		if (!failed_)                                                                      \
			CHECK_FAIL("%s: want an error with '%s'", #call, (part));                  \
		if (error_code(failed_) != (code) || !strstr(error_message(failed_), (part)))      \
			CHECK_FAIL("%s: error %d '%s', not %d '%s'", #call, error_code(failed_),   \
				   error_message(failed_), (code), (part));                        \
		error_free(failed_);                                                               \
	} while (0)
