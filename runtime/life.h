/* Everything that the steps of one container (or one exec) share. It lives in the shared arena: the
 * second stage finds it there, so that every pointer in it must point into that arena. */
#pragma once

#include <linux/filter.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "runtime/mounts.h"
#include "runtime/plan.h"
#include "spec.h"

/* Descriptors that the other sides inherit; -1 where there is none. */
enum life_fd {
	FD_BATON_HOST, /* stays with the host */
	FD_BATON,      /* the other sides' end */
	FD_ARENA,      /* the shared arena */
	FD_STAGE2,     /* the second stage in sealed memory */
	FD_START,      /* the socket on which a created container waits for `start` */
	FD_START_LOCK, /* held locked until exec closes it: that is how `state` knows `created` */
	FD_CONSOLE,    /* where the terminal's master end is sent */
	FD_ROOT,       /* the root file system as a detached mount */
	FD_NULL,       /* the host's /dev/null */
	FD_SECCOMP,    /* connected to the agent that takes the seccomp listener */
	FD_TARGET,     /* exec: pidfd of the container's first process */
	FD_NOTIFY,     /* host: receives what the program tells of its readiness */
	FD_NETNS,      /* host: the container's network namespace, while devices are in it */
	FD_COMMANDS,   /* sandbox: where exec, kill and the like call the monitor */
	FD_VSOCK,      /* sandbox: listens for who wants to reach the guest's stream sockets */
	FD_VSOCK_DIR,  /* sandbox: the folder with the sockets that the guest may reach */
	FD_COUNT,
};

struct cgroup;
struct cgroup_request;
struct state;
struct state_fixed;
struct vm;

/* What --net and its kin ask for, beyond what they changed in the spec. */
struct net_request;
struct life_network {
	const char *names; /* the folder of the files that name hosts; NULL: none */
	bool writes_names; /* they are this container's own */
	bool is_bridge;    /* a pair of devices leads to a bridge */
	bool is_user;      /* pasta or slirp4netns carries it to the world */
	const struct net_request *request;
	const char *hosts, *resolv, *hostname; /* what the files begin with */
};

struct life {
	/* what is asked for: const during the walk */
	const struct spec *spec;
	const struct spec_process *process; /* spec->process, or what exec was given */
	const char *id;
	const char *bundle; /* absolute */
	const char *rootfs; /* absolute */
	bool rootless;      /* started by an ordinary user */
	bool is_exec;       /* a process is added to a container */
	bool pauses;        /* create: wait for start */
	bool detached;      /* nobody waits in the foreground */
	bool no_pivot;
	bool no_new_keyring;
	bool debug;
	bool has_cgroup;
	bool notifies;         /* the caller waits for sd_notify(3) */
	bool has_console;      /* process.terminal: FD_CONSOLE takes the master */
	uint32_t preserve_fds; /* 3 .. 3 + preserve_fds - 1 stay open in the program */
	uint64_t joined;       /* exec: CLONE_NEW* of the namespaces that differ from the host's */
	const struct life_network *network; /* NULL: as config.json says, and no more */
	const char *fail_step;              /* test builds */
	const struct step *plan;            /* host only */
	const char *plan_name;              /* the second stage finds the plan by this name */

	/* what was made from it, before the walk */
	struct mount_rows mounts;
	struct sock_fprog filter; /* .len 0: none */
	unsigned filter_flags;
	bool has_filter;  /* it was given, not made from config.json */
	char *const *env; /* complete, NULL-terminated */
	const struct pairs *annotations;
	struct vm *vm; /* NULL: no sandbox */

	/* what the walk brings: written by the host, before the other side starts or is handed the
	 * baton */
	int fd[FD_COUNT];
	int *join_fds;                   /* by namespace_type: what JOIN enters, or -1 */
	pid_t init;                      /* as the host sees it */
	int init_pidfd;                  /* host only */
	pid_t join;                      /* host only; 0 once it has been waited for */
	const char *hook_state_creating; /* state JSON for hooks */
	const char *hook_state_created;
	const char *seccomp_state; /* what the seccomp agent is told */

	/* the host's own: nothing that another side could follow */
	struct arena *arena;
	struct cgroup *cgroup;
	bool baton_given; /* FD_BATON is the other side's now */
	int cgroup_fd;    /* where the first child begins its life, or -1 */
	struct state *state;
	struct state_fixed *fixed; /* what state.json will say */
	const char *state_root;
	const char *config; /* config.json as it was read */
	size_t config_len;
	struct cgroup_request *cgroup_request;
};

extern const struct step container_life[]; /* life.c */
extern const struct step exec_life[];      /* life_exec.c */

/* The plan of that name; used where only the name can be handed over. */
const struct step *life_plan(const char *name);

/* Questions that `when` and steps ask; all pure. */
bool makes_namespace(const struct life *l, enum namespace_type type);
bool joins_namespace(const struct life *l, enum namespace_type type);
bool joins_any(const struct life *l);
bool maps_users(const struct life *l);
bool joins_none(const struct life *l);
bool has_cgroup(const struct life *l);
bool has_rdt(const struct life *l);
bool has_oom_score(const struct life *l);
bool has_net_devices(const struct life *l);
bool makes_network(const struct life *l);
bool has_runtime_hooks(const struct life *l);
bool has_container_hooks(const struct life *l);
bool has_poststart_hooks(const struct life *l);
bool has_terminal(const struct life *l);
bool names_hosts(const struct life *l);
bool has_bridge(const struct life *l);
bool has_user_network(const struct life *l);
