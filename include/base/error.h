/* An error is a value: NULL is success, anything else is an errno and a chain of contexts. */
#pragma once

#include <errno.h>

#include "base/cleanup.h"

typedef struct error error;

#define must_use          __attribute__((warn_unused_result))
#define printf_like(f, a) __attribute__((format(printf, f, a)))

/* code is an errno, whose text is then appended, or 0 when the text says it all. */
must_use error *error_new(int code, const char *fmt, ...) printf_like(2, 3);
/* Like error_new, but keeps the code without appending its text: for messages that came from
 * another process or that callers match word by word. */
must_use error *error_said(int code, const char *fmt, ...) printf_like(2, 3);
/* Puts a context in front: "outer: inner: Operation not permitted". Takes cause. */
must_use error *error_wrap(error *cause, const char *fmt, ...) printf_like(2, 3);

/* Codes beyond any errno: what a shell calls 127 and 126. */
enum { ERROR_NO_PROGRAM = 1127, ERROR_NOT_EXECUTABLE = 1126 };

int error_code(const error *e);
/* What the command exits with: 127, 126, or else `otherwise`. */
int error_exit_code(const error *e, int otherwise);
const char *error_message(const error *e);
void error_free(error *e);

/* A failed system call: `if (unshare(f) < 0) return error_errno("unshare");` */
#define error_errno(...) error_new(errno, __VA_ARGS__)

/* The only two control-flow macros of the program. */
#define try(call)                                                                                  \
	do {                                                                                       \
		error *failed_ = (call);                                                           \
		if (failed_)                                                                       \
			return failed_;                                                            \
	} while (0)

#define try_as(call, ...)                                                                          \
	do {                                                                                       \
		error *failed_ = (call);                                                           \
		if (failed_)                                                                       \
			return error_wrap(failed_, __VA_ARGS__);                                   \
	} while (0)

DEFINE_AUTO(error *, error_free)
#define auto_error auto_(error_free)
