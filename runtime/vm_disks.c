/* A machine's disks, and how much a second it may have of them and of its network. A limit in
 * .linux.resources.blockIO names a device of the host's: it is a disk's when the disk's image lies
 * on that device (or is it). Annotations are for whatever the machine has. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/text.h"
#include "runtime/vm.h"

#define ANNOTATION "org.skiff.sandbox."

/* clang-format off */
static const struct {
	const char *name;
	size_t at; /* of a struct machine_rate */
	bool bytes, disk;
} annotations[] = {
	{ ANNOTATION "disk-bytes",    offsetof(struct vm, disk_rate.bytes),    true,  true },
	{ ANNOTATION "disk-requests", offsetof(struct vm, disk_rate.requests), false, true },
	{ ANNOTATION "net-bytes",     offsetof(struct vm, net_rate.bytes),     true,  false },
	{ ANNOTATION "net-packets",   offsetof(struct vm, net_rate.requests),  false, false },
};
/* clang-format on */

static error *read_rates(const struct spec *spec, struct vm *vm)
{
	for (size_t i = 0; i < COUNT(annotations); i++) {
		const char *text = spec_annotation(spec, annotations[i].name);
		int64_t value = 0;
		uint32_t count = 0;
		if (!text)
			continue;
		if (annotations[i].bytes ? !text_to_bytes(text, &value) || value <= 0
					 : !text_to_u32(text, &count) || !count)
			return error_said(EINVAL, ".annotations[%s]: '%s' is no number%s above 0",
					  annotations[i].name, text,
					  annotations[i].bytes ? " of bytes" : "");
		if (annotations[i].disk && !vm->n_disks)
			return error_said(EINVAL,
					  ".annotations[%s]: the machine has no disk: neither is "
					  ".root.path a file system image, nor is there a "
					  ".vm.image",
					  annotations[i].name);
		*(uint64_t *)(void *)((char *)vm + annotations[i].at) =
			annotations[i].bytes ? (uint64_t)value : count;
	}
	return NULL;
}

static void add_disk(struct vm *vm, const char *name, const char *path, const char *format)
{
	vm->disk_paths[vm->n_disks] = path;
	vm->disks[vm->n_disks++] =
		(struct machine_disk){ .name = name, .format = format, .fd = -1 };
}

error *vm_list_disks(const struct spec *spec, struct arena *arena, struct vm *vm)
{
	const struct spec_vm_image *image = spec->vm ? spec->vm->image : NULL;
	const char *names[] = { arena_strdup(arena, VM_DISK_SYSTEM),
				arena_strdup(arena, VM_DISK_ROOT), arena_strdup(arena, "raw") };

	for (size_t i = 0; i < COUNT(names); i++)
		if (!names[i])
			return arena_exhausted();
	if (image) {
		const char *format =
			arena_strdup(arena, name_of(&image_format_names, image->format.value));
		if (!format)
			return arena_exhausted();
		add_disk(vm, names[0], image->path, format);
	}
	if (vm->root_image)
		add_disk(vm, names[1], vm->root_image, names[2]);
	return read_rates(spec, vm);
}

/* --- blockIO --- */

/* The device that a file lies on, as io.max knows it: whole disks, not their partitions. */
static error *device_of(const char *path, unsigned *major_nr, unsigned *minor_nr)
{
	struct stat st;
	char name[64];
	auto_free char *whole = NULL;

	if (stat(path, &st) < 0)
		return error_errno("%s", path);
	dev_t device = S_ISBLK(st.st_mode) ? st.st_rdev : st.st_dev;
	*major_nr = major(device);
	*minor_nr = minor(device);
	snprintf(name, sizeof(name), "/sys/dev/block/%u:%u/partition", *major_nr, *minor_nr);
	if (access(name, F_OK) < 0)
		return NULL;
	snprintf(name, sizeof(name), "/sys/dev/block/%u:%u/../dev", *major_nr, *minor_nr);
	try(file_read(AT_FDCWD, name, 64, &whole, NULL));
	return sscanf(whole, "%u:%u", major_nr, minor_nr) == 2 ? NULL : error_new(EIO, "%s", name);
}

struct list {
	const struct spec_throttle_device *v;
	size_t n;
};

enum { LISTS = 4 };

static void lists_of(const struct spec_block_io *b, struct list out[LISTS])
{
	out[0] = (struct list){ b->read_bps.v, b->read_bps.n };
	out[1] = (struct list){ b->read_iops.v, b->read_iops.n };
	out[2] = (struct list){ b->write_bps.v, b->write_bps.n };
	out[3] = (struct list){ b->write_iops.v, b->write_iops.n };
}

static bool find(const struct list *list, unsigned major_nr, unsigned minor_nr, uint64_t *rate)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->v[i].major == (int64_t)major_nr &&
		    list->v[i].minor == (int64_t)minor_nr) {
			*rate = list->v[i].rate;
			return true;
		}
	return false;
}

error *vm_limit_disks(const struct spec *spec, struct vm *vm)
{
	const struct spec_block_io *b = spec->linux_->resources->block_io;

	for (size_t i = 0; i < vm->n_disks; i++) {
		struct machine_disk *d = &vm->disks[i];
		uint64_t *const rates[LISTS] = { &d->read.bytes, &d->read.requests, &d->write.bytes,
						 &d->write.requests };
		struct list lists[LISTS];
		unsigned device[2];
		try(device_of(vm->disk_paths[i], &device[0], &device[1]));
		d->both = vm->disk_rate;
		if (!b)
			continue;
		lists_of(b, lists);
		for (size_t l = 0; l < LISTS; l++)
			find(&lists[l], device[0], device[1], rates[l]);
		if (vm->engine == VM_QEMU &&
		    ((d->both.bytes && (d->read.bytes || d->write.bytes)) ||
		     (d->both.requests && (d->read.requests || d->write.requests))))
			return error_said(ENOTSUP,
					  "%s: QEMU limits either what is read and what is "
					  "written (.linux.resources.blockIO), or both together "
					  "(.annotations[" ANNOTATION "disk-...]); --sandbox kvm "
					  "does both",
					  vm->disk_paths[i]);
	}
	if (vm->engine == VM_QEMU && (vm->net_rate.bytes || vm->net_rate.requests))
		return error_said(ENOTSUP,
				  ".annotations[%s]: QEMU cannot limit a network; --sandbox kvm "
				  "does",
				  annotations[vm->net_rate.bytes ? 2 : 3].name);
	return NULL;
}

bool vm_has_limit_of(const struct spec_block_io *b, const char *path)
{
	struct list lists[LISTS];
	unsigned device[2];
	uint64_t rate;

	auto_error error *gone = device_of(path, &device[0], &device[1]);
	if (gone)
		return false;
	lists_of(b, lists);
	for (size_t l = 0; l < LISTS; l++)
		if (find(&lists[l], device[0], device[1], &rate))
			return true;
	return false;
}

void vm_guest_block_io(const struct spec_block_io *b, struct spec_block_io *guest)
{
	*guest = (struct spec_block_io){ .weight = b->weight, .leaf_weight = b->leaf_weight };
}
