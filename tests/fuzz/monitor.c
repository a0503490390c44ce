/* What a hostile guest's agent, its machine and commands may send to the monitor, in any order, with programs whose streams are open
 * and requests under way. The input is a row of messages; each begins with a byte that says whose it is. A frame's magic number is
 * put right, and its numbers are made small, so that most get further than that. */
#include "../../runtime/monitor_command.c"
#include "../../runtime/monitor_engine.c"
#include "../../runtime/monitor_loop.c" /* for its insides */
#include "../../runtime/monitor_program.c"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CLIENTS = 3 };
static int clients[CLIENTS]; /* the other ends */
static int ends[4][2];       /* of the streams, of which nobody may read */

/* The streams of one lead to a pipe that nobody reads, those of the other to /dev/null. */
static void open_programs(struct monitor *m)
{
	for (uint32_t id = 0; id < 2; id++) {
		int fds[3];
		struct program *p;
		for (int i = 0; i < 3; i++)
			fds[i] = id && i ? dup(ends[i][1]) : open("/dev/null", O_RDWR | O_CLOEXEC);
		auto_error error *e = program_new(m, id, fds, 3, NULL, &p);
	}
}

static void connect_clients(struct monitor *m)
{
	for (int i = 0; i < CLIENTS; i++) {
		int pair[2];
		struct client *c = calloc(1, sizeof(*c));
		if (!c || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0)
			abort();
		*c = (struct client){ .next = m->clients, .monitor = m, .ends_it = i == 1 };
		c->watch = (struct watch){ .fd = pair[0], .events = POLLIN, .ready = client_ready, .context = c };
		m->clients = c;
		clients[i] = pair[1];
		if (loop_watch(&m->loop, &c->watch))
			abort();
	}
}

static void ask_things(struct monitor *m)
{
	for (int i = 0; i < 3; i++) {
		struct wire_head head = { .type = i ? WIRE_SIGNAL : WIRE_EXEC, .id = 1 };
		auto_error error *e = monitor_pass_on(m, i == 2 ? m->clients : NULL, &head, NULL);
	}
	m->asked = 2;
}

static void clean_up(struct monitor *m)
{
	while (m->clients)
		client_free(m->clients);
	while (m->programs)
		program_free(m, m->programs);
	for (int i = 0; i < CLIENTS; i++)
		if (clients[i] >= 0)
			close(clients[i]);
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

static void put_right(struct wire_head *head, size_t size)
{
	head->magic ^= head->magic & 1 ? 0 : head->magic ^ WIRE_MAGIC;
	if (!(head->len & 0x80000000)) /* mostly as long as what is there */
		head->len = head->len % 512 < size ? head->len % 512 : (uint32_t)size;
	head->type = head->type % 48;
	head->id %= 3;
	head->seq %= 6;
	head->stream %= 4;
}

/* One message; how much of the input it was. */
static size_t deliver(struct monitor *m, const int *others, const uint8_t *data, size_t size)
{
	uint8_t whose = *data++;
	struct wire_head head;
	char message[sizeof(head) + 512];
	auto_error error *lost = NULL;

	size--;
	if (whose >= 250) { /* a command has gone, or the monitor has its turn */
		int *c = &clients[whose % CLIENTS];
		if (*c >= 0 && whose > 252)
			close(take_fd(c));
		else
			lost = turn(m, 0);
		return 1;
	}
	if (whose % 8 >= 6) { /* the machine's: counts, and questions of any length */
		size_t len = whose / 8 < size ? whose / 8 : size;
		if (write(others[whose % 2 ? 1 : 2], data, len) < 0)
			return 1;
		return len + 1;
	}
	if (size < sizeof(head))
		return size + 1;
	memcpy(&head, data, sizeof(head));
	put_right(&head, size - sizeof(head));
	size_t len = head.len < size - sizeof(head) ? head.len : size - sizeof(head);
	len = len < 512 ? len : 512;
	memcpy(message, &head, sizeof(head));
	memcpy(message + sizeof(head), data + sizeof(head), len);
	if (whose % 8 == 5 && clients[whose % CLIENTS] >= 0)
		lost = message_send(clients[whose % CLIENTS], message, sizeof(head) + len, ends[0], whose >> 4 & 3);
	else if (write(others[0], message, sizeof(head) + len) < 0)
		return 1 + sizeof(head);
	return 1 + sizeof(head) + len;
}

static void open_pair(int type, struct watch *w, error *(*ready)(struct watch *, short), struct monitor *m, int *other)
{
	int pair[2];

	if (socketpair(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0)
		abort();
	*w = (struct watch){ .fd = pair[0], .events = POLLIN, .ready = ready, .context = m };
	*other = pair[1];
	if (loop_watch(&m->loop, w))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct vm vm = { .engine = VM_KVM };
	static struct life life = { .vm = &vm };
	static const volatile struct file_counts files = { .requests = 5 };
	struct monitor *m = monitor_of(&life);
	int others[3];
	error *e = NULL;

	signal(SIGPIPE, SIG_IGN);
	m->files = &files;
	life.fd[FD_VSOCK_DIR] = open("/dev/shm", O_PATH | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < 4; i++)
		if (pipe2(ends[i], O_NONBLOCK | O_CLOEXEC) < 0)
			abort();
	open_pair(SOCK_STREAM, &m->port, port_ready, m, &others[0]);
	open_pair(SOCK_SEQPACKET, &m->counts, counts_ready, m, &others[1]);
	open_pair(SOCK_SEQPACKET, &m->broker, broker_ready, m, &others[2]);
	int kept[] = { m->counts.fd, m->broker.fd };
	m->wire = (struct wire){ .fd = m->port.fd, .payload_max = WIRE_TO_HOST_MAX };
	open_programs(m);
	connect_clients(m);
	ask_things(m);
	for (size_t done; !e && size; data += done, size -= done)
		done = deliver(m, others, data, size);
	close(others[0]);
	for (int i = 0; i < 64 && m->port.fd >= 0 && !e; i++)
		e = turn(m, 0);
	error_free(e);
	clean_up(m);
	for (int i = 0; i < 4; i++) {
		close(ends[i][0]);
		close(ends[i][1]);
	}
	close(others[1]);
	close(others[2]);
	close(kept[0]);
	close(kept[1]);
	close(life.fd[FD_VSOCK_DIR]);
	return 0;
}
