/* The monitor, INIT of a sandbox: what the guest may see is gathered in one tree, the host's file
 * systems are left behind, the machine and its file server are started in what remains. */
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/filter.h"
#include "base/kernel.h"
#include "base/path.h"
#include "base/process.h"
#include "base/text.h"
#include "runtime/monitor.h"
#include "runtime/steps.h"
#include "vmm.h"

#include <linux/if.h>
#include <linux/if_tun.h>

/* Where the monitor's own root is built, on top of a folder that every host has; in the end "/". */
#define STAGE "/proc"

static error *move_tree(int tree, const char *target)
{
	if (sys_move_mount(tree, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return error_errno("attach %s", target);
	return NULL;
}

static error *make_target(const char *path, bool is_file)
{
	int fd = -1;

	if (!is_file)
		return path_make_folders(path, 0755);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0)
		return error_errno("make %s", path);
	close(fd);
	return NULL;
}

/* What the guest mounts over must be there, since in a root that is read-only here it can make
 * nothing. Where that fails, the guest says what is wrong with the place. */
static void make_mount_points(const struct life *l, int root)
{
	for (size_t i = 0; i < l->mounts.n; i++) {
		const struct mount_row *row = &l->mounts.v[i];
		auto_fd int made = -1;
		struct stat st = { .st_mode = S_IFDIR };
		if (row->op == MOUNT_BIND && row->fd >= 0 && fstat(row->fd, &st) < 0)
			continue;
		auto_error error *e = root_ensure(root, row->target, !S_ISDIR(st.st_mode), &made);
	}
}

/* "read-only" must hold for a guest whose kernel obeys nobody. */
static error *make_read_only(int tree, const char *what)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };

	if (sys_mount_setattr(tree, "", AT_EMPTY_PATH, &attr) < 0)
		return error_errno("make %s read-only", what);
	return NULL;
}

static error *gather_mount(struct mount_row *row)
{
	char target[64];
	struct stat st;
	struct mount_attr attr = { .attr_set = row->attr_set & MOUNT_ATTR_RDONLY,
				   .propagation = MS_SLAVE };
	struct mount_attr tree_attr = { .attr_set = row->tree_attr_set & MOUNT_ATTR_RDONLY };

	if (row->fd < 0)
		row->fd = sys_open_tree(AT_FDCWD, row->source,
					OPEN_TREE_CLONE |
						(row->flags & MOUNT_RECURSIVE ? AT_RECURSIVE : 0));
	if (row->fd < 0 || fstat(row->fd, &st) < 0)
		return error_errno("open %s", row->source);
	if (sys_mount_setattr(row->fd, "", AT_EMPTY_PATH, &attr) < 0 ||
	    (tree_attr.attr_set &&
	     sys_mount_setattr(row->fd, "", AT_EMPTY_PATH | AT_RECURSIVE, &tree_attr) < 0))
		return error_errno("set the attributes of %s", row->source);
	snprintf(target, sizeof(target), STAGE "/share/mounts/%zu", row->index);
	try(make_target(target, !S_ISDIR(st.st_mode)));
	return move_tree(row->fd, target);
}

static error *open_shared_root(struct life *l, int *out)
{
	struct mount_attr slave = { .propagation = MS_SLAVE };
	auto_fd int root =
		sys_open_tree(l->fd[FD_ROOT], "", AT_EMPTY_PATH | OPEN_TREE_CLONE | AT_RECURSIVE);

	if (root < 0)
		return error_errno("open the root file system");
	if (sys_mount_setattr(root, "", AT_EMPTY_PATH | AT_RECURSIVE, &slave) < 0)
		return error_errno("cut the root off the host's mounts");
	*out = take_fd(&root);
	return NULL;
}

static error *gather_root(struct life *l, int root)
{
	if (l->spec->root->readonly) {
		make_mount_points(l, root);
		try(make_read_only(root, "the root file system"));
	}
	return move_tree(root, STAGE "/share/rootfs");
}

/* Of an image the guest makes its root itself. */
error *monitor_gather(struct life *l)
{
	auto_fd int root = -1;

	if (!l->vm->root_image)
		try(open_shared_root(l, &root));
	/* in a user namespace the kernel makes one only while it sees another */
	try(proc_open_private(&monitor_of(l)->proc));
	if (sys_mount("tmpfs", STAGE, "tmpfs", 2 | 4, "mode=0755") < 0)
		return error_errno("mount a root for the monitor");
	try(path_make_folders(STAGE "/share/rootfs", 0755));
	try(path_make_folders(STAGE "/share/mounts", 0755));
	if (root >= 0)
		try(gather_root(l, root));
	for (size_t i = 0; i < l->mounts.n; i++)
		if (l->mounts.v[i].op == MOUNT_BIND)
			try_as(gather_mount(&l->mounts.v[i]), "mounts[%zu] (%s)",
			       l->mounts.v[i].index, l->mounts.v[i].target);
	return NULL;
}

