/* What the host asks for. Each request is done by a child: the runtime waits for processes and may
 * take its time, and what breaks it must not break PID 1. */
#include <fcntl.h>
#include <linux/reboot.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "guest/guest.h"

enum { REPLY_MAX = WIRE_TO_HOST_MAX - 1 };

static error *reply(struct guest *g, uint32_t seq, int code, const char *text, size_t len)
{
	struct wire_head head = { .type = WIRE_REPLY,
				  .seq = seq,
				  .arg = (uint32_t)code,
				  .len = (uint32_t)(len < REPLY_MAX ? len : REPLY_MAX) };

	return wire_put(&g->wire, &head, text);
}

static error *reply_with(struct guest *g, uint32_t seq, error *e)
{
	auto_error error *said = e;

	return said ? reply(g, seq, error_code(said) ? error_code(said) : EIO, error_message(said),
			    strlen(error_message(said)))
		    : reply(g, seq, 0, NULL, 0);
}

/* --- acts of the children: one for each request; `text` is the frame's payload --- */

struct act {
	const struct guest *guest;
	const struct wire_head *head;
	const char *text;
	const struct process *process;
	struct json *to; /* what the host is told; one value */
};

static error *do_create(const struct act *a)
{
	char console[64];
	char pids[64];
	struct container_options o = { .id = a->guest->id,
				       .bundle = GUEST_BUNDLE,
				       .shown_bundle = a->guest->bundle,
				       .pid_file = pids,
				       .filter = &a->guest->filter,
				       .filter_flags = a->guest->filter_flags };

	snprintf(pids, sizeof(pids), GUEST_PIDS "/%u", a->process->id);
	snprintf(console, sizeof(console), "/run/skiff/console.%u", a->process->id);
	if (a->process->terminal)
		o.console_socket = console;
	return container_create(&a->guest->runtime, &o);
}

static error *do_start(const struct act *a)
{
	auto_free char *pid = NULL;
	const struct process *p = a->process;

	if (a->guest->network)
		try_as(guest_network(a->guest->network, p->pid), "set up the network");
	return container_start(&a->guest->runtime, a->guest->id);
}

static error *do_exec(const struct act *a)
{
	auto_exec struct exec *x = NULL;
	struct spec_process *process;
	char console[64];
	char pids[64];
	int ignored;
	struct exec_options o = { .pid_file = pids,
				  .detach = true,
				  .filter = &a->guest->filter,
				  .filter_flags = a->guest->filter_flags };

	snprintf(pids, sizeof(pids), GUEST_PIDS "/%u", a->process->id);
	snprintf(console, sizeof(console), "/run/skiff/console.%u", a->process->id);
	if (a->process->terminal)
		o.console_socket = console;
	try(exec_open(&a->guest->runtime, a->guest->id, false, &x));
	try(spec_read_process(a->text, a->head->len, exec_arena(x), &process));
	exec_set_process(x, process);
	return exec_run(x, &o, &ignored);
}

static error *do_signal_all(const struct act *a)
{
	return container_kill(&a->guest->runtime, a->guest->id,
			      (int)(a->head->arg & ~(uint32_t)WIRE_ALL), true);
}

static error *do_update(const struct act *a)
{
	auto_arena struct arena *arena = NULL;
	struct spec_resources *resources;

	try(arena_new(&arena));
	try(spec_read_resources(a->text, a->head->len, arena, &resources));
	return container_update(&a->guest->runtime, a->guest->id, resources);
}

static error *do_stats(const struct act *a)
{
	json_object(a->to, NULL);
	try(container_stats(&a->guest->runtime, a->guest->id, a->to));
	json_end(a->to);
	return NULL;
}

/* False when it has ended in the meantime. */
static bool look_at(pid_t pid, struct arena *arena, struct vm_process *out)
{
	char path[48];
	struct stat st;
	auto_free char *stat_line = NULL;
	auto_free char *command = NULL;
	size_t len;
	int ppid = 0;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	auto_error error *e = file_read(AT_FDCWD, path, 4096, &stat_line, NULL);
	char *behind = e ? NULL : strrchr(stat_line, ')');
	if (!behind || sscanf(behind, ") %*c %d", &ppid) != 1 || stat(path, &st) < 0)
		return false;
	snprintf(path, sizeof(path), "/proc/%d/cmdline", pid);
	auto_error error *none = file_read(AT_FDCWD, path, 65536, &command, &len);
	if (none)
		return false;
	for (size_t i = 0; i + 1 < len; i++)
		if (!command[i])
			command[i] = ' ';
	*out = (struct vm_process){ .pid = (uint32_t)pid,
				    .ppid = (uint32_t)ppid,
				    .uid = st.st_uid,
				    .command = arena_strdup(arena, command) };
	return out->command != NULL;
}

