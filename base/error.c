#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct error {
	int code;
	char text[];
};

/* Saying "out of memory" must not need memory. */
static struct {
	error head;
	char text[16];
} no_memory = { { ENOMEM }, "out of memory" };

/* "head: tail", or "head" without a tail. */
printf_like(3, 0) static error *build(int code, const char *tail, const char *fmt, va_list ap)
{
	va_list again;
	va_copy(again, ap);
	int head = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (head < 0)
		return &no_memory.head;

	size_t size = (size_t)head + (tail ? strlen(tail) + 2 : 0) + 1;
	error *e = malloc(sizeof(*e) + size);
	if (!e)
		return &no_memory.head;
	e->code = code;
	vsnprintf(e->text, (size_t)head + 1, fmt, ap);
	if (tail)
		snprintf(e->text + head, size - (size_t)head, ": %s", tail);
	return e;
}

error *error_new(int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	error *e = build(code, code ? strerror(code) : NULL, fmt, ap);
	va_end(ap);
	return e;
}

error *error_said(int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	error *e = build(code, NULL, fmt, ap);
	va_end(ap);
	return e;
}

error *error_wrap(error *cause, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	error *e = build(cause->code, cause->text, fmt, ap);
	va_end(ap);
	error_free(cause);
	return e;
}

int error_code(const error *e)
{
	return e->code;
}

int error_exit_code(const error *e, int otherwise)
{
	return e->code > 1000 ? e->code - 1000 : otherwise;
}

const char *error_message(const error *e)
{
	return e->text;
}

void error_free(error *e)
{
	if (e != &no_memory.head)
		free(e);
}
