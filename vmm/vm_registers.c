/* What a processor is, and its registers at the first instruction. */
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "vmm/boot.h"
#include "vmm/vm.h"

enum { ENTRIES = 256 };

/* --- features --- */

/* Bits of a register of a leaf that we clear or set in what KVM supports. */
static const struct {
	uint32_t leaf;
	enum { EAX, EBX, ECX, EDX } reg;
	uint32_t clear, set;
	const char *why;
} rules[] = {
	{ 0x1, ECX, 1 << 5 | 1 << 15, 0, "no virtual machines in the machine; no PDCM" },
	{ 0x1, ECX, 0, 1U << 31, "there is a hypervisor" },
	{ 0x6, ECX, 1 << 3, 0, "no hints about energy" },
	{ 0x6, EAX, 1 << 1 | 1 << 14, 0, "no turbo" },
	{ 0x7, EBX, 1 << 2 | 1 << 14, 0, "no SGX, no MPX" },
	{ 0x7, ECX, 1 << 5, 0, "no WAITPKG" },
	{ 0xa, EAX, UINT32_MAX, 0, "no counters of events, which tell of others" },
	{ 0xa, EBX, UINT32_MAX, 0, "as above" },
	{ 0xa, ECX, UINT32_MAX, 0, "as above" },
	{ 0xa, EDX, UINT32_MAX, 0, "as above" },
	{ 0x80000001, ECX, 1 << 2, 0, "no SVM" },
	{ 0x80000022, EAX, UINT32_MAX, 0, "no counters of events" },
};

static uint32_t *register_of(struct kvm_cpuid_entry2 *e, int reg)
{
	uint32_t *const registers[] = { &e->eax, &e->ebx, &e->ecx, &e->edx };

	return registers[reg];
}

static unsigned bits_for(unsigned n)
{
	return n > 1 ? 32 - (unsigned)__builtin_clz(n - 1) : 0;
}

/* Who this processor is among how many: a package of cores with one thread each. */
static void set_place(struct kvm_cpuid_entry2 *e, const struct cpu *cpu)
{
	unsigned n = cpu->vm->want->vcpus;

	switch (e->function) {
	case 0x1:
		e->ebx = (e->ebx & 0xffff) | n << 16 | cpu->id << 24;
		e->edx = n > 1 ? e->edx | 1U << 28 : e->edx & ~(1U << 28);
		if (ioctl(cpu->vm->kvm, KVM_CHECK_EXTENSION, KVM_CAP_TSC_DEADLINE_TIMER) > 0)
			e->ecx |= 1 << 24;
		break;
	case 0x4: /* caches: one core shares none with others but the last level */
		e->eax &= 0x3ff;
		if (e->eax & 0x1f)
			e->eax |= (n - 1) << 26;
		break;
	case 0xb:
	case 0x1f:
		e->eax = e->index ? bits_for(n) : 0;
		e->ebx = e->index ? n : 1;
		e->ecx = e->index | (e->index == 0 ? 1U << 8 : e->index == 1 ? 2U << 8 : 0);
		if (e->index > 1)
			e->eax = e->ebx = 0;
		e->edx = cpu->id;
		break;
	case 0x80000008:
		e->ecx = (e->ecx & ~0xf0ffU) | (n - 1) | bits_for(n) << 12;
		break;
	case 0x8000001e:
		e->eax = cpu->id;
		e->ebx = cpu->id;
		e->ecx = 0;
		break;
	default:
		break;
	}
}

error *cpu_set_features(const struct cpu *cpu)
{
	size_t size = sizeof(struct kvm_cpuid2) + ENTRIES * sizeof(struct kvm_cpuid_entry2);
	auto_free struct kvm_cpuid2 *list = calloc(1, size);

	if (!list)
		return error_new(ENOMEM, "a processor's features");
	list->nent = ENTRIES;
	if (ioctl(cpu->vm->kvm, KVM_GET_SUPPORTED_CPUID, list) < 0)
		return error_errno("KVM_GET_SUPPORTED_CPUID");
	for (uint32_t i = 0; i < list->nent; i++) {
		struct kvm_cpuid_entry2 *e = &list->entries[i];
		for (size_t r = 0; r < COUNT(rules); r++) {
			if (rules[r].leaf != e->function)
				continue;
			uint32_t *value = register_of(e, (int)rules[r].reg);
			*value = (*value & ~rules[r].clear) | rules[r].set;
		}
		set_place(e, cpu);
	}
	return ioctl(cpu->fd, KVM_SET_CPUID2, list) < 0 ? error_errno("KVM_SET_CPUID2") : NULL;
}

