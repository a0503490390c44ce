#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vmm/vm.h"

/* Registers, the first two of which are the divisor while line control says so. */
enum { DATA, ENABLE, IDENTIFY, LINE_CONTROL, MODEM_CONTROL, LINE_STATUS, MODEM_STATUS, SCRATCH };
enum { ENABLE_EMPTY = 2, NOTHING_PENDING = 1, IS_EMPTY = 2, HAS_FIFO = 0xc0 };
enum { DIVISOR_ACCESS = 0x80, LOOP = 0x10, CAN_SEND = 0x60, MODEM_IS_THERE = 0xb0 };
#define PANIC "Kernel panic - not syncing"

static void interrupt(struct serial *s)
{
	static const uint64_t one = 1;

	s->pending = true;
	if (write(s->irq, &one, sizeof(one)) < 0)
		return;
}

/* A kernel that panics says so in a line; who runs the machine would otherwise see a reset. */
static void listen_for_panic(struct serial *s, char c)
{
	if (c != '\n') {
		if (s->line_len < sizeof(s->line) - 1)
			s->line[s->line_len++] = c;
		return;
	}
	s->line[s->line_len] = '\0';
	s->line[strcspn(s->line, "\r")] = '\0';
	s->line_len = 0;
	const char *found = strstr(s->line, PANIC);
	if (found && !s->panic[0])
		snprintf(s->panic, sizeof(s->panic), "%s", found);
}

/* A reader that does not keep up loses what the kernel says; the kernel must not wait for it. */
static void say(struct serial *s, char c)
{
	listen_for_panic(s, c);
	if (s->fd > 0 && send(s->fd, &c, 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno == ENOTSOCK)
		s->fd = write(s->fd, &c, 1) < 0 ? -1 : s->fd;
}

static uint32_t read_register(struct serial *s, uint64_t reg)
{
	switch (reg) {
	case DATA:
		return s->line_control & DIVISOR_ACCESS ? s->divisor[0] : 0;
	case ENABLE:
		return s->line_control & DIVISOR_ACCESS ? s->divisor[1] : s->enabled;
	case IDENTIFY: {
		uint32_t why = s->pending ? IS_EMPTY : NOTHING_PENDING;
		s->pending = false;
		return why | HAS_FIFO;
	}
	case LINE_CONTROL:
		return s->line_control;
	case MODEM_CONTROL:
		return s->modem_control;
	case LINE_STATUS:
		return CAN_SEND;
	case MODEM_STATUS: /* drivers look for the port by sending the modem's lines around */
		if (s->modem_control & LOOP)
			return (s->modem_control & 0xcU) << 4 | (s->modem_control & 2U) << 3 |
			       (s->modem_control & 1U) << 5;
		return MODEM_IS_THERE;
	case SCRATCH:
		return s->scratch;
	default:
		return 0xff;
	}
}

uint32_t serial_read(void *context, uint64_t offset, unsigned len)
{
	struct serial *s = context;

	if (len != 1)
		return UINT32_MAX;
	pthread_mutex_lock(&s->lock);
	uint32_t value = read_register(s, offset);
	pthread_mutex_unlock(&s->lock);
	return value;
}

static void write_register(struct serial *s, uint64_t reg, uint8_t value)
{
	switch (reg) {
	case DATA:
		if (s->line_control & DIVISOR_ACCESS) {
			s->divisor[0] = value;
			break;
		}
		if (!(s->modem_control & LOOP))
			say(s, (char)value);
		if (s->enabled & ENABLE_EMPTY)
			interrupt(s);
		break;
	case ENABLE:
		if (s->line_control & DIVISOR_ACCESS) {
			s->divisor[1] = value;
			break;
		}
		s->enabled = value & 0xf;
		if (s->enabled & ENABLE_EMPTY)
			interrupt(s);
		break;
	case LINE_CONTROL:
		s->line_control = value;
		break;
	case MODEM_CONTROL:
		s->modem_control = value & 0x1f;
		break;
	case SCRATCH:
		s->scratch = value;
		break;
	default:
		break;
	}
}

error *serial_write(void *context, uint64_t offset, uint32_t value, unsigned len)
{
	struct serial *s = context;

	if (len != 1)
		return NULL;
	pthread_mutex_lock(&s->lock);
	write_register(s, offset, (uint8_t)value);
	pthread_mutex_unlock(&s->lock);
	return NULL;
}
