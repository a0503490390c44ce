/* HOST: the second stage as a file that nobody can write to again. */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "base/fd.h"
#include "runtime/steps.h"

/* build/skiff-init, which the Makefile puts into this program */
extern const char _binary_skiff_init_start[];
extern const char _binary_skiff_init_end[];

#ifndef MFD_EXEC
#define MFD_EXEC 0x10U /* Linux 6.3; where vm.memfd_noexec is set it is needed */
#endif

error *host_seal_stage2(struct life *l)
{
	static const int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
	size_t size = (uintptr_t)_binary_skiff_init_end - (uintptr_t)_binary_skiff_init_start;
	auto_fd int fd = memfd_create("skiff-init", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);

	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("skiff-init", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return error_errno("memfd_create");
	try(fd_write_all(fd, _binary_skiff_init_start, size));
	if (fcntl(fd, F_ADD_SEALS, seals) < 0)
		return error_errno("seal it");
	l->fd[FD_STAGE2] = take_fd(&fd);
	return NULL;
}
