/* The end of a container, and what create, run and exec share around a walk. */
#pragma once

#include "runtime/life.h"
#include "runtime/state.h"

/* Kills what is left, runs the poststop hooks, removes cgroup and state. Whatever was made only in
 * part is removed as far as it got. spec may be NULL: then it is read from the state. */
must_use error *destroy_container(struct state *s, const struct spec *spec);

void run_poststop(struct state *s, const struct spec *spec);

/* container.c */
must_use error *publish_process(const struct life *l, const char *pid_file,
				const char *pidfd_socket);
must_use error *connect_console(struct life *l, const char *console_socket, bool detach, int *ours);