static error *do_pids(const struct act *a)
{
	auto_free pid_t *pids = NULL;
	auto_arena struct arena *arena = NULL;
	auto_free char *none = NULL;
	struct vm_processes all = { 0 };
	size_t n;

	try(arena_new(&arena));
	try(container_pids(&a->guest->runtime, a->guest->id, &pids, &n, &none));
	all.list.v = arena_array_of(arena, struct vm_process, n + 1);
	if (!all.list.v)
		return arena_exhausted();
	for (size_t i = 0; i < n; i++)
		all.list.n += look_at(pids[i], arena, &all.list.v[all.list.n]);
	rows_write(&vm_processes_shape, &all, NULL, a->to);
	return NULL;
}

static error *do_oom_kills(const struct act *a)
{
	uint64_t kills = 0;

	try(container_oom_kills(&a->guest->runtime, a->guest->id, &kills));
	json_u64(a->to, NULL, kills);
	return NULL;
}

static const struct job {
	enum wire_type type;
	error *(*act)(const struct act *a);
	bool says;   /* answers with JSON */
	bool starts; /* a process that takes its standard streams from `process` */
} jobs[] = {
	{ WIRE_CREATE, do_create, .starts = true },
	{ WIRE_START, do_start },
	{ WIRE_EXEC, do_exec, .starts = true },
	{ WIRE_SIGNAL, do_signal_all },
	{ WIRE_UPDATE, do_update },
	{ WIRE_STATS, do_stats, .says = true },
	{ WIRE_PIDS, do_pids, .says = true },
	{ WIRE_OOM_KILLS, do_oom_kills, .says = true },
};

static const struct job *find_job(enum wire_type type)
{
	for (size_t i = 0; i < COUNT(jobs); i++)
		if (jobs[i].type == type)
			return &jobs[i];
	return NULL;
}

/* --- the child --- */

static void take_streams(const struct process *p)
{
	for (int i = 0; i < 3; i++)
		if (p->ends[i] >= 0)
			dup2(p->ends[i], i);
}

/* The result: a code, then text. */
static _Noreturn void work(const struct job *job, struct act *a, int result)
{
	auto_json struct json *to = NULL;
	const char *text = "";
	size_t len = 0;
	int code = 0;
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	if (job->starts)
		take_streams(a->process);
	error *e = job->says ? json_new(JSON_ONE_LINE, &to) : NULL;
	a->to = to;
	if (!e)
		e = job->act(a);
	if (!e && job->says)
		e = json_finish(to, &text, &len);
	if (e) {
		code = error_code(e) ? error_code(e) : EIO;
		text = error_message(e);
		len = strlen(text);
	}
	auto_error error *lost = fd_write_all(result, &code, sizeof(code));
	if (!lost)
		lost = fd_write_all(result, text, len);
	_exit(lost ? 1 : 0);
}

static error *begin(struct guest *g, const struct job *job, const struct wire_frame *f,
		    struct process *p)
{
	struct act a = { .guest = g, .head = &f->head, .text = f->payload, .process = p };
	struct request *r = calloc(1, sizeof(*r));

	if (!r)
		return error_new(ENOMEM, "a request");
	*r = (struct request){ .seq = f->head.seq, .type = job->type, .process = p ? p->id : 0 };
	r->result = memfd_create("reply", MFD_CLOEXEC);
	r->child = r->result < 0 ? -1 : fork();
	if (r->child == 0)
		work(job, &a, r->result);
	if (r->child < 0) {
		error *e = error_errno("begin a request");
		if (r->result >= 0)
			close(r->result);
		free(r);
		return e;
	}
	r->next = g->requests;
	g->requests = r;
	return NULL;
}

/* --- PID 1 --- */

static error *answer(struct guest *g, const struct request *r, int status)
{
	const struct job *job = find_job(r->type);
	struct process *p = process_find(g, r->process);
	auto_free char *text = NULL;
	size_t len;
	int code;

	lseek(r->result, 0, SEEK_SET);
	try(fd_read_all(r->result, REPLY_MAX, &text, &len));
	if (len < sizeof(code) || status) {
		static const char died[] = "the agent's child died at work";
		if (job->starts && p)
			process_remove(g, p);
		return reply(g, r->seq, EIO, died, strlen(died));
	}
	memcpy(&code, text, sizeof(code));
	if (job->starts && p) {
		error *e = code ? NULL : process_started(g, p);
		if (e || code)
			process_remove(g, p);
		if (e)
			return reply_with(g, r->seq, e);
	}
	return reply(g, r->seq, code, text + sizeof(code), len - sizeof(code));
}

error *guest_request_done(struct guest *g, pid_t child, int status, bool *was)
{
	*was = false;
	for (struct request **at = &g->requests; *at; at = &(*at)->next) {
		struct request *r = *at;
		if (r->child != child)
			continue;
		*at = r->next;
		*was = true;
		error *e = answer(g, r, status);
		close(r->result);
		free(r);
		return e;
	}
	return NULL;
}

