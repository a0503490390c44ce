/* Waits for many descriptors at once: whoever is interested in one adds a watch, which it owns. By
 * poll(2), since regular files, which may be anybody's standard input, cannot be waited for with
 * epoll(7). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct watch {
	int fd;       /* below 0: not now */
	short events; /* POLLIN, POLLOUT; 0: only that the other end is gone */
	/* An error ends the loop's turn. The watch may be forgotten and freed inside. */
	error *(*ready)(struct watch *w, short events);
	void *context;
};

struct loop {
	struct {
		struct watch *watch; /* NULL: forgotten in this turn */
	} * slots;
	size_t n, room;
};

must_use error *loop_watch(struct loop *l, struct watch *w);
void loop_forget(struct loop *l, struct watch *w);
/* Waits until something is ready, at most timeout_ms (-1: for ever), and tells each watch once. */
must_use error *loop_turn(struct loop *l, int timeout_ms);
void loop_end(struct loop *l);
