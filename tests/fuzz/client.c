/* What commands get from a sandbox that is hostile to its last process: the monitor passes on what the guest says. The input is a row of
 * messages; each begins with how long it is, and a byte that says how its head is put right. */
#define socket_connect connect_to_input
#include "../../runtime/vm_control.c" /* for its insides */
#undef socket_connect

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int monitor; /* the other end of it */

/* --- what the rest of skiff has for it --- */

error *connect_to_input(int dir, const char *path, int type, int *out)
{
	(void)dir, (void)path, (void)type;
	*out = dup(monitor);
	return *out < 0 ? error_errno("dup") : NULL;
}

error *network_run(char *const words[])
{
	(void)words;
	return NULL;
}

error *cgroup_open(const char *path, struct cgroup **out)
{
	(void)out;
	return error_new(ENOENT, "%s", path);
}

error *cgroup_set_limits(const struct cgroup *c, const struct spec_resources *r)
{
	(void)c, (void)r;
	return NULL;
}

void cgroup_free(struct cgroup *c)
{
	(void)c;
}

error *foreground_begin(struct foreground *f)
{
	(void)f;
	return NULL;
}

void foreground_end(struct foreground *f)
{
	(void)f;
}

error *state_open_init(const struct state *s, int *pidfd)
{
	(void)s, (void)pidfd;
	return error_new(ESRCH, "none");
}

enum container_status state_status(const struct state *s)
{
	(void)s;
	return STOPPED;
}

/* --- the input --- */

static void deliver(int fd, const uint8_t *data, size_t size)
{
	while (size >= 3 + sizeof(struct wire_head)) {
		size_t len = (size_t)(data[0] | data[1] << 8) % 2048;
		uint8_t how = data[2];
		char message[sizeof(struct wire_head) + 2048];
		struct wire_head head;
		data += 3;
		size -= 3;
		len = sizeof(head) + (len < size - sizeof(head) ? len : size - sizeof(head));
		memcpy(message, data, len);
		memcpy(&head, message, sizeof(head));
		if (how & 1) {
			head.len = (uint32_t)(len - sizeof(head));
			head.type = how & 2 ? WIRE_REPLY : WIRE_EXIT;
			head.arg = how & 4 ? 0 : head.arg;
		}
		memcpy(message, &head, sizeof(head));
		if (write(fd, message, how == 255 ? 5 : len) < 0)
			return;
		data += len;
		size -= len;
	}
}

static void check_printable(const char *lines)
{
	for (; *lines; lines++)
		if (((unsigned char)*lines < ' ' && *lines != '\n') || *lines == 127)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct state_fixed fixed;
	static struct state s = { .fixed = &fixed };
	int pair[2];
	int no_signals[2];
	int exit_code;
	uint64_t kills;
	auto_free pid_t *pids = NULL;
	auto_free char *lines = NULL;
	auto_json struct json *to = NULL;
	const char *text;
	size_t n;

	if (!size || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0 || pipe2(no_signals, O_CLOEXEC) < 0)
		return 0;
	uint8_t how = *data++;
	size--;
	deliver(pair[1], data, size);
	shutdown(pair[1], SHUT_WR);
	monitor = pair[0];
	error *e = NULL;
	switch (how % 4) {
	case 0:
		e = vm_pids(&s, &pids, &n, &lines);
		if (!e)
			check_printable(lines);
		break;
	case 1:
		if (json_new(JSON_ONE_LINE, &to))
			abort();
		json_object(to, NULL);
		e = vm_stats(&s, to);
		json_end(to);
		if (!e && json_finish(to, &text, &n))
			abort();
		break;
	case 2:
		e = vm_oom_kills(&s, &kills);
		break;
	default:
		e = stand_in(pair[0], no_signals[0], -1, &exit_code);
	}
	error_free(e);
	close(pair[0]);
	close(pair[1]);
	close(no_signals[0]);
	close(no_signals[1]);
	return 0;
}
