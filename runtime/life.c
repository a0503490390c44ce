/* THE STORY: the life of a container from clone to exec, in order. Whoever reads this table knows
 * what the program does; how each row does it stands in the file named by its first word (host_*.c,
 * init_*.c).
 *
 * Three processes walk it. HOST is skiff itself. INIT is the container's first process. JOIN exists
 * only when namespaces are joined: it enters them and starts INIT there as the host's child. Each
 * takes the rows of its own side and waits at the others'; a plain container changes sides twice.
 */
#include "runtime/life.h"

#include <string.h>

#include "runtime/steps.h"

bool makes_namespace(const struct life *l, enum namespace_type type)
{
	const struct spec_namespace *ns = spec_namespace(l->spec, type);

	return !l->is_exec && ns && !ns->path;
}

bool joins_namespace(const struct life *l, enum namespace_type type)
{
	const struct spec_namespace *ns = spec_namespace(l->spec, type);

	return ns && ns->path;
}

/* A time namespace takes its offsets only while nobody is in it: JOIN makes it, for the child that
 * it starts. */
bool joins_any(const struct life *l)
{
	for (int type = 0; type < NS_COUNT; type++)
		if (joins_namespace(l, type))
			return true;
	return l->is_exec || makes_namespace(l, NS_TIME);
}

bool joins_none(const struct life *l)
{
	return !joins_any(l);
}

bool maps_users(const struct life *l)
{
	return makes_namespace(l, NS_USER);
}

bool has_cgroup(const struct life *l)
{
	return l->has_cgroup;
}

static bool has_own_cgroup_namespace(const struct life *l)
{
	return makes_namespace(l, NS_CGROUP);
}

bool has_rdt(const struct life *l)
{
	return l->spec->linux_->intel_rdt != NULL;
}

bool has_oom_score(const struct life *l)
{
	return l->process && l->process->oom_score_adj.set;
}

bool has_net_devices(const struct life *l)
{
	return l->spec->linux_->net_devices.n > 0;
}

bool names_hosts(const struct life *l)
{
	return l->network && l->network->writes_names;
}

bool has_bridge(const struct life *l)
{
	return l->network && l->network->is_bridge;
}

bool has_user_network(const struct life *l)
{
	return l->network && l->network->is_user;
}

bool makes_network(const struct life *l)
{
	return makes_namespace(l, NS_NETWORK);
}

static bool has_names(const struct life *l)
{
	return l->spec->hostname || l->spec->domainname;
}

static bool has_sysctls(const struct life *l)
{
	return l->spec->linux_->sysctl.n > 0;
}

bool has_runtime_hooks(const struct life *l)
{
	return l->spec->hooks->prestart.n || l->spec->hooks->create_runtime.n;
}

bool has_container_hooks(const struct life *l)
{
	return l->spec->hooks->create_container.n > 0;
}

static bool has_start_hooks(const struct life *l)
{
	return l->spec->hooks->start_container.n > 0;
}

bool has_poststart_hooks(const struct life *l)
{
	return l->spec->hooks->poststart.n > 0;
}

static bool has_masks(const struct life *l)
{
	return l->spec->linux_->masked_paths.n || l->spec->linux_->readonly_paths.n;
}

bool has_terminal(const struct life *l)
{
	return l->process && l->process->terminal;
}

static bool has_labels(const struct life *l)
{
	return l->process && (l->process->apparmor_profile || l->process->selinux_label);
}

/* Between create and start the root file system may have changed. */
static bool waited(const struct life *l)
{
	return l->pauses && l->process;
}

static bool has_process(const struct life *l)
{
	return l->process != NULL;
}

static bool has_seccomp(const struct life *l)
{
	return l->process && l->spec->linux_->seccomp;
}

/* Installing a filter takes CAP_SYS_ADMIN, or the promise never to gain privileges: with the
 * promise capabilities go first, so that the filter may forbid to change them. */
static bool drops_before_seccomp(const struct life *l)
{
	return l->process && (l->process->no_new_privileges || !has_seccomp(l));
}

static bool drops_after_seccomp(const struct life *l)
{
	return l->process && !drops_before_seccomp(l);
}

