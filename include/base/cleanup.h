/* Ownership is written where a variable is declared: `auto_fd int fd = -1;` closes it at the end of
 * the scope, `take_fd(&fd)` gives it away before that. */
#pragma once

#include <stdlib.h>
#include <unistd.h>

#define auto_(release) __attribute__((cleanup(release##_at_end)))

/* Makes auto_(release) usable for variables of a pointer type. `release` accepts NULL. */
#define DEFINE_AUTO(type, release)                                                                 \
	static inline __attribute__((unused)) void release##_at_end(type *held)                    \
	{                                                                                          \
		release(*held);                                                                    \
	}

static inline void free_at_end(void *held)
{
	free(*(void **)held);
}

static inline void fd_at_end(const int *held)
{
	if (*held >= 0)
		close(*held);
}

#define auto_free auto_(free)
#define auto_fd   auto_(fd)

static inline int take_fd(int *held)
{
	int fd = *held;

	*held = -1;
	return fd;
}

#define take_ptr(held)                                                                             \
	({                                                                                         \
		__typeof__(*(held)) taken_ = *(held);                                              \
		*(held) = NULL;                                                                    \
		taken_;                                                                            \
	})

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
