/* Some hosts have a /dev/kvm on which no kernel runs: one that interprets what the guest's
 * privileged code does, for example. A guest of a few instructions in 64-bit mode finds out: it
 * counts, breaks into its own debug exception, and says so at a port. */
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "vmm.h"

enum {
	MEMORY = 64 << 10,
	IDT = 0x1000,
	CODE = 0x2000,
	HANDLER = 0x2800,
	STACK = 0x3800,
	PML4 = 0x4000,
	PDPT = 0x5000,
	PD = 0x6000,
	GDT = 0x7000,
	PORT = 0x80,
	SAYS = 42,
	ROUNDS = 20000, /* two instructions each: a millisecond where they are interpreted */
	SLOW_MS = 100,
};

static const uint8_t code[] = {
	0xb9, ROUNDS & 0xff, ROUNDS >> 8, 0, 0, /* mov ecx, ROUNDS */
	0xff, 0xc9,                             /* 1: dec ecx */
	0x75, 0xfc,                             /* jnz 1b */
	0xcc,                                   /* int3: kernels patch themselves with it */
};
static const uint8_t handler[] = {
	0xb0, SAYS, /* mov al, SAYS */
	0xe6, PORT, /* out PORT, al */
	0xf4,       /* hlt */
};

static error *cannot(const char *why)
{
	return error_said(ENOTSUP,
			  "/dev/kvm cannot run a guest's kernel on this host (%s); --sandbox qemu "
			  "emulates a processor",
			  why);
}

static void put64(uint8_t *memory, size_t at, uint64_t value)
{
	memcpy(memory + at, &value, sizeof(value));
}

static void fill(uint8_t *memory)
{
	put64(memory, PML4, PDPT | 3);
	put64(memory, PDPT, PD | 3);
	put64(memory, PD, 0x83); /* 2 MiB as they are */
	put64(memory, GDT + 8, 0x00af9b000000ffff);
	put64(memory, GDT + 16, 0x00cf93000000ffff);
	/* vector 3: a 64-bit interrupt gate */
	put64(memory, IDT + 3 * 16, (uint64_t)(HANDLER & 0xffff) | 8 << 16 | 0x8e00ULL << 32);
	memcpy(memory + CODE, code, sizeof(code));
	memcpy(memory + HANDLER, handler, sizeof(handler));
}

static error *set_registers(int cpu)
{
	struct kvm_sregs s;
	struct kvm_regs r = { .rip = CODE, .rsp = STACK, .rflags = 2 };
	struct kvm_segment cs = {
		.limit = 0xffffffff, .selector = 8, .type = 11, .present = 1, .s = 1, .l = 1, .g = 1
	};
	struct kvm_segment ds = { .limit = 0xffffffff,
				  .selector = 16,
				  .type = 3,
				  .present = 1,
				  .s = 1,
				  .db = 1,
				  .g = 1 };

	if (ioctl(cpu, KVM_GET_SREGS, &s) < 0)
		return error_errno("/dev/kvm: KVM_GET_SREGS");
	s.cs = cs;
	s.ds = s.es = s.fs = s.gs = s.ss = ds;
	s.gdt = (struct kvm_dtable){ .base = GDT, .limit = 23 };
	s.idt = (struct kvm_dtable){ .base = IDT, .limit = 4 * 16 - 1 };
	s.cr0 = 0x80000001; /* PG, PE */
	s.cr3 = PML4;
	s.cr4 = 0x20;   /* PAE */
	s.efer = 0x500; /* LME, LMA */
	if (ioctl(cpu, KVM_SET_SREGS, &s) < 0 || ioctl(cpu, KVM_SET_REGS, &r) < 0)
		return error_errno("/dev/kvm: set registers");
	return NULL;
}

static int64_t milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static error *run(int cpu, const struct kvm_run *state)
{
	int64_t began = milliseconds();

	if (ioctl(cpu, KVM_RUN, 0) < 0)
		return error_errno("/dev/kvm: KVM_RUN");
	if (state->exit_reason == KVM_EXIT_INTERNAL_ERROR)
		return cannot("it does not know all of a kernel's instructions");
	if (state->exit_reason != KVM_EXIT_IO || state->io.port != PORT ||
	    *((const uint8_t *)state + state->io.data_offset) != SAYS)
		return cannot("exceptions do not arrive");
	if (milliseconds() - began > SLOW_MS)
		return cannot("it interprets them, far too slowly");
	return NULL;
}

static error *probe_cpu(int kvm, int vm, uint8_t *memory)
{
	struct kvm_userspace_memory_region region = { .memory_size = MEMORY,
						      .userspace_addr = (uintptr_t)memory };
	auto_fd int cpu = -1;
	int size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);

	fill(memory);
	if (ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region) < 0)
		return error_errno("/dev/kvm: give it memory");
	cpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	if (cpu < 0)
		return error_errno("/dev/kvm: make a processor");
	struct kvm_run *state =
		mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, cpu, 0);
	if (state == MAP_FAILED)
		return error_errno("/dev/kvm: map a processor");
	error *e = set_registers(cpu);
	if (!e)
		e = run(cpu, state);
	munmap(state, (size_t)size);
	return e;
}

uint64_t machine_tsc_khz(void)
{
	static const struct timespec while_ = { .tv_nsec = 5000000 };
	struct timespec begin;
	struct timespec end;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	uint64_t ticks = __builtin_ia32_rdtsc();
	nanosleep(&while_, NULL);
	ticks = __builtin_ia32_rdtsc() - ticks;
	clock_gettime(CLOCK_MONOTONIC, &end);
	return ticks * 1000000 /
	       (uint64_t)((end.tv_sec - begin.tv_sec) * 1000000000 + end.tv_nsec - begin.tv_nsec);
}

error *machine_probe_kvm(void)
{
	auto_fd int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	auto_fd int vm = -1;

	if (kvm < 0 && (errno == EACCES || errno == EPERM))
		return error_said(
			EACCES, "/dev/kvm: this user may not open it: become a member of its group "
				"(usually kvm)");
	if (kvm < 0)
		return error_said(
			ENOTSUP,
			"/dev/kvm: %s: load kvm_intel or kvm_amd, or turn virtualisation on "
			"in the firmware; --sandbox qemu works without",
			strerror(errno));
	if (ioctl(kvm, KVM_GET_API_VERSION, 0) != KVM_API_VERSION)
		return cannot("it speaks another version of the interface");
	do
		vm = ioctl(kvm, KVM_CREATE_VM, 0);
	while (vm < 0 && errno == EINTR);
	if (vm < 0)
		return error_errno("/dev/kvm: make a machine");
	uint8_t *memory =
		mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return error_errno("mmap");
	error *e = probe_cpu(kvm, vm, memory);
	munmap(memory, MEMORY);
	return e;
}
