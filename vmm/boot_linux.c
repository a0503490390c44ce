/* Hands the machine over to a kernel: its options, its initramfs, the map of memory, tables for a
 * processor in 64-bit mode; by Linux's own protocol, or by PVH. */
#include <asm/bootparam.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "vmm/boot.h"
#include "vmm/vm.h"

enum { RAM = 1, RESERVED = 2, PAGE = 4096, RANGES = 4 };

struct range {
	uint64_t start, size;
	uint32_t type;
};

struct placed {
	uint64_t at, size;
};

static unsigned memory_map(const struct memory *m, struct range out[RANGES])
{
	unsigned n = 0;

	out[n++] = (struct range){ 0, BOOT_LOW_END, RAM };
	out[n++] = (struct range){ BOOT_LOW_END, BOOT_HIGH - BOOT_LOW_END, RESERVED };
	out[n++] = (struct range){ BOOT_HIGH, memory_low_end(m) - BOOT_HIGH, RAM };
	if (m->n > 1)
		out[n++] = (struct range){ m->regions[1].start, m->regions[1].size, RAM };
	return n;
}

/* At the end of the low memory, where no kernel unpacks itself. */
static error *load_initrd(const char *path, const struct memory *memory, const struct kernel *k,
			  struct placed *out)
{
	auto_fd int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	struct stat st;
	uint64_t end = memory_low_end(memory);

	*out = (struct placed){ 0 };
	if (!path)
		return NULL;
	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno("%s", path);
	uint64_t size = (uint64_t)st.st_size;
	if (end > INT32_MAX)
		end = INT32_MAX;
	if (size > end || ((end - size) & ~(uint64_t)(PAGE - 1)) < k->end)
		return error_said(ENOMEM,
				  "%s: no room beside the kernel: the machine needs more memory",
				  path);
	out->at = (end - size) & ~(uint64_t)(PAGE - 1);
	out->size = size;
	uint8_t *to = memory_at(memory, out->at, size);
	for (uint64_t done = 0; done < size;) {
		ssize_t n = pread(fd, to + done, size - done, (off_t)done);
		if (n <= 0)
			return error_new(n ? errno : EIO, "read %s", path);
		done += (uint64_t)n;
	}
	return NULL;
}

static error *write_options(const char *text, const struct memory *memory)
{
	size_t len = strlen(text);

	if (len >= BOOT_OPTIONS_MAX)
		return error_said(E2BIG, "the kernel's options are longer than %d bytes",
				  BOOT_OPTIONS_MAX - 1);
	memcpy(memory_at(memory, BOOT_OPTIONS, BOOT_OPTIONS_MAX), text, len + 1);
	return NULL;
}

static void put(const struct memory *m, uint64_t at, uint64_t value)
{
	memcpy(memory_at(m, at, sizeof(value)), &value, sizeof(value));
}

/* The first GiB as it is, in pages of 2 MiB; code, data and a task. */
static void write_tables(const struct memory *m, bool paging)
{
	put(m, BOOT_GDT, 0);
	put(m, BOOT_GDT + 8, paging ? 0x00af9b000000ffff : 0x00cf9b000000ffff);
	put(m, BOOT_GDT + 16, 0x00cf93000000ffff);
	put(m, BOOT_GDT + 24, 0x00008b0000000067);
	put(m, BOOT_IDT, 0);
	put(m, BOOT_PML4, BOOT_PDPT | 3);
	put(m, BOOT_PDPT, BOOT_PD | 3);
	for (uint64_t i = 0; i < 512; i++)
		put(m, BOOT_PD + 8 * i, i << 21 | 0x83);
}

