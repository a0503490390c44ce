/* ACPI of a machine without a PC's old parts ("hardware-reduced"): processors, devices on
 * virtio-mmio, one serial port, registers to switch off and to reset. Layouts: ACPI 6.5. */
#include <string.h>

#include "vmm/boot.h"
#include "vmm/vm.h"

enum { IO_SPACE = 1, SLEEP_CONTROL = PORT_POWER, SLEEP_STATUS, RESET_REGISTER };
enum { ROOM = 16 << 10, HEADER = 36 };
#define APIC_BASE   0xfee00000U
#define IOAPIC_BASE 0xfec00000U

/* A table as it grows. */
struct table {
	uint8_t data[ROOM];
	size_t len;
};

static void add(struct table *t, const void *data, size_t len)
{
	if (len <= sizeof(t->data) - t->len) /* DEVICES_MAX and CPUS_MAX fit */
		memcpy(t->data + t->len, data, len);
	t->len += len;
}

static void add_number(struct table *t, uint64_t value, size_t len)
{
	add(t, &value, len);
}

static void set(struct table *t, size_t at, uint64_t value, size_t len)
{
	memcpy(t->data + at, &value, len);
}

static uint8_t checksum(const uint8_t *data, size_t len)
{
	uint8_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum = (uint8_t)(sum + data[i]);
	return (uint8_t)-sum;
}

static void begin(struct table *t, const char *signature, uint8_t revision)
{
	static const uint8_t ours[] = "SKIFF SKIFFVM \1\0\0\0SKIF\1\0\0";

	memset(t, 0, sizeof(*t));
	add(t, signature, 4);
	add_number(t, 0, 4); /* the length, when it is known */
	add_number(t, revision, 2);
	add(t, ours, HEADER - 10);
}

/* Places the table behind what is there already; 0: no room. */
static uint64_t finish(struct table *t, const struct memory *m, uint64_t *next)
{
	uint64_t at = *next;

	if (t->len > sizeof(t->data) || at + t->len > BOOT_HIGH)
		return 0;
	set(t, 4, t->len, 4);
	set(t, 9, 0, 1);
	set(t, 9, checksum(t->data, t->len), 1);
	memcpy(memory_at(m, at, t->len), t->data, t->len);
	*next = (at + t->len + 15) & ~15ULL;
	return at;
}

/* --- the DSDT, in ACPI's machine language --- */

static void add_package_length(struct table *t, size_t len)
{
	/* two bytes: the low four bits, then the rest; the count includes themselves */
	add_number(t, 0x40 | ((len + 2) & 15), 1);
	add_number(t, (len + 2) >> 4, 1);
}

static void add_device(struct table *t, const char *name, const struct table *body)
{
	add(t, "\x5b\x82", 2);
	add_package_length(t, 4 + body->len);
	add(t, name, 4);
	add(t, body->data, body->len);
}

static void add_resources(struct table *t, const struct table *resources)
{
	add(t, "\x08_CRS\x11", 6);
	add_package_length(t, 2 + resources->len + 2);
	add_number(t, 0x0a, 1);
	add_number(t, resources->len + 2, 1);
	add(t, resources->data, resources->len);
	add(t, "\x79\x00", 2);
}

static void add_interrupt(struct table *t, uint32_t irq)
{
	/* consumer, edge, active high, not shared; one */
	add(t, "\x89\x06\x00\x03\x01", 5);
	add_number(t, irq, 4);
}

static void add_virtio(struct table *t, size_t i, const struct boot_device *d)
{
	struct table body = { .len = 0 };
	struct table resources = { .len = 0 };
	const char name[] = { 'V', 'I', (char)('0' + i / 10), (char)('0' + i % 10) };

	add(&resources, "\x86\x09\x00\x01", 4); /* memory, writable */
	add_number(&resources, d->address, 4);
	add_number(&resources, VIRTIO_WINDOW, 4);
	add_interrupt(&resources, d->irq);
	add(&body, "\x08_HID\x0dLNRO0005", 15);
	add(&body, "\x08_UID\x0a", 6);
	add_number(&body, i, 1);
	add(&body, "\x08_CCA\x01", 6);
	add_resources(&body, &resources);
	add_device(t, name, &body);
}

