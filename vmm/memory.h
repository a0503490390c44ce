/* The guest's memory: one memfd, so that another process can be given it, mapped once. It begins at
 * 0, leaves out the addresses from 3 to 4 GiB, where devices are, and goes on behind them. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define MEMORY_HOLE     0xc0000000ULL
#define MEMORY_HOLE_END 0x100000000ULL

struct memory_region {
	uint64_t start; /* as the guest sees it */
	uint64_t size;
	uint64_t offset; /* in the memfd */
	uint8_t *at;     /* as we see it */
};

enum { MEMORY_REGIONS = 8 };

struct memory {
	int fd;
	uint8_t *base; /* the whole memfd; NULL: it is another process's, and came in parts */
	uint64_t size;
	struct memory_region regions[MEMORY_REGIONS];
	size_t n;
};

must_use error *memory_new(struct memory *m, uint64_t size);
void memory_free(struct memory *m);
/* The only way from an address of the guest's to one of ours. NULL: not all of it is memory, or not
 * of one region. */
void *memory_at(const struct memory *m, uint64_t start, uint64_t len);
/* Below the hole. */
uint64_t memory_low_end(const struct memory *m);