static void write_zero_page(const struct memory *m, const struct kernel *k,
			    const struct placed *initrd)
{
	struct boot_params *p = memory_at(m, BOOT_ZERO_PAGE, sizeof(*p));
	struct range map[RANGES];
	unsigned n = memory_map(m, map);

	memset(p, 0, sizeof(*p));
	memcpy(&p->hdr, k->setup, k->setup_len < sizeof(p->hdr) ? k->setup_len : sizeof(p->hdr));
	p->hdr.type_of_loader = 0xff;
	p->hdr.boot_flag = 0xaa55;
	p->hdr.header = 0x53726448; /* HdrS */
	p->hdr.cmd_line_ptr = BOOT_OPTIONS;
	if (!k->setup_len) {
		p->hdr.kernel_alignment = 0x1000000;
		p->hdr.cmdline_size = BOOT_OPTIONS_MAX - 1;
	}
	p->hdr.ramdisk_image = (uint32_t)initrd->at;
	p->hdr.ramdisk_size = (uint32_t)initrd->size;
	p->acpi_rsdp_addr = BOOT_ACPI;
	p->e820_entries = (uint8_t)n;
	for (unsigned i = 0; i < n; i++)
		p->e820_table[i] =
			(struct boot_e820_entry){ map[i].start, map[i].size, map[i].type };
}

/* Xen's public interface of PVH. */
struct pvh_start {
	uint32_t magic, version, flags, n_modules;
	uint64_t modules, options, rsdp, memory_map;
	uint32_t n_ranges, reserved;
};
struct pvh_module {
	uint64_t at, size, options, reserved;
};
struct pvh_range {
	uint64_t start, size;
	uint32_t type, reserved;
};

static void write_start_info(const struct memory *m, const struct placed *initrd)
{
	enum { MODULE = BOOT_START_INFO + 0x80, MAP = BOOT_START_INFO + 0x100 };
	struct pvh_start *s = memory_at(m, BOOT_START_INFO, sizeof(*s));
	struct pvh_module *module = memory_at(m, MODULE, sizeof(*module));
	struct pvh_range *ranges = memory_at(m, MAP, RANGES * sizeof(*ranges));
	struct range map[RANGES];
	unsigned n = memory_map(m, map);

	*module = (struct pvh_module){ .at = initrd->at, .size = initrd->size };
	for (unsigned i = 0; i < n; i++)
		ranges[i] = (struct pvh_range){ map[i].start, map[i].size, map[i].type, 0 };
	*s = (struct pvh_start){
		.magic = 0x336ec578,
		.version = 1,
		.n_modules = initrd->size > 0,
		.modules = MODULE,
		.options = BOOT_OPTIONS,
		.rsdp = BOOT_ACPI,
		.memory_map = MAP,
		.n_ranges = n,
	};
}

error *boot_load(struct vm *vm)
{
	const struct want *want = vm->want;
	const struct memory *m = &vm->memory;
	auto_fd int fd = open(want->kernel, O_RDONLY | O_CLOEXEC);
	struct kernel k;
	struct placed initrd;

	if (fd < 0)
		return error_errno("%s", want->kernel);
	try_as(kernel_load(fd, m, &k), "%s", want->kernel);
	try(load_initrd(want->initrd, m, &k, &initrd));
	try(write_options(want->options ? want->options : "", m));
	bool paging = k.kind == KERNEL_LINUX64;
	write_tables(m, paging);
	if (paging)
		write_zero_page(m, &k, &initrd);
	else
		write_start_info(m, &initrd);
	vm->start = (struct start){ .rip = k.entry,
				    .rsi = paging ? BOOT_ZERO_PAGE : 0,
				    .rbx = paging ? 0 : BOOT_START_INFO,
				    .rsp = BOOT_STACK,
				    .paging = paging };
	return NULL;
}

error *boot_write_acpi(struct vm *vm)
{
	struct boot_device devices[DEVICES_MAX];

	for (size_t i = 0; i < vm->n_devices; i++)
		devices[i] = (struct boot_device){ DEVICE_BASE + i * VIRTIO_WINDOW,
						   IRQ_FIRST + (uint32_t)i };
	return acpi_write(&vm->memory, vm->want->vcpus, devices, vm->n_devices);
}
