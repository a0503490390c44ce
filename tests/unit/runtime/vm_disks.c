/* How much a second a machine may have of its disks and network, from config.json. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "runtime/vm.h"

#include "../check.h"

static char image[] =
	"/dev/shm/skiff-image.XXXXXX"; /* no partition, of which limits know the whole disk */
;
static struct arena *arena;
static struct vm vm;

/* A spec with these sections, divided as far as the disks go. */
static error *make(const char *annotations, const char *block_io, enum vm_choice engine)
{
	const struct spec *spec;
	char *text = arena_printf(
		arena,
		"{\"ociVersion\": \"1.0.0\", \"root\": {\"path\": \"root\"}, "
		"\"process\": {\"cwd\": \"/\", "
		"\"args\": [\"x\"]}, \"annotations\": {%s}, \"linux\": "
		"{\"namespaces\": [{\"type\": \"mount\"}], \"resources\": {\"blockIO\": {%s}}}}",
		annotations, block_io);

	try(spec_read(text, strlen(text), arena, &spec));
	vm = (struct vm){ .root_image = image, .engine = engine };
	try(vm_list_disks(spec, arena, &vm));
	return vm_limit_disks(spec, &vm);
}

static void annotations(void)
{
	CHECK_FINE(make("", "", VM_QEMU));
	CHECK(vm.n_disks == 1 && !vm.disks[0].both.bytes && !vm.net_rate.requests);
	CHECK_FINE(make("\"org.skiff.sandbox.disk-bytes\": \"2m\", "
			"\"org.skiff.sandbox.disk-requests\": \"7\", "
			"\"org.skiff.sandbox.net-bytes\": \"9\", "
			"\"org.skiff.sandbox.net-packets\": \"4294967295\"",
			"", VM_KVM));
	CHECK(vm.disks[0].both.bytes == 2 << 20 && vm.disks[0].both.requests == 7);
	CHECK(vm.net_rate.bytes == 9 && vm.net_rate.requests == UINT32_MAX);
	CHECK_FAILS(make("\"org.skiff.sandbox.net-packets\": \"1\"", "", VM_QEMU), ENOTSUP,
		    "net-packets]: QEMU");
	CHECK_FAILS(make("\"org.skiff.sandbox.net-packets\": \"1k\"", "", VM_KVM), EINVAL,
		    "net-packets]: '1k'");
	CHECK_FAILS(make("\"org.skiff.sandbox.disk-bytes\": \"\"", "", VM_KVM), EINVAL,
		    "disk-bytes]: ''");
}

/* Of the device below the image, each direction; others are not the disk's. */
static void block_io(void)
{
	struct stat st;
	struct spec_throttle_device other = { .major = 999, .minor = 1, .rate = 1 };
	struct spec_block_io b = { .write_iops = { &other, 1 } };

	CHECK(stat(image, &st) == 0);
	unsigned ours[] = { major(st.st_dev), minor(st.st_dev) };
	const char *text = arena_printf(arena,
					"\"throttleReadBpsDevice\": [{\"major\": 999, \"minor\": "
					"1, \"rate\": 5}, {\"major\": %u, "
					"\"minor\": %u, \"rate\": 11}], "
					"\"throttleWriteIOPSDevice\": [{\"major\": %u, \"minor\": "
					"%u, \"rate\": 12}], \"weight\": 100",
					ours[0], ours[1], ours[0], ours[1]);
	CHECK_FINE(make("", text, VM_QEMU));
	CHECK(vm.disks[0].read.bytes == 11 && vm.disks[0].write.requests == 12);
	CHECK(!vm.disks[0].read.requests && !vm.disks[0].write.bytes && !vm.disks[0].both.bytes);
	CHECK_FINE(make("\"org.skiff.sandbox.disk-bytes\": \"1\"", text, VM_KVM));
	CHECK(vm.disks[0].both.bytes == 1 && vm.disks[0].read.bytes == 11);
	CHECK_FAILS(make("\"org.skiff.sandbox.disk-bytes\": \"1\"", text, VM_QEMU), ENOTSUP,
		    "either");
	CHECK(!vm_has_limit_of(&b, image));
	other.major = ours[0];
	other.minor = ours[1];
	CHECK(vm_has_limit_of(&b, image) && !vm_has_limit_of(&b, "/nowhere"));
}

int main(void)
{
	int fd = mkstemp(image);

	CHECK(fd >= 0);
	CHECK_FINE(arena_new(&arena));
	annotations();
	block_io();
	arena_free(arena);
	close(fd);
	unlink(image);
	return 0;
}
