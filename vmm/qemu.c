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

/* A comma in a value is written twice. */
static error *doubled_commas(const char *text, char **out)
{
	char *to = *out = malloc(2 * strlen(text) + 1);

	if (!to)
		return error_new(ENOMEM, "%s", text);
	for (; *text; text++) {
		*to++ = *text;
		if (*text == ',')
			*to++ = ',';
	}
	*to = '\0';
	return NULL;
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

static error *add_image(const struct machine *m, struct strings *out)
{
	auto_free char *path = NULL;

	if (!m->image)
		return NULL;
	try(doubled_commas(m->image, &path));
	try(strings_add(out, "-drive"));
	try(add(out, "if=none,id=image,readonly=on,format=%s,file=%s", m->image_format, path));
	return add_pair(out, "-device", "virtio-blk-device,drive=image");
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
	try(add_pair(out, "-cpu", m->kvm ? "host" : "max"));
	try(add_memory(m, out));
	try(add_kernel(m, out));
	try(add_devices(m, out));
	try(add_image(m, out));
	try(add_taps(m, out));
	for (size_t i = 0; m->more && i < m->more->n; i++)
		try(strings_add(out, m->more->v[i]));
	return NULL;
}
