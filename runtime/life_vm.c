/* The life of a container in a machine of its own. The first process on the host is the monitor,
 * which becomes skiff-sandbox (monitor_*.c): process 1 of a pid namespace with the machine and its
 * file server, so that whatever ends it, all ends. What a plain container's INIT does, the agent in
 * the guest does, walking container_life there. */
#include "runtime/steps.h"
#include "runtime/vm.h"

/* A new namespace has devices only if somebody brings them. */
static bool may_have_network(const struct life *l)
{
	return joins_namespace(l, NS_NETWORK) || has_net_devices(l) || has_runtime_hooks(l) ||
	       has_bridge(l) || has_user_network(l);
}

static bool has_layers(const struct life *l)
{
	for (size_t i = 0; i < l->mounts.n; i++)
		if (mount_is_root(&l->mounts.v[i]))
			return true;
	return false;
}

static bool has_root_image(const struct life *l)
{
	return l->vm->root_image;
}

static bool has_vsock(const struct life *l)
{
	return l->vm->vsock;
}

static bool has_root_folder(const struct life *l)
{
	return !has_root_image(l);
}

/* clang-format off */
const struct step vm_life[] = {
	{ HOST, "reserve the id",                              NULL,                host_reserve, host_unreserve },
	{ HOST, "make the cgroup and set its limits",          has_cgroup,          host_make_cgroup, host_remove_cgroup },
	{ HOST, "make the cache and bandwidth group",          has_rdt,             host_make_rdt, host_remove_rdt },
	{ HOST, "write the files that name hosts",             names_hosts,         host_write_names },
	{ HOST, "find the engine and what it boots",           NULL,                host_find_machine },
	{ HOST, "open the root and the sources of mounts",     NULL,                host_open_sources },
	{ HOST, "open the namespaces to join",                 joins_any,           host_open_namespaces },
	{ HOST, "prepare to wait for start",                   NULL,                host_listen_start },
	{ HOST, "listen for commands",                         NULL,                host_listen_commands },
	{ HOST, "look for the folder of stream sockets",       has_vsock,           host_find_vsock, host_leave_vsock },
	{ HOST, "open the monitor",                            NULL,                host_open_monitor },

	{ HOST, "start a helper that joins namespaces",        joins_any,           .starts = JOIN },
	{ JOIN, "leave the host's executable",                 joins_any,           .reexecs = true },
	{ JOIN, "join the namespaces",                         joins_any,           init_join_namespaces },
	{ JOIN, "start the monitor inside them",               joins_any,           .starts = INIT },
	{ HOST, "start the monitor",                           joins_none,          .starts = INIT },

	{ HOST, "write the user and group maps",               maps_users,          host_write_maps },
	{ HOST, "record the first process",                    NULL,                host_record_init, host_forget_init },
	{ HOST, "set the score for the out-of-memory killer",  has_oom_score,       host_set_oom_score },
	{ HOST, "move network devices into the container",     has_net_devices,     host_move_net_devices, host_return_net_devices },
	{ HOST, "connect it to the network",                   has_bridge,          host_connect, host_disconnect },
	{ HOST, "start the network that needs no rights",      has_user_network,    host_start_user_network },
	{ HOST, "run the prestart and createRuntime hooks",    has_runtime_hooks,   host_hooks_create_runtime },
	{ HOST, "lead the network to the machine",             may_have_network,    host_find_network, host_forget_network },

	{ INIT, "leave the host's executable",                 joins_none,          .reexecs = true },
	{ INIT, "begin a session and a keyring",               NULL,                init_new_session },
	{ INIT, "bring the loopback device up",                makes_network,       init_loopback_up },
	{ INIT, "attach the root file system",                 has_root_folder,     init_attach_root },
	{ INIT, "cut the mounts off the host's",               has_root_image,      monitor_cut_off },
	{ INIT, "mount the layers of the root",                has_layers,          init_mount_root },
	{ INIT, "run the createContainer hooks",               has_container_hooks, init_hooks_create_container },
	{ INIT, "open the terminal",                           has_terminal,        monitor_open_terminal },
	{ INIT, "listen for stream sockets",                   has_vsock,           monitor_listen_vsock },
	{ INIT, "gather what the guest may see",               NULL,                monitor_gather },
	{ INIT, "leave the host's file systems",               NULL,                monitor_leave_host },
	{ INIT, "start the machine",                           NULL,                monitor_start_machine },
	{ INIT, "make the container in the guest",             NULL,                monitor_create },
	{ INIT, "wait for start",                              NULL,                monitor_wait_start, .pauses = true },
	{ INIT, "start the program",                           NULL,                monitor_serve, .execs = true },

	{ HOST, "note that the program runs",                  NULL,                host_running },
	{ HOST, "run the poststart hooks",                     has_poststart_hooks, host_hooks_poststart },
	{ END },
};
/* clang-format on */
