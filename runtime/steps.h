/* The acts of the stories in life.c and life_exec.c. init_*.c is built for the second stage,
 * host_*.c for skiff; a table that is in both programs names acts of which each has its own half,
 * hence weak. */
#pragma once

#include "runtime/life.h"

#define host_act(name)  must_use error *name(struct life *l) __attribute__((weak))
#define init_act(name)  must_use error *name(struct life *l) __attribute__((weak))
#define host_undo(name) void name(struct life *l) __attribute__((weak))

/* start.c and host_child.c: how a side comes to life, and what becomes of it */
must_use error *step_start(struct life *l, enum side *me, enum side starts);
/* In a user namespace: its root, or the first user and group that are mapped, since who is not
 * mapped cannot make a file. False when it is not root now. */
bool step_become_mapped(const struct life *l);
must_use error *step_reexec(struct life *l, enum side me, size_t row);
/* JOIN, which ends now, has started INIT. */
must_use error *step_started(struct life *l, pid_t init, int pidfd) __attribute__((weak));
/* Why the process that was started is gone without a word. */
must_use error *step_died(struct life *l) __attribute__((weak));
void host_kill_started(struct life *l) __attribute__((weak));

/* host_state.c */
host_act(host_reserve);
host_undo(host_unreserve);
host_act(host_record_init);
host_undo(host_forget_init);
host_act(host_listen_start);
host_act(host_running);

/* host_cgroup.c */
host_act(host_make_cgroup);
host_undo(host_remove_cgroup);

/* host_namespace.c */
host_act(host_open_namespaces);
host_act(host_write_maps);
host_act(host_set_oom_score);

/* host_mounts.c */
host_act(host_open_sources);

/* host_stage2.c */
host_act(host_seal_stage2);

/* host_hooks.c */
host_act(host_hooks_create_runtime);
host_act(host_hooks_poststart);

/* host_netdev.c */
host_act(host_move_net_devices);
host_undo(host_return_net_devices);

/* host_network.c */
host_act(host_write_names);
host_act(host_connect);
host_undo(host_disconnect);
host_act(host_start_user_network);

/* host_rdt.c */
host_act(host_make_rdt);
host_undo(host_remove_rdt);

/* host_vm.c */
host_act(host_find_machine);
host_act(host_listen_commands);
host_act(host_find_vsock);
host_undo(host_leave_vsock);
host_act(host_open_monitor);
host_act(host_find_network);
host_undo(host_forget_network);

/* init_namespace.c */
init_act(init_join_namespaces);
init_act(init_join_container);
init_act(init_own_cgroup);
init_act(init_new_session);
init_act(init_set_names);
init_act(init_set_sysctls);
init_act(init_loopback_up);

/* init_root.c */
init_act(init_attach_root);
init_act(init_pivot);
init_act(init_seal_root);

/* init_mounts.c */
init_act(init_mounts);
init_act(init_mount_root); /* a sandbox: that alone, the guest does the rest */
init_act(init_masks);

/* init_tty.c */
init_act(init_open_terminal);

/* init_process.c */
init_act(init_set_limits);
init_act(init_enter_cwd);
init_act(init_become_user);
init_act(init_drop_capabilities);
init_act(init_set_labels);
init_act(init_find_program);

/* init_hooks.c */
init_act(init_hooks_create_container);
init_act(init_hooks_start_container);

/* init_exec.c */
init_act(init_wait_start);
init_act(init_set_seccomp);
init_act(init_exec);

/* monitor_*.c: INIT of a sandbox */
init_act(monitor_gather);
init_act(monitor_cut_off);
init_act(monitor_listen_vsock);
init_act(monitor_open_terminal);
init_act(monitor_leave_host);
init_act(monitor_start_machine);
init_act(monitor_create);
init_act(monitor_wait_start);
init_act(monitor_serve);
