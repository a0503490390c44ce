/* Functions that glibc's headers put in place of the plain ones when libraries are built with
 * _FORTIFY_SOURCE. Debian's archives of libseccomp, libcap and yajl ask for these three; musl has
 * none of them. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int __fprintf_chk(FILE *file, int flag, const char *fmt, ...);
int __sprintf_chk(char *out, int flag, size_t size, const char *fmt, ...);
void *__memcpy_chk(void *to, const void *from, size_t n, size_t size);

int __fprintf_chk(FILE *file, int flag, const char *fmt, ...)
{
	va_list ap;

	(void)flag;
	va_start(ap, fmt);
	int n = vfprintf(file, fmt, ap);
	va_end(ap);
	return n;
}

int __sprintf_chk(char *out, int flag, size_t size, const char *fmt, ...)
{
	va_list ap;

	(void)flag;
	va_start(ap, fmt);
	int n = vsnprintf(out, size, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= size)
		abort(); /* what the check is for */
	return n;
}

void *__memcpy_chk(void *to, const void *from, size_t n, size_t size)
{
	if (n > size)
		abort();
	return memcpy(to, from, n);
}