error *monitor_cut_off(struct life *l)
{
	(void)l;
	if (sys_mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return error_errno("mount");
	return NULL;
}

/* The terminal that the caller gets. Its other end is ours: bytes go through as they are, and its
 * size is the guest's. */
error *monitor_open_terminal(struct life *l)
{
	static const int unlocked = 0;
	auto_fd int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	struct termios raw;

	if (master < 0 || ioctl(master, TIOCSPTLCK, &unlocked) < 0)
		return error_errno("open a terminal");
	auto_fd int slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0 || tcgetattr(slave, &raw) < 0)
		return error_errno("open the terminal's other end");
	cfmakeraw(&raw);
	tcsetattr(slave, TCSANOW, &raw);
	if (l->process->console_size) {
		struct winsize size = { .ws_row = (unsigned short)l->process->console_size->height,
					.ws_col = (unsigned short)l->process->console_size->width };
		if (ioctl(slave, TIOCSWINSZ, &size) < 0)
			return error_errno("set the size of the terminal");
	}
	try_as(message_send(l->fd[FD_CONSOLE], "/dev/console", strlen("/dev/console"), &master, 1),
	       "send the terminal to the console socket");
	close(take_fd(&l->fd[FD_CONSOLE]));
	if (ioctl(slave, TIOCSCTTY, 0) < 0)
		return error_errno("make it the controlling terminal");
	for (int fd = 0; fd < 3; fd++)
		if (dup2(slave, fd) < 0)
			return error_errno("dup2");
	return NULL;
}

/* --- the monitor's own root --- */

/* The same place as on the host, read-only; links stay links. */
static error *bring(const char *path)
{
	char target[300];
	char link[256];
	struct stat st;
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID };

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? NULL : error_errno("look at %s", path);
	snprintf(target, sizeof(target), STAGE "%s", path);
	if (S_ISLNK(st.st_mode)) {
		ssize_t n = readlink(path, link, sizeof(link) - 1);
		link[n > 0 ? n : 0] = '\0';
		return symlink(link, target) < 0 ? error_errno("make %s", target) : NULL;
	}
	auto_fd int tree = sys_open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | AT_RECURSIVE);
	if (tree < 0)
		return error_errno("open %s", path);
	if (sys_mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr) < 0)
		return error_errno("make %s read-only", path);
	char *slash = strrchr(target, '/');
	*slash = '\0';
	try(path_make_folders(target, 0755));
	*slash = '/';
	try(make_target(target, !S_ISDIR(st.st_mode)));
	return move_tree(tree, target);
}

static error *bring_device(const char *path)
{
	char target[64];

	if (access(path, F_OK) < 0)
		return NULL;
	auto_fd int tree = sys_open_tree(AT_FDCWD, path, OPEN_TREE_CLONE);
	if (tree < 0)
		return error_errno("open %s", path);
	snprintf(target, sizeof(target), STAGE "%s", path);
	try(make_target(target, true));
	return move_tree(tree, target);
}

/* A file of the host's as /NAME. */
static error *bring_as(const char *path, const char *name)
{
	char target[64];

	snprintf(target, sizeof(target), STAGE "/%s", name);
	auto_fd int tree = sys_open_tree(AT_FDCWD, path, OPEN_TREE_CLONE);
	if (tree < 0)
		return error_errno("open %s", path);
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY };
	if (sys_mount_setattr(tree, "", AT_EMPTY_PATH, &attr) < 0)
		return error_errno("make %s read-only", path);
	try(make_target(target, true));
	return move_tree(tree, target);
}

