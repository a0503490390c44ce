/* A thread for each virtual processor: it runs until something is asked of us. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "vmm/vm.h"

static error *serve_port(struct cpu *cpu)
{
	const struct kvm_run *run = cpu->state;
	uint8_t *data = (uint8_t *)run + run->io.data_offset;
	unsigned size = run->io.size;

	for (uint32_t i = 0; i < run->io.count; i++, data += size) {
		uint32_t value = 0;
		if (run->io.direction == KVM_EXIT_IO_IN) {
			value = bus_read(&cpu->vm->ports, run->io.port, size);
			memcpy(data, &value, size);
		} else {
			memcpy(&value, data, size);
			try(bus_write(&cpu->vm->ports, run->io.port, value, size));
		}
	}
	return NULL;
}

static error *serve_address(struct cpu *cpu)
{
	struct kvm_run *run = cpu->state;
	const struct bus *bus = &cpu->vm->addresses;
	unsigned len = run->mmio.len < 4 ? run->mmio.len : 4;
	uint32_t value = 0;

	if (run->mmio.is_write) {
		memcpy(&value, run->mmio.data, len);
		return bus_write(bus, run->mmio.phys_addr, value, run->mmio.len);
	}
	value = bus_read(bus, run->mmio.phys_addr, run->mmio.len);
	memset(run->mmio.data, 0xff, sizeof(run->mmio.data));
	memcpy(run->mmio.data, &value, len);
	return NULL;
}

static error *serve_shutdown(struct cpu *cpu)
{
	vm_stop(cpu->vm, VM_CRASH, NULL);
	return NULL;
}

static error *serve_system(struct cpu *cpu)
{
	vm_stop(cpu->vm,
		cpu->state->system_event.type == KVM_SYSTEM_EVENT_SHUTDOWN ? VM_OFF
		: cpu->state->system_event.type == KVM_SYSTEM_EVENT_RESET  ? VM_RESET
									   : VM_CRASH,
		NULL);
	return NULL;
}

static error *serve_entry(struct cpu *cpu)
{
	return error_said(EIO, "the processor cannot be entered (reason %#llx)",
			  (unsigned long long)cpu->state->fail_entry.hardware_entry_failure_reason);
}

static error *serve_internal(struct cpu *cpu)
{
	struct kvm_regs r = { 0 };

	ioctl(cpu->fd, KVM_GET_REGS, &r);
	return error_said(EIO, "KVM cannot go on (suberror %u at %#llx)",
			  cpu->state->internal.suberror, (unsigned long long)r.rip);
}

static error *serve_nothing(struct cpu *cpu)
{
	(void)cpu;
	return NULL;
}

static const struct {
	const char *name;
	error *(*serve)(struct cpu *cpu);
} exits[] = {
	[KVM_EXIT_IO] = { "port", serve_port },
	[KVM_EXIT_MMIO] = { "address", serve_address },
	[KVM_EXIT_HLT] = { "halt", serve_nothing },
	[KVM_EXIT_IRQ_WINDOW_OPEN] = { "interrupt window", serve_nothing },
	[KVM_EXIT_INTR] = { "signal", serve_nothing },
	[KVM_EXIT_SHUTDOWN] = { "shutdown", serve_shutdown },
	[KVM_EXIT_FAIL_ENTRY] = { "failed entry", serve_entry },
	[KVM_EXIT_INTERNAL_ERROR] = { "internal error", serve_internal },
	[KVM_EXIT_SYSTEM_EVENT] = { "system event", serve_system },
};

const char *cpu_exit_name(unsigned reason)
{
	return reason < COUNT(exits) && exits[reason].name ? exits[reason].name : "other";
}

error *cpu_turn(struct cpu *cpu)
{
	if (ioctl(cpu->fd, KVM_RUN, 0) < 0) {
		if (errno != EINTR && errno != EAGAIN)
			return error_errno("KVM_RUN");
		/* It may have been frozen for long: the guest shall not take that for a hang of its
		 * own. A kernel without this clock does not mind. */
		ioctl(cpu->fd, KVM_KVMCLOCK_CTRL, 0);
		return NULL;
	}
	unsigned reason = cpu->state->exit_reason;
	cpu->exits[reason < COUNT(cpu->exits) ? reason : 0]++;
	if (reason >= COUNT(exits) || !exits[reason].serve)
		return error_said(EIO, "KVM stops the processor for reason %u", reason);
	return exits[reason].serve(cpu);
}

static void *run(void *context)
{
	struct cpu *cpu = context;
	char name[16];

	snprintf(name, sizeof(name), "cpu %u", cpu->id);
	prctl(PR_SET_NAME, name);
	error *e = cpu->vm->want->no_seccomp ? NULL : filter_install(FILTER_CPU);
	while (!e && __atomic_load_n(&cpu->vm->end, __ATOMIC_RELAXED) == VM_RUNS)
		e = cpu_turn(cpu);
	if (e)
		vm_stop(cpu->vm, VM_FAILED, error_wrap(e, "processor %u", cpu->id));
	return NULL;
}

static error *make(struct vm *vm, unsigned id)
{
	struct cpu *cpu = &vm->cpus[id];

	cpu->vm = vm;
	cpu->id = id;
	cpu->fd = ioctl(vm->fd, KVM_CREATE_VCPU, id);
	if (cpu->fd < 0)
		return error_errno("KVM_CREATE_VCPU");
	cpu->state = mmap(NULL, vm->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, cpu->fd, 0);
	if (cpu->state == MAP_FAILED)
		return error_errno("map a processor");
	try(cpu_set_features(cpu));
	return cpu_set_start(cpu, &vm->start);
}

error *cpus_make(struct vm *vm)
{
	int size = ioctl(vm->kvm, KVM_GET_VCPU_MMAP_SIZE, 0);

	if (size < (int)sizeof(struct kvm_run))
		return error_errno("KVM_GET_VCPU_MMAP_SIZE");
	vm->run_size = (size_t)size;
	vm->n_cpus = vm->want->vcpus;
	vm->cpus = calloc(vm->n_cpus, sizeof(*vm->cpus));
	if (!vm->cpus)
		return error_new(ENOMEM, "processors");
	for (unsigned i = 0; i < vm->n_cpus; i++)
		try_as(make(vm, i), "processor %u", i);
	return NULL;
}

error *cpus_start(struct vm *vm)
{
	for (unsigned i = 0; i < vm->n_cpus; i++) {
		int code = pthread_create(&vm->cpus[i].thread, NULL, run, &vm->cpus[i]);
		if (code)
			return error_new(code, "start processor %u", i);
	}
	return NULL;
}
