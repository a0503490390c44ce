/* HOST: what a sandbox needs of this host: an engine, a kernel, an initramfs, its network. */
#include <dirent.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/path.h"
#include "base/text.h"
#include "runtime/helper.h"
#include "runtime/state.h"
#include "runtime/steps.h"
#include "runtime/vm.h"
#include "runtime/vm_control.h"
#include "vmm.h"

/* --- the engine --- */

#define OWN_ENGINE      "skiff-vmm"
#define OWN_FILE_SERVER "skiff-fs"

static const char *find_in_path(struct arena *arena, const char *name)
{
	const char *path = getenv("PATH");

	for (const char *dir = path ? path : ""; *dir;) {
		size_t len = strcspn(dir, ":");
		char *file = arena_printf(arena, "%.*s/%s", (int)len, dir, name);
		if (len && file && access(file, X_OK) == 0)
			return file;
		dir += len + (dir[len] == ':');
	}
	return NULL;
}

static error *use_given(struct vm *vm)
{
	const struct spec_hypervisor *given = vm->asked->vm->hypervisor;

	if (access(given->path, X_OK) < 0)
		return error_errno(".vm.hypervisor.path: %s", given->path);
	vm->program = given->path;
	vm->program_parameters = given->parameters;
	return NULL;
}

static error *find_qemu(struct life *l)
{
	struct vm *vm = l->vm;
	const struct spec_vm *asked = vm->asked->vm;

	vm->engine = VM_QEMU;
	if (asked && asked->hypervisor && asked->hypervisor->path)
		return use_given(vm);
	vm->program = find_in_path(l->arena, "qemu-system-x86_64");
	if (!vm->program)
		return error_said(
			ENOENT, "a sandbox needs QEMU, and there is no qemu-system-x86_64 in PATH: "
				"install it (Debian: qemu-system-x86), or run without --sandbox");
	return NULL;
}

/* What our own engine has no part for: auto leaves it to QEMU. */
static const char *beyond_us(const struct spec_vm *asked)
{
	if (asked && asked->hypervisor && asked->hypervisor->path &&
	    !text_ends(asked->hypervisor->path, "/" OWN_ENGINE))
		return ".vm.hypervisor.path";
	if (asked && asked->image && asked->image->format.value != 0 /* raw */)
		return ".vm.image.format";
	return NULL;
}

/* kvm is our own engine; qemu, and auto where that has no processor, is QEMU with whatever
 * processor there is. */
static error *find_engine(struct life *l)
{
	struct vm *vm = l->vm;
	auto_error error *no_kvm = machine_probe_kvm();
	const char *beyond = beyond_us(vm->asked->vm);
	auto_free char *own = NULL;

	vm->kvm = !no_kvm;
	if (vm->engine == VM_KVM && no_kvm)
		return error_wrap(take_ptr(&no_kvm), "--sandbox kvm");
	if (vm->engine == VM_KVM && beyond)
		return error_said(ENOTSUP, "--sandbox kvm has no %s; --sandbox qemu has", beyond);
	if (vm->engine == VM_QEMU || no_kvm || beyond)
		return find_qemu(l);
	vm->engine = VM_KVM;
	if (vm->asked->vm && vm->asked->vm->hypervisor && vm->asked->vm->hypervisor->path)
		return use_given(vm);
	try(helper_own(OWN_ENGINE, &own));
	vm->program = arena_strdup(l->arena, own);
	return vm->program ? NULL : arena_exhausted();
}

/* Nodes outside of a mount at /dev are the host's nodes: a program that may make them is a reason,
 * or devices of config.json. */
static bool makes_devices(const struct spec *asked)
{
	const struct spec_capabilities *c = asked->process ? asked->process->capabilities : NULL;
	bool has_dev = false;

	for (size_t i = 0; i < asked->mounts.n; i++) {
		auto_free char *clean = path_clean(asked->mounts.v[i].destination);
		has_dev |= clean && strcmp(clean, "/dev") == 0;
	}
	if (!has_dev || (c && c->bounding.bits & 1ULL << CAP_MKNOD))
		return true;
	for (size_t i = 0; asked->linux_ && i < asked->linux_->devices.n; i++)
		if (!text_starts(asked->linux_->devices.v[i].path, "/dev/"))
			return true;
	return false;
}

