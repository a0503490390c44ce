/* What a guest is given of a kernel's modules. Nothing but skiff-kernel has that code. */
#include "vmm/kernel_modules.c"

#include <unistd.h>

#include "../check.h"

#define SIGNED "~Module signature appended~\n"

static char from[] = "/tmp/skiff-modules.XXXXXX", to[] = "/tmp/skiff-taken.XXXXXX";

static void make(const char *name, const char *data, size_t len)
{
	auto_free char *path = path_join(from, name);

	CHECK_FINE(file_create(AT_FDCWD, path, 0644, data, len));
}

static void holds(const char *name, const char *data, size_t len)
{
	auto_free char *path = path_join(to, name);
	auto_free char *have = NULL;
	size_t n = 0;

	CHECK_FINE(file_read(AT_FDCWD, path, 1 << 16, &have, &n));
	CHECK(n == len && memcmp(have, data, len) == 0);
}

int main(void)
{
	/* a signature of three bytes; one that says that it is longer than the file; none */
	static const char good[] =
		"body\0depends=virtio,virtio-ring\0sig\0\0\0\0\0\0\0\0\0\0\0\3" SIGNED;
	static const char bad[] = "body\0depends=\0\0\0\0\0\0\0\0\0\377\377\377\377" SIGNED;
	static const char plain[] = "body\0depends=\0";

	CHECK(mkdtemp(from) && mkdtemp(to));
	make("virtio_mmio.ko", good, sizeof(good) - 1);
	make("virtio.ko", bad, sizeof(bad) - 1);
	make("virtio_ring.ko", plain, sizeof(plain));
	make("nobody_asks.ko", plain, sizeof(plain));
	CHECK_FINE(kernel_take_modules(from, to));
	holds("order", "- virtio.ko\n- virtio_ring.ko\n- virtio_mmio.ko\n", 46);
	holds("virtio_mmio.ko", good, sizeof("body\0depends=virtio,virtio-ring"));
	holds("virtio.ko", bad, sizeof(bad) - 1);
	holds("virtio_ring.ko", plain, sizeof(plain));
	auto_free char *other = path_join(to, "nobody_asks.ko");
	CHECK(access(other, F_OK) < 0);
	CHECK_FINE(path_remove_tree(AT_FDCWD, from));
	CHECK_FINE(path_remove_tree(AT_FDCWD, to));
	return 0;
}
