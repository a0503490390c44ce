/* Kernels: an ELF file (a vmlinux, or another kernel with an entry for PVH) or Linux's bzImage. */
#include <elf.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/boot.h"

enum { SEGMENTS_MAX = 64, SECTIONS_MAX = 256, NOTES_MAX = 64 << 10, PAGE = 4096 };
enum { NOTE_PVH = 18 }; /* XEN_ELFNOTE_PHYS32_ENTRY */
/* In a bzImage's first sectors (the kernel's Documentation/arch/x86/boot.rst). */
enum {
	SETUP_HEADER = 0x1f1,
	JUMP_LENGTH = 0x201,
	MAGIC = 0x202,
	PROTOCOL = 0x206,
	LOAD_FLAGS = 0x211,
	LOADS_64 = 0x236,
	PREFERRED = 0x258,
	INIT_SIZE = 0x260,
	SETUP_SIZE = 0x400,
};

static error *read_at(int fd, uint64_t offset, void *data, uint64_t len)
{
	while (len) {
		ssize_t n = pread(fd, data, len, (off_t)offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? error_errno("read") : error_said(EINVAL, "the file is cut off");
		data = (uint8_t *)data + n;
		offset += (uint64_t)n;
		len -= (uint64_t)n;
	}
	return NULL;
}

/* --- ELF --- */

/* Sections, of which the page cache has the pages once for all machines. */
struct sections {
	Elf64_Shdr v[SECTIONS_MAX];
	unsigned n;
};

/* The bytes of the segment from *done on up to an offset, copied. */
static error *copy_until(int fd, uint64_t until, uint8_t *to, const Elf64_Phdr *p, uint64_t *done)
{
	uint64_t from = *done;

	*done = until;
	return until > from ? read_at(fd, p->p_offset + from, to + from, until - from) : NULL;
}

/* Whole pages of data that is never written are mapped, not copied. Not of the text: Linux rewrites
 * most of it for the processor that it finds, and each page of a mapping would be copied then, at
 * two exits. What lies between sections the kernel gives to its allocator, and may be shared with
 * other processes then. */
static error *share_section(int fd, uint8_t *to, const Elf64_Phdr *p, const Elf64_Shdr *s,
			    uint64_t *done)
{
	if (s->sh_type != SHT_PROGBITS || !(s->sh_flags & SHF_ALLOC) ||
	    s->sh_flags & (SHF_WRITE | SHF_EXECINSTR) || s->sh_offset < p->p_offset ||
	    s->sh_offset - p->p_offset > p->p_filesz ||
	    s->sh_size > p->p_filesz - (s->sh_offset - p->p_offset))
		return NULL;
	uint64_t from = (s->sh_offset + PAGE - 1) & ~(uint64_t)(PAGE - 1);
	uint64_t end = (s->sh_offset + s->sh_size) & ~(uint64_t)(PAGE - 1);
	if (end <= from || (p->p_paddr - p->p_offset) % PAGE || from - p->p_offset < *done)
		return NULL;
	from -= p->p_offset;
	end -= p->p_offset;
	try(copy_until(fd, from, to, p, done));
	if (mmap(to + from, end - from, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd,
		 (off_t)(p->p_offset + from)) == MAP_FAILED)
		return NULL; /* then it is copied */
	madvise(to + from, end - from, MADV_DONTDUMP);
	*done = end;
	return NULL;
}

static error *load_segment(int fd, uint64_t size, const struct memory *memory, const Elf64_Phdr *p,
			   const struct sections *sections, struct kernel *out)
{
	uint64_t done = 0;

	if (p->p_filesz > p->p_memsz || p->p_offset > size || p->p_filesz > size - p->p_offset)
		return error_said(EINVAL, "a segment lies outside of the file");
	if (!p->p_memsz)
		return NULL;
	if (p->p_paddr < BOOT_HIGH)
		return error_said(EINVAL, "a segment at %#llx, below 1 MiB",
				  (unsigned long long)p->p_paddr);
	uint8_t *to = memory_at(memory, p->p_paddr, p->p_memsz);
	if (!to)
		return error_said(ENOMEM, "the kernel needs more memory than the machine has");
	if (p->p_paddr + p->p_memsz > out->end)
		out->end = p->p_paddr + p->p_memsz;
	for (unsigned i = 0; !(p->p_flags & PF_W) && i < sections->n; i++)
		try(share_section(fd, to, p, &sections->v[i], &done));
	return copy_until(fd, p->p_filesz, to, p, &done);
}

/* Notes tell Linux from other kernels, and where PVH enters. */
static error *read_notes(int fd, const Elf64_Phdr *p, bool *is_linux, uint64_t *pvh)
{
	auto_free uint8_t *data = NULL;
	uint64_t at = 0;

	if (p->p_filesz > NOTES_MAX)
		return NULL;
	data = calloc(1, p->p_filesz + 1);
	if (!data)
		return error_new(ENOMEM, "notes");
	try(read_at(fd, p->p_offset, data, p->p_filesz));
	while (p->p_filesz - at >= sizeof(Elf64_Nhdr)) {
		Elf64_Nhdr head;
		memcpy(&head, data + at, sizeof(head));
		at += sizeof(head);
		uint64_t name = (head.n_namesz + 3ULL) & ~3ULL;
		uint64_t value = (head.n_descsz + 3ULL) & ~3ULL;
		if (name > p->p_filesz - at || value > p->p_filesz - at - name)
			break;
		if (head.n_namesz == 6 && memcmp(data + at, "Linux", 6) == 0)
			*is_linux = true;
		if (head.n_namesz == 4 && memcmp(data + at, "Xen", 4) == 0 &&
		    head.n_type == NOTE_PVH && head.n_descsz >= 4 && head.n_descsz <= 8)
			memcpy(pvh, data + at + name, head.n_descsz);
		at += name + value;
	}
	return NULL;
}

/* They only say what can be shared: a file without any is loaded all the same. */
static error *read_sections(int fd, uint64_t size, const Elf64_Ehdr *e, struct sections *out)
{
	out->n = 0;
	if (e->e_shentsize != sizeof(Elf64_Shdr) || e->e_shnum > SECTIONS_MAX ||
	    e->e_shoff > size || e->e_shnum * sizeof(Elf64_Shdr) > size - e->e_shoff)
		return NULL;
	out->n = e->e_shnum;
	return read_at(fd, e->e_shoff, out->v, out->n * sizeof(Elf64_Shdr));
}

static error *load_elf(int fd, uint64_t size, const struct memory *memory, struct kernel *out)
{
	Elf64_Ehdr e;
	Elf64_Phdr segments[SEGMENTS_MAX];
	struct sections sections;
	bool is_linux = false;
	uint64_t pvh = 0;

	try(read_at(fd, 0, &e, sizeof(e)));
	if (e.e_ident[EI_CLASS] != ELFCLASS64 || e.e_machine != EM_X86_64 ||
	    e.e_phentsize != sizeof(Elf64_Phdr) || e.e_phnum > SEGMENTS_MAX || !e.e_phnum)
		return error_said(EINVAL, "no kernel for 64-bit x86");
	try(read_at(fd, e.e_phoff, segments, e.e_phnum * sizeof(Elf64_Phdr)));
	try(read_sections(fd, size, &e, &sections));
	for (unsigned i = 0; i < e.e_phnum; i++) {
		const Elf64_Phdr *p = &segments[i];
		if (p->p_type == PT_LOAD)
			try(load_segment(fd, size, memory, p, &sections, out));
		if (p->p_type == PT_NOTE)
			try(read_notes(fd, p, &is_linux, &pvh));
	}
	out->kind = pvh && !is_linux ? KERNEL_PVH : KERNEL_LINUX64;
	out->entry = out->kind == KERNEL_PVH ? pvh : e.e_entry;
	if (!memory_at(memory, out->entry, 1) || out->entry < BOOT_HIGH || out->entry >= out->end)
		return error_said(EINVAL, "its entry %#llx lies outside of it",
				  (unsigned long long)out->entry);
	return NULL;
}

/* --- bzImage --- */

static uint32_t get(const uint8_t *at, unsigned len)
{
	uint32_t value = 0;

	memcpy(&value, at, len);
	return value;
}

static error *load_bzimage(int fd, uint64_t size, const struct memory *memory, struct kernel *out)
{
	uint8_t setup[SETUP_SIZE];
	uint64_t at;

	try(read_at(fd, 0, setup, sizeof(setup)));
	if (get(setup + PROTOCOL, 2) < 0x20c || !(get(setup + LOADS_64, 2) & 1) ||
	    !(setup[LOAD_FLAGS] & 1))
		return error_said(EINVAL, "a bzImage without a 64-bit entry");
	uint64_t skip = (setup[SETUP_HEADER] ? setup[SETUP_HEADER] : 4) * 512ULL + 512;
	memcpy(&at, setup + PREFERRED, sizeof(at));
	uint64_t needed = get(setup + INIT_SIZE, 4);
	if (skip >= size || at < BOOT_HIGH || needed < size - skip)
		return error_said(EINVAL, "a bzImage whose header is wrong");
	void *to = memory_at(memory, at, needed);
	if (!to)
		return error_said(ENOMEM, "the kernel needs more memory than the machine has");
	try(read_at(fd, skip, to, size - skip));
	out->kind = KERNEL_LINUX64;
	out->entry = at + 0x200;
	out->end = at + needed;
	out->setup_len = MAGIC + setup[JUMP_LENGTH] - SETUP_HEADER;
	if (out->setup_len > sizeof(out->setup))
		out->setup_len = sizeof(out->setup);
	memcpy(out->setup, setup + SETUP_HEADER, out->setup_len);
	return NULL;
}

error *kernel_load(int fd, const struct memory *memory, struct kernel *out)
{
	uint8_t head[MAGIC + 4] = { 0 };
	struct stat st;

	*out = (struct kernel){ 0 };
	if (fstat(fd, &st) < 0)
		return error_errno("look at it");
	if (pread(fd, head, sizeof(head), 0) < 4)
		return error_said(EINVAL, "no kernel: too short");
	if (memcmp(head, ELFMAG, SELFMAG) == 0)
		return load_elf(fd, (uint64_t)st.st_size, memory, out);
	if (memcmp(head + MAGIC, "HdrS", 4) == 0)
		return load_bzimage(fd, (uint64_t)st.st_size, memory, out);
	return error_said(EINVAL, "neither an ELF file nor a bzImage");
}
