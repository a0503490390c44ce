/* --net: what it changes in the spec, and the program that does the rest. */
#pragma once

#include "runtime.h"
#include "runtime/life.h"

/* Before the walk: sets l->network and puts the network namespace that was asked for into l->spec.
 * Without any of these options nothing is changed. */
must_use error *network_settle(const struct runtime *rt, const struct container_options *o,
			       struct life *l);
/* Runs skiff-net and waits for it; its error is what it says. */
must_use error *network_run(char *const words[]);
