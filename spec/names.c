/* The words of the specification and the kernel's numbers for them. Where Debian 12's headers lack
 * a number, it stands here with the kernel version that brought it. */
#include <linux/capability.h>
#include <linux/ioprio.h>
#include <linux/mempolicy.h>
#include <linux/mount.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "spec.h"

/* clang-format off */
static const struct name namespace_list[] = {
	{ "mount", NS_MOUNT }, { "pid", NS_PID }, { "network", NS_NETWORK }, { "uts", NS_UTS },
	{ "ipc", NS_IPC }, { "user", NS_USER }, { "cgroup", NS_CGROUP }, { "time", NS_TIME },
};
const struct names namespace_names = NAMES("a namespace type", namespace_list);

#define CAP(word) { "CAP_" #word, CAP_##word }
static const struct name capability_list[] = {
	CAP(CHOWN), CAP(DAC_OVERRIDE), CAP(DAC_READ_SEARCH), CAP(FOWNER), CAP(FSETID), CAP(KILL),
	CAP(SETGID), CAP(SETUID), CAP(SETPCAP), CAP(LINUX_IMMUTABLE), CAP(NET_BIND_SERVICE),
	CAP(NET_BROADCAST), CAP(NET_ADMIN), CAP(NET_RAW), CAP(IPC_LOCK), CAP(IPC_OWNER),
	CAP(SYS_MODULE), CAP(SYS_RAWIO), CAP(SYS_CHROOT), CAP(SYS_PTRACE), CAP(SYS_PACCT),
	CAP(SYS_ADMIN), CAP(SYS_BOOT), CAP(SYS_NICE), CAP(SYS_RESOURCE), CAP(SYS_TIME),
	CAP(SYS_TTY_CONFIG), CAP(MKNOD), CAP(LEASE), CAP(AUDIT_WRITE), CAP(AUDIT_CONTROL),
	CAP(SETFCAP), CAP(MAC_OVERRIDE), CAP(MAC_ADMIN), CAP(SYSLOG), CAP(WAKE_ALARM),
	CAP(BLOCK_SUSPEND), CAP(AUDIT_READ), CAP(PERFMON), CAP(BPF), CAP(CHECKPOINT_RESTORE),
};
/* "Any value which cannot be mapped to a relevant kernel interface SHOULD be logged as a warning." */
const struct names capability_names = NAMES("a capability", capability_list, .unknown_is_fine = true);

#define RLIMIT(word) { "RLIMIT_" #word, RLIMIT_##word }
static const struct name rlimit_list[] = {
	RLIMIT(AS), RLIMIT(CORE), RLIMIT(CPU), RLIMIT(DATA), RLIMIT(FSIZE), RLIMIT(LOCKS),
	RLIMIT(MEMLOCK), RLIMIT(MSGQUEUE), RLIMIT(NICE), RLIMIT(NOFILE), RLIMIT(NPROC), RLIMIT(RSS),
	RLIMIT(RTPRIO), RLIMIT(RTTIME), RLIMIT(SIGPENDING), RLIMIT(STACK),
};
const struct names rlimit_names = NAMES("a resource limit", rlimit_list);

static const struct name seccomp_action_list[] = {
	{ "SCMP_ACT_KILL", ACT_KILL_THREAD }, { "SCMP_ACT_KILL_THREAD", ACT_KILL_THREAD },
	{ "SCMP_ACT_KILL_PROCESS", ACT_KILL_PROCESS }, { "SCMP_ACT_TRAP", ACT_TRAP },
	{ "SCMP_ACT_ERRNO", ACT_ERRNO }, { "SCMP_ACT_TRACE", ACT_TRACE }, { "SCMP_ACT_ALLOW", ACT_ALLOW },
	{ "SCMP_ACT_LOG", ACT_LOG }, { "SCMP_ACT_NOTIFY", ACT_NOTIFY },
};
const struct names seccomp_action_names = NAMES("a seccomp action", seccomp_action_list);

static const struct name seccomp_op_list[] = {
	{ "SCMP_CMP_NE", OP_NE }, { "SCMP_CMP_LT", OP_LT }, { "SCMP_CMP_LE", OP_LE }, { "SCMP_CMP_EQ", OP_EQ },
	{ "SCMP_CMP_GE", OP_GE }, { "SCMP_CMP_GT", OP_GT }, { "SCMP_CMP_MASKED_EQ", OP_MASKED_EQ },
};
const struct names seccomp_op_names = NAMES("a seccomp comparison", seccomp_op_list);

/* An architecture that the installed libseccomp does not know is ignored with a warning, hence the #ifdefs. */
#define ARCH(word) { "SCMP_ARCH_" #word, SCMP_ARCH_##word }
static const struct name seccomp_arch_list[] = {
	ARCH(X86), ARCH(X86_64), ARCH(X32), ARCH(ARM), ARCH(AARCH64), ARCH(MIPS), ARCH(MIPS64),
	ARCH(MIPS64N32), ARCH(MIPSEL), ARCH(MIPSEL64), ARCH(MIPSEL64N32), ARCH(PPC), ARCH(PPC64),
	ARCH(PPC64LE), ARCH(S390), ARCH(S390X), ARCH(PARISC), ARCH(PARISC64), ARCH(RISCV64),
#ifdef SCMP_ARCH_LOONGARCH64
	ARCH(LOONGARCH64),
#endif
#ifdef SCMP_ARCH_M68K
	ARCH(M68K),
#endif
#ifdef SCMP_ARCH_SH
	ARCH(SH), ARCH(SHEB),
#endif
};
const struct names seccomp_arch_names = NAMES("a seccomp architecture", seccomp_arch_list);

