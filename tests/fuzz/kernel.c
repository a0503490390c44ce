/* Any bytes as a kernel: an ELF file, a bzImage. Nothing outside of the guest's memory may be touched. */
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/boot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct memory memory;
	struct kernel kernel;
	int fd = memfd_create("kernel", MFD_CLOEXEC);

	if (!memory.base && memory_new(&memory, 32 << 20))
		abort();
	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	error *e = kernel_load(fd, &memory, &kernel);
	if (!e && (!memory_at(&memory, kernel.entry, 1) || kernel.entry < BOOT_HIGH ||
		   kernel.setup_len > sizeof(kernel.setup)))
		abort();
	error_free(e);
	close(fd);
	return 0;
}
