#include "base/kernel.h"

#include <asm/unistd.h>
#include <linux/keyctl.h>
#include <unistd.h>

pid_t sys_clone3(const struct clone_args *args)
{
	return (pid_t)syscall(__NR_clone3, args, sizeof(*args));
}

int sys_setns(int fd, int types)
{
	return (int)syscall(__NR_setns, fd, types);
}

int sys_pidfd_open(pid_t pid)
{
	return (int)syscall(__NR_pidfd_open, pid, 0);
}

int sys_pidfd_send_signal(int pidfd, int signal)
{
	return (int)syscall(__NR_pidfd_send_signal, pidfd, signal, NULL, 0);
}

int sys_pidfd_getfd(int pidfd, int fd)
{
	return (int)syscall(__NR_pidfd_getfd, pidfd, fd, 0);
}

int sys_close_range(unsigned first, unsigned last, unsigned flags)
{
	return (int)syscall(__NR_close_range, first, last, flags);
}

int sys_openat2(int dir, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve)
{
	struct open_how how = { .flags = flags, .mode = mode, .resolve = resolve };

	return (int)syscall(__NR_openat2, dir, path, &how, sizeof(how));
}

int sys_mount(const char *source, const char *target, const char *type, unsigned long flags,
	      const char *data)
{
	return (int)syscall(__NR_mount, source, target, type, flags, data);
}

int sys_umount2(const char *target, int flags)
{
	return (int)syscall(__NR_umount2, target, flags);
}

int sys_pivot_root(const char *new_root, const char *put_old)
{
	return (int)syscall(__NR_pivot_root, new_root, put_old);
}

int sys_open_tree(int dir, const char *path, unsigned flags)
{
	return (int)syscall(__NR_open_tree, dir, path, flags | OPEN_TREE_CLOEXEC);
}

int sys_move_mount(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
	return (int)syscall(__NR_move_mount, from_dir, from, to_dir, to, flags);
}

int sys_fsopen(const char *type)
{
	return (int)syscall(__NR_fsopen, type, FSOPEN_CLOEXEC);
}

int sys_fsconfig(int fs, unsigned command, const char *key, const char *value, int aux)
{
	return (int)syscall(__NR_fsconfig, fs, command, key, value, aux);
}

int sys_fsmount(int fs, unsigned attributes)
{
	return (int)syscall(__NR_fsmount, fs, FSMOUNT_CLOEXEC, attributes);
}

int sys_mount_setattr(int dir, const char *path, unsigned flags, const struct mount_attr *attr)
{
	return (int)syscall(__NR_mount_setattr, dir, path, flags, attr, sizeof(*attr));
}

int sys_seccomp(unsigned operation, unsigned flags, const struct sock_fprog *program)
{
	return (int)syscall(__NR_seccomp, operation, flags, program);
}

int sys_bpf(int command, union bpf_attr *attr, unsigned size)
{
	return (int)syscall(__NR_bpf, command, attr, size);
}

int sys_execveat(int fd, char *const argv[], char *const envp[])
{
	return (int)syscall(__NR_execveat, fd, "", argv, envp, AT_EMPTY_PATH);
}

int sys_ioprio_set(int priority)
{
	enum { IOPRIO_WHO_PROCESS = 1 };

	return (int)syscall(__NR_ioprio_set, IOPRIO_WHO_PROCESS, 0, priority);
}

int sys_set_mempolicy(int mode, const unsigned long *nodes, unsigned long max_node)
{
	return (int)syscall(__NR_set_mempolicy, mode, nodes, max_node);
}

int sys_sched_setattr(const void *attr)
{
	return (int)syscall(__NR_sched_setattr, 0, attr, 0);
}

int sys_sched_setaffinity(pid_t pid, size_t size, const void *mask)
{
	return (int)syscall(__NR_sched_setaffinity, pid, size, mask);
}

int sys_join_session_keyring(const char *name)
{
	return (int)syscall(__NR_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name, 0, 0, 0);
}
