/* Commands about a container in a sandbox: what they ask for, its monitor passes on to the guest.
 */
#include "runtime/vm_control.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <termios.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/kernel.h"
#include "base/process.h"
#include "base/text.h"
#include "cgroup.h"
#include "runtime/foreground.h"
#include "runtime/helper.h"
#include "runtime/network.h"
#include "runtime/vm.h"
#include "runtime/vm_shapes.h"

enum { ANSWER_MS = 30000, MESSAGE_MAX = 200 << 10, STAND_IN_FDS = 512 };

static error *send_frame(int fd, const struct wire_head *head, const void *payload, const int *fds,
			 size_t n)
{
	auto_free char *whole = malloc(sizeof(*head) + head->len);
	struct wire_head h = *head;

	if (!whole)
		return error_new(ENOMEM, "a message");
	if (head->len > MESSAGE_MAX)
		return error_said(E2BIG, "what is sent to the sandbox is longer than %d bytes",
				  MESSAGE_MAX);
	h.magic = WIRE_MAGIC;
	memcpy(whole, &h, sizeof(h));
	if (h.len)
		memcpy(whole + sizeof(h), payload, h.len);
	return message_send(fd, whole, sizeof(h) + h.len, fds, n);
}

/* *text is malloc()ed and ends with NUL. EPIPE: the sandbox has ended. */
static error *receive_frame(int fd, struct wire_head *head, char **text)
{
	auto_free char *data = calloc(1, WIRE_TO_HOST_MAX + sizeof(*head) + 1);
	int fds[FDS_MAX];
	size_t len;
	size_t n;

	if (!data)
		return error_new(ENOMEM, "a message");
	auto_error error *e =
		message_receive(fd, data, WIRE_TO_HOST_MAX + sizeof(*head), &len, fds, &n);
	/* reset: the monitor ended before it read what was sent last */
	if (e ? error_code(e) == ECONNRESET : !len)
		return error_said(EPIPE, "the sandbox has ended");
	if (e)
		return take_ptr(&e);
	memcpy(head, data, len < sizeof(*head) ? len : sizeof(*head));
	if (len < sizeof(*head) || head->len != len - sizeof(*head))
		return error_new(EPROTO, "the monitor's answer");
	memmove(data, data + sizeof(*head), head->len + 1);
	*text = take_ptr(&data);
	return NULL;
}

static error *connect_monitor(const struct state *s, int *out)
{
	auto_error error *e = socket_connect(s->dir, "monitor.sock", SOCK_SEQPACKET, out);

	if (e && (error_code(e) == ECONNREFUSED || error_code(e) == ENOENT))
		return error_said(ESRCH, "container not running");
	return take_ptr(&e);
}

/* A reply, or the error that it brings. */
static error *wait_reply(int fd, int timeout_ms, char **text)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct wire_head head;
	auto_free char *said = NULL;

	if (poll(&p, 1, timeout_ms) == 0)
		return error_said(ETIMEDOUT, "the sandbox does not answer");
	try(receive_frame(fd, &head, &said));
	if (head.type != WIRE_REPLY)
		return error_new(EPROTO, "the monitor's answer");
	if (head.arg)
		return error_said((int)head.arg, "%s", said);
	if (text)
		*text = take_ptr(&said);
	return NULL;
}

error *vm_ask(const struct state *s, enum wire_type type, uint32_t arg, const char *payload,
	      char **text)
{
	auto_fd int fd = -1;
	struct wire_head head = { .type = (uint16_t)type,
				  .arg = arg,
				  .len = payload ? (uint32_t)strlen(payload) : 0 };

	try(connect_monitor(s, &fd));
	try(send_frame(fd, &head, payload, NULL, 0));
	return wait_reply(fd, ANSWER_MS, text);
}

/* A guest that does not die of it is taken away whole. */
error *vm_kill(const struct state *s, int signal, bool all)
{
	auto_fd int pidfd = -1;
	auto_error error *e = NULL;

	try(state_open_init(s, &pidfd));
	if (state_status(s) != PAUSED) {
		e = vm_ask(s, WIRE_SIGNAL, (uint32_t)signal | (all ? (uint32_t)WIRE_ALL : 0), NULL,
			   NULL);
		if (signal != SIGKILL)
			return take_ptr(&e);
		if (process_wait_end(pidfd, 2000))
			return NULL;
	}
	/* frozen: it is handed on when the monitor goes on */
	if (sys_pidfd_send_signal(pidfd, signal) < 0 && errno != ESRCH)
		return error_errno("send signal %d", signal);
	return NULL;
}