static void add_serial(struct table *t)
{
	struct table body = { .len = 0 };
	struct table resources = { .len = 0 };

	add(&resources, "\x47\x01\xf8\x03\xf8\x03\x01\x08", 8); /* ports */
	add_interrupt(&resources, IRQ_SERIAL);
	add(&body, "\x08_HID\x0c\x41\xd0\x05\x01", 10); /* PNP0501 */
	add(&body, "\x08_UID\x00", 6);
	add_resources(&body, &resources);
	add_device(t, "COM1", &body);
}

static uint64_t write_dsdt(struct table *t, const struct memory *m,
			   const struct boot_device *devices, size_t n, uint64_t *next)
{
	static struct table scope;

	scope.len = 0;
	add_serial(&scope);
	for (size_t i = 0; i < n; i++)
		add_virtio(&scope, i, &devices[i]);
	begin(t, "DSDT", 2);
	add(t, "\x10", 1);
	add_package_length(t, 5 + scope.len);
	add(t, "\\_SB_", 5);
	add(t, scope.data, scope.len);
	add(t, "\x08_S5_\x12\x07\x04\x0a\x05\x00\x00\x00", 13);
	return finish(t, m, next);
}

/* --- the other tables --- */

static uint64_t write_madt(struct table *t, const struct memory *m, unsigned cpus, uint64_t *next)
{
	begin(t, "APIC", 5);
	add_number(t, APIC_BASE, 4);
	add_number(t, 0, 4);
	for (unsigned i = 0; i < cpus; i++) {
		add(t, "\x00\x08", 2);
		add_number(t, i, 1); /* its number, its APIC's number */
		add_number(t, i, 1);
		add_number(t, 1, 4); /* usable */
	}
	add(t, "\x01\x0c\x00\x00", 4);
	add_number(t, IOAPIC_BASE, 4);
	add_number(t, 0, 4);
	return finish(t, m, next);
}

static void set_register(struct table *t, size_t at, uint16_t port)
{
	static const uint8_t byte_of_ports[] = { IO_SPACE, 8, 0, 1 };

	memcpy(t->data + at, byte_of_ports, sizeof(byte_of_ports));
	set(t, at + 4, port, 8);
}

static uint64_t write_fadt(struct table *t, const struct memory *m, uint64_t dsdt, uint64_t *next)
{
	enum { NO_VGA = 1 << 2, NO_CLOCK = 1 << 5 };
	enum {
		POWER_BUTTON = 1 << 4,
		SLEEP_BUTTON = 1 << 5,
		CAN_RESET = 1 << 10,
		REDUCED = 1 << 20
	};

	begin(t, "FACP", 6);
	t->len = 276;
	set(t, 40, dsdt, 4);
	set(t, 109, NO_VGA | NO_CLOCK, 2);
	set(t, 112, POWER_BUTTON | SLEEP_BUTTON | CAN_RESET | REDUCED, 4);
	set_register(t, 116, RESET_REGISTER);
	set(t, 128, 1, 1); /* the value that resets */
	set(t, 131, 5, 1); /* 6.5 */
	set(t, 140, dsdt, 8);
	set_register(t, 244, SLEEP_CONTROL);
	set_register(t, 256, SLEEP_STATUS);
	memcpy(t->data + 268, "skiff-vm", 8);
	return finish(t, m, next);
}

error *acpi_write(const struct memory *memory, unsigned cpus, const struct boot_device *devices,
		  size_t n)
{
	static struct table t;
	uint8_t *root = memory_at(memory, BOOT_ACPI, 64);
	uint64_t next = BOOT_ACPI + 64;
	uint64_t dsdt = root ? write_dsdt(&t, memory, devices, n, &next) : 0;
	uint64_t fadt = dsdt ? write_fadt(&t, memory, dsdt, &next) : 0;
	uint64_t madt = fadt ? write_madt(&t, memory, cpus, &next) : 0;

	if (!madt)
		return error_said(E2BIG, "ACPI's tables");
	begin(&t, "XSDT", 1);
	add_number(&t, fadt, 8);
	add_number(&t, madt, 8);
	uint64_t xsdt = finish(&t, memory, &next);
	memset(root, 0, 36);
	memcpy(root, "RSD PTR ", 8);
	memcpy(root + 9, "SKIFF ", 6);
	root[15] = 2;
	root[20] = 36;
	memcpy(root + 24, &xsdt, 8);
	root[8] = checksum(root, 20);
	root[32] = checksum(root, 36);
	return NULL;
}
