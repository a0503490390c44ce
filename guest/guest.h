/* The agent: PID 1 of a sandbox's guest, outside of the container's namespaces. It makes a system
 * out of the kernel (boot.c), then does what the host asks for, with the same code that runs
 * containers on a host (request.c), and carries their standard streams (process.c). */
#pragma once

#include <linux/filter.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/loop.h"
#include "runtime.h"
#include "runtime/stream.h"
#include "runtime/vm.h"
#include "runtime/wire.h"

#define GUEST_STATES "/run/skiff/containers" /* the runtime's states */
#define GUEST_BUNDLE "/run/skiff/bundle"
#define GUEST_PIDS   "/run/skiff/pids"

/* A program that the host has started here. */
struct process {
	struct process *next;
	uint32_t id;
	pid_t pid; /* 0: not yet */
	bool terminal;
	bool ended;
	int status;               /* as of wait(2), once it has ended */
	struct stream streams[3]; /* with a terminal the first two */
	int ends[3];              /* what the program takes over, until it has started */
	int console;              /* where its terminal's master end will arrive, or -1 */
};

/* What the host waits for an answer to, done by a child of the agent's. */
struct request {
	struct request *next;
	uint32_t seq;
	enum wire_type type;
	uint32_t process;
	pid_t child;
	int result; /* a memfd: what the child says */
};

struct guest {
	struct loop loop;
	struct wire wire;
	struct watch port, signals;
	struct process *processes;
	struct request *requests;
	struct sock_fprog filter; /* of the next program */
	unsigned filter_flags;
	char *network; /* devices as JSON, or NULL */
	char *id;      /* the container's, as on the host */
	char *bundle;  /* where that is on the host */
	struct runtime runtime;
};

/* boot.c: file systems, modules, loopback. The port is opened into wire->fd. */
must_use error *guest_boot(int *port);

/* request.c */
must_use error *guest_request(struct guest *g, const struct wire_frame *f);
/* A child has ended: true when it was at work on a request, which is then answered. */
must_use error *guest_request_done(struct guest *g, pid_t child, int status, bool *was);

/* process.c */
struct process *process_find(struct guest *g, uint32_t id);
/* Pipes, or a place for its terminal to arrive. */
must_use error *process_prepare(struct guest *g, uint32_t id, bool terminal, struct process **out);
/* The program runs: its streams begin. */
must_use error *process_started(struct guest *g, struct process *p);
/* Tells the host of those that have ended and have nothing more to say. */
must_use error *process_tell_ends(struct guest *g);
void process_remove(struct guest *g, struct process *p);

/* network.c: moves the devices into the network namespace of pid and sets them up as the host had
 * them. */
must_use error *guest_network(const char *json, pid_t pid);
