/* What a file system must do, asked from a program's point of view. Each case has a folder of its own, begins in it as
 * root, and may change what it wants: it runs in a process of its own. */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>

struct test {
	const char *name;
	void (*run)(void);
};

/* Prints what does not hold and ends the case. */
void failed(const char *file, int line, const char *what, long got) __attribute__((noreturn));

#define HOLDS(condition)                                                                           \
	do {                                                                                       \
		errno = 0;                                                                         \
		if (!(condition))                                                                  \
			failed(__FILE__, __LINE__, #condition, errno);                             \
	} while (0)
#define SUCCEEDS(call) HOLDS((call) >= 0)
#define FAILS(code, call)                                                                          \
	do {                                                                                       \
		errno = 0;                                                                         \
		long got_ = (long)(call);                                                          \
		if (got_ != -1 || errno != (code))                                                 \
			failed(__FILE__, __LINE__, #call " fails with " #code, errno);             \
	} while (0)

/* A file with this text; its text again, as far as it goes into a buffer of 4096 bytes. */
void put(const char *name, const char *text);
const char *get(const char *name);
/* Does `run` as somebody without privileges, in a process of its own, and fails where that does. */
void as(uid_t uid, gid_t gid, void (*run)(void));
mode_t mode_of(const char *name);

extern const struct test names[], contents[], attributes[], sharing[];
