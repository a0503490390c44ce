/* INIT: what the program may use and who it is: limits, priorities, working directory, user,
 * capabilities. */
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/ioprio.h>
#include <stdio.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/kernel.h"
#include "base/path.h"
#include "base/text.h"
#include "runtime/steps.h"

static error *set_rlimits(const struct spec_process *p)
{
	for (size_t i = 0; i < p->rlimits.n; i++) {
		const struct spec_rlimit *r = &p->rlimits.v[i];
		struct rlimit limit = { .rlim_cur = r->soft, .rlim_max = r->hard };
		if (setrlimit((int)r->type.value, &limit) < 0)
			return error_errno(".process.rlimits[%zu]: set limit %d to %llu, %llu", i,
					   (int)r->type.value, (unsigned long long)r->soft,
					   (unsigned long long)r->hard);
	}
	return NULL;
}

/* As in sched_setattr(2). */
struct sched_attributes {
	uint32_t size;
	uint32_t policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
	uint32_t util_min, util_max;
};

static error *set_scheduler(const struct spec_scheduler *s)
{
	if (!s)
		return NULL;
	struct sched_attributes attr = {
		.size = sizeof(attr),
		.policy = (uint32_t)s->policy.value,
		.flags = s->flags.bits,
		.nice = (int32_t)s->nice,
		.priority = (uint32_t)s->priority,
		.runtime = s->runtime,
		.deadline = s->deadline,
		.period = s->period,
	};
	if (sys_sched_setattr(&attr) < 0)
		return error_errno(".process.scheduler: sched_setattr");
	return NULL;
}

static error *set_io_priority(const struct spec_io_priority *io)
{
	if (io && sys_ioprio_set((int)IOPRIO_PRIO_VALUE(io->class.value, io->priority)) < 0)
		return error_errno(".process.ioPriority: ioprio_set");
	return NULL;
}

enum { CPUS_MAX = 8192, NODES_MAX = 1024 };

static error *set_affinity(const char *list, const char *field)
{
	unsigned long mask[CPUS_MAX / 8 / sizeof(long)];

	if (!list || !*list)
		return NULL;
	try_as(text_to_bits(list, mask, sizeof(mask)), ".process.execCPUAffinity.%s", field);
	if (sys_sched_setaffinity(0, sizeof(mask), mask) < 0)
		return error_errno(".process.execCPUAffinity.%s: sched_setaffinity %s", field,
				   list);
	return NULL;
}

/* A process that came in through CLONE_INTO_CGROUP may carry a mask that skiff inherited: ask for
 * every processor, the cpuset cuts it down. */
static error *reset_affinity(void)
{
	unsigned long mask[CPUS_MAX / 8 / sizeof(long)];

	memset(mask, 0xff, sizeof(mask));
	sys_sched_setaffinity(0, sizeof(mask), mask); /* what is not allowed stays as it is */
	return NULL;
}

static error *set_memory_policy(const struct spec_memory_policy *m)
{
	unsigned long nodes[NODES_MAX / 8 / sizeof(long)];
	bool some = m && m->nodes && *m->nodes;

	if (!m)
		return NULL;
	if (some)
		try_as(text_to_bits(m->nodes, nodes, sizeof(nodes)), ".linux.memoryPolicy.nodes");
	if (sys_set_mempolicy((int)(m->mode.value | (int64_t)m->flags.bits), some ? nodes : NULL,
			      some ? NODES_MAX + 1 : 0) < 0)
		return error_errno(".linux.memoryPolicy: set_mempolicy");
	return NULL;
}

error *init_set_limits(struct life *l)
{
	const struct spec_process *p = l->process;
	const struct spec_personality *person = l->spec->linux_->personality;

	if (p->exec_cpu_affinity && l->is_exec)
		try(set_affinity(p->exec_cpu_affinity->final, "final"));
	else
		try(reset_affinity());
	try(set_scheduler(p->scheduler));
	try(set_io_priority(p->io_priority));
	try(set_memory_policy(l->spec->linux_->memory_policy));
	if (person && personality((unsigned long)person->domain.value) < 0)
		return error_errno(".linux.personality");
	return set_rlimits(p);
}

/* A path that leads out of the container, as /proc/self/fd/N may, is refused by the kernel, not
 * found out later. */
static error *change_directory(const char *path)
{
	auto_fd int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_fd int dir = -1;
	char reached[4096];

	if (root < 0)
		return error_errno("open /");
	try(root_open(root, path, O_PATH | O_DIRECTORY, &dir));
	if (fchdir(dir) < 0)
		return error_errno("enter %s", path);
	/* the kernel says "(unreachable)" for a place outside of the root */
	if (syscall(SYS_getcwd, reached, sizeof(reached)) < 0 || reached[0] != '/')
		return error_new(0, "%s is outside of the container's root", path);
	return NULL;
}

