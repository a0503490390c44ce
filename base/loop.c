#include "base/loop.h"

#include <poll.h>
#include <stdlib.h>

error *loop_watch(struct loop *l, struct watch *w)
{
	if (l->n == l->room) {
		size_t room = l->room ? 2 * l->room : 16;
		void *grown = realloc(l->slots, room * sizeof(l->slots[0]));
		if (!grown)
			return error_new(ENOMEM, "watch a descriptor");
		l->slots = grown;
		l->room = room;
	}
	l->slots[l->n++].watch = w;
	return NULL;
}

/* The place stays until the turn is over, so that nobody's number changes. */
void loop_forget(struct loop *l, struct watch *w)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->slots[i].watch == w)
			l->slots[i].watch = NULL;
}

static void close_gaps(struct loop *l)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++)
		if (l->slots[i].watch)
			l->slots[n++] = l->slots[i];
	l->n = n;
}

error *loop_turn(struct loop *l, int timeout_ms)
{
	close_gaps(l);
	size_t n = l->n;
	auto_free struct pollfd *polls = calloc(n + 1, sizeof(*polls));
	if (!polls)
		return error_new(ENOMEM, "wait for descriptors");
	for (size_t i = 0; i < n; i++)
		polls[i] = (struct pollfd){ .fd = l->slots[i].watch->fd,
					    .events = l->slots[i].watch->events };
	if (poll(polls, n, timeout_ms) < 0)
		return errno == EINTR ? NULL : error_errno("poll");
	for (size_t i = 0; i < n; i++) {
		struct watch *w = l->slots[i].watch;
		/* what came before may have closed it, or opened another of that number */
		if (w && polls[i].revents && w->fd == polls[i].fd)
			try(w->ready(w, polls[i].revents));
	}
	return NULL;
}

void loop_end(struct loop *l)
{
	free(l->slots);
	*l = (struct loop){ 0 };
}
