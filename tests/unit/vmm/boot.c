/* Kernels and tables: what is loaded where, and what is refused. Files are made here. */
#include <elf.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/boot.h"

#include "../check.h"

enum { MEMORY = 16 << 20, FILE_SIZE = 0x3000 };

static struct memory memory;
static struct kernel kernel;
static struct {
	Elf64_Ehdr head;
	Elf64_Phdr segments[2];
	struct {
		Elf64_Nhdr head;
		char name[4];
		uint64_t value;
	} note;
} elf;

static error *load(const void *data, size_t len, size_t size)
{
	int fd = memfd_create("kernel", MFD_CLOEXEC);

	memory_free(&memory);
	CHECK_FINE(memory_new(&memory, MEMORY));
	CHECK(fd >= 0 && ftruncate(fd, (off_t)size) == 0 &&
	      pwrite(fd, data, len, 0) == (ssize_t)len);
	CHECK(size < FILE_SIZE || pwrite(fd, "code", 4, 0x1000) == 4);
	error *e = kernel_load(fd, &memory, &kernel);
	close(fd);
	return e;
}

static error *load_this(void)
{
	return load(&elf, sizeof(elf), FILE_SIZE);
}

static void make_elf(const char *note)
{
	memset(&elf, 0, sizeof(elf));
	memcpy(elf.head.e_ident, ELFMAG, SELFMAG);
	elf.head.e_ident[EI_CLASS] = ELFCLASS64;
	elf.head.e_machine = EM_X86_64;
	elf.head.e_phoff = sizeof(elf.head);
	elf.head.e_phentsize = sizeof(Elf64_Phdr);
	elf.head.e_phnum = 2;
	elf.head.e_entry = 0x200010;
	elf.segments[0] = (Elf64_Phdr){ .p_type = PT_LOAD,
					.p_offset = 0x1000,
					.p_paddr = 0x200000,
					.p_filesz = 0x1000,
					.p_memsz = 0x3000 };
	elf.segments[1] = (Elf64_Phdr){ .p_type = PT_NOTE,
					.p_offset = sizeof(elf.head) + sizeof(elf.segments),
					.p_filesz = sizeof(elf.note) };
	elf.note.head = (Elf64_Nhdr){ (Elf64_Word)strlen(note) + 1, 8, 18 };
	strcpy(elf.note.name, note);
	elf.note.value = 0x200020;
}

static void elf_files(void)
{
	make_elf("GNU");
	CHECK_FINE(load_this());
	CHECK(kernel.kind == KERNEL_LINUX64 && kernel.entry == 0x200010 && kernel.end == 0x203000);
	CHECK(memcmp(memory_at(&memory, 0x200000, 4), "code", 4) == 0);
	make_elf("Xen");
	CHECK_FINE(load_this());
	CHECK(kernel.kind == KERNEL_PVH && kernel.entry == 0x200020);
	make_elf("GNU");
	elf.segments[0].p_filesz = 0x5000;
	CHECK_FAILS(load_this(), EINVAL, "outside of the file");
	elf.segments[0].p_memsz = 0x6000;
	CHECK_FAILS(load_this(), EINVAL, "outside of the file");
	make_elf("GNU");
	elf.segments[0].p_offset = UINT64_MAX - 0x10;
	CHECK_FAILS(load_this(), EINVAL, "outside of the file");
	make_elf("GNU");
	elf.segments[0].p_paddr = 0x1000;
	CHECK_FAILS(load_this(), EINVAL, "below 1 MiB");
	elf.segments[0].p_paddr = MEMORY - 0x1000;
	CHECK_FAILS(load_this(), ENOMEM, "more memory");
	elf.segments[0].p_paddr = UINT64_MAX - 0x800;
	CHECK_FAILS(load_this(), ENOMEM, "more memory");
	make_elf("GNU");
	elf.head.e_entry = 0x203000;
	CHECK_FAILS(load_this(), EINVAL, "its entry");
	make_elf("GNU");
	elf.head.e_phnum = 65;
	CHECK_FAILS(load_this(), EINVAL, "no kernel");
	make_elf("GNU");
	elf.head.e_phoff = FILE_SIZE;
	CHECK_FAILS(load_this(), EINVAL, "cut off");
	make_elf("GNU");
	CHECK_FAILS(load(&elf, 20, 20), EINVAL, "cut off");
	CHECK_FAILS(load("abc", 3, 3), EINVAL, "too short");
	CHECK_FAILS(load("not a kernel", 12, 2000), EINVAL, "neither");
}

