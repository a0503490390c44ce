#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm.h"

static error *add(struct strings *list, const char *fmt, ...) printf_like(2, 3);

static error *add(struct strings *list, const char *fmt, ...)
{
	auto_free char *text = NULL;
	va_list args;

	va_start(args, fmt);
	int len = vasprintf(&text, fmt, args);
	va_end(args);
	if (len < 0) {
		text = NULL;
		return error_new(ENOMEM, "the engine's command line");
	}
	return strings_add(list, text);
}

static error *add_pair(struct strings *list, const char *option, const char *value)
{
	try(strings_add(list, option));
	return strings_add(list, value);
}

static error *add_memory(const struct machine *m, struct strings *out)
{
	unsigned long long mib = m->memory >> 20;

	try(strings_add(out, "-m"));
	try(add(out, "%lluM", mib));
	/* shared with the file server, which writes into the guest's buffers */
	try(strings_add(out, "-object"));
	try(add(out, "memory-backend-memfd,id=memory,size=%lluM,share=on", mib));
	try(strings_add(out, "-smp"));
	return add(out, "%u", m->vcpus);
}

static error *add_kernel(const struct machine *m, struct strings *out)
{
	try(add_pair(out, "-kernel", m->kernel));
	try(add_pair(out, "-initrd", m->initrd));
	return add_pair(out, "-append", m->options);
}

static error *add_devices(const struct machine *m, struct strings *out)
{
	try(strings_add(out, "-chardev"));
	try(add(out, "socket,id=console,fd=%d", m->console));
	try(add_pair(out, "-serial", "chardev:console"));
	try(add_pair(out, "-device", "virtio-serial-device"));
	try(strings_add(out, "-chardev"));
	try(add(out, "socket,id=agent,fd=%d", m->agent));
	try(strings_add(out, "-device"));
	try(add(out, "virtserialport,chardev=agent,name=%s", m->agent_name));
	try(strings_add(out, "-chardev"));
	try(add(out, "socket,id=fs,path=%s", m->fs_socket));
	try(strings_add(out, "-device"));
	try(add(out, "vhost-user-fs-device,chardev=fs,tag=%s,queue-size=512", m->fs_tag));
	return add_pair(out, "-device", "virtio-rng-device");
}

/* It takes a limit of both directions, or one of each. */
static error *add_drive(const struct machine_disk *d, size_t i, struct strings *out)
{
	const struct {
		const char *key;
		uint64_t value;
	} limits[] = {
		{ "bps-total", d->both.bytes },  { "iops-total", d->both.requests },
		{ "bps-read", d->read.bytes },   { "iops-read", d->read.requests },
		{ "bps-write", d->write.bytes }, { "iops-write", d->write.requests },
	};
	char text[512];
	size_t len = 0;

	text[0] = '\0';
	for (size_t l = 0; l < COUNT(limits); l++)
		if (limits[l].value)
			len += (size_t)snprintf(text + len, sizeof(text) - len,
						",throttling.%s=%llu", limits[l].key,
						(unsigned long long)limits[l].value);
	try(strings_add(out, "-drive"));
	return add(out, "if=none,id=disk%zu,readonly=on,format=%s,file=/dev/fdset/%zu%s", i,
		   d->format, i, text);
}

static error *add_disks(const struct machine *m, struct strings *out)
{
	for (size_t i = 0; i < m->n_disks; i++) {
		try(strings_add(out, "-add-fd"));
		try(add(out, "set=%zu,fd=%d", i, m->disks[i].fd));
		try(add_drive(&m->disks[i], i, out));
		try(strings_add(out, "-device"));
		try(add(out, "virtio-blk-device,drive=disk%zu,serial=%s", i, m->disks[i].name));
	}
	return NULL;
}

static error *add_taps(const struct machine *m, struct strings *out)
{
	for (size_t i = 0; i < m->n_taps; i++) {
		try(strings_add(out, "-netdev"));
		try(add(out, "tap,id=net%zu,fd=%d", i, m->taps[i].fd));
		try(strings_add(out, "-device"));
		try(add(out, "virtio-net-device,netdev=net%zu,mac=%s", i, m->taps[i].mac));
	}
	return NULL;
}

error *machine_qemu_words(const struct machine *m, struct strings *out)
{
	static const char *const fixed[] = {
		"-nodefaults",
		"-no-user-config",
		"-no-reboot",
		"-display",
		"none",
		"-monitor",
		"none",
		"-sandbox",
		"on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
		/* the file server refuses devices of the old kind */
		"-global",
		"virtio-mmio.force-legacy=false",
		"-M",
		"microvm,memory-backend=memory,acpi=on,rtc=on",
	};

	try(strings_add(out, m->program));
	for (size_t i = 0; i < COUNT(fixed); i++)
		try(strings_add(out, fixed[i]));
	try(add_pair(out, "-accel", m->kvm ? "kvm" : "tcg,thread=multi"));
	try(add_pair(out, "-cpu", m->kvm ? "host" : "max,erms=off"));
	try(add_memory(m, out));
	try(add_kernel(m, out));
	try(add_devices(m, out));
	try(add_disks(m, out));
	try(add_taps(m, out));
	for (size_t i = 0; m->more && i < m->more->n; i++)
		try(strings_add(out, m->more->v[i]));
	return NULL;
}