/* Bit numbers of SECCOMP_FILTER_FLAG_*; WAIT_KILLABLE_RECV is Linux 5.19. */
static const struct name seccomp_flag_list[] = {
	{ "SECCOMP_FILTER_FLAG_TSYNC", 0 }, { "SECCOMP_FILTER_FLAG_LOG", 1 },
	{ "SECCOMP_FILTER_FLAG_SPEC_ALLOW", 2 }, { "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", 5 },
};
const struct names seccomp_flag_names = NAMES("a seccomp flag", seccomp_flag_list);

static const struct name propagation_list[] = {
	{ "private", MS_PRIVATE }, { "rprivate", MS_PRIVATE }, { "shared", MS_SHARED }, { "rshared", MS_SHARED },
	{ "slave", MS_SLAVE }, { "rslave", MS_SLAVE }, { "unbindable", MS_UNBINDABLE },
	{ "runbindable", MS_UNBINDABLE },
};
const struct names propagation_names = NAMES("a mount propagation", propagation_list);

static const struct name personality_list[] = { { "LINUX", PER_LINUX }, { "LINUX32", PER_LINUX32 } };
const struct names personality_names = NAMES("a personality", personality_list);

static const struct name scheduler_list[] = {
	{ "SCHED_OTHER", SCHED_OTHER }, { "SCHED_FIFO", SCHED_FIFO }, { "SCHED_RR", SCHED_RR },
	{ "SCHED_BATCH", SCHED_BATCH }, { "SCHED_ISO", 4 }, { "SCHED_IDLE", SCHED_IDLE },
	{ "SCHED_DEADLINE", 6 },
};
const struct names scheduler_names = NAMES("a scheduling policy", scheduler_list);

static const struct name scheduler_flag_list[] = {
	{ "SCHED_FLAG_RESET_ON_FORK", 0 }, { "SCHED_FLAG_RECLAIM", 1 }, { "SCHED_FLAG_DL_OVERRUN", 2 },
	{ "SCHED_FLAG_KEEP_POLICY", 3 }, { "SCHED_FLAG_KEEP_PARAMS", 4 },
	{ "SCHED_FLAG_UTIL_CLAMP_MIN", 5 }, { "SCHED_FLAG_UTIL_CLAMP_MAX", 6 },
};
const struct names scheduler_flag_names = NAMES("a scheduling flag", scheduler_flag_list);

static const struct name io_class_list[] = {
	{ "IOPRIO_CLASS_RT", IOPRIO_CLASS_RT }, { "IOPRIO_CLASS_BE", IOPRIO_CLASS_BE },
	{ "IOPRIO_CLASS_IDLE", IOPRIO_CLASS_IDLE },
};
const struct names io_class_names = NAMES("an I/O priority class", io_class_list);

/* MPOL_WEIGHTED_INTERLEAVE is Linux 6.9. */
static const struct name memory_policy_list[] = {
	{ "MPOL_DEFAULT", MPOL_DEFAULT }, { "MPOL_BIND", MPOL_BIND }, { "MPOL_INTERLEAVE", MPOL_INTERLEAVE },
	{ "MPOL_WEIGHTED_INTERLEAVE", 6 }, { "MPOL_PREFERRED", MPOL_PREFERRED },
	{ "MPOL_PREFERRED_MANY", MPOL_PREFERRED_MANY }, { "MPOL_LOCAL", MPOL_LOCAL },
};
const struct names memory_policy_names = NAMES("a memory policy", memory_policy_list);

static const struct name memory_flag_list[] = {
	{ "MPOL_F_NUMA_BALANCING", 13 }, { "MPOL_F_RELATIVE_NODES", 14 }, { "MPOL_F_STATIC_NODES", 15 },
};
const struct names memory_flag_names = NAMES("a memory policy flag", memory_flag_list);

static const struct name device_type_list[] = {
	{ "c", S_IFCHR }, { "u", S_IFCHR }, { "b", S_IFBLK }, { "p", S_IFIFO },
};
const struct names device_type_names = NAMES("a device type: c, b, u or p", device_type_list);

static const struct name rule_type_list[] = { { "a", 'a' }, { "b", 'b' }, { "c", 'c' } };
const struct names rule_type_names = NAMES("a device type: a, b or c", rule_type_list);

static const struct name image_format_list[] = {
	{ "raw", 0 }, { "qcow2", 1 }, { "vdi", 2 }, { "vmdk", 3 }, { "vhd", 4 },
};
const struct names image_format_names = NAMES("an image format", image_format_list);