/* Before the change of user, since root may enter what the user may not; or after it, where it is
 * the other way round (a home on a network file system). */
error *init_enter_cwd(struct life *l)
{
	auto_error error *e = change_directory(l->process->cwd);

	if (e && error_code(e) == ENOENT && !l->is_exec) {
		auto_fd int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
		auto_fd int made = -1;
		auto_error error *cannot = root_ensure(root, l->process->cwd, false, &made);
		error_free(e);
		e = cannot ? take_ptr(&cannot) : change_directory(l->process->cwd);
	}
	if (!e || error_code(e) == EACCES)
		return NULL; /* init_become_user tries again */
	return error_wrap(take_ptr(&e), ".process.cwd");
}

static error *limit_bounding_set(uint64_t keep)
{
	for (int cap = 0; cap < 64; cap++) {
		if (keep >> cap & 1)
			continue;
		int has = prctl(PR_CAPBSET_READ, cap, 0, 0, 0);
		if (has < 0)
			break; /* beyond what the kernel knows */
		if (has && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			return error_errno("drop capability %d from the bounding set", cap);
	}
	return NULL;
}

static error *set_capabilities(uint64_t effective, uint64_t permitted, uint64_t inheritable)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2];

	for (int i = 0; i < 2; i++)
		data[i] = (struct __user_cap_data_struct){ (uint32_t)(effective >> 32 * i),
							   (uint32_t)(permitted >> 32 * i),
							   (uint32_t)(inheritable >> 32 * i) };
	return syscall(SYS_capset, &head, data) < 0 ? error_errno("capset") : NULL;
}

static error *permitted_now(uint64_t *out)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &head, data) < 0)
		return error_errno("capget");
	*out = data[0].permitted | (uint64_t)data[1].permitted << 32;
	return NULL;
}

/* A user namespace with "deny" in setgroups keeps the groups that there are. */
static error *set_groups(const struct life *l, const struct spec_user *user)
{
	char text[8] = "";
	size_t n = user->additional_gids.n;
	auto_fd int fd = -1;

	if (spec_annotation(l->spec, "run.oci.keep_original_groups"))
		return NULL;
	if (syscall(SYS_setgroups, n, user->additional_gids.v) == 0)
		return NULL;
	int code = errno;
	fd = open("/proc/self/setgroups", O_RDONLY | O_CLOEXEC);
	if (!n && code == EPERM &&
	    (fd < 0 || (read(fd, text, sizeof(text) - 1) > 0 && text[0] == 'd')))
		return NULL;
	return error_new(code, ".process.user.additionalGids: setgroups");
}

error *init_become_user(struct life *l)
{
	const struct spec_process *p = l->process;
	const struct spec_user *user = p->user;
	uint64_t permitted;
	char here[16];

	try(limit_bounding_set(p->capabilities ? p->capabilities->bounding.bits : 0));
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return error_errno("keep capabilities");
	try(set_groups(l, user));
	if (syscall(SYS_setresgid, user->gid, user->gid, user->gid) < 0)
		return error_errno(".process.user.gid: become group %u", user->gid);
	if (syscall(SYS_setresuid, user->uid, user->uid, user->uid) < 0)
		return error_errno(".process.user.uid: become user %u", user->uid);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	/* the rest of the way needs them; init_drop_capabilities leaves those that were asked for
	 */
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	try(permitted_now(&permitted));
	try(set_capabilities(permitted, permitted, 0));
	umask(user->umask.set ? user->umask.value : 022);
	/* is this still the folder that init_enter_cwd could not enter? */
	if (syscall(SYS_getcwd, here, sizeof(here)) < 0 || strcmp(p->cwd, "/") == 0 ||
	    strcmp(here, "/") != 0)
		return NULL;
	try_as(change_directory(p->cwd), ".process.cwd");
	return NULL;
}

error *init_drop_capabilities(struct life *l)
{
	static const struct spec_capabilities none;
	const struct spec_capabilities *c =
		l->process->capabilities ? l->process->capabilities : &none;
	uint64_t have;

	try(permitted_now(&have));
	uint64_t permitted = c->permitted.bits & have;
	uint64_t inheritable = c->inheritable.bits & (permitted | have);
	try(set_capabilities(c->effective.bits & permitted, permitted, inheritable));
	for (int cap = 0; cap < 64; cap++)
		if (c->ambient.bits >> cap & 1 && permitted & inheritable & 1ULL << cap &&
		    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) < 0)
			return error_errno("raise ambient capability %d", cap);
	return NULL;
}
