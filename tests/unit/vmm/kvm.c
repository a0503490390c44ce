/* Small guests on a real /dev/kvm: a few instructions, in an ELF file that PVH enters. They see the
 * ports and devices, end in each of the ways, and attack a ring. */
#include <elf.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vmm/boot.h"
#include "vmm/vm.h"

#include "../check.h"

enum { LOAD = 0x200000, OFFSET = 0x1000 };

/* 32-bit code that runs at LOAD; each ends with a list of (address, value) that it writes first. */
#define GUEST(name, after, list)                                                                   \
	extern const char guest_##name[], guest_##name##_end[];                                    \
	__asm__(".pushsection .rodata\n.code32\n"                                                  \
		"guest_" #name ":\n"                                                               \
		"	mov $(0x200000 + 9f - guest_" #name "), %esi\n"                            \
		"1:	lodsl\n"                                                                       \
		"	test %eax, %eax\n"                                                               \
		"	jz 2f\n"                                                                         \
		"	mov %eax, %edi\n"                                                                \
		"	lodsl\n"                                                                         \
		"	mov %eax, (%edi)\n"                                                              \
		"	jmp 1b\n"                                                                        \
		"2:\n" after "8:	pause\n"                                                          \
		"	jmp 8b\n"                                                                        \
		"9:	.long " list "0\n"                                                         \
		"guest_" #name "_end:\n"                                                           \
		".code64\n.popsection\n")

/* %al to a port */
#define OUT(port, value)                                                                           \
	"	mov $" port ", %dx\n"                                                              \
	"	mov $" value ", %al\n"                                                             \
	"	out %al, %dx\n"
#define SAY(c) OUT("0x3f8", c)
#define OFF    OUT("0x600", "0x34")

/* The first device's registers, up to a queue that runs: its parts are at 0x300000. */
#define START                                                                                      \
	"0xc0001070, 0, 0xc0001070, 3, 0xc0001024, 0, 0xc0001020, 0, 0xc0001024, 1, "              \
	"0xc0001020, 1, 0xc0001070, 11, 0xc0001030, 0, 0xc0001038, 16, 0xc0001080, 0x300000, "     \
	"0xc0001090, 0x300400, 0xc00010a0, 0x300800, 0xc0001044, 1, 0xc0001070, 15, "
#define DESCRIPTOR(address, len, flags)                                                            \
	"0x300000, " address ", 0x300004, 0, 0x300008, " len ", 0x30000c, " flags ", "
#define OFFER(idx) "0x300404, 0, 0x300400, " idx " << 16, 0xc0001050, 0, "

GUEST(off, SAY("'h'") SAY("'i'") OFF, "");
GUEST(reset, OUT("0x602", "1"), "");
GUEST(crash, "	lidt (0x200000 + 7f - guest_crash)\n	ud2\n7:	.quad 0\n", "");
GUEST(panic,
      "	mov $(0x200000 + 6f - guest_panic), %esi\n	mov $33, %ecx\n	mov $0x3f8, %dx\n"
      "	rep outsb\n" OUT("0x602", "1") "6:	.ascii \"Kernel panic - not syncing: test\\n\"\n",
      "");
GUEST(device,
      "	mov 0xc0001000, %eax\n	cmp $0x74726976, %eax\n	jne 8f\n" SAY(
	      "'v'") "	mov 0xc0009000, %eax\n	cmp $-1, %eax\n	jne 8f\n" SAY("'n'") OFF,
      "");
GUEST(rng,
      "3:	mov 0x300800, %eax\n	cmp $0x10000, %eax\n	jne 3b\n"
      "	mov 0x300808, %eax\n	cmp $64, %eax\n	jne 8f\n"
      "	mov 0xc0001060, %eax\n	cmp $1, %eax\n	jne 8f\n" SAY("'r'") OFF,
      START DESCRIPTOR("0x310000", "64", "2") OFFER("1"));
GUEST(outside, "", START DESCRIPTOR("0x7fff0000", "64", "2") OFFER("1"));
GUEST(endless, "", START DESCRIPTOR("0x310000", "64", "3") OFFER("1"));
GUEST(many, "", START DESCRIPTOR("0x310000", "64", "2") OFFER("17"));
GUEST(running, "", START "0xc0001038, 8, ");
GUEST(no_memory, "",
      "0xc0001070, 3, 0xc0001024, 1, 0xc0001020, 1, 0xc0001070, 11, 0xc0001038, 16, "
      "0xc0001080, 0xfffffff0, 0xc0001044, 1, 0xc0001070, 15, ");

struct file {
	Elf64_Ehdr head;
	Elf64_Phdr segments[2];
	struct {
		Elf64_Nhdr head;
		char name[4];
		uint64_t entry;
	} note;
};