static error *fill_root(struct life *l)
{
	static const char *const folders[] = {
		"/usr", "/lib",  "/lib64",           "/lib32",
		"/bin", "/sbin", "/etc/ld.so.cache", "/etc/alternatives"
	};
	static const char *const devices[] = { "/dev/null", "/dev/zero", "/dev/urandom",
					       "/dev/random" };
	const struct vm *vm = l->vm;

	for (size_t i = 0; i < COUNT(folders); i++)
		try(bring(folders[i]));
	if (!text_starts(vm->program, "/usr/"))
		try(bring(vm->program));
	if (!text_starts(vm->file_server, "/usr/"))
		try(bring(vm->file_server));
	try(path_make_folders(STAGE "/dev", 0755));
	for (size_t i = 0; i < COUNT(devices); i++)
		try(bring_device(devices[i]));
	if (vm->kvm)
		try(bring_device("/dev/kvm"));
	try(bring_as(vm->kernel, "kernel"));
	try(bring_as(vm->initrd, "initrd"));
	try(path_make_folders(STAGE "/run", 0755));
	try(path_make_folders(STAGE "/tmp", 0755));
	try(path_make_folders(STAGE "/proc", 0755));
	return move_tree(monitor_of(l)->proc, STAGE "/proc");
}

/* A tap belongs to the network namespace in which it is opened: this one. */
static error *open_tap(const char *name, int *out)
{
	struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	auto_fd int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &request) < 0 ||
	    ioctl(fd, TUNSETPERSIST, 0) < 0) /* it goes with the machine */
		return error_errno("open the tap %s", name);
	*out = take_fd(&fd);
	return NULL;
}

enum { TAPS_MAX = 16 };
static struct machine_tap taps[TAPS_MAX];

static error *open_taps(const struct vm_network *net)
{
	if (net->devices.n > TAPS_MAX)
		return error_said(E2BIG, "%zu network devices, at most %d can be led to a machine",
				  net->devices.n, TAPS_MAX);
	for (size_t i = 0; i < net->devices.n; i++) {
		taps[i].mac = net->devices.v[i].mac;
		try(open_tap(net->devices.v[i].tap, &taps[i].fd));
	}
	return NULL;
}

/* The machine's own user may not be allowed to. */
static error *open_disks(struct vm *vm)
{
	for (size_t i = 0; i < vm->n_disks; i++) {
		vm->disks[i].fd = open(vm->disk_paths[i], O_RDONLY | O_CLOEXEC);
		if (vm->disks[i].fd < 0)
			return error_errno("open the disk %s", vm->disk_paths[i]);
	}
	return NULL;
}

