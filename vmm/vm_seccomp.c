/* Which system calls a thread makes once the machine runs: what is not in its list, or an ioctl(2)
 * with another request, kills the whole process. */
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/if_tun.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "base/kernel.h"
#include "vmm/vm.h"

struct allowed {
	int call;
	int argument; /* -1: any; else the argument that must be `value` */
	uint32_t value;
};

#define ANY(call)                                                                                  \
	{                                                                                          \
		SYS_##call, -1, 0                                                                  \
	}

/* What every thread needs: memory for errors, locks, the end; eventfds and the agent's socket. */
static const struct allowed common[] = {
	ANY(read),
	ANY(write),
	ANY(futex),
	ANY(exit),
	ANY(exit_group),
	ANY(rt_sigreturn),
	ANY(mmap),
	ANY(munmap),
	ANY(mremap),
	ANY(brk),
	ANY(madvise),
	ANY(sendmsg),
	ANY(sendto),
	ANY(recvfrom),
	ANY(close),
	ANY(gettid),
	ANY(rt_sigprocmask),
	ANY(clock_gettime),
	ANY(restart_syscall),
};
static const struct allowed devices[] = {
	ANY(poll),      ANY(readv),     ANY(writev),    ANY(preadv),          ANY(pwritev),
	ANY(getrandom), ANY(fallocate), ANY(fdatasync), ANY(timerfd_settime),
};
static const struct allowed vsock[] = {
	ANY(accept4),
	ANY(recvmsg),
	ANY(shutdown),
};
static const struct allowed cpu[] = {
	{ SYS_ioctl, 1, KVM_RUN },
	{ SYS_ioctl, 1, KVM_KVMCLOCK_CTRL },
	{ SYS_ioctl, 1, KVM_GET_REGS },  /* for the words about an internal error */
	{ SYS_ioctl, 1, TUNSETOFFLOAD }, /* a driver of net has begun */
};

static const struct {
	const struct allowed *list;
	size_t n;
} lists[] = {
	[FILTER_DEVICES] = { devices, COUNT(devices) },
	[FILTER_CPU] = { cpu, COUNT(cpu) },
	[FILTER_VSOCK] = { vsock, COUNT(vsock) },
};

enum { ROOM = 256 };

struct program {
	struct sock_filter code[ROOM];
	unsigned short n;
};

static void emit(struct program *p, struct sock_filter instruction)
{
	p->code[p->n++] = instruction;
}

#define AT(field) ((uint32_t)offsetof(struct seccomp_data, field))

static void emit_list(struct program *p, const struct allowed *list, size_t n)
{
	static const struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);

	for (size_t i = 0; i < n; i++) {
		const struct allowed *a = &list[i];
		uint32_t at = AT(args) + 8 * (uint32_t)a->argument;
		if (a->argument < 0) {
			emit(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
							     (uint32_t)a->call, 0, 1));
			emit(p, allow);
			continue;
		}
		/* the kernel takes a request as 32 bits: the upper half says nothing */
		emit(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)a->call,
						     0, 4));
		emit(p, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, at));
		emit(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, a->value, 0, 1));
		emit(p, allow);
		emit(p, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, AT(nr)));
	}
}

error *filter_install(enum filter which)
{
	static const struct sock_filter kill = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	struct program p = { .n = 0 };

	emit(&p, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, AT(arch)));
	emit(&p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0));
	emit(&p, kill);
	emit(&p, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, AT(nr)));
	emit_list(&p, common, COUNT(common));
	emit_list(&p, lists[which].list, lists[which].n);
	if (which == FILTER_VSOCK)
		emit_list(&p, devices, COUNT(devices));
	emit(&p, kill);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return error_errno("promise no new privileges");
	struct sock_fprog program = { .len = p.n, .filter = p.code };
	return sys_seccomp(SECCOMP_SET_MODE_FILTER, 0, &program) < 0
		       ? error_errno("install the filter of system calls")
		       : NULL;
}
