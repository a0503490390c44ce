/* From a bare kernel to a place where containers can run, as one table. */
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/kernel.h"
#include "base/path.h"
#include "base/text.h"
#include "guest/guest.h"

enum { NOSUID = 2, NODEV = 4, NOEXEC = 8, MOVE = 8192 }; /* MS_*, which <sys/mount.h> names */

static error *mount_at(const char *type, const char *target, unsigned long flags, const char *data)
{
	try(path_make_folders(target, 0755));
	if (sys_mount(type, target, type, flags, data) < 0)
		return error_errno("mount %s at %s", type, target);
	return NULL;
}

static error *mount_devices(int *port)
{
	(void)port;
	try(mount_at("proc", "/proc", NOSUID | NODEV | NOEXEC, NULL));
	try(mount_at("sysfs", "/sys", NOSUID | NODEV | NOEXEC, NULL));
	try(mount_at("devtmpfs", "/dev", NOSUID, "mode=0755"));
	/* the kernel gave us no console, if there was no /dev then */
	int console = open("/dev/console", O_RDWR | O_NOCTTY);
	if (console < 0)
		console = open("/dev/null", O_RDWR);
	for (int fd = 0; fd < 3 && console >= 0; fd++)
		if (fd != console)
			dup2(console, fd);
	if (console > 2)
		close(console);
	return NULL;
}

static error *load_module(const char *path)
{
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return error_errno("open %s", path);
	/* what the kernel has built in need not be loaded: EEXIST */
	if (syscall(SYS_finit_module, fd, "", 0) < 0 && errno != EEXIST)
		return error_errno("load %s", path);
	return NULL;
}

/* Whether the machine has a virtio device of that kind (the virtio specification's number). */
static bool has_device(unsigned kind)
{
	char path[64];

	for (int i = 0; i < 64; i++) {
		auto_free char *text = NULL;
		snprintf(path, sizeof(path), "/sys/bus/virtio/devices/virtio%d/device", i);
		auto_error error *e = file_read(AT_FDCWD, path, 32, &text, NULL);
		if (e)
			return false;
		if (strtoul(text, NULL, 16) == kind)
			return true;
	}
	return false;
}

/* /modules/order: "KIND FILE" in each line; of KIND "-" each is loaded, of others those that the
 * machine has a device for. A kernel that has everything built in brings none. */
static error *load_modules(int *port)
{
	auto_free char *list = NULL;
	char path[256];
	auto_error error *none = file_read(AT_FDCWD, "/modules/order", 1 << 16, &list, NULL);

	(void)port;
	if (none)
		return error_code(none) == ENOENT ? NULL : take_ptr(&none);
	for (char *rest = list, *line; (line = strsep(&rest, "\n"));) {
		char *file = strchr(line, ' ');
		if (!file)
			continue;
		snprintf(path, sizeof(path), "/modules/%s", file + 1);
		if (*line == '-' || has_device((unsigned)strtoul(line, NULL, 10)))
			try(load_module(path));
		unlink(path);
	}
	return NULL;
}

/* The image that .vm.image names, below a writable layer in memory; or memory alone. */
static error *mount_system(void)
{
	static const char *const types[] = { "ext4", "erofs", "squashfs", "xfs" };

	try(mount_at("tmpfs", "/new", 0, "mode=0755"));
	if (access("/dev/vda", F_OK) < 0)
		return NULL;
	try(path_make_folders("/new/lower", 0755));
	try(path_make_folders("/new/upper", 0755));
	try(path_make_folders("/new/work", 0755));
	for (size_t i = 0; i < COUNT(types); i++) {
		if (sys_mount("/dev/vda", "/new/lower", types[i], 1 /* MS_RDONLY */, NULL) < 0)
			continue;
		if (sys_mount("overlay", "/new", "overlay", 0,
			      "lowerdir=/new/lower,upperdir=/new/upper,workdir=/new/work") < 0)
			return error_errno("mount .vm.image as the system");
		return NULL;
	}
	return error_new(errno, ".vm.image: the kernel finds no file system that it knows in it");
}

