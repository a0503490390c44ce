/* The seccomp profile of a container that nobody wrote a config.json for: what ordinary programs
 * need is allowed; what reaches the kernel's less guarded parts, or other containers, is not,
 * unless a capability says that it is wanted. */
#include <linux/capability.h>
#include <linux/sched.h>
#include <string.h>

#include "base/kernel.h"
#include "spec.h"

static const char always[] =
	"_llseek _newselect accept accept4 access adjtimex alarm arch_prctl arm_fadvise64_64 "
	"arm_sync_file_range bind breakpoint brk cacheflush cachestat capget capset chdir chmod "
	"chown "
	"chown32 chroot clock_getres clock_getres_time64 clock_gettime clock_gettime64 "
	"clock_nanosleep "
	"clock_nanosleep_time64 close close_range connect copy_file_range creat dup dup2 dup3 "
	"epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait "
	"epoll_wait_old eventfd eventfd2 execve execveat exit exit_group faccessat faccessat2 "
	"fadvise64 "
	"fadvise64_64 fallocate fanotify_mark fchdir fchmod fchmodat fchmodat2 fchown fchown32 "
	"fchownat "
	"fcntl fcntl64 fdatasync fgetxattr flistxattr flock fork fremovexattr fsetxattr fstat "
	"fstat64 "
	"fstatat fstatat64 fstatfs fstatfs64 fsync ftruncate ftruncate64 futex futex_requeue "
	"futex_time64 "
	"futex_wait futex_waitv futex_wake futimesat get_robust_list get_thread_area getcpu getcwd "
	"getdents getdents64 getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups "
	"getgroups32 "
	"getitimer getpeername getpgid getpgrp getpid getppid getpriority getrandom getresgid "
	"getresgid32 "
	"getresuid getresuid32 getrlimit getrusage getsid getsockname getsockopt gettid "
	"gettimeofday "
	"getuid getuid32 getxattr getxattrat inotify_add_watch inotify_init inotify_init1 "
	"inotify_rm_watch io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64 "
	"io_setup "
	"io_submit ioctl ioprio_get ioprio_set ipc kill landlock_add_rule landlock_create_ruleset "
	"landlock_restrict_self lchown lchown32 lgetxattr link linkat listen listxattr listxattrat "
	"llistxattr llseek lremovexattr lseek lsetxattr lsm_get_self_attr lsm_list_modules lstat "
	"lstat64 "
	"madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mkdir mkdirat mknod "
	"mknodat mlock mlock2 mlockall mmap mmap2 modify_ldt mprotect mq_getsetattr mq_notify "
	"mq_open "
	"mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 mq_unlink mremap "
	"mseal "
	"msgctl msgget msgrcv msgsnd msync munlock munlockall munmap name_to_handle_at nanosleep "
	"newfstatat nice open openat openat2 pause pidfd_getfd pidfd_open pidfd_send_signal pipe "
	"pipe2 "
	"pkey_alloc pkey_free pkey_mprotect poll ppoll ppoll_time64 prctl pread64 preadv preadv2 "
	"prlimit64 process_mrelease process_vm_readv process_vm_writev pselect6 pselect6_time64 "
	"ptrace "
	"pwrite64 pwritev pwritev2 read readahead readdir readlink readlinkat readv recv recvfrom "
	"recvmmsg recvmmsg_time64 recvmsg remap_file_pages removexattr removexattrat rename "
	"renameat "
	"renameat2 restart_syscall riscv_flush_icache rmdir rseq rt_sigaction rt_sigpending "
	"rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait "
	"rt_sigtimedwait_time64 "
	"rt_tgsigqueueinfo s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr "
	"sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr "
	"sched_getparam "
	"sched_getscheduler sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity "
	"sched_setattr sched_setparam sched_setscheduler sched_yield seccomp select semctl semget "
	"semop "
	"semtimedop semtimedop_time64 send sendfile sendfile64 sendmmsg sendmsg sendto "
	"set_robust_list "
	"set_thread_area set_tid_address set_tls setfsgid setfsgid32 setfsuid setfsuid32 setgid "
	"setgid32 "
	"setgroups setgroups32 setitimer setpgid setpriority setregid setregid32 setresgid "
	"setresgid32 "
	"setresuid setresuid32 setreuid setreuid32 setrlimit setsid setsockopt setuid setuid32 "
	"setxattr "
	"setxattrat sgetmask shmat shmctl shmdt shmget shutdown sigaction sigaltstack signal "
	"signalfd "
	"signalfd4 sigpending sigprocmask sigreturn sigsuspend socketpair splice ssetmask stat "
	"stat64 "
	"statfs statfs64 statx symlink symlinkat sync sync_file_range sync_file_range2 syncfs "
	"sysinfo tee "
	"tgkill time timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64 "
	"timer_settime timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64 "
	"timerfd_settime "
	"timerfd_settime64 times tkill truncate truncate64 ugetrlimit umask uname unlink unlinkat "
	"utime "
	"utimensat utimensat_time64 utimes vfork vmsplice wait4 waitid waitpid write writev ";

