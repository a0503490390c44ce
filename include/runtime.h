/* Containers: what the commands do. Everything returns errors and prints nothing, but for explain.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "cgroup.h"
#include "spec.h"

struct sock_fprog;

/* Facts that all commands share, from the global options. */
struct runtime {
	const char *root; /* the folder of states, absolute */
	enum cgroup_manager cgroup_manager;
	bool rootless; /* an ordinary user started it */
	bool debug;
};

/* --- container.c: from a bundle to a container --- */

/* The machine of a sandbox, as options say it; what is not given (NULL, 0) config.json's vm section
 * says. */
struct vm_options {
	const char *hypervisor, *kernel, *initrd, *image; /* paths */
	const char *vsock;                                /* a folder of sockets */
	struct texts parameters;                          /* of the kernel */
	uint32_t vcpus;
	uint64_t memory; /* bytes */
};

/* --net and what belongs to it */
struct network_options {
	const char *net; /* none, host, bridge[:NAME], container:ID, ns:PATH, pasta, slirp4netns;
			    NULL: as config.json says */
	const char *mac;
	const char *hostname;
	struct texts ports, ips, dns, hosts;
};

struct container_options {
	const char *id;
	const char *bundle;         /* a folder; its config.json unless config is given */
	const char *shown_bundle;   /* NULL, or what hooks and others are told instead */
	const char *config;         /* NULL or a file */
	const char *console_socket; /* NULL or a socket's path */
	const char *pid_file;       /* NULL or a file, absolute */
	const char *pidfd_socket;   /* NULL or a socket's path */
	uint32_t preserve_fds;
	const char *sandbox; /* kvm, qemu, auto, none; NULL: what config.json asks for */
	struct vm_options vm;
	const struct sock_fprog *filter; /* NULL: made from config.json; else compiled elsewhere */
	unsigned filter_flags;
	bool no_pivot;
	bool no_new_keyring;
	bool detach;
	bool keep;
	struct network_options network;
	const char *container_dir; /* NULL, or a folder that ends with the container: its writable
				      layer */
};

/* Up to the point where it waits for `start`. */
must_use error *container_create(const struct runtime *rt, const struct container_options *options);
/* Creates and starts it; in the foreground it waits, and *exit_code is what a shell would make of
 * its end. */
must_use error *container_run(const struct runtime *rt, const struct container_options *options,
			      int *exit_code);
must_use error *container_start(const struct runtime *rt, const char *id);
/* Prints the rows of the story that apply to the bundle. Needs no rights. */
must_use error *container_explain(const struct runtime *rt,
				  const struct container_options *options);

/* --- image.c: from an image to a container --- */

struct image_options {
	const char *image; /* a name in the store, or a source that is imported first */
	const char *store; /* NULL: the usual one */
	const char *user;  /* NULL: the image's; names are looked up in it */
	const char *entrypoint;
	const char *cwd;
	const char *hostname;
	struct texts command, env, env_files, binds, tmpfs, cap_add, cap_drop;
	struct opt_i64 memory, cpu_quota, pids, shm_size; /* as in spec.h's container_wishes */
	bool terminal, read_only, host_network, no_new_privileges;
	bool remove; /* with the container goes its writable layer */
};
/* Becomes skiff-image with these words; returns only when it cannot. */
must_use error *image_program(char *const words[]);
/* Calls visit with A(dded), C(hanged) or D(eleted) and the path for what differs from the image. */
must_use error *container_diff(const struct runtime *rt, const char *id,
			       error *(*visit)(char kind, const char *path, void *context),
			       void *context);
/* Texts of o must outlive the call. */
must_use error *container_run_image(const struct runtime *rt, struct container_options *c,
				    const struct image_options *o, int *exit_code);

/* --- vm_control.c --- */

/* Becomes skiff-kernel with these words; returns only when it cannot. */
must_use error *kernel_program(char *const words[]);

/* --- network.c --- */

/* Becomes skiff-net with these words; returns only when it cannot. */
must_use error *network_program(const struct runtime *rt, char *const words[]);

/* --- exec.c: one more process --- */

struct exec_options {
	const char *console_socket;
	const char *pid_file;
	const char *pidfd_socket;
	const char *cgroup; /* below the container's, or NULL */
	uint32_t preserve_fds;
	const struct sock_fprog *filter; /* as in container_options */
	unsigned filter_flags;
	bool detach;
};
struct exec;

/* Opens a container that runs. With ignore_paused the process may wait until the container goes on.
 */
must_use error *exec_open(const struct runtime *rt, const char *id, bool ignore_paused,
			  struct exec **out);
/* Where everything that the process points to must lie. */
struct arena *exec_arena(struct exec *x);
/* What will run: at first a copy of the container's own process section. */
struct spec_process *exec_process(struct exec *x);
void exec_set_process(struct exec *x, struct spec_process *process);
must_use error *exec_run(struct exec *x, const struct exec_options *options, int *exit_code);
void exec_free(struct exec *x);

DEFINE_AUTO(struct exec *, exec_free)
#define auto_exec auto_(exec_free)

/* --- control.c: what is done to a container that exists --- */

must_use error *container_kill(const struct runtime *rt, const char *id, int signal, bool all);
must_use error *container_delete(const struct runtime *rt, const char *id, bool force);
must_use error *container_pause(const struct runtime *rt, const char *id, bool paused);
must_use error *container_update(const struct runtime *rt, const char *id,
				 const struct spec_resources *resources);
/* A sandbox's are those of its guest; *guest then has a line "PID PPID UID COMMAND" for each, since
 * no ps(1) of this host finds them; else NULL. malloc()ed. */
must_use error *container_pids(const struct runtime *rt, const char *id, pid_t **pids, size_t *n,
			       char **guest);
/* The state as JSON with all fields; malloc()ed. */
must_use error *container_state(const struct runtime *rt, const char *id, char **json);
/* One line of `list`. The texts live in the arena. */
struct container_row {
	const char *id, *status, *bundle, *created, *owner, *rootfs, *oci_version;
	struct pairs annotations;
	pid_t pid; /* 0: none */
};
must_use error *container_list(const struct runtime *rt, struct arena *arena,
			       struct container_row **rows, size_t *n);
/* Writes the `data` of an event of type stats. */
must_use error *container_stats(const struct runtime *rt, const char *id, struct json *to);
/* How many of its processes the kernel has killed for want of memory. Not for sandboxes. */
must_use error *container_oom_kills(const struct runtime *rt, const char *id, uint64_t *out);
/* Calls visit("stats"|"oom") until the container has stopped; every interval_ms, 0: only
 * out-of-memory notices. */
must_use error *container_watch(const struct runtime *rt, const char *id, int interval_ms,
				error *(*visit)(const char *type, void *context), void *context);