/* Ours; another one is for comparisons. */
static error *find_file_server(struct life *l)
{
	const char *other = getenv("SKIFF_FILE_SERVER");
	auto_free char *own = NULL;

	l->vm->makes_devices = makes_devices(l->vm->asked);
	l->vm->foreign_file_server = other && *other;
	if (!l->vm->foreign_file_server)
		try(helper_own(OWN_FILE_SERVER, &own));
	else if (access(other, X_OK) < 0)
		return error_errno("SKIFF_FILE_SERVER: %s", other);
	l->vm->file_server = arena_strdup(l->arena, own ? own : other);
	return l->vm->file_server ? NULL : arena_exhausted();
}

/* --- the kernel and its initramfs --- */

/* Where `skiff kernel fetch` leaves them; the first that is there. */
static error *find_kernel(struct arena *arena, const char **out)
{
	const char *asked = getenv("SKIFF_KERNELS");
	const char *home = getenv("HOME");
	const char *data = getenv("XDG_DATA_HOME");
	const char *places[] = {
		asked ? arena_printf(arena, "%s", asked) : NULL,
		data   ? arena_printf(arena, "%s/skiff/kernels", data)
		: home ? arena_printf(arena, "%s/.local/share/skiff/kernels", home)
		       : NULL,
		"/var/lib/skiff/kernels",
	};

	for (size_t i = 0; i < COUNT(places); i++) {
		const char *file =
			places[i] ? arena_printf(arena, "%s/current/vmlinux", places[i]) : NULL;
		if (file && access(file, R_OK) == 0) {
			auto_free char *real = realpath(file, NULL);
			*out = real ? arena_strdup(arena, real) : NULL;
			return *out ? NULL : error_errno("%s", file);
		}
	}
	return error_said(ENOENT,
			  "a sandbox needs a kernel: run 'skiff kernel fetch' once, or name one in "
			  ".vm.kernel.path or with --vm-kernel");
}

/* A kernel's modules lie in modules/ beside it; one with everything built in has none. */
static int open_modules(struct arena *arena, const char *kernel)
{
	const char *slash = strrchr(kernel, '/');
	const char *path = arena_printf(arena, "%.*s/modules", (int)(slash - kernel), kernel);

	return path ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
}

static const char *cache_folder(const struct life *l)
{
	const char *cache = getenv("XDG_CACHE_HOME");
	const char *home = getenv("HOME");

	if (!l->rootless)
		return "/var/cache/skiff";
	if (cache)
		return arena_printf(l->arena, "%s/skiff", cache);
	return arena_printf(l->arena, "%s/.cache/skiff", home ? home : l->state_root);
}

