/* Preloaded into skiff-image: a fault of the extractor, put in by hand. Whatever is to be made
 * under the name "astray" is made in the folder $OUTSIDE. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *place(const char *name)
{
	static _Thread_local char path[4200];

	if (strcmp(name, "astray") != 0)
		return name;
	snprintf(path, sizeof(path), "%s/astray", getenv("OUTSIDE"));
	return path;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int openat(int dir, const char *name, int flags, ...)
{
	va_list more;

	va_start(more, flags);
	mode_t mode = va_arg(more, mode_t);
	va_end(more);
	return REAL(openat)(dir, flags & O_CREAT ? place(name) : name, flags, mode);
}

int mkdirat(int dir, const char *name, mode_t mode)
{
	return REAL(mkdirat)(dir, place(name), mode);
}

int symlinkat(const char *target, int dir, const char *name)
{
	return REAL(symlinkat)(target, dir, place(name));
}

int mknodat(int dir, const char *name, mode_t mode, dev_t device)
{
	return REAL(mknodat)(dir, place(name), mode, device);
}

int linkat(int from, const char *old, int dir, const char *name, int flags)
{
	return REAL(linkat)(from, old, dir, place(name), flags);
}

int unlinkat(int dir, const char *name, int flags)
{
	return REAL(unlinkat)(
		dir,
		strcmp(name, "gone") == 0
			? strcat(strcpy((char[4200]){ 0 }, getenv("OUTSIDE")), "/file")
			: name,
		flags);
}