static void bzimage(void)
{
	static uint8_t image[0x1000];
	uint64_t at = 0x400000;
	uint32_t room = 0x10000;

	memcpy(image + 0x202, "HdrS", 4);
	image[0x201] = 0x6a;
	image[0x206] = 0x0f;
	image[0x207] = 0x02;
	image[0x1f1] = 1;
	image[0x211] = 1;
	image[0x236] = 1;
	memcpy(image + 0x258, &at, 8);
	memcpy(image + 0x260, &room, 4);
	memcpy(image + 1024, "boot", 4);
	CHECK_FINE(load(image, sizeof(image), sizeof(image)));
	CHECK(kernel.entry == at + 0x200 && kernel.end == at + room && kernel.setup_len > 0x60);
	CHECK(memcmp(memory_at(&memory, at, 4), "boot", 4) == 0);
	image[0x236] = 0;
	CHECK_FAILS(load(image, sizeof(image), sizeof(image)), EINVAL, "64-bit");
	image[0x236] = 1;
	image[0x1f1] = 200;
	CHECK_FAILS(load(image, sizeof(image), sizeof(image)), EINVAL, "header is wrong");
	image[0x1f1] = 1;
	at = MEMORY - 0x1000;
	memcpy(image + 0x258, &at, 8);
	CHECK_FAILS(load(image, sizeof(image), sizeof(image)), ENOMEM, "more memory");
}

static uint8_t sum(const uint8_t *data, size_t len)
{
	uint8_t s = 0;

	for (size_t i = 0; i < len; i++)
		s = (uint8_t)(s + data[i]);
	return s;
}

static uint8_t *table_at(uint64_t at, const char *name)
{
	uint8_t *t = memory_at(&memory, at, 36);
	uint32_t len;

	CHECK(t && memcmp(t, name, 4) == 0);
	memcpy(&len, t + 4, 4);
	CHECK(at + len <= BOOT_HIGH && sum(t, len) == 0);
	return t;
}

static void acpi(void)
{
	struct boot_device devices[18];
	uint64_t at;
	uint32_t len;

	for (unsigned i = 0; i < 18; i++)
		devices[i] = (struct boot_device){ 0xc0001000 + i * 0x1000, 5 + i };
	CHECK_FINE(acpi_write(&memory, 64, devices, 18));
	uint8_t *root = memory_at(&memory, BOOT_ACPI, 36);
	CHECK(memcmp(root, "RSD PTR ", 8) == 0 && !sum(root, 20) && !sum(root, 36));
	memcpy(&at, root + 24, 8);
	uint8_t *xsdt = table_at(at, "XSDT");
	memcpy(&at, xsdt + 36, 8);
	uint8_t *fadt = table_at(at, "FACP");
	memcpy(&at, xsdt + 44, 8);
	uint8_t *madt = table_at(at, "APIC");
	memcpy(&len, madt + 4, 4);
	CHECK(len == 44 + 64 * 8 + 12);
	memcpy(&at, fadt + 140, 8);
	table_at(at, "DSDT");
}

static void regions(void)
{
	memory_free(&memory);
	CHECK_FINE(memory_new(&memory, 4ULL << 30));
	CHECK(memory.n == 2 && memory_low_end(&memory) == MEMORY_HOLE);
	CHECK(memory_at(&memory, MEMORY_HOLE - 1, 1) && !memory_at(&memory, MEMORY_HOLE - 1, 2));
	CHECK(!memory_at(&memory, MEMORY_HOLE, 1));
	CHECK((uint8_t *)memory_at(&memory, MEMORY_HOLE_END, 1) == memory.base + MEMORY_HOLE);
	CHECK(!memory_at(&memory, MEMORY_HOLE_END + (1 << 30), 1));
	CHECK(!memory_at(&memory, 8, UINT64_MAX));
}

int main(void)
{
	elf_files();
	bzimage();
	acpi();
	regions();
	memory_free(&memory);
	return 0;
}
