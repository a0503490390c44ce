/* System calls that the C libraries lack, under the kernel's own names: each returns -1 and sets
 * errno. Includes <linux/mount.h>, which cannot stand beside glibc's <sys/mount.h>. */
#pragma once

#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct sock_fprog;
union bpf_attr;

/* Flags that Debian 12's headers do not have yet. */
#ifndef MNT_DETACH
#define MNT_DETACH 2
#endif
#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif
#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC 4
#endif
#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif
#ifndef CLONE_INTO_CGROUP
#define CLONE_INTO_CGROUP 0x200000000ULL
#endif

pid_t sys_clone3(const struct clone_args *args);
int sys_setns(int fd, int types);
int sys_pidfd_open(pid_t pid);
int sys_pidfd_send_signal(int pidfd, int signal);
int sys_pidfd_getfd(int pidfd, int fd);
int sys_close_range(unsigned first, unsigned last, unsigned flags);
int sys_openat2(int dir, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve);

int sys_mount(const char *source, const char *target, const char *type, unsigned long flags,
	      const char *data);
int sys_umount2(const char *target, int flags);
int sys_pivot_root(const char *new_root, const char *put_old);
int sys_open_tree(int dir, const char *path, unsigned flags);
int sys_move_mount(int from_dir, const char *from, int to_dir, const char *to, unsigned flags);
int sys_fsopen(const char *type);
int sys_fsconfig(int fs, unsigned command, const char *key, const char *value, int aux);
int sys_fsmount(int fs, unsigned attributes);
int sys_mount_setattr(int dir, const char *path, unsigned flags, const struct mount_attr *attr);

int sys_seccomp(unsigned operation, unsigned flags, const struct sock_fprog *program);
int sys_bpf(int command, union bpf_attr *attr, unsigned size);
int sys_execveat(int fd, char *const argv[], char *const envp[]);
int sys_ioprio_set(int priority);
int sys_set_mempolicy(int mode, const unsigned long *nodes, unsigned long max_node);
/* size and fields as in sched_setattr(2). */
int sys_sched_setattr(const void *attr);
int sys_sched_setaffinity(pid_t pid, size_t size, const void *mask);
int sys_join_session_keyring(const char *name);
