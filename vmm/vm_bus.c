#include "vmm/vm.h"

error *bus_add(struct bus *b, const struct bus_range *range)
{
	if (b->n == COUNT(b->ranges))
		return error_said(E2BIG, "more devices than the machine has room for");
	b->ranges[b->n++] = *range;
	return NULL;
}

const struct bus_range *bus_find(const struct bus *b, uint64_t address, unsigned len)
{
	for (size_t i = 0; i < b->n; i++) {
		const struct bus_range *r = &b->ranges[i];
		if (address >= r->start && address - r->start < r->len &&
		    len <= r->len - (address - r->start))
			return r;
	}
	return NULL;
}

uint32_t bus_read(const struct bus *b, uint64_t address, unsigned len)
{
	const struct bus_range *r = bus_find(b, address, len);

	return r ? r->read(r->context, address - r->start, len) : UINT32_MAX;
}

error *bus_write(const struct bus *b, uint64_t address, uint32_t value, unsigned len)
{
	const struct bus_range *r = bus_find(b, address, len);

	return r ? r->write(r->context, address - r->start, value, len) : NULL;
}
