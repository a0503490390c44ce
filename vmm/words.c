#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "vmm.h"

static error *add(struct strings *list, const char *option, const char *fmt, ...) printf_like(3, 4);

static error *add(struct strings *list, const char *option, const char *fmt, ...)
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
	try(strings_add(list, option));
	return strings_add(list, text);
}

/* 0 is no limit there, too. */
static error *add_disk(const struct machine_disk *d, struct strings *out)
{
	return add(out, "--disk",
		   "name=%s,fd=%d,bytes=%llu,requests=%llu,read-bytes=%llu,read-requests=%llu,"
		   "write-bytes=%llu,write-requests=%llu",
		   d->name, d->fd, (unsigned long long)d->both.bytes,
		   (unsigned long long)d->both.requests, (unsigned long long)d->read.bytes,
		   (unsigned long long)d->read.requests, (unsigned long long)d->write.bytes,
		   (unsigned long long)d->write.requests);
}

error *machine_vmm_words(const struct machine *m, struct strings *out)
{
	try(strings_add(out, m->program));
	try(add(out, "--kvm", "%d", m->kvm_fd));
	try(add(out, "--memory", "%llum", (unsigned long long)m->memory >> 20));
	try(add(out, "--vcpus", "%u", m->vcpus));
	try(add(out, "--kernel", "%s", m->kernel));
	try(add(out, "--initrd", "%s", m->initrd));
	try(add(out, "--options", "%s", m->options));
	try(add(out, "--console", "%d", m->console));
	try(add(out, "--agent", "%d", m->agent));
	try(add(out, "--metrics-fd", "%d", m->metrics));
	try(add(out, "--port", "%s", m->agent_name));
	try(add(out, "--fs", "%s", m->fs_socket));
	try(add(out, "--fs-tag", "%s", m->fs_tag));
	if (m->vsock_listener >= 0)
		try(add(out, "--vsock", "%d,%d", m->vsock_listener, m->vsock_broker));
	for (size_t i = 0; i < m->n_disks; i++)
		try(add_disk(&m->disks[i], out));
	if (m->net.bytes)
		try(add(out, "--net-bytes", "%llu", (unsigned long long)m->net.bytes));
	if (m->net.requests)
		try(add(out, "--net-packets", "%llu", (unsigned long long)m->net.requests));
	for (size_t i = 0; i < m->n_taps; i++)
		try(add(out, "--tap", "%d,%s", m->taps[i].fd, m->taps[i].mac));
	for (size_t i = 0; m->more && i < m->more->n; i++)
		try(strings_add(out, m->more->v[i]));
	return NULL;
}