static int make_kernel(const char *code, size_t len)
{
	int fd = memfd_create("kernel", MFD_CLOEXEC);
	struct file f = {
		.head = { .e_machine = EM_X86_64,
			  .e_phoff = offsetof(struct file, segments),
			  .e_phentsize = sizeof(Elf64_Phdr),
			  .e_phnum = 2 },
		.segments = { { .p_type = PT_LOAD,
				.p_flags = PF_W,
				.p_offset = OFFSET,
				.p_paddr = LOAD,
				.p_filesz = len,
				.p_memsz = len },
			      { .p_type = PT_NOTE,
				.p_offset = offsetof(struct file, note),
				.p_filesz = sizeof(f.note) } },
		.note = { { 4, 8, 18 }, "Xen", LOAD },
	};

	memcpy(f.head.e_ident, ELFMAG, SELFMAG);
	f.head.e_ident[EI_CLASS] = ELFCLASS64;
	CHECK(fd >= 0 && pwrite(fd, &f, sizeof(f), 0) == sizeof(f));
	CHECK(pwrite(fd, code, len, OFFSET) == (ssize_t)len);
	return fd;
}

static bool tells_counts;

/* In a process of its own: processors that spin are ended with it. */
static void child(int kernel, int console, int result)
{
	static struct want want = { .memory = 4 << 20, .vcpus = 1, .no_seccomp = true };
	static struct vm vm = { .fd = -1 };
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", kernel);
	want.kernel = path;
	want.console = (uint32_t)console;
	alarm(60);
	error *e = vm_build(&vm, &want);
	if (!e)
		e = vm_run(&vm);
	if (e)
		dprintf(result, "%s", error_message(e));
	if (tells_counts)
		metrics_write(&vm, result);
	_exit(0);
}

/* What its end is called (nothing: it was switched off or reset) and what it has said. */
static void guest(const char *code, const char *end, const char *says, const char *why)
{
	int kernel = make_kernel(code, (size_t)(end - code));
	int console[2];
	int result[2];
	char said[200] = "";
	char told[1000] = "";
	int status;

	CHECK(pipe(console) == 0 && pipe(result) == 0);
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (!pid)
		child(kernel, console[1], result[1]);
	close(console[1]);
	close(result[1]);
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	CHECK(read(console[0], said, sizeof(said) - 1) >= 0);
	CHECK(read(result[0], told, sizeof(told) - 1) >= 0);
	if ((why && !strstr(told, why)) || (!why && told[0]))
		CHECK_FAIL("it ends with '%s', not '%s'", told, why ? why : "");
	if (says)
		CHECK_TEXT(said, says);
	close(console[0]);
	close(result[0]);
	close(kernel);
}

/* Calls that no thread of the machine makes end the process. */
static bool survives(enum filter which, long call, long argument)
{
	int status;
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (!pid) {
		CHECK_FINE(filter_install(which));
		syscall(call, -1, argument, 0, 0, 0);
		syscall(SYS_exit_group, 0); /* _exit() may do more */
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK(WIFEXITED(status) || WTERMSIG(status) == SIGSYS);
	return WIFEXITED(status);
}

static void filters(void)
{
	CHECK(survives(FILTER_CPU, SYS_ioctl, KVM_RUN) && survives(FILTER_CPU, SYS_write, 0));
	CHECK(!survives(FILTER_CPU, SYS_ioctl, KVM_SET_USER_MEMORY_REGION));
	CHECK(!survives(FILTER_CPU, SYS_openat, 0) && !survives(FILTER_CPU, SYS_getppid, 0));
	CHECK(!survives(FILTER_CPU, SYS_preadv, 0) && survives(FILTER_DEVICES, SYS_preadv, 0));
	CHECK(survives(FILTER_VSOCK, SYS_preadv, 0) && survives(FILTER_VSOCK, SYS_accept4, 0));
	CHECK(!survives(FILTER_VSOCK, SYS_socket, AF_UNIX)); /* the domain is -1 */
	CHECK(!survives(FILTER_DEVICES, SYS_ioctl, KVM_RUN));
	CHECK(!survives(FILTER_DEVICES, SYS_execve, 0) && !survives(FILTER_DEVICES, SYS_socket, 0));
}

#define RUN(name, says, why) guest(guest_##name, guest_##name##_end, says, why)

int main(void)
{
	filters();
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (kvm < 0) {
		printf("skip: no /dev/kvm\n");
		return 0;
	}
	close(kvm);
	RUN(off, "hi", NULL);
	RUN(reset, "", NULL);
	RUN(crash, "", "triple fault");
	RUN(panic, NULL, "panicked: Kernel panic - not syncing: test");
	RUN(device, "vn", NULL);
	RUN(rng, "r", NULL);
	RUN(outside, NULL, "driver of rng: a buffer outside of the memory: 0x7fff0000");
	RUN(endless, NULL, "without an end");
	RUN(many, NULL, "17 requests at once");
	RUN(running, NULL, "while it runs");
	RUN(no_memory, NULL, "outside of the memory");
	tells_counts = true;
	RUN(rng, "r", "{\"name\":\"rng\",\"bytes_to_guest\":64,\"bytes_from_guest\":0,\"kicks\":");
	RUN(off, "hi", "{\"exits\":{\"port\":3},\"devices\":[");
	return 0;
}