/* What a guest says may hold what a terminal would obey. */
static void keep_printable(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 127)
			*text = '?';
}

error *vm_pids(const struct state *s, pid_t **pids, size_t *n, char **lines)
{
	auto_free char *text = NULL;
	auto_arena struct arena *arena = NULL;
	struct vm_processes all = { 0 };
	size_t len = 0;

	try(arena_new(&arena));
	auto_error error *e = vm_ask(s, WIRE_PIDS, 0, NULL, &text);
	if (e && error_code(e) != ESRCH)
		return take_ptr(&e);
	try(rows_read(&vm_processes_shape, e ? "{}" : text, e ? 2 : strlen(text),
		      ROWS_NO_DUPLICATES, arena, &all));
	*pids = calloc(all.list.n + 1, sizeof(pid_t));
	FILE *out = open_memstream(lines, &len);
	if (!*pids || !out)
		return error_new(ENOMEM, "ps");
	fprintf(out, "%7s %7s %7s CMD\n", "PID", "PPID", "UID");
	for (size_t i = 0; i < all.list.n; i++) {
		const struct vm_process *p = &all.list.v[i];
		keep_printable(p->command);
		(*pids)[i] = (pid_t)p->pid;
		fprintf(out, "%7u %7u %7u %s\n", p->pid, p->ppid, p->uid, p->command);
	}
	*n = all.list.n;
	return fclose(out) ? error_new(ENOMEM, "ps") : NULL;
}

/* Another engine or file server counts nothing: then it is left out. */
static error *add_counts(const struct state *s, enum wire_type who, const char *reserved,
			 struct json *to)
{
	auto_free char *counts = NULL;
	auto_error error *e = vm_ask(s, who, 0, NULL, &counts);

	if (e)
		return error_code(e) == ENOTSUP ? NULL : take_ptr(&e);
	return json_copy_members(to, counts, strlen(counts), reserved);
}

/* Nobody can say for others what they count: not the guest, nor the engine. */
error *vm_stats(const struct state *s, struct json *to)
{
	auto_free char *text = NULL;

	try(vm_ask(s, WIRE_STATS, 0, NULL, &text));
	try(json_copy_members(to, text, strlen(text), "machine"));
	json_object(to, "machine");
	try_as(add_counts(s, WIRE_MACHINE, "files", to), "the machine's counts");
	json_object(to, "files");
	try_as(add_counts(s, WIRE_FILES, NULL, to), "the file server's counts");
	json_end(to);
	json_end(to);
	return NULL;
}

error *vm_oom_kills(const struct state *s, uint64_t *out)
{
	auto_free char *text = NULL;

	try(vm_ask(s, WIRE_OOM_KILLS, 0, NULL, &text));
	return text_to_u64(text, out) ? NULL : error_new(EPROTO, "the guest's count");
}

/* The machine's are fixed; what the host's cgroup can still change is the rest. */
static error *check_disks(const struct state *s, const struct spec_block_io *b)
{
	for (size_t i = 0; i < s->fixed->disks.n; i++)
		if (vm_has_limit_of(b, s->fixed->disks.v[i]))
			return error_said(ENOTSUP,
					  ".blockIO: limits of the device below the machine's disk "
					  "%s are fixed when it is made: make the container anew",
					  s->fixed->disks.v[i]);
	return NULL;
}

error *vm_update(const struct state *s, const struct spec_resources *resources)
{
	struct spec_resources host;
	struct spec_resources guest = *resources;
	struct spec_block_io block_io;
	auto_json struct json *to = NULL;
	auto_cgroup struct cgroup *c = NULL;
	const char *text;

	if (resources->block_io) {
		try(check_disks(s, resources->block_io));
		vm_guest_block_io(resources->block_io, &block_io);
		guest.block_io = &block_io;
	}
	try(json_new(JSON_ONE_LINE, &to));
	rows_write(&spec_resources_shape, &guest, NULL, to);
	try(json_finish(to, &text, NULL));
	try(vm_ask(s, WIRE_UPDATE, 0, text, NULL));
	vm_host_resources(resources, &host);
	if (!s->fixed->cgroup_path || (!host.cpu && !host.block_io))
		return NULL;
	try(cgroup_open(s->fixed->cgroup_path, &c));
	return cgroup_set_limits(c, &host);
}

