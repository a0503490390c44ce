/* What has happened so far, as a line of JSON: exits by kind, and each device's counts. It is told
 * at the end, and to whoever asks on a socket. Counts are read while others count: each is right,
 * by itself. */
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vmm/vm.h"

struct line {
	char text[8192];
	size_t len;
};

static void add(struct line *l, const char *fmt, ...) printf_like(2, 3);

static void add(struct line *l, const char *fmt, ...)
{
	va_list args;
	size_t room = sizeof(l->text) - l->len;

	va_start(args, fmt);
	int n = vsnprintf(l->text + l->len, room, fmt, args);
	va_end(args);
	l->len += n > 0 && (size_t)n < room ? (size_t)n : 0;
}

static void add_exits(struct line *l, const struct vm *vm)
{
	const char *comma = "";

	add(l, "{\"exits\":{");
	for (unsigned reason = 0; reason < COUNT(vm->cpus[0].exits); reason++) {
		unsigned long long n = 0;
		for (unsigned i = 0; i < vm->n_cpus; i++)
			n += vm->cpus[i].exits[reason];
		if (n) {
			add(l, "%s\"%s\":%llu", comma, cpu_exit_name(reason), n);
			comma = ",";
		}
	}
	add(l, "},\"devices\":[");
}

static void add_device(struct line *l, const struct virtio_device *d)
{
	const struct virtio_counters *c = &d->count;
	const struct {
		const char *name;
		uint64_t value;
	} rows[] = {
		{ "bytes_to_guest", c->bytes_in },
		{ "bytes_from_guest", c->bytes_out },
		{ "kicks", c->kicks },
		{ "interrupts", c->interrupts },
		{ "stalls", c->stalls },
		{ "held_by_limits", c->held },
	};

	add(l, "{\"name\":\"%s\"", d->class->name);
	for (size_t i = 0; i < COUNT(rows); i++)
		add(l, ",\"%s\":%llu", rows[i].name, (unsigned long long)rows[i].value);
	add(l, "}");
}

void metrics_write(const struct vm *vm, int fd)
{
	struct line l = { .len = 0 };

	add_exits(&l, vm);
	for (size_t i = 0; i < vm->n_devices; i++) {
		add(&l, i ? "," : "");
		add_device(&l, vm->devices[i]);
	}
	add(&l, "]}\n");
	if (write(fd, l.text, l.len) < 0)
		return; /* nobody reads */
}

/* Any message is a question. Who does not read the answers gets none. */
static error *asked(struct watch *w, short events)
{
	char question[16];
	ssize_t n = read(w->fd, question, sizeof(question));

	(void)events;
	if (n > 0)
		metrics_write(w->context, w->fd);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		w->fd = -1;
	return NULL;
}

error *metrics_watch(struct vm *vm)
{
	vm->metrics = (struct watch){
		.fd = (int)vm->want->metrics_fd, .events = POLLIN, .ready = asked, .context = vm
	};
	if (fcntl(vm->metrics.fd, F_SETFL, O_RDWR | O_NONBLOCK) < 0)
		return error_errno("--metrics-fd");
	return loop_watch(&vm->loop, &vm->metrics);
}