/* Further calls that go with a capability. */
static const struct {
	int capability;
	const char *calls;
} with_capability[] = {
	{ CAP_DAC_READ_SEARCH, "open_by_handle_at" },
	{ CAP_SYS_ADMIN, "bpf fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie mount "
			 "mount_setattr move_mount open_tree "
			 "perf_event_open pivot_root quotactl quotactl_fd setdomainname "
			 "sethostname setns syslog umount umount2 unshare" },
	{ CAP_SYS_BOOT, "kexec_file_load kexec_load reboot" },
	{ CAP_SYS_MODULE, "delete_module finit_module init_module" },
	{ CAP_SYS_PACCT, "acct" },
	{ CAP_SYS_PTRACE, "kcmp pidfd_getfd process_madvise" },
	{ CAP_SYS_RAWIO, "ioperm iopl" },
	{ CAP_SYS_TIME,
	  "clock_adjtime clock_adjtime64 clock_settime clock_settime64 settimeofday stime" },
	{ CAP_SYS_TTY_CONFIG, "vhangup" },
	{ CAP_SYS_NICE,
	  "get_mempolicy mbind migrate_pages move_pages set_mempolicy set_mempolicy_home_node" },
	{ CAP_SYSLOG, "syslog" },
	{ CAP_BPF, "bpf" },
	{ CAP_PERFMON, "perf_event_open" },
};

/* Namespaces that clone(2) may not make without CAP_SYS_ADMIN. */
static const uint64_t clone_namespaces = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |
					 CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWCGROUP;

/* personality(2): what setarch and Debian's tools ask for. The last asks without changing. */
static const uint64_t personalities[] = { 0x0, 0x8, 0x20000, 0x20008, 0xffffffff };

enum { RULES_MAX = 40, VSOCK = 40 };

struct profile {
	struct spec_syscall rules[RULES_MAX];
	size_t n;
	struct arena *arena;
	bool failed;
};

static struct spec_syscall *add_rule(struct profile *p, const char *calls, int64_t action,
				     uint32_t errno_ret)
{
	struct spec_syscall *rule = &p->rules[p->n++];
	size_t n = 1;

	for (const char *c = calls; *c; c++)
		n += *c == ' ';
	char *words = arena_strdup(p->arena, calls);
	rule->names.v = arena_array_of(p->arena, char *, n + 1);
	rule->action = (struct opt_name){ true, action };
	rule->errno_ret = (struct opt_u32){ errno_ret != 0, errno_ret };
	if (!words || !rule->names.v) {
		p->failed = true;
		return rule;
	}
	for (char *word; (word = strsep(&words, " "));)
		if (*word)
			rule->names.v[rule->names.n++] = word;
	return rule;
}

static void add_argument(struct profile *p, struct spec_syscall *rule, struct spec_syscall_arg arg)
{
	struct spec_syscall_arg *copy = arena_new_of(p->arena, struct spec_syscall_arg);

	if (!copy) {
		p->failed = true;
		return;
	}
	*copy = arg;
	rule->args.v = copy;
	rule->args.n = 1;
}

error *spec_default_seccomp(uint64_t capabilities, struct arena *arena, struct spec_seccomp **out)
{
	struct profile *p = arena_new_of(arena, struct profile);
	struct spec_seccomp *s = arena_new_of(arena, struct spec_seccomp);

	if (!p || !s)
		return arena_exhausted();
	p->arena = arena;
	add_rule(p, always, ACT_ALLOW, 0);
	for (size_t i = 0; i < COUNT(with_capability); i++)
		if (capabilities >> with_capability[i].capability & 1)
			add_rule(p, with_capability[i].calls, ACT_ALLOW, 0);
	for (size_t i = 0; i < COUNT(personalities); i++)
		add_argument(p, add_rule(p, "personality", ACT_ALLOW, 0),
			     (struct spec_syscall_arg){ .index = 0,
							.value = personalities[i],
							.op = { true, OP_EQ } });
	/* sockets of the hypervisor's are for whoever runs the machine */
	add_argument(
		p, add_rule(p, "socket", ACT_ALLOW, 0),
		(struct spec_syscall_arg){ .index = 0, .value = VSOCK, .op = { true, OP_NE } });
	add_rule(p, "socketcall", ACT_ALLOW, 0);
	if (capabilities >> CAP_SYS_ADMIN & 1) {
		add_rule(p, "clone clone3", ACT_ALLOW, 0);
	} else {
		add_argument(p, add_rule(p, "clone", ACT_ALLOW, 0),
			     (struct spec_syscall_arg){ .index = 0,
							.value = clone_namespaces,
							.value_two = 0,
							.op = { true, OP_MASKED_EQ } });
		/* its flags lie in memory, where no filter sees them: C libraries fall back to
		 * clone */
		add_rule(p, "clone3", ACT_ERRNO, ENOSYS);
	}
	s->default_action = (struct opt_name){ true, ACT_ERRNO };
	s->default_errno_ret = (struct opt_u32){ true, EPERM };
	s->architectures.v = arena_array_of(arena, char *, 4);
#ifdef __x86_64__ /* elsewhere the machine's own is enough */
	static const char *const archs[] = { "SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32" };
	for (size_t i = 0; s->architectures.v && i < COUNT(archs); i++)
		s->architectures.v[s->architectures.n++] = arena_strdup(arena, archs[i]);
#endif
	s->syscalls.v = p->rules;
	s->syscalls.n = p->n;
	*out = s;
	return p->failed || !s->architectures.v ? arena_exhausted() : NULL;
}
