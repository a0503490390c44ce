/* A seccomp filter for a program of our own: what it needs, and death for everything else. */
#pragma once

#include <stddef.h>

#include "base/error.h"

/* From here on this thread, and those it starts, may make these system calls alone (numbers of this
 * machine's own architecture); another kills the process. Promises no new privileges, since the
 * kernel asks for it. At most 200 calls. */
must_use error *filter_allow(const int *calls, size_t n);
