/* Memory that is given back all at once: what config.json becomes lives in one arena. An arena may
 * be shared: it then sits in a memfd at a fixed address, so that the pointers inside stay true in
 * another program that maps it. */
#pragma once

#include <stddef.h>

#include "base/error.h"

struct arena;

must_use error *arena_new(struct arena **out);
/* A shared arena; its descriptor (close-on-exec) is arena_fd(). At most one exists in a process. */
must_use error *arena_new_shared(struct arena **out);
/* Maps a copy (made page by page, on writing) of the arena that another program made with
 * arena_new_shared. */
must_use error *arena_map(int fd, const struct arena **out);
void arena_free(struct arena *a);

int arena_fd(const struct arena *a);
/* One pointer that whoever maps the arena finds again. */
void arena_set_root(struct arena *a, const void *root);
const void *arena_root(const struct arena *a);

/* Zeroed, aligned for any type. NULL when the arena's 256 MiB are used up. */
void *arena_alloc(struct arena *a, size_t size);
char *arena_strndup(struct arena *a, const char *text, size_t len);
char *arena_strdup(struct arena *a, const char *text);
char *arena_printf(struct arena *a, const char *fmt, ...) printf_like(2, 3);

#define arena_new_of(a, type)      ((type *)arena_alloc(a, sizeof(type)))
#define arena_array_of(a, type, n) ((type *)arena_alloc(a, sizeof(type) * (n)))
error *arena_exhausted(void);

DEFINE_AUTO(struct arena *, arena_free)
#define auto_arena auto_(arena_free)
