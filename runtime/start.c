/* How a side of a plan comes to life: as a clone of the process that starts it, which then goes on
 * as the second stage out of sealed memory. The second stage exists so that nothing in the
 * container ever sees, in /proc/PID/exe or by way of "#!/proc/self/exe", a file of the host
 * (CVE-2019-5736). */
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "base/kernel.h"
#include "base/process.h"
#include "runtime/steps.h"
#ifndef SKIFF_INIT
#include "cgroup.h"
#endif

#ifndef CLONE_CLEAR_SIGHAND
#define CLONE_CLEAR_SIGHAND 0x100000000ULL
#endif

/* Namespaces that clone makes. A cgroup namespace is made later by INIT, since its root is the
 * cgroup of whoever makes it; a time namespace has been made by JOIN. */
static uint64_t new_namespaces(const struct life *l, enum side starts)
{
	uint64_t flags = 0;

	for (int type = 0; starts == INIT && type < NS_COUNT; type++)
		if (type != NS_CGROUP && type != NS_TIME && makes_namespace(l, type))
			flags |= spec_namespaces[type].clone_flag;
	return flags;
}

/* Clones; *entered tells that the child began its life in the cgroup, as the host's children do. */
static pid_t clone_side(const struct life *l, struct clone_args *args, bool *entered)
{
	*entered = l->cgroup_fd >= 0;
	if (*entered) {
		args->flags |= CLONE_INTO_CGROUP;
		args->cgroup = (uint64_t)l->cgroup_fd;
		pid_t pid = sys_clone3(args);
		/* a cgroup that is threaded or not ours to enter directly: the older way may still
		 * work */
		if (pid >= 0 ||
		    (errno != EACCES && errno != EPERM && errno != EOPNOTSUPP && errno != EBUSY))
			return pid;
		*entered = false;
		args->flags &= ~CLONE_INTO_CGROUP;
	}
	return sys_clone3(args);
}

error *step_start(struct life *l, enum side *me, enum side starts)
{
	int pidfd = -1;
	bool from_join = *me == JOIN;
	bool entered = false;
	/* JOIN's child becomes the host's: the host can wait for it, and it outlives JOIN */
	struct clone_args args = {
		.flags = CLONE_PIDFD | CLONE_CLEAR_SIGHAND | new_namespaces(l, starts) |
			 (from_join ? CLONE_PARENT : 0),
		.exit_signal = from_join ? 0 : SIGCHLD,
		.pidfd = (uintptr_t)&pidfd,
	};

	fflush(NULL);
	pid_t pid = from_join ? sys_clone3(&args) : clone_side(l, &args, &entered);
	if (pid < 0)
		return error_errno("clone3");
	if (pid == 0) {
		*me = starts;
		if (!from_join)
			close(l->fd[FD_BATON_HOST]);
		return NULL;
	}
	*(starts == INIT ? &l->init : &l->join) = pid;
	l->init_pidfd = pidfd;
	if (!from_join) {
		close(l->fd[FD_BATON]); /* the number stays: the child looks it up in this very
					   memory */
		l->baton_given = true;
	}
#ifndef SKIFF_INIT
	if (!from_join && !entered && l->cgroup)
		try(cgroup_enter(l->cgroup, pid));
#endif
	return NULL;
}

/* A program run by a user that is not root in its user namespace loses its capabilities at exec,
 * unless they are ambient. That is the case when the maps leave out 0. */
static error *keep_capabilities(void)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &head, data) < 0)
		return error_errno("capget");
	for (int i = 0; i < 2; i++)
		data[i].inheritable = data[i].permitted;
	if (syscall(SYS_capset, &head, data) < 0)
		return error_errno("capset");
	for (int cap = 0; cap <= CAP_LAST_CAP; cap++)
		if (data[cap / 32].permitted >> cap % 32 & 1)
			prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0);
	return NULL;
}

/* 0, or what comes first where 0 is not mapped. */
static uint32_t mapped_id(const struct spec_id_map *maps, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (maps[i].container_id == 0)
			return 0;
	return n ? maps[0].container_id : 0;
}

bool step_become_mapped(const struct life *l)
{
	const struct spec_linux *x = l->spec->linux_;
	gid_t gid = mapped_id(x->gid_mappings.v, x->gid_mappings.n);
	uid_t uid = mapped_id(x->uid_mappings.v, x->uid_mappings.n);

	if (setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
		return false;
	return uid == 0;
}

static void keep_open(int fd)
{
	if (fd >= 0)
		fcntl(fd, F_SETFD, 0);
}

error *step_reexec(struct life *l, enum side me, size_t row)
{
	/* the last argument is room for process titles */
	static char room[96];
	char arena[16];
	char from[16];
	char side[16];

	if (maps_users(l) && me == INIT && !step_become_mapped(l))
		try(keep_capabilities());
	/* what the caller has open is not for the second stage, which may wait for `start` for days
	 */
	sys_close_range(3 + l->preserve_fds, ~0U, CLOSE_RANGE_CLOEXEC);
	for (int i = 0; i < FD_COUNT; i++)
		if (i != FD_BATON_HOST && i != FD_STAGE2 && i != FD_NOTIFY && i != FD_NETNS)
			keep_open(l->fd[i]);
	for (size_t i = 0; i < l->mounts.n; i++)
		keep_open(l->mounts.v[i].fd);
	for (int i = 0; l->join_fds && i < NS_COUNT; i++)
		keep_open(l->join_fds[i]);
	memset(room, ' ', sizeof(room) - 1);
	snprintf(arena, sizeof(arena), "%d", l->fd[FD_ARENA]);
	snprintf(from, sizeof(from), "%zu", row + 1);
	snprintf(side, sizeof(side), "%d", (int)me);
	char *argv[] = { "skiff-init", arena, from, side, room, NULL };
	sys_execveat(l->fd[FD_STAGE2], argv, (char *[]){ NULL });
	return error_errno("exec the second stage");
}
