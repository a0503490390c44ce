/* THE MACHINE, as one ordered table: what is wanted, how it is built, in the order in which one
 * part needs another. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "vmm/vm.h"

/* --- the power registers --- */

enum { SLEEP_CONTROL, SLEEP_STATUS, RESET, POWER_REGISTERS };
enum { SLEEP_NOW = 0x20, SOFT_OFF = 5 };

static uint32_t power_read(void *context, uint64_t offset, unsigned len)
{
	(void)context;
	(void)offset;
	(void)len;
	return 0;
}

static error *power_write(void *context, uint64_t offset, uint32_t value, unsigned len)
{
	struct vm *vm = context;

	(void)len;
	if (offset == SLEEP_CONTROL && value & SLEEP_NOW && (value >> 2 & 7) == SOFT_OFF)
		vm_stop(vm, VM_OFF, NULL);
	if (offset == RESET && value & 1)
		vm_stop(vm, VM_RESET, NULL);
	return NULL;
}

static error *make_power(struct vm *vm)
{
	return bus_add(&vm->ports, &(struct bus_range){ .name = "power",
							.start = PORT_POWER,
							.len = POWER_REGISTERS,
							.read = power_read,
							.write = power_write,
							.context = vm });
}

/* --- the serial port --- */

static error *make_serial(struct vm *vm)
{
	vm->serial.fd = (int)vm->want->console;
	vm->serial.irq = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (vm->serial.irq < 0)
		return error_errno("eventfd");
	pthread_mutex_init(&vm->serial.lock, NULL);
	try(kvm_connect_interrupt(vm, vm->serial.irq, IRQ_SERIAL));
	return bus_add(&vm->ports, &(struct bus_range){ .name = "serial",
							.start = PORT_SERIAL,
							.len = 8,
							.read = serial_read,
							.write = serial_write,
							.context = &vm->serial });
}

/* --- devices --- */

static uint32_t device_read(void *context, uint64_t offset, unsigned len)
{
	return virtio_read(context, offset, len);
}

static error *device_write(void *context, uint64_t offset, uint32_t value, unsigned len)
{
	return virtio_write(context, offset, value, len);
}

/* Its registers, what tells it of requests, its interrupt. */
static error *add_device(struct vm *vm, struct virtio_device *d)
{
	uint64_t base = DEVICE_BASE + vm->n_devices * VIRTIO_WINDOW;
	uint32_t line = IRQ_FIRST + (uint32_t)vm->n_devices;

	if (vm->n_devices == DEVICES_MAX)
		return error_said(E2BIG, "more than %d devices", DEVICES_MAX);
	vm->devices[vm->n_devices++] = d;
	try(bus_add(&vm->addresses, &(struct bus_range){ .name = d->class->name,
							 .start = base,
							 .len = VIRTIO_WINDOW,
							 .read = device_read,
							 .write = device_write,
							 .context = d }));
	try(kvm_connect_interrupt(vm, d->irq, line));
	for (unsigned i = 0; i < d->n_queues; i++)
		try(kvm_connect_notify(vm, base + VIRTIO_NOTIFY, i, d->kicks[i].fd));
	return NULL;
}

static bool has_agent(const struct want *w)
{
	return w->agent > 0;
}

static error *make_console(struct vm *vm)
{
	struct virtio_device *d;

	try(virtio_console_new((int)vm->want->agent, vm->want->port, &vm->memory, &vm->loop, &d));
	return add_device(vm, d);
}

static bool has_fs(const struct want *w)
{
	return w->fs;
}

static error *make_fs(struct vm *vm)
{
	struct virtio_device *d;

	try(virtio_fs_new(vm->want->fs, vm->want->fs_tag, &vm->memory, &vm->loop, &d));
	return add_device(vm, d);
}

static error *make_rng(struct vm *vm)
{
	struct virtio_device *d;

	try(virtio_rng_new(&vm->memory, &vm->loop, &d));
	return add_device(vm, d);
}

static bool has_disks(const struct want *w)
{
	return w->disks.n > 0;
}

static error *make_disks(struct vm *vm)
{
	struct virtio_device *d;

	for (size_t i = 0; i < vm->want->disks.n; i++) {
		try_as(disk_make(vm, vm->want->disks.v[i], &d), "--disk %s", vm->want->disks.v[i]);
		try(add_device(vm, d));
	}
	return NULL;
}

static bool has_taps(const struct want *w)
{
	return w->taps.n > 0;
}

/* "FD,MAC" */
static error *make_tap(struct vm *vm, const char *text)
{
	struct virtio_device *d;
	uint8_t mac[6];
	int end = 0;
	int fd;

	if (sscanf(text, "%d,%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", &fd, &mac[0], &mac[1], &mac[2],
		   &mac[3], &mac[4], &mac[5], &end) != 7 ||
	    text[end])
		return error_said(EINVAL, "--tap %s: want FD,MAC", text);
	try(virtio_net_new(fd, mac, &vm->memory, &vm->loop, &d));
	for (unsigned i = 0; i < d->n_queues; i++)
		try(virtio_limit(d, &d->limits[i], (uint64_t)vm->want->net_bytes,
				 vm->want->net_packets));
	return add_device(vm, d);
}

