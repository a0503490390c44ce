/* The tables that base/rows.c runs on, made from the rows of spec.h; and the readers on top of
 * them. */
#include "spec.h"

#include <string.h>

#include "base/fd.h"

/* clang-format off */
#define THIS spec_root
SHAPE(spec_root, SPEC_ROOT)
#undef THIS
#define THIS spec_id_map
SHAPE(spec_id_map, SPEC_ID_MAP)
#undef THIS
#define THIS spec_mount
SHAPE(spec_mount, SPEC_MOUNT)
#undef THIS
#define THIS spec_console_size
SHAPE(spec_console_size, SPEC_CONSOLE_SIZE)
#undef THIS
#define THIS spec_user
SHAPE(spec_user, SPEC_USER)
#undef THIS
#define THIS spec_capabilities
SHAPE(spec_capabilities, SPEC_CAPABILITIES)
#undef THIS
#define THIS spec_rlimit
SHAPE(spec_rlimit, SPEC_RLIMIT)
#undef THIS
#define THIS spec_scheduler
SHAPE(spec_scheduler, SPEC_SCHEDULER)
#undef THIS
#define THIS spec_io_priority
SHAPE(spec_io_priority, SPEC_IO_PRIORITY)
#undef THIS
#define THIS spec_affinity
SHAPE(spec_affinity, SPEC_AFFINITY)
#undef THIS
#define THIS spec_process
SHAPE(spec_process, SPEC_PROCESS)
#undef THIS
#define THIS spec_hook
SHAPE(spec_hook, SPEC_HOOK)
#undef THIS
#define THIS spec_hooks
SHAPE(spec_hooks, SPEC_HOOKS)
#undef THIS
#define THIS spec_namespace
SHAPE(spec_namespace, SPEC_NAMESPACE)
#undef THIS
#define THIS spec_device
SHAPE(spec_device, SPEC_DEVICE)
#undef THIS
#define THIS spec_net_device
SHAPE(spec_net_device, SPEC_NET_DEVICE)
#undef THIS
#define THIS spec_device_rule
SHAPE(spec_device_rule, SPEC_DEVICE_RULE)
#undef THIS
#define THIS spec_memory
SHAPE(spec_memory, SPEC_MEMORY)
#undef THIS
#define THIS spec_cpu
SHAPE(spec_cpu, SPEC_CPU)
#undef THIS
#define THIS spec_pids
SHAPE(spec_pids, SPEC_PIDS)
#undef THIS
#define THIS spec_weight_device
SHAPE(spec_weight_device, SPEC_WEIGHT_DEVICE)
#undef THIS
#define THIS spec_throttle_device
SHAPE(spec_throttle_device, SPEC_THROTTLE_DEVICE)
#undef THIS
#define THIS spec_block_io
SHAPE(spec_block_io, SPEC_BLOCK_IO)
#undef THIS
#define THIS spec_hugepage_limit
SHAPE(spec_hugepage_limit, SPEC_HUGEPAGE_LIMIT)
#undef THIS
#define THIS spec_priority
SHAPE(spec_priority, SPEC_PRIORITY)
#undef THIS
#define THIS spec_network
SHAPE(spec_network, SPEC_NETWORK)
#undef THIS
#define THIS spec_rdma
SHAPE(spec_rdma, SPEC_RDMA)
#undef THIS
#define THIS spec_resources
SHAPE(spec_resources, SPEC_RESOURCES)
#undef THIS
#define THIS spec_syscall_arg
SHAPE(spec_syscall_arg, SPEC_SYSCALL_ARG)
#undef THIS
#define THIS spec_syscall
SHAPE(spec_syscall, SPEC_SYSCALL)
#undef THIS
#define THIS spec_seccomp
SHAPE(spec_seccomp, SPEC_SECCOMP)
#undef THIS
#define THIS spec_intel_rdt
SHAPE(spec_intel_rdt, SPEC_INTEL_RDT)
#undef THIS
#define THIS spec_memory_policy
SHAPE(spec_memory_policy, SPEC_MEMORY_POLICY)
#undef THIS
#define THIS spec_personality
SHAPE(spec_personality, SPEC_PERSONALITY)
#undef THIS
#define THIS spec_time_offset
SHAPE(spec_time_offset, SPEC_TIME_OFFSET)
#undef THIS
#define THIS spec_linux
SHAPE(spec_linux, SPEC_LINUX)
#undef THIS
#define THIS spec_hypervisor
SHAPE(spec_hypervisor, SPEC_HYPERVISOR)
#undef THIS
#define THIS spec_kernel
SHAPE(spec_kernel, SPEC_KERNEL)
#undef THIS
#define THIS spec_vm_image
SHAPE(spec_vm_image, SPEC_VM_IMAGE)
#undef THIS
#define THIS spec_io_mem
SHAPE(spec_io_mem, SPEC_IO_MEM)
#undef THIS
#define THIS spec_hardware
SHAPE(spec_hardware, SPEC_HARDWARE)
#undef THIS
#define THIS spec_vm
SHAPE(spec_vm, SPEC_VM)
#undef THIS
#define THIS spec
SHAPE(spec, SPEC_CONFIG)
#undef THIS
/* clang-format on */

/* A config.json beyond this is an attack or a mistake. */
static const size_t CONFIG_MAX = (size_t)16 << 20;

#define ensure(arena, at, type)                                                                    \
	do {                                                                                       \
		if (!(at) && !((at) = arena_new_of(arena, struct type)))                           \
			return arena_exhausted();                                                  \
	} while (0)

error *spec_read(const char *text, size_t len, struct arena *arena, const struct spec **out)
{
	struct spec *spec = arena_new_of(arena, struct spec);

	if (!spec)
		return arena_exhausted();
	try(rows_read(&spec_shape, text, len, ROWS_LENIENT, arena, spec));
	ensure(arena, spec->linux_, spec_linux);
	ensure(arena, spec->linux_->resources, spec_resources);
	ensure(arena, spec->hooks, spec_hooks);
	if (spec->process)
		ensure(arena, spec->process->user, spec_user);
	try(spec_check(spec));
	*out = spec;
	return NULL;
}

error *spec_read_file(int dir, const char *path, struct arena *arena, const struct spec **out)
{
	auto_free char *text = NULL;
	size_t len;
	const char *name = strrchr(path, '/');

	try(file_read(dir, path, CONFIG_MAX, &text, &len));
	try_as(spec_read(text, len, arena, out), "%s", name ? name + 1 : path);
	return NULL;
}

error *spec_read_process(const char *text, size_t len, struct arena *arena,
			 struct spec_process **out)
{
	struct spec_process *process = arena_new_of(arena, struct spec_process);

	if (!process)
		return arena_exhausted();
	try(rows_read(&spec_process_shape, text, len, ROWS_LENIENT, arena, process));
	ensure(arena, process->user, spec_user);
	try(spec_check_process(process));
	*out = process;
	return NULL;
}

error *spec_read_resources(const char *text, size_t len, struct arena *arena,
			   struct spec_resources **out)
{
	struct spec_resources *resources = arena_new_of(arena, struct spec_resources);

	if (!resources)
		return arena_exhausted();
	try(rows_read(&spec_resources_shape, text, len, ROWS_LENIENT, arena, resources));
	*out = resources;
	return NULL;
}

void spec_write(const struct spec *spec, struct json *to)
{
	rows_write(&spec_shape, spec, NULL, to);
}
