/* The guest's kernel, as far as a file server sees it: requests in memory of their own, so that who
 * reads or writes beyond one is seen. */
#pragma once

#include <string.h>

#include "vmm/fs.h"

enum { GUEST_ANSWER = 2 << 10 };

struct guest {
	struct fs fs;
	struct fuse_out_header head; /* of the last answer */
	uint8_t answer[GUEST_ANSWER];
	size_t len; /* of it, without the head */
	error *why; /* the server has ended */
};

/* Sends what lies there, whole, with room for an answer (of 0 bytes: none); returns the answer's
 * error, positive. */
static inline int guest_send(struct guest *g, const void *request, size_t len, size_t room)
{
	struct chain c = { .n_out = 1, .out_len = (uint32_t)len };
	uint8_t *in = room ? malloc(room) : NULL;
	uint8_t *out = malloc(len ? len : 1);
	uint32_t written = 0;

	memcpy(out, request, len);
	c.iov[0] = (struct iovec){ out, len };
	if (room) {
		c.iov[1] = (struct iovec){ in, room };
		c.n_in = 1;
		c.in_len = (uint32_t)room;
	}
	g->why = fs_serve(&g->fs, &c, &written);
	memset(&g->head, 0, sizeof(g->head));
	if (!g->why && written >= sizeof(g->head)) {
		memcpy(&g->head, in, sizeof(g->head));
		g->len = written - sizeof(g->head);
		memcpy(g->answer, in + sizeof(g->head), g->len);
	}
	free(in);
	free(out);
	return -g->head.error;
}

/* The same, put together: the fixed part, and what follows it. */
static inline int guest_ask(struct guest *g, uint32_t code, uint64_t node, const void *args,
			    size_t args_len, const void *more, size_t more_len)
{
	size_t len = sizeof(struct fuse_in_header) + args_len + more_len;
	uint8_t *request = calloc(1, len);
	struct fuse_in_header *head = (struct fuse_in_header *)request;
	static uint64_t unique;

	*head = (struct fuse_in_header){
		.len = (uint32_t)len, .opcode = code, .unique = ++unique, .nodeid = node
	};
	if (args_len)
		memcpy(head + 1, args, args_len);
	if (more_len)
		memcpy((uint8_t *)(head + 1) + args_len, more, more_len);
	int failed = guest_send(g, request, len, GUEST_ANSWER);
	free(request);
	return failed;
}

static inline int guest_name(struct guest *g, uint32_t code, uint64_t node, const char *name)
{
	return guest_ask(g, code, node, NULL, 0, name, strlen(name) + 1);
}