static error *make_taps(struct vm *vm)
{
	for (size_t i = 0; i < vm->want->taps.n; i++)
		try(make_tap(vm, vm->want->taps.v[i]));
	return NULL;
}

static bool has_vsock(const struct want *w)
{
	return w->vsock;
}

static error *make_vsock(struct vm *vm)
{
	struct virtio_device *d;
	int fds[2];
	int end = 0;

	if (sscanf(vm->want->vsock, "%d,%d%n", &fds[0], &fds[1], &end) != 2 || vm->want->vsock[end])
		return error_said(EINVAL, "--vsock %s: want FD,FD", vm->want->vsock);
	try(virtio_vsock_new(fds[0], fds[1], vm->want->cid, &vm->memory, &vm->loop, &d));
	return add_device(vm, d);
}

static bool has_metrics(const struct want *w)
{
	return w->metrics_fd > 0;
}

static error *make_balloon(struct vm *vm)
{
	struct virtio_device *d;

	try(virtio_balloon_new(&vm->memory, &vm->loop, &d));
	return add_device(vm, d);
}

/* --- the end --- */

static error *end_ready(struct watch *w, short events)
{
	(void)w;
	(void)events;
	return NULL;
}

static error *make_end(struct vm *vm)
{
	pthread_mutex_init(&vm->lock, NULL);
	vm->ended = (struct watch){ .fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
				    .events = POLLIN,
				    .ready = end_ready };
	return vm->ended.fd < 0 ? error_errno("eventfd") : loop_watch(&vm->loop, &vm->ended);
}

void vm_stop(struct vm *vm, enum vm_end end, error *why)
{
	static const uint64_t one = 1;

	pthread_mutex_lock(&vm->lock);
	if (vm->end == VM_RUNS) {
		vm->why = why;
		__atomic_store_n(&vm->end, end, __ATOMIC_RELAXED);
	} else {
		error_free(why);
	}
	pthread_mutex_unlock(&vm->lock);
	if (write(vm->ended.fd, &one, sizeof(one)) < 0)
		return;
}

/* --- the table --- */

static error *make_memory(struct vm *vm)
{
	return memory_new(&vm->memory, (uint64_t)vm->want->memory);
}

/* clang-format off */
static const struct part {
	const char *what;
	bool (*when)(const struct want *); /* NULL: always */
	error *(*build)(struct vm *);
} parts[] = {
	{ "the machine's end",          NULL,        make_end },
	{ "KVM",                        NULL,        kvm_open },
	{ "memory",                     NULL,        make_memory },
	{ "memory's slots",             NULL,        kvm_give_memory },
	{ "interrupt controllers",      NULL,        kvm_make_interrupts },
	{ "power registers",            NULL,        make_power },
	{ "serial port",                NULL,        make_serial },
	{ "port to the agent",          has_agent,   make_console },
	{ "file system",                has_fs,      make_fs },
	{ "random numbers",             NULL,        make_rng },
	{ "memory that comes back",     NULL,        make_balloon },
	{ "disks",                      has_disks,   make_disks },
	{ "network devices",            has_taps,    make_taps },
	{ "stream sockets",             has_vsock,   make_vsock },
	{ "kernel",                     NULL,        boot_load },
	{ "ACPI tables",                NULL,        boot_write_acpi },
	{ "processors",                 NULL,        cpus_make },
	{ "metrics",                    has_metrics, metrics_watch },
};
/* clang-format on */

error *vm_build(struct vm *vm, const struct want *want)
{
	vm->want = want;
	for (size_t i = 0; i < COUNT(parts); i++)
		if (!parts[i].when || parts[i].when(want))
			try_as(parts[i].build(vm), "%s", parts[i].what);
	return NULL;
}

error *vm_run(struct vm *vm)
{
	/* threads inherit a filter: theirs are a part of ours, and installed on top */
	try(cpus_start(vm));
	if (!vm->want->no_seccomp)
		try(filter_install(vm->want->vsock ? FILTER_VSOCK : FILTER_DEVICES));
	while (__atomic_load_n(&vm->end, __ATOMIC_RELAXED) == VM_RUNS) {
		error *e = loop_turn(&vm->loop, -1);
		if (e)
			vm_stop(vm, VM_FAILED, e);
	}
	pthread_mutex_lock(&vm->lock);
	if (vm->serial.panic[0])
		return error_said(EIO, "the guest's kernel has panicked: %s", vm->serial.panic);
	if (vm->end == VM_CRASH)
		return error_said(EIO, "the guest's kernel has crashed (triple fault)");
	return take_ptr(&vm->why);
}
