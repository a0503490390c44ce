/* skiff-vmm: a machine over /dev/kvm. What is wanted is data (struct want); one table builds it in
 * reading order (vm_machine.c); then it runs: a thread for each virtual processor, one for all
 * devices. */
#pragma once

#include <linux/kvm.h>
#include <pthread.h>
#include <stdbool.h>

#include "base/loop.h"
#include "base/text.h"
#include "vmm/memory.h"
#include "vmm/virtio.h"

enum { CPUS_MAX = 64, DEVICES_MAX = 18, PORT_POWER = 0x600, PORT_SERIAL = 0x3f8 };
enum { IRQ_SERIAL = 4, IRQ_FIRST = 5 };
#define DEVICE_BASE 0xc0001000ULL

/* What the command line asks for. */
struct want {
	int64_t memory;
	uint32_t vcpus;
	const char *kernel, *initrd, *options;
	const char *fs, *fs_tag, *port;
	const char *vsock;
	uint32_t cid;
	int64_t net_bytes; /* a second; 0: no limit */
	uint32_t net_packets;
	uint32_t agent, console, kvm, metrics_fd; /* descriptors; 0: none */
	struct strings taps;                      /* FD,MAC */
	struct strings disks;                     /* KEY=VALUE,... */
	bool metrics, no_seccomp;
};

/* --- vm_bus.c: who answers at an address --- */

struct bus_range {
	const char *name;
	uint64_t start, len;
	uint32_t (*read)(void *context, uint64_t offset, unsigned len);
	error *(*write)(void *context, uint64_t offset, uint32_t value, unsigned len);
	void *context;
};
struct bus {
	struct bus_range ranges[DEVICES_MAX + 4];
	size_t n;
};
must_use error *bus_add(struct bus *b, const struct bus_range *range);
/* NULL: nobody; then all bits are read as ones, and what is written is lost. */
const struct bus_range *bus_find(const struct bus *b, uint64_t address, unsigned len);
uint32_t bus_read(const struct bus *b, uint64_t address, unsigned len);
must_use error *bus_write(const struct bus *b, uint64_t address, uint32_t value, unsigned len);

/* --- vm_serial.c: a 16550 for the kernel's words, which go to the console --- */

struct serial {
	int fd;  /* the console */
	int irq; /* an eventfd */
	pthread_mutex_t lock;
	uint8_t enabled, line_control, modem_control, scratch, divisor[2], pending;
	char line[160]; /* as much of it as has come */
	size_t line_len;
	char panic[160]; /* the line that tells of one */
};
uint32_t serial_read(void *context, uint64_t offset, unsigned len);
must_use error *serial_write(void *context, uint64_t offset, uint32_t value, unsigned len);

/* --- the machine --- */

enum vm_end {
	VM_RUNS,
	VM_OFF,    /* the guest has switched it off */
	VM_RESET,  /* or wants it to begin anew, which is left to who started us */
	VM_CRASH,  /* a processor met a fault that it cannot tell its kernel of */
	VM_FAILED, /* an error of ours, or a guest that breaks the rules */
};

/* How a processor begins. */
struct start {
	uint64_t rip, rsi, rbx, rsp;
	bool paging; /* 64-bit, else 32-bit without paging (PVH) */
};

struct cpu {
	struct vm *vm;
	unsigned id;
	int fd;
	struct kvm_run *state;
	pthread_t thread;
	uint64_t exits[64]; /* by KVM's reason */
};

struct vm {
	const struct want *want;
	int kvm, fd;
	struct memory memory;
	struct loop loop;
	struct bus ports, addresses;
	struct serial serial;
	struct virtio_device *devices[DEVICES_MAX];
	size_t n_devices;
	struct start start;
	struct cpu *cpus;
	unsigned n_cpus;
	size_t run_size;
	/* the end: the first word counts */
	pthread_mutex_t lock;
	enum vm_end end;
	error *why;
	struct watch ended; /* an eventfd */
	struct watch metrics;
};

/* --- vm_machine.c --- */

must_use error *vm_build(struct vm *vm, const struct want *want);
/* Runs it to its end. */
must_use error *vm_run(struct vm *vm);
/* Ends it; takes `why`. From any thread. */
void vm_stop(struct vm *vm, enum vm_end end, error *why);

/* --- vm_metrics.c --- */

/* From now on each message on the socket that was given is answered with them. */
must_use error *metrics_watch(struct vm *vm);
void metrics_write(const struct vm *vm, int fd);

/* --- vm_disk.c: a disk, as --disk asks for it --- */

must_use error *disk_make(struct vm *vm, const char *text, struct virtio_device **out);

/* --- vm_kvm.c --- */

must_use error *kvm_open(struct vm *vm);
must_use error *kvm_give_memory(struct vm *vm);
must_use error *kvm_make_interrupts(struct vm *vm);
must_use error *kvm_connect_interrupt(const struct vm *vm, int irq, uint32_t line);
/* A write of `value` to the device's register of notifications signals fd. */
must_use error *kvm_connect_notify(const struct vm *vm, uint64_t address, uint32_t value, int fd);

/* --- vm_cpu.c --- */

must_use error *cpus_make(struct vm *vm);
must_use error *cpus_start(struct vm *vm);
/* One exit of the processor, served. */
must_use error *cpu_turn(struct cpu *cpu);
const char *cpu_exit_name(unsigned reason);

/* --- vm_registers.c: how a processor begins --- */

must_use error *cpu_set_features(const struct cpu *cpu);
must_use error *cpu_set_start(const struct cpu *cpu, const struct start *start);

/* --- vm_seccomp.c --- */

enum filter { FILTER_DEVICES, FILTER_CPU, FILTER_VSOCK /* and that of devices */ };
/* From now on this thread makes the calls of that list, or the process is killed. */
must_use error *filter_install(enum filter which);

/* --- boot_*.c: what lies in memory before the first instruction --- */

must_use error *boot_load(struct vm *vm);
must_use error *boot_write_acpi(struct vm *vm);
