/* Machines: what a sandbox's guest runs on. An engine brings one to life; all give it the same
 * devices: a port to the agent, a file system, a serial console for its kernel's last words, taps.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/rows.h"
#include "base/text.h"

/* A network device: a tap, open, and the address that the guest's device has. */
struct machine_tap {
	int fd;
	const char *mac;
};

/* So much a second; 0: no limit. */
struct machine_rate {
	uint64_t bytes, requests; /* of a network device: packets */
};

/* A disk, which the guest may read. */
struct machine_disk {
	const char *name; /* by which the guest finds it */
	const char *format;
	int fd; /* open for reading, inherited */
	struct machine_rate both, read, write;
};

/* What skiff-fs has served so far, in memory that it shares with whoever asks: each number is right
 * by itself. */
struct file_counts {
	uint64_t requests, bytes_to_guest, bytes_from_guest; /* contents of files */
};

struct machine {
	const char *program; /* of the engine */
	bool kvm;            /* else the processor is emulated */
	int kvm_fd;          /* of our own engine: /dev/kvm, inherited */
	uint32_t vcpus;
	uint64_t memory;    /* bytes, a multiple of 1 MiB */
	const char *kernel; /* paths as the engine sees them */
	const char *initrd;
	const char *options; /* the kernel's command line */
	const struct machine_disk *disks;
	size_t n_disks;
	const char *fs_socket; /* the file server listens there */
	const char *fs_tag;
	int agent; /* connected sockets, inherited */
	const char *agent_name;
	int console;
	int vsock_listener, vsock_broker; /* below 0: none; our own engine's */
	int metrics;                      /* our own engine answers there with its counts */
	const struct machine_tap *taps;
	size_t n_taps;
	struct machine_rate net;  /* of each device and direction, by our own engine */
	const struct texts *more; /* words that config.json adds, or NULL */
};

/* --- qemu.c --- */

/* The command line of QEMU's microvm: no firmware tables but ACPI, no PCI, devices on virtio-mmio.
 */
must_use error *machine_qemu_words(const struct machine *m, struct strings *out);

/* --- words.c --- */

/* The command line of our own engine, skiff-vmm. Images are raw. */
must_use error *machine_vmm_words(const struct machine *m, struct strings *out);

/* --- store.c --- */

/* Below a store: kernels out of bzImages, each unpacked once. */
#define KERNEL_UNPACKED "unpacked"

/* This user's own store of kernels; malloc()ed. */
must_use error *kernel_store(char **out);
/* Whether the file is a bzImage. */
bool kernel_is_packed(int fd);
/* Where the store has such a file unpacked, if it has: the name changes whenever the file does. */
must_use error *kernel_unpacked_path(const char *store, const struct stat *of, char **out);
/* ENOENT: it is not there. EPERM: others could have put it there, or could change it. */
must_use error *kernel_check_unpacked(const char *path);

/* --- initramfs.c --- */

/* Writes a cpio archive with the agent as /init and, from the directory modules (-1: none), the
 * kernel's modules that modules/order names. */
must_use error *machine_write_initramfs(int fd, const char *agent, int modules);

/* --- probe.c --- */

/* Whether /dev/kvm runs kernels, found out by a guest of a few instructions. NULL: it does; else
 * the reason and what to do. Takes some milliseconds, never more than a second. */
must_use error *machine_probe_kvm(void);
/* How fast this processor's time stamp counter runs; an emulated one shows the same counter. Takes
 * five milliseconds. */
uint64_t machine_tsc_khz(void);
