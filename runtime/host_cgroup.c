/* HOST: the container's cgroup. */
#include <signal.h>

#include "cgroup.h"
#include "runtime/steps.h"

error *host_make_cgroup(struct life *l)
{
	try(cgroup_create(l->cgroup_request, &l->cgroup));
	l->cgroup_fd = cgroup_fd(l->cgroup);
	return NULL;
}

void host_remove_cgroup(struct life *l)
{
	auto_error error *e = cgroup_signal(l->cgroup, SIGKILL);

	error_free(e);
	e = cgroup_remove(l->cgroup);
	cgroup_free(take_ptr(&l->cgroup));
	l->cgroup_fd = -1;
}
