/* INIT and JOIN: entering namespaces, and what belongs to one: names, sysctls, the loopback device.
 */
#include <fcntl.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/fd.h"
#include "base/kernel.h"
#include "base/path.h"
#include "base/process.h"
#include "runtime/steps.h"

static error *make_time_namespace(struct life *l)
{
	char text[128];

	if (unshare(CLONE_NEWTIME) < 0)
		return error_errno("make a time namespace");
	for (size_t i = 0; i < l->spec->linux_->time_offsets.n; i++) {
		const struct spec_time_offset *o = &l->spec->linux_->time_offsets.v[i];
		snprintf(text, sizeof(text), "%s %lld %u\n", o->key, (long long)o->secs,
			 o->nanosecs);
		try(file_write(AT_FDCWD, "/proc/self/timens_offsets", text));
	}
	return NULL;
}

/* Each namespace is joined with the rights that open it: those of the host first, and what these do
 * not reach once more with those that the container's user namespace gives. */
error *init_join_namespaces(struct life *l)
{
	static const enum namespace_type order[] = { NS_CGROUP, NS_IPC,  NS_UTS,  NS_NETWORK,
						     NS_PID,    NS_TIME, NS_MOUNT };
	bool joined[NS_COUNT] = { false };

	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < COUNT(order); i++) {
			enum namespace_type type = order[i];
			if (l->join_fds[type] < 0 || joined[type])
				continue;
			joined[type] = sys_setns(l->join_fds[type],
						 (int)spec_namespaces[type].clone_flag) == 0;
			if (!joined[type] && (pass || errno != EPERM || l->join_fds[NS_USER] < 0))
				return error_errno("join %s", spec_namespace(l->spec, type)->path);
		}
		if (l->join_fds[NS_USER] < 0)
			break;
		if (pass == 0 && sys_setns(l->join_fds[NS_USER], CLONE_NEWUSER) < 0)
			return error_errno("join %s", spec_namespace(l->spec, NS_USER)->path);
	}
	if (makes_namespace(l, NS_TIME))
		try(make_time_namespace(l));
	for (int type = 0; type < NS_COUNT; type++)
		if (l->join_fds[type] >= 0)
			close(l->join_fds[type]);
	return NULL;
}

error *init_join_container(struct life *l)
{
	if (sys_setns(l->fd[FD_TARGET], (int)l->joined) < 0)
		return error_errno("setns");
	close(l->fd[FD_TARGET]);
	return NULL;
}

error *init_own_cgroup(struct life *l)
{
	(void)l;
	return unshare(CLONE_NEWCGROUP) < 0 ? error_errno("make a cgroup namespace") : NULL;
}

/* The foreground blocks signals and skiff's caller may ignore some: neither is the program's. Here,
 * because its seccomp filter may forbid it later. */
static void default_signals(void)
{
	/* the kernel's struct sigaction, all zero: SIG_DFL. By system call, since a C library keeps
	 * the first real-time signals to itself and leaves them as they are. */
	static const unsigned long by_default[8];
	sigset_t none;

	for (int i = 1; i <= SIGNAL_MAX; i++)
		syscall(SYS_rt_sigaction, i, by_default, NULL, 8);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

error *init_new_session(struct life *l)
{
	char name[300];

	/* root of the user namespace, whoever it was before; the groups of the host's user mean
	 * nothing here */
	if (l->joined & CLONE_NEWUSER || joins_namespace(l, NS_USER) || maps_users(l))
		step_become_mapped(l);
	default_signals();
	setsid(); /* fails only for a process that leads a group already */
	if (l->no_new_keyring)
		return NULL;
	snprintf(name, sizeof(name), "_ses.%s", l->id);
	/* a kernel or a filter without keyrings: there is nothing to keep apart */
	if (sys_join_session_keyring(name) < 0 && errno != ENOSYS && errno != EPERM &&
	    errno != EDQUOT)
		return error_errno("join a session keyring");
	return NULL;
}

error *init_set_names(struct life *l)
{
	const struct spec *s = l->spec;

	if (s->hostname && sethostname(s->hostname, strlen(s->hostname)) < 0)
		return error_errno("set hostname '%s'", s->hostname);
	if (s->domainname && setdomainname(s->domainname, strlen(s->domainname)) < 0)
		return error_errno("set domainname '%s'", s->domainname);
	return NULL;
}

error *init_loopback_up(struct life *l)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	auto_fd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)l;
	/* a kernel without IPv4 has no 127.0.0.1 to bring up */
	if (fd < 0)
		return errno == EAFNOSUPPORT ? NULL : error_errno("socket");
	return ioctl(fd, SIOCSIFFLAGS, &request) < 0 ? error_errno("bring lo up") : NULL;
}