/* clang-format off */
const struct step container_life[] = {
	/* side  what                                          when                 how, undo */
	{ HOST, "reserve the id",                              NULL,                host_reserve, host_unreserve },
	{ HOST, "make the cgroup and set its limits",          has_cgroup,          host_make_cgroup, host_remove_cgroup },
	{ HOST, "make the cache and bandwidth group",          has_rdt,             host_make_rdt, host_remove_rdt },
	{ HOST, "write the files that name hosts",             names_hosts,         host_write_names },
	{ HOST, "open the root and the sources of mounts",     NULL,                host_open_sources },
	{ HOST, "open the namespaces to join",                 joins_any,           host_open_namespaces },
	{ HOST, "prepare to wait for start",                   NULL,                host_listen_start },
	{ HOST, "seal a copy of the second stage",             NULL,                host_seal_stage2 },

	{ HOST, "start a helper that joins namespaces",        joins_any,           .starts = JOIN },
	{ JOIN, "leave the host's executable",                 joins_any,           .reexecs = true },
	{ JOIN, "join the namespaces",                         joins_any,           init_join_namespaces },
	{ JOIN, "start the first process inside them",         joins_any,           .starts = INIT },
	{ HOST, "start the first process",                     joins_none,          .starts = INIT },

	{ HOST, "write the user and group maps",               maps_users,          host_write_maps },
	{ HOST, "record the first process",                    NULL,                host_record_init, host_forget_init },
	{ HOST, "set the score for the out-of-memory killer",  has_oom_score,       host_set_oom_score },
	{ HOST, "move network devices into the container",     has_net_devices,     host_move_net_devices, host_return_net_devices },
	{ HOST, "connect it to the network",                   has_bridge,          host_connect, host_disconnect },
	{ HOST, "start the network that needs no rights",      has_user_network,    host_start_user_network },

	{ INIT, "leave the host's executable",                 joins_none,          .reexecs = true },
	{ INIT, "begin a session and a keyring",               NULL,                init_new_session },
	{ INIT, "enter a cgroup namespace",                    has_own_cgroup_namespace, init_own_cgroup },
	{ INIT, "bring the loopback device up",                makes_network,       init_loopback_up },
	{ INIT, "set the host and domain name",                has_names,           init_set_names },
	{ INIT, "attach the root file system",                 NULL,                init_attach_root },
	{ INIT, "mount the file systems",                      NULL,                init_mounts },
	{ INIT, "set sysctls",                                 has_sysctls,         init_set_sysctls },
	{ HOST, "run the prestart and createRuntime hooks",    has_runtime_hooks,   host_hooks_create_runtime },
	{ INIT, "run the createContainer hooks",               has_container_hooks, init_hooks_create_container },
	{ INIT, "open the terminal",                           has_terminal,        init_open_terminal },
	{ INIT, "mask paths and make paths read-only",         has_masks,           init_masks },
	{ INIT, "set the labels of security modules",          has_labels,          init_set_labels },
	{ INIT, "make it the root directory",                  NULL,                init_pivot },
	{ INIT, "give the root its final attributes",          NULL,                init_seal_root },

	{ INIT, "set limits and priorities",                   has_process,         init_set_limits },
	{ INIT, "enter the working directory",                 has_process,         init_enter_cwd },
	{ INIT, "become the user",                             has_process,         init_become_user },
	{ INIT, "find the program",                            has_process,         init_find_program },
	{ INIT, "wait for start",                              NULL,                init_wait_start, .pauses = true },
	{ INIT, "find the program again",                      waited,              init_find_program },
	{ INIT, "run the startContainer hooks",                has_start_hooks,     init_hooks_start_container },
	{ INIT, "drop capabilities",                           drops_before_seccomp, init_drop_capabilities },
	{ INIT, "install the seccomp filter",                  has_seccomp,         init_set_seccomp },
	{ INIT, "drop capabilities below the filter",          drops_after_seccomp, init_drop_capabilities },
	{ INIT, "become the program",                          NULL,                init_exec, .execs = true },

	{ HOST, "note that the program runs",                  NULL,                host_running },
	{ HOST, "run the poststart hooks",                     has_poststart_hooks, host_hooks_poststart },
	{ END },
};

/* A process is added to a container that runs. */
const struct step exec_life[] = {
	{ HOST, "seal a copy of the second stage",             NULL,                host_seal_stage2 },
	{ HOST, "start a helper that joins the container",     NULL,                .starts = JOIN },
	{ JOIN, "leave the host's executable",                 NULL,                .reexecs = true },
	{ JOIN, "join the container",                          NULL,                init_join_container },
	{ JOIN, "start the process inside it",                 NULL,                .starts = INIT },
	{ HOST, "set the score for the out-of-memory killer",  has_oom_score,       host_set_oom_score },

	{ INIT, "begin a session and a keyring",               NULL,                init_new_session },
	{ INIT, "open the terminal",                           has_terminal,        init_open_terminal },
	{ INIT, "set the labels of security modules",          has_labels,          init_set_labels },
	{ INIT, "set limits and priorities",                   NULL,                init_set_limits },
	{ INIT, "enter the working directory",                 NULL,                init_enter_cwd },
	{ INIT, "become the user",                             NULL,                init_become_user },
	{ INIT, "find the program",                            NULL,                init_find_program },
	{ INIT, "drop capabilities",                           drops_before_seccomp, init_drop_capabilities },
	{ INIT, "install the seccomp filter",                  has_seccomp,         init_set_seccomp },
	{ INIT, "drop capabilities below the filter",          drops_after_seccomp, init_drop_capabilities },
	{ INIT, "become the program",                          NULL,                init_exec, .execs = true },
	{ HOST, "see the program run",                         NULL,                host_running },
	{ END },
};
/* clang-format on */

static const struct {
	const char *name;
	const struct step *plan;
} plans[] = { { "container", container_life }, { "exec", exec_life } };

const struct step *life_plan(const char *name)
{
	for (size_t i = 0; i < COUNT(plans); i++)
		if (strcmp(plans[i].name, name) == 0)
			return plans[i].plan;
	return NULL;
}
