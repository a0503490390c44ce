/* HOST: linux.intelRdt, a class of service in resctrl (Documentation/filesystems/resctrl.rst). */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/fd.h"
#include "runtime/state.h"
#include "runtime/steps.h"

enum { RDTGROUP_MAGIC = 0x7655821 };
static const char resctrl[] = "/sys/fs/resctrl";

static error *write_schemata(const char *group, const char *field, const char *line)
{
	char path[512];
	auto_free char *text = NULL;

	snprintf(path, sizeof(path), "%s/%s/schemata", resctrl, group);
	if (asprintf(&text, "%s\n", line) < 0)
		return error_new(ENOMEM, "schemata");
	try_as(file_write(AT_FDCWD, path, text), ".linux.intelRdt.%s", field);
	return NULL;
}

error *host_make_rdt(struct life *l)
{
	const struct spec_intel_rdt *r = l->spec->linux_->intel_rdt;
	const char *group = r->clos_id ? r->clos_id : l->id;
	struct statfs fs;
	char path[512];

	if (!group[0] || strchr(group, '/') || strcmp(group, ".") == 0 || strcmp(group, "..") == 0)
		return error_said(EINVAL, ".linux.intelRdt.closID: '%s' is not a name", group);
	if (statfs(resctrl, &fs) < 0 || fs.f_type != RDTGROUP_MAGIC)
		return error_said(
			ENOTSUP,
			".linux.intelRdt: resctrl is not mounted at %s (a processor without "
			"cache allocation, or: mount -t resctrl resctrl %s)",
			resctrl, resctrl);
	snprintf(path, sizeof(path), "%s/%s", resctrl, group);
	if (mkdir(path, 0755) == 0) {
		l->fixed->rdt_group = arena_strdup(l->arena, group); /* ours to remove */
		try(state_write_fixed(l->state, l->fixed));
	} else if (errno != EEXIST) {
		return error_errno("make %s", path);
	}
	for (size_t i = 0; i < r->schemata.n; i++)
		try(write_schemata(group, "schemata", r->schemata.v[i]));
	if (r->l3_cache_schema)
		try(write_schemata(group, "l3CacheSchema", r->l3_cache_schema));
	if (r->mem_bw_schema)
		try(write_schemata(group, "memBwSchema", r->mem_bw_schema));
	return NULL;
}

void host_remove_rdt(struct life *l)
{
	char path[512];

	if (!l->fixed->rdt_group)
		return;
	snprintf(path, sizeof(path), "%s/%s", resctrl, l->fixed->rdt_group);
	rmdir(path);
}
