#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

/* Far from where the kernel puts programs, heaps and libraries by itself, in every program that
 * maps it. */
#define SHARED_AT ((void *)0x200000000000)

static const size_t ARENA_SIZE = (size_t)256 << 20;
static const uint64_t ARENA_MAGIC =
	0x736b696666303031; /* "skiff001": both programs are of one build */

/* The arena's own head is its first allocation. */
struct arena {
	uint64_t magic;
	size_t used;
	int fd;
	const void *root;
};

static error *arena_at(void *memory, int fd, struct arena **out)
{
	if (memory == MAP_FAILED)
		return error_errno("map %zu MiB for the configuration", ARENA_SIZE >> 20);
	struct arena *a = memory;
	*a = (struct arena){ .magic = ARENA_MAGIC, .used = (sizeof(*a) + 15) & ~15UL, .fd = fd };
	*out = a;
	return NULL;
}

error *arena_new(struct arena **out)
{
	return arena_at(mmap(NULL, ARENA_SIZE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0),
			-1, out);
}

error *arena_new_shared(struct arena **out)
{
	auto_fd int fd = memfd_create("skiff-config", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, (off_t)ARENA_SIZE) < 0)
		return error_errno("make shared memory for the configuration");
	try(arena_at(mmap(SHARED_AT, ARENA_SIZE, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0),
		     fd, out));
	take_fd(&fd);
	return NULL;
}

error *arena_map(int fd, const struct arena **out)
{
	/* what this program changes stays its own */
	void *memory = mmap(SHARED_AT, ARENA_SIZE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_FIXED_NOREPLACE | MAP_NORESERVE, fd, 0);

	if (memory == MAP_FAILED)
		return error_errno("map the configuration");
	if (((const struct arena *)memory)->magic != ARENA_MAGIC) {
		munmap(memory, ARENA_SIZE);
		return error_new(EINVAL,
				 "the configuration was made by another version of the program");
	}
	*out = memory;
	return NULL;
}

void arena_free(struct arena *a)
{
	if (!a)
		return;
	if (a->fd >= 0)
		close(a->fd);
	munmap(a, ARENA_SIZE);
}

int arena_fd(const struct arena *a)
{
	return a->fd;
}

void arena_set_root(struct arena *a, const void *root)
{
	a->root = root;
}

const void *arena_root(const struct arena *a)
{
	return a->root;
}

void *arena_alloc(struct arena *a, size_t size)
{
	size_t whole = (size + 15) & ~15UL;

	if (whole < size || whole > ARENA_SIZE - a->used)
		return NULL;
	void *p = (char *)a + a->used; /* fresh pages are zero, and nothing is given back singly */
	a->used += whole;
	return p;
}

char *arena_strndup(struct arena *a, const char *text, size_t len)
{
	char *copy = len < ARENA_SIZE ? arena_alloc(a, len + 1) : NULL;

	return copy ? memcpy(copy, text, len) : NULL;
}

char *arena_strdup(struct arena *a, const char *text)
{
	return arena_strndup(a, text, strlen(text));
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int len = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	char *text = len < 0 ? NULL : arena_alloc(a, (size_t)len + 1);
	if (!text)
		return NULL;
	va_start(ap, fmt);
	vsnprintf(text, (size_t)len + 1, fmt, ap);
	va_end(ap);
	return text;
}

error *arena_exhausted(void)
{
	return error_new(0, "the configuration needs more than %zu MiB of memory",
			 ARENA_SIZE >> 20);
}
