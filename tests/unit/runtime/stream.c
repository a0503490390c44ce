/* Streams: bytes, credit, ends, and a peer that does not keep to the rules. */
#include "runtime/stream.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../check.h"

struct side {
	struct loop loop;
	struct wire wire;
	struct stream stream;
	struct watch port;
};

static error *port_ready(struct watch *w, short events)
{
	struct side *s = w->context;
	struct wire_frame f;
	bool ended;
	bool got;

	(void)events;
	try(wire_fill(&s->wire, &ended));
	for (;;) {
		try(wire_next(&s->wire, &f, &got));
		if (!got)
			return NULL;
		try(stream_take(&s->stream, &f));
	}
}

static void open_side(struct side *s, int port, int fd, enum stream_direction direction)
{
	*s = (struct side){ .wire = { .fd = port, .payload_max = WIRE_TO_HOST_MAX } };
	s->port = (struct watch){
		.fd = port, .events = 1 /* POLLIN */, .ready = port_ready, .context = s
	};
	CHECK_FINE(loop_watch(&s->loop, &s->port));
	CHECK_FINE(stream_open(&s->stream, &s->loop, &s->wire, fd, direction, 0, 1));
}

static void close_side(struct side *s)
{
	if (stream_is_open(&s->stream))
		stream_close(&s->stream);
	close(s->wire.fd);
	wire_free(&s->wire);
	loop_end(&s->loop);
}

static void make_sides(struct side *from, struct side *to, int *in, int *out)
{
	int ports[2];
	int source[2];
	int sink[2];

	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ports) == 0);
	CHECK(pipe2(source, O_CLOEXEC) == 0 && pipe2(sink, O_CLOEXEC) == 0);
	fcntl(source[1], F_SETFL, O_NONBLOCK);
	fcntl(sink[0], F_SETFL, O_NONBLOCK);
	open_side(from, ports[0], source[0], TO_WIRE);
	open_side(to, ports[1], sink[1], FROM_WIRE);
	*in = source[1];
	*out = sink[0];
}

static void turn(struct side *s)
{
	CHECK_FINE(wire_flush(&s->wire));
	CHECK_FINE(loop_turn(&s->loop, 0));
}

static void all_bytes_arrive_in_order(void)
{
	struct side from, to;
	int in, out;
	uint32_t sent = 0;
	uint32_t received = 0;
	enum { TOTAL = 4 << 20 };

	make_sides(&from, &to, &in, &out);
	while (received < TOTAL) {
		char data[3001];
		for (size_t i = 0; i < sizeof(data); i++)
			data[i] = (char)((sent + i) * 7 >> 3);
		ssize_t n = sent < TOTAL ? write(in, data, sizeof(data)) : 0;
		sent += n > 0 ? (uint32_t)n : 0;
		turn(&from);
		turn(&to);
		n = read(out, data, sizeof(data));
		for (ssize_t i = 0; i < n; i++)
			CHECK(data[i] == (char)((received + (uint32_t)i) * 7 >> 3));
		received += n > 0 ? (uint32_t)n : 0;
	}
	close(in);
	char end;
	ssize_t n;
	for (int i = 0; (n = read(out, &end, 1)) != 0 && i < 1000; i++) {
		turn(&from);
		turn(&to);
	}
	CHECK(n == 0);
	close(out);
	close_side(&from);
	close_side(&to);
}

static void who_is_not_read_is_held_back(void)
{
	struct side from, to;
	int in, out;
	size_t sent = 0;
	char data[4096] = "";

	make_sides(&from, &to, &in, &out);
	for (int i = 0; i < 2000; i++) {
		ssize_t n = write(in, data, sizeof(data));
		sent += n > 0 ? (size_t)n : 0;
		turn(&from);
		turn(&to);
	}
	/* two pipes and a window, and no more */
	CHECK(sent <= 2 * (64 << 10) + WIRE_WINDOW + sizeof(data));
	CHECK(!wire_has_output(&from.wire));
	close(in);
	close(out);
	close_side(&from);
	close_side(&to);
}

static void a_reader_that_goes_is_told(void)
{
	struct side from, to;
	int in, out;

	make_sides(&from, &to, &in, &out);
	close(out);
	for (int i = 0; i < 100 && stream_is_open(&from.stream); i++) {
		if (write(in, "x", 1) < 0)
			break;
		turn(&from);
		turn(&to);
	}
	CHECK(!stream_is_open(&from.stream) && !stream_is_open(&to.stream));
	close(in);
	close_side(&from);
	close_side(&to);
}

static void breaks_the_rules(enum stream_direction direction, const struct wire_head *head,
			     int times)
{
	struct side from, to;
	int in, out;
	static char data[WIRE_DATA_MAX + 1];
	error *e = NULL;

	make_sides(&from, &to, &in, &out);
	struct stream *s = direction == TO_WIRE ? &from.stream : &to.stream;
	struct wire_frame f = { .head = *head, .payload = data };
	for (int i = 0; i < times && !e; i++)
		e = stream_take(s, &f);
	CHECK(e && error_code(e) == EPROTO);
	error_free(e);
	close(in);
	close(out);
	close_side(&from);
	close_side(&to);
}

int main(void)
{
	const struct wire_head too_long = { .type = WIRE_DATA, .len = WIRE_DATA_MAX + 1 };
	const struct wire_head data = { .type = WIRE_DATA, .len = WIRE_DATA_MAX };
	const struct wire_head credit = { .type = WIRE_CREDIT, .arg = 1 };
	const struct wire_head wraps = { .type = WIRE_CREDIT, .arg = UINT32_MAX };
	const struct wire_head end = { .type = WIRE_EOF };

	all_bytes_arrive_in_order();
	who_is_not_read_is_held_back();
	a_reader_that_goes_is_told();
	breaks_the_rules(FROM_WIRE, &too_long, 1);
	breaks_the_rules(FROM_WIRE, &data, WIRE_WINDOW / WIRE_DATA_MAX + 1);
	breaks_the_rules(TO_WIRE, &credit, 1); /* it has all there is */
	breaks_the_rules(TO_WIRE, &wraps, 1);
	breaks_the_rules(TO_WIRE, &data, 1);
	breaks_the_rules(TO_WIRE, &end, 1);
	breaks_the_rules(FROM_WIRE, &credit, 1);
	return 0;
}
