/* Conversations that the kernel remembers (connection tracking). */
#pragma once

#include "netns/publish.h"

/* Translation is decided by a conversation's first packet. One of UDP has no end: whoever goes on
 * talking to a published port would reach what was there before. Forgets those that lead to the
 * container, and those that lead to these ports of the host itself. */
must_use error *flows_forget(const struct ports *ports, const struct ip *container);
