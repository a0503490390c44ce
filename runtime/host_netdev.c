/* HOST: linux.netDevices. */
#include "runtime/steps.h"

error *host_move_net_devices(struct life *l)
{
	(void)l;
	return error_said(
		ENOTSUP,
		".linux.netDevices: this build of skiff has no skiff-net, which moves network "
		"devices");
}

void host_return_net_devices(struct life *l)
{
	(void)l;
}
