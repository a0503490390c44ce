/* HOST: linux.netDevices. skiff-net does the work: netlink is of no use to any other container. */
#include <fcntl.h>
#include <stdio.h>

#include "base/log.h"
#include "runtime/helper.h"
#include "runtime/steps.h"

static error *run_net(const struct life *l, char *verb, char *from, char *to)
{
	char namespace[48];
	auto_free char *program = NULL;

	snprintf(namespace, sizeof(namespace), "/proc/%d/fd/%d", getpid(), l->fd[FD_NETNS]);
	try(helper_own("skiff-net", &program));
	return helper_run((char *[]){ program, verb, namespace, from, to, NULL });
}

static char *name_inside(const struct spec_net_device *d)
{
	return d->name && *d->name ? d->name : d->key;
}

static void give_back(struct life *l, size_t n)
{
	for (size_t i = n; i-- > 0;) {
		struct spec_net_device *d = &l->spec->linux_->net_devices.v[i];
		auto_error error *e = run_net(l, "return", name_inside(d), d->key);
		if (e)
			log_warning(".linux.netDevices.%s: %s", d->key, error_message(e));
	}
}

error *host_move_net_devices(struct life *l)
{
	char path[32];

	/* held as long as something may fail: a namespace without processes takes its devices with
	 * it */
	snprintf(path, sizeof(path), "/proc/%d/ns/net", l->init);
	l->fd[FD_NETNS] = open(path, O_RDONLY | O_CLOEXEC);
	if (l->fd[FD_NETNS] < 0)
		return error_errno("open %s", path);
	for (size_t i = 0; i < l->spec->linux_->net_devices.n; i++) {
		struct spec_net_device *d = &l->spec->linux_->net_devices.v[i];
		error *e = run_net(l, "move", d->key, name_inside(d));
		if (!e)
			continue;
		give_back(l, i);
		return error_wrap(e, ".linux.netDevices.%s", d->key);
	}
	return NULL;
}

void host_return_net_devices(struct life *l)
{
	give_back(l, l->spec->linux_->net_devices.n);
}