static error *keep_filter(struct guest *g, const struct wire_frame *f)
{
	free(g->filter.filter);
	g->filter = (struct sock_fprog){ 0 };
	g->filter.filter = malloc(f->head.len + 1);
	if (!g->filter.filter)
		return error_new(ENOMEM, "a filter");
	memcpy(g->filter.filter, f->payload, f->head.len);
	g->filter.len = (unsigned short)(f->head.len / sizeof(struct sock_filter));
	g->filter_flags = f->head.arg;
	return NULL;
}

static error *keep_network(struct guest *g, const struct wire_frame *f)
{
	free(g->network);
	g->network = strndup(f->payload, f->head.len);
	return g->network ? NULL : error_new(ENOMEM, "the network");
}

static error *keep_name(struct guest *g, const struct wire_frame *f)
{
	size_t len = strnlen(f->payload, f->head.len);

	free(g->id);
	free(g->bundle);
	g->id = strndup(f->payload, len);
	g->bundle = len < f->head.len ? strndup(f->payload + len + 1, f->head.len - len - 1) : NULL;
	return g->id && g->bundle ? NULL : error_new(EPROTO, "the container's name");
}

static error *set_clock(const struct wire_frame *f)
{
	int64_t now[2];

	if (f->head.len != sizeof(now))
		return error_new(EPROTO, "a clock of %u bytes", f->head.len);
	memcpy(now, f->payload, sizeof(now));
	struct timespec time = { .tv_sec = now[0], .tv_nsec = now[1] };
	return clock_settime(CLOCK_REALTIME, &time) < 0 ? error_errno("set the clock") : NULL;
}

/* The parent of a program may signal it by its number: nobody else can wait for it. */
static error *signal_process(struct guest *g, const struct wire_frame *f)
{
	struct process *p = process_find(g, f->head.id);

	if (!p || p->ended || !p->pid)
		return reply_with(g, f->head.seq, error_said(ESRCH, "container not running"));
	if (kill(p->pid, (int)f->head.arg) < 0)
		return reply_with(g, f->head.seq, error_errno("send signal %u", f->head.arg));
	return reply(g, f->head.seq, 0, NULL, 0);
}

static void resize(struct guest *g, const struct wire_frame *f)
{
	struct process *p = process_find(g, f->head.id);
	struct winsize size = { .ws_row = (unsigned short)(f->head.arg >> 16),
				.ws_col = (unsigned short)f->head.arg };

	if (p && p->terminal && stream_is_open(&p->streams[0]))
		ioctl(p->streams[0].fd, TIOCSWINSZ, &size);
}

static bool wants_terminal(const struct wire_frame *f, error **e)
{
	auto_arena struct arena *arena = NULL;
	struct spec_process *process = NULL;
	const struct spec *spec = NULL;

	*e = arena_new(&arena);
	if (!*e && f->head.type == WIRE_EXEC)
		*e = spec_read_process(f->payload, f->head.len, arena, &process);
	else if (!*e)
		*e = spec_read_file(AT_FDCWD, GUEST_BUNDLE "/config.json", arena, &spec);
	if (*e)
		return false;
	if (spec)
		process = spec->process;
	return process && process->terminal;
}

/* CREATE, EXEC and what is done to them later. */
static error *begin_job(struct guest *g, const struct job *job, const struct wire_frame *f)
{
	struct process *p = process_find(g, f->head.id);

	if (job->starts) {
		error *e;
		bool terminal = wants_terminal(f, &e);
		if (!e)
			e = process_prepare(g, f->head.id, terminal, &p);
		if (e)
			return reply_with(g, f->head.seq, e);
	}
	if (job->type == WIRE_START && (!p || !p->pid))
		return reply_with(g, f->head.seq, error_said(ESRCH, "container not running"));
	error *e = begin(g, job, f, p);
	return e ? reply_with(g, f->head.seq, e) : NULL;
}

static error *shut_down(void)
{
	sync();
	reboot(LINUX_REBOOT_CMD_POWER_OFF);
	return error_errno("power off");
}

error *guest_request(struct guest *g, const struct wire_frame *f)
{
	switch (f->head.type) {
	case WIRE_CLOCK:
		return reply_with(g, f->head.seq, set_clock(f));
	case WIRE_NETWORK:
		return reply_with(g, f->head.seq, keep_network(g, f));
	case WIRE_NAME:
		return reply_with(g, f->head.seq, keep_name(g, f));
	case WIRE_SPEC:
		return reply_with(g, f->head.seq,
				  file_replace(AT_FDCWD, GUEST_BUNDLE "/config.json", 0600,
					       f->payload, f->head.len));
	case WIRE_FILTER:
		return reply_with(g, f->head.seq, keep_filter(g, f));
	case WIRE_SIZE:
		resize(g, f);
		return NULL;
	case WIRE_SIGNAL:
		if (!(f->head.arg & WIRE_ALL))
			return signal_process(g, f);
		break;
	case WIRE_SHUTDOWN:
		return shut_down();
	default:
		break;
	}
	const struct job *job = find_job(f->head.type);
	return job ? begin_job(g, job, f) : error_new(EPROTO, "a frame of type %u", f->head.type);
}
