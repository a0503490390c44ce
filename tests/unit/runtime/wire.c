/* Frames: whole, in pieces, and such as no honest side sends. */
#include "runtime/wire.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../check.h"

static void pair(struct wire *a, struct wire *b)
{
	int ends[2];

	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0);
	*a = (struct wire){ .fd = ends[0], .payload_max = 1000 };
	*b = (struct wire){ .fd = ends[1], .payload_max = 1000 };
}

static void end(struct wire *a, struct wire *b)
{
	close(a->fd);
	close(b->fd);
	wire_free(a);
	wire_free(b);
}

static void frames_arrive_as_they_were_sent(void)
{
	struct wire a, b;
	struct wire_frame f;
	bool got;
	bool ended;
	char payload[1000];

	pair(&a, &b);
	for (uint32_t i = 0; i < 100; i++) {
		struct wire_head head = { .type = WIRE_DATA, .id = i, .len = i * 10 };
		memset(payload, (int)i, sizeof(payload));
		CHECK_FINE(wire_put(&a, &head, payload));
	}
	for (uint32_t i = 0; i < 100;) {
		CHECK_FINE(wire_flush(&a));
		CHECK_FINE(wire_fill(&b, &ended));
		CHECK(!ended);
		for (;; i++) {
			CHECK_FINE(wire_next(&b, &f, &got));
			if (!got)
				break;
			CHECK(f.head.id == i && f.head.len == i * 10);
			for (uint32_t n = 0; n < f.head.len; n++)
				CHECK(f.payload[n] == (char)i);
		}
	}
	CHECK(!wire_has_output(&a));
	end(&a, &b);
}

static void a_frame_comes_in_pieces(void)
{
	struct wire a, b;
	struct wire_frame f;
	bool got;
	bool ended;
	struct wire_head head = { .magic = WIRE_MAGIC, .type = WIRE_EXIT, .len = 3 };
	char whole[sizeof(head) + 3];

	pair(&a, &b);
	memcpy(whole, &head, sizeof(head));
	memcpy(whole + sizeof(head), "abc", 3);
	for (size_t i = 0; i < sizeof(whole); i++) {
		CHECK(write(a.fd, whole + i, 1) == 1);
		CHECK_FINE(wire_fill(&b, &ended));
		CHECK_FINE(wire_next(&b, &f, &got));
		CHECK(got == (i + 1 == sizeof(whole)));
	}
	CHECK(memcmp(f.payload, "abc", 3) == 0);
	close(a.fd);
	CHECK_FINE(wire_fill(&b, &ended));
	CHECK(ended);
	a.fd = dup(b.fd);
	end(&a, &b);
}

static void refused(const struct wire_head *head, const char *words)
{
	struct wire a, b;
	struct wire_frame f;
	bool got;
	bool ended;

	pair(&a, &b);
	CHECK(write(a.fd, head, sizeof(*head)) == sizeof(*head));
	CHECK_FINE(wire_fill(&b, &ended));
	CHECK_FAILS(wire_next(&b, &f, &got), EPROTO, words);
	end(&a, &b);
}

int main(void)
{
	struct wire_head strange = { .magic = 1 };
	struct wire_head huge = { .magic = WIRE_MAGIC, .len = 1001 };
	struct wire_head wraps = { .magic = WIRE_MAGIC, .len = UINT32_MAX };

	frames_arrive_as_they_were_sent();
	a_frame_comes_in_pieces();
	refused(&strange, "does not begin");
	refused(&huge, "1001 bytes");
	refused(&wraps, "4294967295 bytes");
	return 0;
}