/* Writes to a file of procfs and of nothing else that may have been put in its place. */
static error *proc_write(int proc, const char *path, const char *text)
{
	auto_fd int fd = sys_openat2(proc, path, O_WRONLY | O_CLOEXEC, 0,
				     RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS |
					     RESOLVE_NO_MAGICLINKS);

	if (fd < 0)
		return error_errno("open /proc/%s", path);
	if (write(fd, text, strlen(text)) < 0)
		return error_errno("write '%s' to /proc/%s", text, path);
	return NULL;
}

error *init_set_sysctls(struct life *l)
{
	auto_fd int proc = -1;
	char path[512];

	try(proc_open_private(&proc));
	for (size_t i = 0; i < l->spec->linux_->sysctl.n; i++) {
		const struct pair *p = &l->spec->linux_->sysctl.v[i];
		snprintf(path, sizeof(path), "sys/%s", p->key);
		/* dots separate, unless there are slashes: then a dot belongs to a name (eth0.100)
		 */
		for (char *c = path; *c && !strchr(p->key, '/'); c++)
			*c = *c == '.' ? '/' : *c;
		try_as(proc_write(proc, path, p->value), ".linux.sysctl.%s", p->key);
	}
	return NULL;
}

/* "exec" labels what the next exec becomes. Kernels with several modules have one folder for each.
 */
static error *write_label(int proc, const char *field, const char *const *paths, const char *text)
{
	error *e = NULL;

	for (; *paths; paths++) {
		error_free(e);
		e = proc_write(proc, *paths, text);
		if (!e || error_code(e) != ENOENT)
			break;
	}
	return e ? error_wrap(e, ".process.%s: does the kernel have the security module", field)
		 : NULL;
}

error *init_set_labels(struct life *l)
{
	static const char *const apparmor[] = { "thread-self/attr/apparmor/exec",
						"thread-self/attr/exec", NULL };
	static const char *const selinux[] = { "thread-self/attr/exec", NULL };
	const struct spec_process *p = l->process;
	auto_fd int proc = -1;
	char text[4096];
	char own[64];

	try(proc_open_private(&proc));
	/* thread-self is a link: RESOLVE_NO_SYMLINKS wants the real path */
	ssize_t n = readlinkat(proc, "thread-self", own, sizeof(own) - 1);
	if (n < 0)
		return error_errno("read /proc/thread-self");
	own[n] = '\0';
	for (int module = 0; module < 2; module++) {
		const char *const *list = module ? selinux : apparmor;
		const char *label = module ? p->selinux_label : p->apparmor_profile;
		char paths[2][128];
		const char *tries[3] = { NULL };
		if (!label || !*label)
			continue;
		for (int i = 0; list[i]; i++) {
			snprintf(paths[i], sizeof(paths[i]), "%s%s", own,
				 list[i] + strlen("thread-self"));
			tries[i] = paths[i];
		}
		snprintf(text, sizeof(text), "%s%s", module ? "" : "exec ", label);
		try(write_label(proc, module ? "selinuxLabel" : "apparmorProfile", tries, text));
	}
	return NULL;
}
