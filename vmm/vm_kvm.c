#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "vmm/vm.h"

/* Three pages below the roof that Intel's processors need for real mode; outside of all memory. */
#define TSS_ADDRESS      0xfffbd000UL
#define IDENTITY_ADDRESS 0xfffbc000ULL

static const struct {
	int id;
	const char *name;
} needed[] = {
	{ KVM_CAP_IRQCHIP, "IRQCHIP" },     { KVM_CAP_USER_MEMORY, "USER_MEMORY" },
	{ KVM_CAP_IOEVENTFD, "IOEVENTFD" }, { KVM_CAP_IRQFD, "IRQFD" },
	{ KVM_CAP_EXT_CPUID, "EXT_CPUID" }, { KVM_CAP_SET_TSS_ADDR, "SET_TSS_ADDR" },
	{ KVM_CAP_PIT2, "PIT2" },           { KVM_CAP_MP_STATE, "MP_STATE" },
};

error *kvm_open(struct vm *vm)
{
	static const __u64 identity = IDENTITY_ADDRESS;

	vm->kvm = vm->want->kvm ? (int)vm->want->kvm : open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (vm->kvm < 0)
		return error_errno("/dev/kvm");
	if (ioctl(vm->kvm, KVM_GET_API_VERSION, 0) != KVM_API_VERSION)
		return error_said(ENOTSUP, "/dev/kvm speaks another version of the interface");
	for (size_t i = 0; i < COUNT(needed); i++)
		if (ioctl(vm->kvm, KVM_CHECK_EXTENSION, needed[i].id) <= 0)
			return error_said(ENOTSUP, "/dev/kvm lacks KVM_CAP_%s", needed[i].name);
	do
		vm->fd = ioctl(vm->kvm, KVM_CREATE_VM, 0);
	while (vm->fd < 0 && errno == EINTR);
	if (vm->fd < 0)
		return error_errno("KVM_CREATE_VM");
	if (ioctl(vm->fd, KVM_SET_TSS_ADDR, TSS_ADDRESS) < 0 ||
	    ioctl(vm->fd, KVM_SET_IDENTITY_MAP_ADDR, &identity) < 0)
		return error_errno("KVM_SET_TSS_ADDR");
	return NULL;
}

error *kvm_give_memory(struct vm *vm)
{
	for (size_t i = 0; i < vm->memory.n; i++) {
		const struct memory_region *r = &vm->memory.regions[i];
		struct kvm_userspace_memory_region slot = {
			.slot = (uint32_t)i,
			.guest_phys_addr = r->start,
			.memory_size = r->size,
			.userspace_addr = (uintptr_t)r->at,
		};
		if (ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &slot) < 0)
			return error_errno("KVM_SET_USER_MEMORY_REGION");
	}
	return NULL;
}

error *kvm_make_interrupts(struct vm *vm)
{
	struct kvm_pit_config pit = { .flags = KVM_PIT_SPEAKER_DUMMY };

	if (ioctl(vm->fd, KVM_CREATE_IRQCHIP, 0) < 0)
		return error_errno("KVM_CREATE_IRQCHIP");
	return ioctl(vm->fd, KVM_CREATE_PIT2, &pit) < 0 ? error_errno("KVM_CREATE_PIT2") : NULL;
}

error *kvm_connect_interrupt(const struct vm *vm, int irq, uint32_t line)
{
	struct kvm_irqfd request = { .fd = (uint32_t)irq, .gsi = line };

	return ioctl(vm->fd, KVM_IRQFD, &request) < 0 ? error_errno("KVM_IRQFD") : NULL;
}

error *kvm_connect_notify(const struct vm *vm, uint64_t address, uint32_t value, int fd)
{
	struct kvm_ioeventfd request = { .datamatch = value,
					 .addr = address,
					 .len = 4,
					 .fd = fd,
					 .flags = KVM_IOEVENTFD_FLAG_DATAMATCH };

	return ioctl(vm->fd, KVM_IOEVENTFD, &request) < 0 ? error_errno("KVM_IOEVENTFD") : NULL;
}
