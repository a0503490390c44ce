/* What a hostile guest's agent may send: frames for the monitor, with a program whose streams are
 * open and requests under way. The input is a row of frames; each begins with the bytes of a head,
 * of which the magic number is put right, so that most get further than that. */
#include "../../runtime/monitor_command.c"
#include "../../runtime/monitor_loop.c" /* for its insides */
#include "../../runtime/monitor_program.c"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Nobody has connected: the replies are to the monitor's own requests. */
static void open_programs(struct monitor *m)
{
	for (uint32_t id = 0; id < 2; id++) {
		int fds[3];
		struct program *p;
		for (int i = 0; i < 3; i++)
			fds[i] = open("/dev/null", O_RDWR | O_CLOEXEC);
		auto_error error *e = program_new(m, id, fds, 3, NULL, &p);
	}
}

static void ask_things(struct monitor *m)
{
	for (int i = 0; i < 3; i++) {
		struct wire_head head = { .type = i ? WIRE_SIGNAL : WIRE_EXEC, .id = 1 };
		auto_error error *e = monitor_pass_on(m, NULL, &head, NULL);
	}
	m->asked = 2;
}

static void clean_up(struct monitor *m)
{
	while (m->programs)
		program_free(m, m->programs);
	for (struct pending *p = m->pending, *next; p; p = next) {
		next = p->next;
		free(p);
	}
	error_free(m->answer);
	wire_free(&m->wire);
	loop_end(&m->loop);
	close(m->wire.fd);
	*m = (struct monitor){ 0 };
}

/* As if the guest had written them. */
static void deliver(int fd, const uint8_t *data, size_t size)
{
	while (size >= sizeof(struct wire_head)) {
		struct wire_head head;
		memcpy(&head, data, sizeof(head));
		head.magic ^= head.magic & 1 ? 0 : head.magic ^ WIRE_MAGIC;
		data += sizeof(head);
		size -= sizeof(head);
		if (!(head.len & 0x80000000)) /* mostly as long as what is there */
			head.len = head.len % 512 < size ? head.len % 512 : (uint32_t)size;
		head.type = head.type % 48;
		head.id %= 3;
		head.seq %= 6;
		head.stream %= 4;
		size_t len = head.len < size ? head.len : size;
		if (write(fd, &head, sizeof(head)) < 0 || write(fd, data, len) < 0)
			return;
		data += len;
		size -= len;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct life life;
	struct monitor *m = monitor_of(&life);
	int ends[2];

	signal(SIGPIPE, SIG_IGN);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) < 0)
		return 0;
	m->wire = (struct wire){ .fd = ends[0], .payload_max = WIRE_TO_HOST_MAX };
	m->port = (struct watch){
		.fd = ends[0], .events = POLLIN, .ready = port_ready, .context = m
	};
	open_programs(m);
	ask_things(m);
	auto_error error *e = loop_watch(&m->loop, &m->port);
	deliver(ends[1], data, size);
	close(ends[1]);
	for (int i = 0; i < 64 && m->port.fd >= 0 && !e; i++)
		e = turn(m, 0);
	clean_up(m);
	return 0;
}