error *vm_leave_network(const struct state_fixed *fixed)
{
	char verb[] = "unlead";

	return fixed->led_network ? network_run((char *[]){ verb, fixed->led_network, NULL })
				  : NULL;
}

error *vm_clear_vsock(const char *folder, bool *is_used)
{
	auto_fd int dir = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_fd int fd = -1;

	if (dir < 0)
		return error_errno("%s", folder);
	auto_error error *e = socket_connect(dir, VM_VSOCK, SOCK_STREAM, &fd);
	*is_used = !e;
	if (!e || error_code(e) == ENOENT)
		return NULL;
	if (error_code(e) != ECONNREFUSED)
		return error_wrap(take_ptr(&e), "%s", folder);
	return unlinkat(dir, VM_VSOCK, 0) < 0 ? error_errno("remove %s/" VM_VSOCK, folder) : NULL;
}

error *vm_leave_vsock(const char *folder)
{
	bool is_used;
	auto_error error *e = vm_clear_vsock(folder, &is_used);

	return e && error_code(e) != ENOENT ? take_ptr(&e) : NULL;
}

error *kernel_program(char *const words[])
{
	return helper_become("skiff-kernel", words);
}

/* --- exec --- */

static error *process_text(const struct spec_process *process, struct json **to, const char **text,
			   size_t *len)
{
	struct spec_process p = *process;

	p.apparmor_profile = p.selinux_label = NULL;
	try(json_new(JSON_ONE_LINE, to));
	rows_write(&spec_process_shape, &p, NULL, *to);
	return json_finish(*to, text, len);
}

/* ends_with_us: the program is killed when this connection ends. */
static error *ask_exec(const struct life *l, int fd, const int *fds, size_t n, bool ends_with_us)
{
	auto_json struct json *to = NULL;
	const char *text;
	size_t len;
	size_t filter = l->filter.len * sizeof(struct sock_filter);

	try(process_text(l->process, &to, &text, &len));
	auto_free char *whole = malloc(filter + len + 1);
	if (!whole)
		return error_new(ENOMEM, "exec");
	if (filter)
		memcpy(whole, l->filter.filter, filter);
	memcpy(whole + filter, text, len);
	struct wire_head head = { .type = WIRE_EXEC,
				  .arg = l->filter_flags,
				  .seq = (uint32_t)filter,
				  .id = ends_with_us,
				  .len = (uint32_t)(filter + len) };
	try(send_frame(fd, &head, whole, fds, n));
	return wait_reply(fd, -1, NULL);
}

static error *tell_size(int fd, int terminal)
{
	struct winsize size;
	struct wire_head head = { .type = WIRE_SIZE };

	if (ioctl(terminal, TIOCGWINSZ, &size) < 0 || !size.ws_row)
		return NULL;
	head.arg = (uint32_t)size.ws_row << 16 | size.ws_col;
	return send_frame(fd, &head, NULL, NULL, 0);
}

