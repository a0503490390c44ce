/* What the server cannot need it does not have: it sees nothing but the folder that it serves, and
 * of the kernel what files need. */
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/filter.h"
#include "base/kernel.h"
#include "base/process.h"
#include "vmm/fs.h"

/* Files belong to anybody, and the guest has checked who may do what. Not CAP_DAC_READ_SEARCH, by
 * which files outside of the folder could be opened. */
static const int kept[] = { CAP_CHOWN,  CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID,
			    CAP_SETGID, CAP_SETUID,       CAP_SETFCAP };

static const int calls[] = {
	/* the engine, and memory */
	SYS_read, SYS_write, SYS_poll, SYS_recvmsg, SYS_recvfrom, SYS_sendmsg, SYS_mmap, SYS_munmap,
	SYS_mremap, SYS_madvise, SYS_brk,
	/* descriptors */
	SYS_open, SYS_openat, SYS_close, SYS_fcntl,
	/* attributes */
	SYS_statx, SYS_fstat, SYS_newfstatat, SYS_fstatfs, SYS_fchmod, SYS_fchmodat, SYS_fchownat,
	SYS_utimensat, SYS_setxattr, SYS_getxattr, SYS_listxattr, SYS_removexattr,
	/* contents */
	SYS_preadv, SYS_pwritev2, SYS_lseek, SYS_ftruncate, SYS_fallocate, SYS_fsync, SYS_fdatasync,
	SYS_syncfs, SYS_copy_file_range,
	/* names */
	SYS_getdents64, SYS_readlinkat, SYS_mkdirat, SYS_mknodat, SYS_symlinkat, SYS_linkat,
	SYS_unlinkat, SYS_renameat2, SYS_umask, SYS_setfsuid, SYS_setfsgid,
	/* the end */
	SYS_writev, SYS_exit, SYS_exit_group, SYS_rt_sigreturn, SYS_rt_sigprocmask,
	SYS_restart_syscall
};

/* Files are opened through /proc/self/fd, where we stay, outside of our root: of a procfs that
 * shows the processes of our own namespace and is mounted nowhere. */
static error *enter_folder(const char *folder, int *root)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
					       MOUNT_ATTR_NOEXEC };
	auto_fd int proc = -1;

	if (unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) < 0)
		return error_errno("unshare");
	try(proc_open_private(&proc));
	auto_fd int descriptors = openat(proc, "self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (descriptors < 0)
		return error_errno("open /proc/self/fd");
	auto_fd int tree = sys_open_tree(AT_FDCWD, folder, OPEN_TREE_CLONE | AT_RECURSIVE);
	if (tree < 0)
		return error_errno("open %s", folder);
	if (sys_mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr) < 0)
		return error_errno("forbid devices below %s", folder);
	if (sys_move_mount(tree, "", AT_FDCWD, folder, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return error_errno("attach %s", folder);
	if (chdir(folder) < 0 || sys_pivot_root(".", ".") < 0 || sys_umount2(".", MNT_DETACH) < 0)
		return error_errno("make %s the root", folder);
	*root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (*root < 0 || fchdir(descriptors) < 0)
		return error_errno("go to /proc/self/fd");
	return NULL;
}

/* The rights stay when files are made for somebody else (setfsuid(2)). */
static error *drop_rights(bool devices)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2] = { 0 };

	for (size_t i = 0; i < COUNT(kept); i++)
		data[0].permitted |= 1U << kept[i];
	if (devices)
		data[0].permitted |= 1U << CAP_MKNOD;
	data[0].effective = data[0].permitted;
	if (prctl(PR_SET_SECUREBITS, SECURE_ALL_BITS | SECURE_ALL_LOCKS) < 0)
		return error_errno("set securebits");
	for (int cap = 0; prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0; cap++) {
	}
	/* a user namespace may forbid it */
	if (setgroups(0, NULL) < 0 && errno != EPERM)
		return error_errno("setgroups");
	if (syscall(SYS_capset, &head, data) < 0)
		return error_errno("drop capabilities");
	return prctl(PR_SET_DUMPABLE, 0) < 0 ? error_errno("PR_SET_DUMPABLE") : NULL;
}

error *fs_jail(const char *folder, bool devices, int *root)
{
	try(enter_folder(folder, root));
	try(drop_rights(devices));
	return filter_allow(calls, COUNT(calls));
}
