/* How much of something a second may have. Who spends more than there is owes it, and waits until
 * it is paid: so the size of a request need not be known before it is served. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct bucket {
	uint64_t rate;  /* a second; 0: no limit. As much may be saved up */
	int64_t left;   /* below 0: owed */
	uint64_t since; /* nanoseconds of the monotonic clock */
};

struct limit {
	struct bucket bytes, requests;
};

void limit_set(struct limit *l, uint64_t bytes, uint64_t requests, uint64_t now);
/* How long to wait for the next request, in nanoseconds; 0: not at all. */
uint64_t limit_wait(struct limit *l, uint64_t now);
void limit_spend(struct limit *l, uint64_t bytes);
