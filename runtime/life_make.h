/* HOST: makes the struct life of a container or an exec, and what the commands around it need. */
#pragma once

#include "runtime.h"
#include "runtime/life.h"

/* An empty life in a shared arena of its own, with the descriptors all -1. */
must_use error *life_new(const struct runtime *rt, struct life **out);
/* Reads the bundle and makes everything that can be made without starting anything. */
must_use error *life_of_bundle(const struct runtime *rt, const struct container_options *options,
			       struct life **out);
/* A seccomp program that was compiled elsewhere; NULL: none, life_set_process makes it. */
must_use error *life_set_filter(struct life *l, const struct sock_fprog *filter, unsigned flags);
/* Sets process and all that depends on it: environment, filter, terminal. */
must_use error *life_set_process(struct life *l, const struct spec_process *process,
				 uint32_t preserve_fds);
/* Closes and frees what the host holds. The container goes on. */
void life_free(struct life *l);

DEFINE_AUTO(struct life *, life_free)
#define auto_life auto_(life_free)
