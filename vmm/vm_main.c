/* skiff-vmm: runs one machine over /dev/kvm until its guest switches it off. Whoever starts it has
 * put it into namespaces of its own and opened what it works with. */
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include "base/options.h"
#include "vmm/vm.h"

enum { MIB = 1 << 20, MEMORY_MIN = 32 };

static const struct option_row rows[] = {
	{ "memory", 'm', OPT_BYTES, offsetof(struct want, memory), "SIZE", "of the machine" },
	{ "vcpus", 'c', OPT_U32, offsetof(struct want, vcpus), "N", "virtual processors" },
	{ "kernel", 0, OPT_TEXT, offsetof(struct want, kernel), "FILE", "ELF or bzImage" },
	{ "initrd", 0, OPT_TEXT, offsetof(struct want, initrd), "FILE", "its initramfs" },
	{ "options", 0, OPT_TEXT, offsetof(struct want, options), "TEXT", "its command line" },
	{ "kvm", 0, OPT_U32, offsetof(struct want, kvm), "FD", "/dev/kvm, open" },
	{ "console", 0, OPT_U32, offsetof(struct want, console), "FD", "what the kernel says" },
	{ "agent", 0, OPT_U32, offsetof(struct want, agent), "FD", "socket of the agent's port" },
	{ "port", 0, OPT_TEXT, offsetof(struct want, port), "NAME", "the agent's port's name" },
	{ "fs", 0, OPT_TEXT, offsetof(struct want, fs), "SOCKET", "of a vhost-user file server" },
	{ "fs-tag", 0, OPT_TEXT, offsetof(struct want, fs_tag), "TAG", "the file system's name" },
	{ "disk", 0, OPT_MANY, offsetof(struct want, disks), "KEY=VALUE,...",
	  "a disk of a raw image: file, or fd of one that is open; name; mode: read-only (as it is "
	  "by itself), copy (what is written is gone at the end) or write; bytes, requests, "
	  "read-bytes, read-requests, write-bytes, write-requests: so much a second" },
	{ "net-bytes", 0, OPT_BYTES, offsetof(struct want, net_bytes), "SIZE",
	  "a second, of each device and direction" },
	{ "net-packets", 0, OPT_U32, offsetof(struct want, net_packets), "N",
	  "a second, likewise" },
	{ "vsock", 0, OPT_TEXT, offsetof(struct want, vsock), "FD,FD",
	  "the guest's stream sockets: a listening one that leads to it, and a broker's for those "
	  "that it connects to" },
	{ "cid", 0, OPT_U32, offsetof(struct want, cid), "N", "the guest's address there" },
	{ "tap", 0, OPT_MANY, offsetof(struct want, taps), "FD,MAC", "a network device's tap" },
	{ "metrics", 0, OPT_FLAG, offsetof(struct want, metrics), "", "print counts at the end" },
	{ "metrics-fd", 0, OPT_U32, offsetof(struct want, metrics_fd), "FD",
	  "a socket of messages: each is answered with the counts" },
	{ "no-seccomp", 0, OPT_FLAG, offsetof(struct want, no_seccomp), "",
	  "no system call filters, for debugging" },
};

static error *check(const struct want *w)
{
	if (!w->kernel)
		return error_said(EINVAL, "--kernel: which?");
	if (w->memory < MEMORY_MIN * (int64_t)MIB || w->memory % MIB || w->memory > 1LL << 40)
		return error_said(EINVAL, "--memory: whole MiB, from %d MiB to 1 TiB", MEMORY_MIN);
	if (w->vcpus < 1 || w->vcpus > CPUS_MAX)
		return error_said(EINVAL, "--vcpus: from 1 to %d", CPUS_MAX);
	return NULL;
}

static error *run(int argc, char **argv)
{
	static struct want want = {
		.memory = 256LL * MIB, .vcpus = 1, .port = "agent", .fs_tag = "root", .cid = 3
	};
	static struct vm vm = { .fd = -1 };
	char **rest;
	int n;
	bool help = false;

	try(options_parse(rows, COUNT(rows), true, argc, argv, &want, &rest, &n, &help));
	if (help) {
		options_print(rows, COUNT(rows));
		return NULL;
	}
	if (n > 0)
		return error_said(EINVAL, "what is '%s'?", rest[0]);
	try(check(&want));
	signal(SIGPIPE, SIG_IGN);
	try(vm_build(&vm, &want));
	error *e = vm_run(&vm);
	if (want.metrics)
		metrics_write(&vm, 2);
	return e;
}

int main(int argc, char **argv)
{
	error *e = run(argc, argv);

	if (e)
		dprintf(2, "skiff-vmm: %s\n", error_message(e));
	/* not exit(): the processors' threads are not waited for */
	_exit(e ? 1 : 0);
}