/* The first root file system of a kernel cannot be pivoted away from: what containers do needs
 * another one. */
static error *leave_initramfs(int *port)
{
	static const char *const moved[] = { "/proc", "/sys", "/dev" };
	char target[32];

	(void)port;
	try(mount_system());
	for (size_t i = 0; i < COUNT(moved); i++) {
		snprintf(target, sizeof(target), "/new%s", moved[i]);
		try(path_make_folders(target, 0755));
		if (sys_mount(moved[i], target, NULL, MOVE, NULL) < 0)
			return error_errno("move %s", moved[i]);
	}
	if (chdir("/new") < 0 || sys_mount(".", "/", NULL, MOVE, NULL) < 0 || chroot(".") < 0 ||
	    chdir("/") < 0)
		return error_errno("leave the initramfs");
	return NULL;
}

static error *mount_file_systems(int *port)
{
	(void)port;
	try(mount_at("tmpfs", "/run", NOSUID | NODEV, "mode=0755"));
	try(mount_at("tmpfs", "/tmp", NOSUID | NODEV, "mode=1777"));
	try(mount_at("devpts", "/dev/pts", NOSUID | NOEXEC, "ptmxmode=0666,mode=0620,gid=5"));
	try(mount_at("cgroup2", "/sys/fs/cgroup", NOSUID | NODEV | NOEXEC, NULL));
	try(path_make_folders(VM_SHARE, 0755));
	if (sys_mount(VM_TAG, VM_SHARE, "virtiofs", 0, NULL) < 0)
		return error_errno("mount what the host shares");
	try(path_make_folders(GUEST_BUNDLE, 0700));
	try(path_make_folders(GUEST_PIDS, 0700));
	return path_make_folders(GUEST_STATES, 0711);
}

static error *loopback_up(int *port)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	auto_fd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)port;
	if (fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &request) < 0)
		return error_errno("bring lo up");
	return NULL;
}

/* Its name comes a moment after the device itself, by a message from the host. */
static bool find_port(char *device, size_t size)
{
	char path[64];

	for (int console = 0; console < 4; console++)
		for (int nr = 0; nr < 8; nr++) {
			auto_free char *name = NULL;
			snprintf(path, sizeof(path), "/sys/class/virtio-ports/vport%dp%d/name",
				 console, nr);
			auto_error error *e = file_read(AT_FDCWD, path, 256, &name, NULL);
			if (e || strcspn(name, "\n") != strlen(VM_PORT) ||
			    !text_starts(name, VM_PORT))
				continue;
			snprintf(device, size, "/dev/vport%dp%d", console, nr);
			return true;
		}
	return false;
}

static error *open_port(int *port)
{
	static const struct timespec moment = { .tv_nsec = 2000000 };
	char device[32];

	for (int i = 0; i < 5000; i++) {
		if (find_port(device, sizeof(device))) {
			*port = open(device, O_RDWR | O_NONBLOCK | O_CLOEXEC);
			if (*port >= 0)
				return NULL;
			if (errno != ENOENT && errno != ENODEV)
				return error_errno("open %s", device);
		}
		nanosleep(&moment, NULL);
	}
	return error_new(ENODEV, "the machine has no port %s", VM_PORT);
}

static const struct {
	const char *what;
	error *(*how)(int *port);
} boot[] = {
	{ "mount the devices", mount_devices },
	{ "load the modules", load_modules },
	{ "leave the initramfs", leave_initramfs },
	{ "mount the file systems", mount_file_systems },
	{ "bring the loopback device up", loopback_up },
	{ "open the port to the host", open_port },
};

error *guest_boot(int *port)
{
	for (size_t i = 0; i < COUNT(boot); i++)
		try_as(boot[i].how(port), "%s", boot[i].what);
	return NULL;
}