/* What earlier versions of skiff left. Younger ones may be another's, about to be used. */
static void remove_stale(const char *folder)
{
	DIR *dir = opendir(folder);
	struct stat st;
	time_t day_ago = time(NULL) - 24 * 3600;

	for (struct dirent *d; dir && (d = readdir(dir));)
		if (text_starts(d->d_name, "initramfs-") &&
		    fstatat(dirfd(dir), d->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    st.st_mtime < day_ago)
			unlinkat(dirfd(dir), d->d_name, 0);
	if (dir)
		closedir(dir);
}

static error *write_atomically(const char *folder, const char *file, const char *before,
			       const char *agent, int modules)
{
	auto_free char *given = NULL;
	auto_free char *fresh = NULL;
	size_t len = 0;

	if (before)
		try(file_read(AT_FDCWD, before, (size_t)1 << 30, &given, &len));
	try(path_make_folders(folder, 0755));
	if (asprintf(&fresh, "%s.XXXXXX", file) < 0)
		return error_new(ENOMEM, "%s", file);
	auto_fd int fd = mkostemp(fresh, O_CLOEXEC);
	if (fd < 0)
		return error_errno("make %s", fresh);
	error *e = fd_write_all(fd, given, len);
	if (!e)
		e = machine_write_initramfs(fd, agent, modules);
	if (!e && (fchmod(fd, 0644) < 0 || rename(fresh, file) < 0))
		e = error_errno("rename %s", fresh);
	if (e)
		unlink(fresh);
	return e;
}

/* Its name says what it was made of, so that a new skiff or kernel makes a new one. */
static error *find_initramfs(struct life *l)
{
	struct vm *vm = l->vm;
	auto_free char *agent = NULL;
	struct stat a;
	struct stat m = { 0 };
	struct stat i = { 0 };
	const struct spec_vm *asked = vm->asked->vm;
	const char *before = asked && asked->kernel ? asked->kernel->initrd : NULL;
	auto_fd int modules = open_modules(l->arena, vm->kernel);
	const char *folder = cache_folder(l);

	try(helper_own("skiff-agent", &agent));
	if (stat(agent, &a) < 0 || (modules >= 0 && fstat(modules, &m) < 0))
		return error_errno("%s", agent);
	if (before && stat(before, &i) < 0)
		return error_errno(".vm.kernel.initrd: %s", before);
	vm->initrd = arena_printf(l->arena, "%s/initramfs-%llx.%lx.%lx-%llx.%lx-%llx.%lx", folder,
				  (unsigned long long)a.st_mtim.tv_sec, a.st_mtim.tv_nsec,
				  (long)a.st_size, (unsigned long long)m.st_ino, m.st_mtim.tv_nsec,
				  (unsigned long long)i.st_ino, i.st_mtim.tv_nsec);
	if (!folder || !vm->initrd)
		return arena_exhausted();
	if (access(vm->initrd, R_OK) == 0)
		return NULL;
	remove_stale(folder);
	return write_atomically(folder, vm->initrd, before, agent, modules);
}

/* Unpacks it, if it has not been; NULL when that cannot be done, which is told. */
static error *unpack(const char *packed, char **out)
{
	auto_free char *program = NULL;
	char verb[] = "unpack";
	size_t len;

	try(helper_own("skiff-kernel", &program));
	char *argv[] = { program, verb, (char *)(uintptr_t)packed, NULL };
	auto_error error *e = helper_output(argv, out, &len);
	if (e)
		log_warning("%s cannot be unpacked once for all, and unpacks itself at each start: "
			    "%s",
			    packed, error_message(e));
	else
		(*out)[strcspn(*out, "\n")] = '\0';
	return NULL;
}

/* Our own engine is given what is in a bzImage, so that no guest has to unpack it. */
static error *use_unpacked(struct life *l)
{
	struct vm *vm = l->vm;
	auto_fd int fd = open(vm->kernel, O_RDONLY | O_CLOEXEC);
	auto_free char *store = NULL;
	auto_free char *path = NULL;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno("%s", vm->kernel);
	if (!kernel_is_packed(fd))
		return NULL;
	try(kernel_store(&store));
	try(kernel_unpacked_path(store, &st, &path));
	auto_error error *e = kernel_check_unpacked(path);
	if (e) {
		free(take_ptr(&path));
		try(unpack(vm->kernel, &path));
	}
	if (!path)
		return NULL;
	vm->kernel = arena_strdup(l->arena, path);
	return vm->kernel ? NULL : arena_exhausted();
}

/* What a guest has no use for, and what takes a third of the time that Debian's kernel needs: tests
 * of ciphers, certificates, a file for each event that could be traced. quiet: a serial console
 * costs an exit for each character. */
static error *make_options(struct life *l)
{
	struct vm *vm = l->vm;
	const struct spec_vm *asked = vm->asked->vm;
	/* a reset is told from a crash, which QEMU's machine knows as the only way to reset */
	const char *reset = vm->engine == VM_KVM ? "a" : "t";
	const char *text = arena_printf(l->arena,
					"console=ttyS0 quiet loglevel=4 panic=-1 reboot=%s "
					"rdinit=/init cgroup_no_v1=all random.trust_cpu=on "
					"cryptomgr.notests initcall_blacklist="
					"tracer_init_tracefs,load_system_certificate_list",
					reset);

	for (size_t i = 0; asked && asked->kernel && i < asked->kernel->parameters.n && text; i++)
		text = arena_printf(l->arena, "%s %s", text, asked->kernel->parameters.v[i]);
	/* On a busy host an emulated timer is too late for a kernel that measures its processor by
	 * it: then it would find no clock at all, and hang. */
	if (!vm->kvm && text)
		text = arena_printf(l->arena, "%s no_timer_check tsc_early_khz=%llu", text,
				    (unsigned long long)machine_tsc_khz());
	if (l->debug && text)
		text = arena_printf(l->arena, "%s ignore_loglevel", text);
	vm->options = text ? arena_strdup(l->arena, text) : NULL;
	if (!vm->options)
		return arena_exhausted();
	if (strlen(vm->options) > 2000)
		return error_said(E2BIG, ".vm.kernel.parameters: longer than a kernel takes");
	return NULL;
}

error *host_find_machine(struct life *l)
{
	struct vm *vm = l->vm;
	const struct spec_vm *asked = vm->asked->vm;

	try(find_engine(l));
	try(find_file_server(l));
	vm->program = arena_strdup(l->arena, vm->program);
	if (!vm->program)
		return arena_exhausted();
	if (asked && asked->kernel && asked->kernel->path) {
		vm->kernel = asked->kernel->path;
		if (access(vm->kernel, R_OK) < 0)
			return error_errno(".vm.kernel.path: %s", vm->kernel);
	} else {
		try(find_kernel(l->arena, &vm->kernel));
	}
	try(vm_limit_disks(vm->asked, vm));
	if (vm->vsock && vm->engine != VM_KVM)
		return error_said(ENOTSUP,
				  "--vm-vsock, .annotations[org.skiff.sandbox.vsock]: QEMU has "
				  "no such sockets; --sandbox kvm has");
	try(find_initramfs(l));
	if (vm->engine == VM_KVM)
		try(use_unpacked(l));
	return make_options(l);
}

error *host_listen_commands(struct life *l)
{
	return socket_listen(l->state->dir, "monitor.sock", SOCK_SEQPACKET, &l->fd[FD_COMMANDS]);
}

/* --- stream sockets --- */

error *host_find_vsock(struct life *l)
{
	bool is_used;

	try(vm_clear_vsock(l->vm->vsock, &is_used));
	return is_used ? error_said(EADDRINUSE, "%s: another sandbox listens there", l->vm->vsock)
		       : NULL;
}

void host_leave_vsock(struct life *l)
{
	auto_error error *left = vm_leave_vsock(l->vm->vsock);

	if (left)
		log_warning("%s", error_message(left));
}

/* Unlike skiff-init it need not be a copy: nothing hostile runs in its namespaces. */
error *host_open_monitor(struct life *l)
{
	auto_free char *path = NULL;

	try(helper_own("skiff-sandbox", &path));
	l->fd[FD_STAGE2] = open(path, O_PATH | O_CLOEXEC);
	return l->fd[FD_STAGE2] < 0 ? error_errno("open %s", path) : NULL;
}

/* Each device in the container's network namespace gets a tap that its packets are led to. */
error *host_find_network(struct life *l)
{
	struct vm *vm = l->vm;
	auto_free char *program = NULL;
	auto_free char *json = NULL;
	char ns[48];
	size_t len;

	snprintf(ns, sizeof(ns), "/proc/%d/ns/net", l->init);
	try(helper_own("skiff-net", &program));
	char words[] = "lead";
	char *argv[] = { program, words, ns, NULL };
	try(helper_output(argv, &json, &len));
	try(rows_read(&vm_network_shape, json, len, ROWS_NO_DUPLICATES, l->arena, &vm->network));
	if (!vm->network.devices.n)
		return NULL;
	vm->network_json = arena_strndup(l->arena, json, len);
	return vm->network_json ? NULL : arena_exhausted();
}

void host_forget_network(struct life *l)
{
	auto_error error *left = vm_leave_network(l->fixed);

	if (left)
		log_warning("%s", error_message(left));
}
