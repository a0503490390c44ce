#include "base/loop.h"

#include <poll.h>
#include <stdlib.h>

error *loop_watch(struct loop *l, struct watch *w)
{
	if (l->n == l->room) {
		size_t room = l->room ? 2 * l->room : 16;
		struct watch **grown = realloc(l->watches, room * sizeof(*grown));
		if (!grown)
			return error_new(ENOMEM, "watch a descriptor");
		l->watches = grown;
		l->room = room;
	}
	l->watches[l->n++] = w;
	return NULL;
}

/* The place stays until the turn is over, so that nobody's number changes. */
void loop_forget(struct loop *l, struct watch *w)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->watches[i] == w)
			l->watches[i] = NULL;
}

static void close_gaps(struct loop *l)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++)
		if (l->watches[i])
			l->watches[n++] = l->watches[i];
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
		polls[i] =
			(struct pollfd){ .fd = l->watches[i]->fd, .events = l->watches[i]->events };
	if (poll(polls, n, timeout_ms) < 0)
		return errno == EINTR ? NULL : error_errno("poll");
	for (size_t i = 0; i < n; i++) {
		struct watch *w = l->watches[i];
		/* what came before may have closed it, or opened another of that number */
		if (w && polls[i].revents && w->fd == polls[i].fd)
			try(w->ready(w, polls[i].revents));
	}
	return NULL;
}

void loop_end(struct loop *l)
{
	free(l->watches);
	*l = (struct loop){ 0 };
}
