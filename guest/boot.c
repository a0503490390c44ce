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

/* The machine's disk of that name, as the virtio specification lets a driver ask for it. */
static bool find_disk(const char *name, char *device, size_t size)
{
	char path[64];

	for (int letter = 'a'; letter <= 'z'; letter++) {
		auto_free char *serial = NULL;
		snprintf(path, sizeof(path), "/sys/block/vd%c/serial", letter);
		auto_error error *e = file_read(AT_FDCWD, path, 64, &serial, NULL);
		if (e || strcmp(serial, name) != 0)
			continue;
		snprintf(device, size, "/dev/vd%c", letter);
		return true;
	}
	return false;
}

/* A disk's file system at `target`/lower, and at `target` itself the same below a writable layer in
 * memory. */
static error *mount_disk(const char *device, const char *target, const char *what)
{
	static const char *const types[] = { "erofs", "squashfs", "ext4", "xfs" };
	char lower[64];
	char upper[64];
	char options[256];
	struct stat st;

	snprintf(lower, sizeof(lower), "%s/lower", target);
	snprintf(upper, sizeof(upper), "%s/upper", target);
	snprintf(options, sizeof(options), "lowerdir=%s/lower,upperdir=%s/upper,workdir=%s/work",
		 target, target, target);
	for (size_t i = 0; i < COUNT(types); i++) {
		if (sys_mount(device, lower, types[i], 1 /* MS_RDONLY */, NULL) < 0)
			continue;
		/* the uppermost layer's folder is the one that shows */
		if (stat(lower, &st) < 0 || chown(upper, st.st_uid, st.st_gid) < 0 ||
		    chmod(upper, st.st_mode & 07777) < 0)
			return error_errno("%s", what);
		if (sys_mount("overlay", target, "overlay", 0, options) < 0)
			return error_errno("mount %s", what);
		return NULL;
	}
	return error_said(EINVAL, "%s: the kernel finds no file system that it knows in it", what);
}

static error *make_layers(const char *target)
{
	static const char *const layers[] = { "lower", "upper", "work" };
	char path[64];

	try(mount_at("tmpfs", target, 0, "mode=0755"));
	for (size_t i = 0; i < COUNT(layers); i++) {
		snprintf(path, sizeof(path), "%s/%s", target, layers[i]);
		try(path_make_folders(path, 0755));
	}
	return NULL;
}

/* The image that .vm.image names; or memory alone. */
static error *mount_system(void)
{
	char device[16];

	if (!find_disk(VM_DISK_SYSTEM, device, sizeof(device)))
		return mount_at("tmpfs", "/new", 0, "mode=0755");
	try(make_layers("/new"));
	return mount_disk(device, "/new", ".vm.image");
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

/* The container's root, if it is an image. Also one that is read-only has a layer above it: for the
 * places that mounts need. */
static error *mount_root(int *port)
{
	char device[16];

	(void)port;
	if (!find_disk(VM_DISK_ROOT, device, sizeof(device)))
		return NULL;
	try(make_layers(VM_ROOT));
	return mount_disk(device, VM_ROOT, ".root.path");
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
	{ "mount the root's image", mount_root },
	{ "bring the loopback device up", loopback_up },
	{ "open the port to the host", open_port },
};

error *guest_boot(int *port)
{
	for (size_t i = 0; i < COUNT(boot); i++)
		try_as(boot[i].how(port), "%s", boot[i].what);
	return NULL;
}