/* --- registers --- */

static error *set_msrs(const struct cpu *cpu)
{
	static const struct kvm_msr_entry values[] = {
		{ .index = 0x10 },  /* TSC */
		{ .index = 0x174 }, /* SYSENTER_CS, ESP, EIP */
		{ .index = 0x175 },
		{ .index = 0x176 },
		{ .index = 0x1a0, .data = 1 },           /* MISC_ENABLE: fast strings */
		{ .index = 0x2ff, .data = 1 << 11 | 6 }, /* memory is cached, write-back */
		{ .index = 0xc0000081 },                 /* STAR, LSTAR, CSTAR, SFMASK */
		{ .index = 0xc0000082 },
		{ .index = 0xc0000083 },
		{ .index = 0xc0000084 },
		{ .index = 0xc0000102 }, /* KERNEL_GS_BASE */
	};
	union {
		struct kvm_msrs head;
		uint8_t space[sizeof(struct kvm_msrs) + sizeof(values)];
	} request = { .head.nmsrs = COUNT(values) };

	memcpy(request.space + sizeof(struct kvm_msrs), values, sizeof(values));
	int n = ioctl(cpu->fd, KVM_SET_MSRS, &request);
	return n == (int)COUNT(values) ? NULL : error_said(ENOTSUP, "KVM_SET_MSRS: register %d", n);
}

/* External interrupts reach the first pins as a PC's do. */
static error *set_lapic(const struct cpu *cpu)
{
	struct kvm_lapic_state lapic;
	static const uint32_t external = 0x700;
	static const uint32_t nmi = 0x400;

	if (ioctl(cpu->fd, KVM_GET_LAPIC, &lapic) < 0)
		return error_errno("KVM_GET_LAPIC");
	memcpy(lapic.regs + 0x350, &external, sizeof(external));
	memcpy(lapic.regs + 0x360, &nmi, sizeof(nmi));
	return ioctl(cpu->fd, KVM_SET_LAPIC, &lapic) < 0 ? error_errno("KVM_SET_LAPIC") : NULL;
}

static error *set_segments(const struct cpu *cpu, const struct start *start)
{
	struct kvm_sregs s;
	struct kvm_segment code = { .limit = 0xffffffff,
				    .selector = 8,
				    .type = 11,
				    .present = 1,
				    .s = 1,
				    .l = start->paging,
				    .db = !start->paging,
				    .g = 1 };
	struct kvm_segment data = { .limit = 0xffffffff,
				    .selector = 16,
				    .type = 3,
				    .present = 1,
				    .s = 1,
				    .db = 1,
				    .g = 1 };
	struct kvm_segment task = { .limit = 0x67, .selector = 24, .type = 11, .present = 1 };

	if (ioctl(cpu->fd, KVM_GET_SREGS, &s) < 0)
		return error_errno("KVM_GET_SREGS");
	s.cs = code;
	s.ds = s.es = s.fs = s.gs = s.ss = data;
	s.tr = task;
	s.gdt = (struct kvm_dtable){ .base = BOOT_GDT, .limit = 4 * 8 - 1 };
	s.idt = (struct kvm_dtable){ .base = BOOT_IDT, .limit = 7 };
	if (start->paging) {
		s.cr0 = 0x80000011; /* PG, ET, PE */
		s.cr3 = BOOT_PML4;
		s.cr4 = 0x20;   /* PAE */
		s.efer = 0x500; /* LME, LMA */
	} else {
		s.cr0 = 0x11;
		s.cr4 = 0;
	}
	return ioctl(cpu->fd, KVM_SET_SREGS, &s) < 0 ? error_errno("KVM_SET_SREGS") : NULL;
}

error *cpu_set_start(const struct cpu *cpu, const struct start *start)
{
	struct kvm_regs r = { .rip = start->rip,
			      .rsi = start->rsi,
			      .rbx = start->rbx,
			      .rsp = start->rsp,
			      .rbp = start->rsp,
			      .rflags = 2 };
	struct kvm_fpu fpu = { .fcw = 0x37f, .mxcsr = 0x1f80 };

	try(set_msrs(cpu));
	try(set_lapic(cpu));
	if (cpu->id != 0) /* the others wait for the first to wake them */
		return NULL;
	try(set_segments(cpu, start));
	if (ioctl(cpu->fd, KVM_SET_REGS, &r) < 0)
		return error_errno("KVM_SET_REGS");
	return ioctl(cpu->fd, KVM_SET_FPU, &fpu) < 0 ? error_errno("KVM_SET_FPU") : NULL;
}