static error *hand_on_signals(int signals, int fd, int terminal)
{
	struct signalfd_siginfo info;

	while (read(signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		struct wire_head head = { .type = WIRE_SIGNAL, .arg = info.ssi_signo };
		if (info.ssi_signo == SIGCHLD)
			continue;
		if (info.ssi_signo == SIGWINCH)
			try(tell_size(fd, terminal));
		else
			try(send_frame(fd, &head, NULL, NULL, 0));
	}
	return NULL;
}

/* Stands for the program on the host until it has ended. */
static error *stand_in(int fd, int signals, int terminal, int *exit_code)
{
	struct pollfd polls[] = { { .fd = fd, .events = POLLIN },
				  { .fd = signals, .events = POLLIN } };

	for (;;) {
		struct wire_head head;
		auto_free char *text = NULL;
		if (poll(polls, COUNT(polls), -1) < 0 && errno != EINTR)
			return error_errno("poll");
		if (polls[1].revents)
			try(hand_on_signals(signals, fd, terminal));
		if (!polls[0].revents)
			continue;
		auto_error error *e = receive_frame(fd, &head, &text);
		if (e && error_code(e) == EPIPE) { /* the container has ended, and it with it */
			*exit_code = 128 + SIGKILL;
			return NULL;
		}
		if (e)
			return take_ptr(&e);
		if (head.type == WIRE_EXIT) {
			*exit_code = process_exit_code((int)head.arg);
			return NULL;
		}
	}
}

static error *open_terminal(const struct life *l, int *slave)
{
	static const int unlocked = 0;
	struct termios raw;
	auto_fd int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (master < 0 || ioctl(master, TIOCSPTLCK, &unlocked) < 0)
		return error_errno("open a terminal");
	*slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (*slave < 0 || tcgetattr(*slave, &raw) < 0)
		return error_errno("open the terminal's other end");
	cfmakeraw(&raw);
	tcsetattr(*slave, TCSANOW, &raw);
	return message_send(l->fd[FD_CONSOLE], "/dev/console", strlen("/dev/console"), &master, 1);
}

/* A process of its own on the host, whose pid and end are the program's. */
static error *stand_in_detached(int fd, int terminal, pid_t *pid)
{
	struct foreground f;
	int exit_code = 255;

	fflush(NULL);
	*pid = fork();
	if (*pid)
		return *pid < 0 ? error_errno("fork") : NULL;
	setsid();
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int i = 0; i < 3 && null >= 0; i++)
		dup2(null, i);
	/* nothing of the caller's stays open in it */
	fd = fcntl(fd, F_DUPFD, STAND_IN_FDS);
	terminal = terminal < 0 ? -1 : fcntl(terminal, F_DUPFD, STAND_IN_FDS);
	sys_close_range(3, STAND_IN_FDS - 1, 0);
	sys_close_range((unsigned)(terminal > fd ? terminal : fd) + 1, ~0U, 0);
	if (terminal >= 0) {
		ioctl(terminal, TIOCSCTTY, 0);
		auto_error error *lost = tell_size(fd, terminal);
	}
	error *e = foreground_begin(&f);
	if (!e)
		e = stand_in(fd, f.signals, terminal, &exit_code);
	_exit(e ? 255 : exit_code);
}

static error *in_foreground(const struct life *l, int fd, struct foreground *f, int *exit_code)
{
	static const int fds[] = { 0, 1, 2 };
	struct termios raw;

	if (l->process->terminal && tcgetattr(0, &f->old_terminal) == 0) {
		raw = f->old_terminal;
		cfmakeraw(&raw);
		f->raw = tcsetattr(0, TCSANOW, &raw) == 0;
	}
	try(ask_exec(l, fd, fds, COUNT(fds), false));
	if (l->process->terminal)
		try(tell_size(fd, 0));
	return stand_in(fd, f->signals, 0, exit_code);
}

error *vm_exec(struct life *l, const struct exec_options *o, int *exit_code)
{
	static const int plain[] = { 0, 1, 2 };
	auto_fd int fd = -1;
	auto_fd int terminal = -1;
	struct foreground f;

	if (l->preserve_fds)
		return error_said(ENOTSUP, "--preserve-fds: descriptors cannot go into a sandbox");
	if (o->cgroup)
		return error_said(ENOTSUP, "--cgroup: the cgroups of a sandbox are its own");
	try(connect_monitor(l->state, &fd));
	*exit_code = 0;
	if (l->fd[FD_CONSOLE] >= 0)
		try(open_terminal(l, &terminal));
	if (o->detach) {
		try(terminal >= 0 ? ask_exec(l, fd, &terminal, 1, true)
				  : ask_exec(l, fd, plain, COUNT(plain), true));
		try(stand_in_detached(fd, terminal, &l->init));
		l->init_pidfd = sys_pidfd_open(l->init);
		return NULL;
	}
	try(foreground_begin(&f));
	error *e = NULL;
	if (terminal >= 0)
		e = ask_exec(l, fd, &terminal, 1, false);
	if (!e)
		e = terminal >= 0 ? stand_in(fd, f.signals, terminal, exit_code)
				  : in_foreground(l, fd, &f, exit_code);
	foreground_end(&f);
	return e;
}
