/* A map from inode numbers of one file system to numbers: which objects a layer made, which of two
 * names came first. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct inodes {
	uint64_t *keys; /* 0: free */
	uint32_t *values;
	size_t n, capacity;
};

/* Sets or replaces. ino is not 0. */
must_use error *inodes_put(struct inodes *map, uint64_t ino, uint32_t value);
bool inodes_get(const struct inodes *map, uint64_t ino, uint32_t *value);
void inodes_free(struct inodes *map);
