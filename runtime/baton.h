/* The baton: the one message that passes between the processes of a plan. Whoever does not hold it
 * waits for it; descriptors may ride along. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

enum baton_kind {
	BATON_GO_ON,         /* it is your turn */
	BATON_STARTED,       /* I started the first process: pid, with its pidfd */
	BATON_ABOUT_TO_EXEC, /* the end of the stream now means that exec worked */
	BATON_FAILED,        /* a step failed: code and text */
	BATON_LOG,           /* a debug line: text */
};

struct baton {
	enum baton_kind kind;
	int32_t code; /* BATON_FAILED: errno; BATON_STARTED: pid */
	char text[2040];
};

/* A connected pair of sockets: [0] the host's end, [1] the other's. */
must_use error *baton_pair(int ends[2]);
/* fd is -1 or a descriptor that rides along. text may be NULL. */
must_use error *baton_pass(int end, enum baton_kind kind, int code, const char *text, int fd);
/* The next message that is not BATON_LOG (those are logged on the way). *ended instead when the
 * other side has closed its end. *fd is -1 when none came. */
must_use error *baton_wait(int end, struct baton *out, bool *ended, int *fd);
