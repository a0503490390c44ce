/* HOST: commands about a container that is in a sandbox, by way of its monitor. */
#pragma once

#include "runtime.h"
#include "runtime/life.h"
#include "runtime/state.h"
#include "runtime/wire.h"

/* Asks the guest; *text (may be NULL) is its JSON, malloc()ed. ESRCH: the container does not run.
 */
must_use error *vm_ask(const struct state *s, enum wire_type type, uint32_t arg,
		       const char *payload, char **text);
/* As container_pids has it. */
must_use error *vm_pids(const struct state *s, pid_t **pids, size_t *n, char **lines);
/* A network namespace that others use too gets its devices back. */
must_use error *vm_leave_network(const struct state_fixed *fixed);
/* Removes the socket in a folder of stream sockets that leads to a guest which is gone; *is_used:
 * there is one that does not. */
must_use error *vm_clear_vsock(const char *folder, bool *is_used);
/* The same, when the container goes; the folder may have gone before. */
must_use error *vm_leave_vsock(const char *folder);
/* The guest's figures, into the object that was begun last. */
must_use error *vm_stats(const struct state *s, struct json *to);
must_use error *vm_oom_kills(const struct state *s, uint64_t *out);
/* The container's limits are the guest's; what the machine may take is the host's. */
must_use error *vm_update(const struct state *s, const struct spec_resources *resources);
must_use error *vm_kill(const struct state *s, int signal, bool all);
/* Runs l->process beside the container's. Sets l->init to a process of the host's that stands for
 * it. */
must_use error *vm_exec(struct life *l, const struct exec_options *o, int *exit_code);
