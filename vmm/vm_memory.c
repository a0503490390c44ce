#include "vmm/memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

error *memory_new(struct memory *m, uint64_t size)
{
	uint64_t low = size < MEMORY_HOLE ? size : MEMORY_HOLE;

	*m = (struct memory){ .fd = memfd_create("guest", MFD_CLOEXEC | MFD_ALLOW_SEALING) };
	if (m->fd < 0 || ftruncate(m->fd, (off_t)size) < 0)
		return error_errno("%llu MiB of memory", (unsigned long long)size >> 20);
	/* whoever is given it must not pull it from under our feet */
	fcntl(m->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
	void *base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, m->fd, 0);
	if (base == MAP_FAILED)
		return error_errno("map %llu MiB of memory", (unsigned long long)size >> 20);
	/* a core dump has no use for the guest's secrets */
	madvise(base, size, MADV_DONTDUMP);
	/* an exit for each 2 MiB that the guest touches first, and not for each 4 KiB, where the
	 * host allows it (transparent_hugepage/shmem_enabled) */
	madvise(base, size, MADV_HUGEPAGE);
	m->base = base;
	m->size = size;
	m->regions[m->n++] = (struct memory_region){ .size = low, .at = base };
	if (size > low)
		m->regions[m->n++] = (struct memory_region){ .start = MEMORY_HOLE_END,
							     .size = size - low,
							     .offset = low,
							     .at = m->base + low };
	return NULL;
}

void memory_free(struct memory *m)
{
	if (m->base)
		munmap(m->base, m->size);
	if (m->size)
		close(m->fd);
	*m = (struct memory){ .fd = -1 };
}

void *memory_at(const struct memory *m, uint64_t start, uint64_t len)
{
	for (size_t i = 0; i < m->n; i++) {
		const struct memory_region *r = &m->regions[i];
		if (start >= r->start && start - r->start < r->size &&
		    len <= r->size - (start - r->start))
			return r->at + (start - r->start);
	}
	return NULL;
}

uint64_t memory_low_end(const struct memory *m)
{
	return m->regions[0].size;
}
