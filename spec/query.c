/* Questions about a spec that every process of a plan asks, also the second stage. */
#include <string.h>

#include "base/kernel.h"
#include "spec.h"

/* clang-format off */
const struct spec_namespace_facts spec_namespaces[NS_COUNT] = {
	[NS_MOUNT]   = { CLONE_NEWNS,     "mnt" },
	[NS_PID]     = { CLONE_NEWPID,    "pid" },
	[NS_NETWORK] = { CLONE_NEWNET,    "net" },
	[NS_UTS]     = { CLONE_NEWUTS,    "uts" },
	[NS_IPC]     = { CLONE_NEWIPC,    "ipc" },
	[NS_USER]    = { CLONE_NEWUSER,   "user" },
	[NS_CGROUP]  = { CLONE_NEWCGROUP, "cgroup" },
	[NS_TIME]    = { CLONE_NEWTIME,   "time" },
};
/* clang-format on */

const char *spec_annotation(const struct spec *spec, const char *key)
{
	for (size_t i = 0; i < spec->annotations.n; i++)
		if (strcmp(spec->annotations.v[i].key, key) == 0)
			return spec->annotations.v[i].value;
	return NULL;
}

const struct spec_namespace *spec_namespace(const struct spec *spec, enum namespace_type type)
{
	for (size_t i = 0; i < spec->linux_->namespaces.n; i++)
		if (spec->linux_->namespaces.v[i].type.value == (int64_t)type)
			return &spec->linux_->namespaces.v[i];
	return NULL;
}
