/* What lies in the guest's memory before its first instruction, and where. */
#pragma once

#include <stdbool.h>

#include "vmm/memory.h"

enum {
	BOOT_GDT = 0x500,
	BOOT_IDT = 0x520,
	BOOT_START_INFO = 0x6000, /* of PVH; its map of memory is behind it */
	BOOT_ZERO_PAGE = 0x7000,
	BOOT_STACK = 0x8ff0,
	BOOT_PML4 = 0x9000,
	BOOT_PDPT = 0xa000,
	BOOT_PD = 0xb000,
	BOOT_OPTIONS = 0x20000,
	BOOT_OPTIONS_MAX = 2048, /* with the NUL */
	BOOT_LOW_END = 0x9fc00,
	BOOT_ACPI = 0xe0000,
	BOOT_HIGH = 0x100000, /* kernels are above */
};

enum kernel_kind { KERNEL_LINUX64, KERNEL_PVH };

struct kernel {
	enum kernel_kind kind;
	uint64_t entry;
	uint64_t end;       /* of what it occupies, its zeros too */
	uint8_t setup[128]; /* a bzImage's header, from SETUP_HEADER on */
	size_t setup_len;
};

/* Copies an ELF file's segments or a bzImage to where they belong. The file is not trusted. */
must_use error *kernel_load(int fd, const struct memory *memory, struct kernel *out);

struct boot_device {
	uint64_t address;
	uint32_t irq;
};
/* Tables for `cpus` processors, devices on virtio-mmio, a serial port and the power registers. */
must_use error *acpi_write(const struct memory *memory, unsigned cpus,
			   const struct boot_device *devices, size_t n);
