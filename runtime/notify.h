/* sd_notify(3) through the container's wall: the program writes to a socket that is mounted at
 * /run/notify/notify, and what it says about its readiness is told to the caller's NOTIFY_SOCKET.
 */
#pragma once

#include <sys/types.h>

#include "runtime/life.h"

/* Whether the caller wants to know, by its environment. */
bool notify_is_wanted(void);
/* Where the folder with the socket is mounted in the container. */
#define NOTIFY_TARGET "/run/notify"

/* Binds ROOT/ID/notify/notify; *out receives what the program says. */
must_use error *notify_bind(const struct life *l, int *out);
/* Takes one message. *ready once the program has said READY=1, which is passed on with its pid as
 * the caller sees it. */
must_use error *notify_relay(int from, pid_t pid, bool *ready);
/* Relays until the program is ready or has ended. */
must_use error *notify_wait_ready(int from, pid_t pid, int pidfd);
