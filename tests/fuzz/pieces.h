/* Any bytes as a stream, in pieces of any size: each in memory of its own, so that a reader that goes beyond one is seen. */
#pragma once

#include <stdlib.h>
#include <string.h>

#include "image/stream.h"

struct pieces {
	struct stream s;
	const uint8_t *data;
	size_t left, piece;
	char *now;
};

static error *pieces_next(struct stream *s, const void **chunk, size_t *len)
{
	struct pieces *p = (struct pieces *)s;
	size_t n = p->left < p->piece ? p->left : p->piece;

	free(p->now);
	p->now = malloc(n ? n : 1);
	if (!p->now)
		abort();
	memcpy(p->now, p->data, n);
	p->data += n;
	p->left -= n;
	*chunk = p->now;
	*len = n;
	return NULL;
}

static void pieces_free(struct stream *s)
{
	struct pieces *p = (struct pieces *)s;

	free(p->now);
	free(p);
}

static inline struct stream *pieces_new(const uint8_t *data, size_t size, size_t piece)
{
	struct pieces *p = calloc(1, sizeof(*p));

	if (!p)
		abort();
	*p = (struct pieces){ { pieces_next, pieces_free }, data, size, piece, NULL };
	return &p->s;
}
