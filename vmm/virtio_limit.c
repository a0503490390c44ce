#include "vmm/limit.h"

#define SECOND 1000000000ULL

void limit_set(struct limit *l, uint64_t bytes, uint64_t requests, uint64_t now)
{
	l->bytes = (struct bucket){ bytes, (int64_t)bytes, now };
	l->requests = (struct bucket){ requests, (int64_t)requests, now };
}

static uint64_t wait_for(struct bucket *b, uint64_t now)
{
	if (!b->rate)
		return 0;
	unsigned __int128 more = (unsigned __int128)(now - b->since) * b->rate / SECOND;
	unsigned __int128 room = (unsigned __int128)((__int128)b->rate - b->left);
	if (more) { /* what is less than one counts the next time */
		b->since = now;
		b->left += (int64_t)(more < room ? more : room);
	}
	if (b->left > 0)
		return 0;
	return (uint64_t)((unsigned __int128)(1 - b->left) * SECOND / b->rate) + 1;
}

uint64_t limit_wait(struct limit *l, uint64_t now)
{
	uint64_t a = wait_for(&l->bytes, now);
	uint64_t b = wait_for(&l->requests, now);

	return a > b ? a : b;
}

void limit_spend(struct limit *l, uint64_t bytes)
{
	if (l->bytes.rate)
		l->bytes.left -= (int64_t)bytes;
	if (l->requests.rate)
		l->requests.left--;
}