error *monitor_listen_vsock(struct life *l)
{
	l->fd[FD_VSOCK_DIR] = open(l->vm->vsock, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (l->fd[FD_VSOCK_DIR] < 0)
		return error_errno("%s", l->vm->vsock);
	try_as(socket_listen(l->fd[FD_VSOCK_DIR], VM_VSOCK, SOCK_STREAM, &l->fd[FD_VSOCK]), "%s",
	       l->vm->vsock);
	return NULL;
}

/* The container's standard streams, opened anew where that needs the host's /proc. */
static error *open_program(struct life *l, struct monitor *m)
{
	int fds[3];
	size_t n = l->has_console ? 1 : 3;
	struct program *p;

	for (size_t i = 0; i < n; i++) {
		fds[i] = fcntl((int)i, F_DUPFD_CLOEXEC, 3);
		if (fds[i] < 0)
			fds[i] = open("/dev/null", O_RDWR | O_CLOEXEC);
		if (fds[i] < 0)
			return error_errno("keep standard stream %zu", i);
	}
	return program_new(m, 0, fds, n, NULL, &p);
}

error *monitor_leave_host(struct life *l)
{
	try(open_taps(&l->vm->network));
	try(open_disks(l->vm));
	try(fill_root(l));
	if (chdir(STAGE) < 0 || sys_pivot_root(".", ".") < 0)
		return error_errno("pivot_root");
	if (sys_umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		return error_errno("unmount the host's root");
	for (int i = 0; i < FD_COUNT; i++)
		if ((i == FD_ROOT || i == FD_NULL) && l->fd[i] >= 0)
			close(take_fd(&l->fd[i]));
	for (size_t i = 0; i < l->mounts.n; i++)
		if (l->mounts.v[i].fd >= 0)
			close(take_fd(&l->mounts.v[i].fd));
	return open_program(l, monitor_of(l));
}

/* --- the processes --- */

static void keep_across_exec(int fd)
{
	fcntl(fd, F_SETFD, 0);
}

/* The machine needs no right at all: what it works with is open, or may be read by anybody. */
static error *drop_everything(const struct vm *vm)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct none[2] = { 0 };
	struct stat kvm;
	gid_t group = 65534;

	if (vm->kvm && stat("/dev/kvm", &kvm) == 0)
		group = kvm.st_gid;
	for (int cap = 0; cap < 64; cap++)
		prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	/* in a user namespace of one id there is nobody else to become */
	if (syscall(SYS_setgroups, 0, NULL) < 0 && errno != EPERM)
		return error_errno("setgroups");
	if ((syscall(SYS_setresgid, group, group, group) < 0 ||
	     syscall(SYS_setresuid, 65534, 65534, 65534) < 0) &&
	    errno != EINVAL)
		return error_errno("become nobody");
	if (syscall(SYS_capset, &head, none) < 0)
		return error_errno("drop capabilities");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return error_errno("promise no new privileges");
	return NULL;
}

/* Standard output and error of both are the console's: what they complain of is its last words. */
static error *start(char *const words[], int console, const int *kept, size_t n,
		    const struct vm *unprivileged, uint64_t namespaces, pid_t *out)
{
	const struct clone_args args = { .flags = namespaces, .exit_signal = SIGCHLD };
	sigset_t none;

	fflush(NULL);
	pid_t pid = sys_clone3(&args);
	if (pid < 0)
		return error_errno("fork");
	if (pid > 0) {
		*out = pid;
		return NULL;
	}
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	dup2(null, 0);
	dup2(console, 1);
	dup2(console, 2);
	for (size_t i = 0; i < n; i++)
		keep_across_exec(kept[i]);
	auto_error error *e = unprivileged ? drop_everything(unprivileged) : NULL;
	if (!e) {
		execve(words[0], words, (char *[]){ "PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL });
		e = error_errno("%s", words[0]);
	}
	dprintf(2, "%s\n", error_message(e));
	_exit(127);
}

/* Memory in which the file server counts, and the monitor reads. */
static error *share_counts(struct monitor *m, int *out)
{
	auto_fd int fd = memfd_create("counts", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	/* sealed, so that it cannot be taken away from who reads it */
	if (fd < 0 || ftruncate(fd, sizeof(struct file_counts)) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return error_errno("make the file server's counts");
	void *at = mmap(NULL, sizeof(struct file_counts), PROT_READ, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		return error_errno("map the file server's counts");
	m->files = at;
	*out = take_fd(&fd);
	return NULL;
}

/* Listening before the server runs, so that the machine can connect at once. Ours goes on to jail
 * itself; it sees no processes but its own. */
static error *start_file_server(struct monitor *m, const struct vm *vm, int console)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = "/run/fs" };
	auto_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char *program = (char *)(uintptr_t)vm->file_server;
	auto_fd int counts = -1;
	char number[32];
	char counted[32];
	char options[] =
		"source=/share,cache=auto,xattr,posix_acl,announce_submounts,sandbox=chroot";

	if (fd < 0 || bind(fd, (struct sockaddr *)&name, sizeof(name)) < 0 ||
	    chmod("/run/fs", 0666) < 0 || listen(fd, 1) < 0)
		return error_errno("listen for the machine's file system");
	snprintf(number, sizeof(number), "%s=%d", vm->foreign_file_server ? "--fd" : "--socket",
		 fd);
	if (!vm->foreign_file_server)
		try(share_counts(m, &counts));
	snprintf(counted, sizeof(counted), "--counts=%d", counts);
	char *own[] = {
		program, "--folder=/share", number, counted, vm->makes_devices ? "--devices" : NULL,
		NULL
	};
	char *foreign[] = { program, number, "-o", options, "-o", "log_level=err", NULL };
	if (vm->foreign_file_server)
		return start(foreign, console, &fd, 1, NULL, 0, &m->file_server);
	return start(own, console, (int[]){ fd, counts }, 2, NULL, CLONE_NEWPID, &m->file_server);
}

/* The machine's ends of what connects it with the monitor. */
struct ends {
	int agent, console, counts, broker;
};

static error *start_engine(struct life *l, struct monitor *m, const struct ends *ends)
{
	const struct vm *vm = l->vm;
	struct strings words = { 0 };
	auto_fd int kvm = vm->engine == VM_KVM ? open("/dev/kvm", O_RDWR | O_CLOEXEC) : -1;
	int kept[6 + TAPS_MAX + VM_DISKS] = { ends->agent, ends->console };
	size_t n_kept = 2;
	struct machine machine = {
		.program = vm->program,
		.kvm = vm->kvm,
		.kvm_fd = kvm,
		.vcpus = vm->vcpus,
		.memory = vm->memory,
		.kernel = "/kernel",
		.initrd = "/initrd",
		.options = vm->options,
		.disks = vm->disks,
		.n_disks = vm->n_disks,
		.fs_socket = "/run/fs",
		.fs_tag = VM_TAG,
		.agent = ends->agent,
		.metrics = ends->counts,
		.vsock_listener = l->fd[FD_VSOCK],
		.vsock_broker = ends->broker,
		.agent_name = VM_PORT,
		.console = ends->console,
		.taps = taps,
		.n_taps = vm->network.devices.n,
		.net = vm->net_rate,
		.more = &vm->program_parameters,
	};

	if (vm->engine == VM_KVM && kvm < 0)
		return error_errno("/dev/kvm");
	if (vm->engine == VM_KVM) {
		kept[n_kept++] = kvm;
		kept[n_kept++] = ends->counts;
		if (vm->vsock) {
			kept[n_kept++] = l->fd[FD_VSOCK];
			kept[n_kept++] = ends->broker;
		}
	}
	for (size_t i = 0; i < machine.n_taps; i++)
		kept[n_kept++] = taps[i].fd;
	for (size_t i = 0; i < machine.n_disks; i++)
		kept[n_kept++] = vm->disks[i].fd;
	error *e = vm->engine == VM_KVM ? machine_vmm_words(&machine, &words)
					: machine_qemu_words(&machine, &words);
	if (!e)
		e = start(words.v, ends->console, kept, n_kept, vm, 0, &m->machine);
	strings_free(&words);
	return e;
}

/* From here on the monitor handles what a hostile guest sends: it keeps no right, and of the
 * kernel what its loop needs. */
static error *lock_up(bool connects)
{
	static const int calls[] = {
		SYS_read,
		SYS_write,
		SYS_readv,
		SYS_writev,
		SYS_close,
		SYS_poll,
		SYS_ppoll,
		SYS_recvmsg,
		SYS_sendmsg,
		SYS_accept4,
		SYS_fcntl,
		SYS_fstat,
		SYS_newfstatat,
		SYS_statx,
		SYS_open,
		SYS_openat,
		SYS_ioctl,
		SYS_mmap,
		SYS_munmap,
		SYS_mremap,
		SYS_brk,
		SYS_madvise,
		SYS_wait4,
		SYS_exit,
		SYS_exit_group,
		SYS_rt_sigaction,
		SYS_rt_sigprocmask,
		SYS_rt_sigreturn,
		SYS_clock_gettime,
		SYS_getsockopt,
		SYS_shutdown,
		SYS_dup2,
		SYS_geteuid,
		SYS_getpid,
		SYS_kill,
		SYS_restart_syscall,
		SYS_lseek,
		SYS_futex,
		/* for the guest's stream sockets alone: */
		SYS_socket,
		SYS_connect,
	};
	size_t n = COUNT(calls) - (connects ? 0 : 2);
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct none[2] = { 0 };

	for (int cap = 0; cap < 64; cap++)
		prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (syscall(SYS_capset, &head, none) < 0)
		return error_errno("drop capabilities");
	return filter_allow(calls, n);
}

static error *connect_pair(int type, struct watch *ours, int *theirs)
{
	int ends[2];

	if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends) < 0)
		return error_errno("socketpair");
	fcntl(ends[0], F_SETFL, O_RDWR | O_NONBLOCK);
	ours->fd = ends[0];
	*theirs = ends[1];
	return NULL;
}

error *monitor_start_machine(struct life *l)
{
	struct monitor *m = monitor_of(l);
	struct ends ends;

	try(connect_pair(SOCK_STREAM, &m->port, &ends.agent));
	try(connect_pair(SOCK_STREAM, &m->console, &ends.console));
	try(connect_pair(SOCK_SEQPACKET, &m->counts, &ends.counts));
	try(connect_pair(SOCK_SEQPACKET, &m->broker, &ends.broker));
	m->wire.fd = m->port.fd;
	try(monitor_watch(m));
	try(start_file_server(m, l->vm, ends.console));
	try(start_engine(l, m, &ends));
	close(ends.agent);
	close(ends.console);
	close(ends.counts);
	close(ends.broker);
	if (l->fd[FD_VSOCK] >= 0)
		close(take_fd(&l->fd[FD_VSOCK]));
	for (size_t i = 0; i < l->vm->network.devices.n; i++)
		close(taps[i].fd);
	for (size_t i = 0; i < l->vm->n_disks; i++)
		close(take_fd(&l->vm->disks[i].fd));
	return lock_up(l->vm->vsock);
}
