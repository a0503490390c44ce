/* skiff net prune: what a crash left behind. */
#pragma once

#include "netns/store.h"

/* Calls tell with a line about each thing that was removed. */
must_use error *net_prune(struct store *s, void (*tell)(const char *fmt, ...));
