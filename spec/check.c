/* Rules that one field alone cannot tell. Each has a name, so that a reader can look for the
 * sentence of the specification; each says the JSON path of what is wrong. */
#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "spec.h"

#define wrong(...) error_said(EINVAL, __VA_ARGS__)

static error *version_is_1(const struct spec *s)
{
	if (!text_starts(s->oci_version, "1."))
		return wrong(".ociVersion: '%s' is not a version 1.x of the specification",
			     s->oci_version);
	return NULL;
}

static error *root_has_a_path(const struct spec *s)
{
	if (!s->root)
		return wrong(".root is required");
	return s->root->path[0] ? NULL : wrong(".root.path: is empty");
}

/* A root without a mount namespace of its own would be mounted on the host. */
static error *mount_namespace_is_there(const struct spec *s)
{
	if (!spec_namespace(s, NS_MOUNT))
		return wrong(".linux.namespaces: the mount namespace is missing, without which "
			     "the container's mounts would be the host's");
	return NULL;
}

/* "If there is more than one entry with the same type, the runtime MUST generate an error." */
static error *namespaces_differ(const struct spec *s)
{
	uint64_t seen = 0;

	for (size_t i = 0; i < s->linux_->namespaces.n; i++) {
		const struct spec_namespace *ns = &s->linux_->namespaces.v[i];
		if (seen & 1ULL << ns->type.value)
			return wrong(".linux.namespaces[%zu]: a second '%s'", i,
				     name_of(&namespace_names, ns->type.value));
		seen |= 1ULL << ns->type.value;
		if (ns->path && ns->path[0] != '/')
			return wrong(".linux.namespaces[%zu].path: '%s' is not absolute", i,
				     ns->path);
	}
	return NULL;
}

static error *names_have_a_uts_namespace(const struct spec *s)
{
	if (s->hostname && !spec_namespace(s, NS_UTS))
		return wrong(".hostname: needs a uts namespace, else it would be the host's");
	if (s->domainname && !spec_namespace(s, NS_UTS))
		return wrong(".domainname: needs a uts namespace, else it would be the host's");
	if ((s->hostname && strlen(s->hostname) > 64) ||
	    (s->domainname && strlen(s->domainname) > 64))
		return wrong(".hostname and .domainname: the kernel takes at most 64 bytes");
	return NULL;
}

static error *id_maps_fit(const struct spec *s)
{
	const struct spec_linux *l = s->linux_;
	const struct spec_namespace *ns = spec_namespace(s, NS_USER);

	if ((l->uid_mappings.n || l->gid_mappings.n) && (!ns || ns->path))
		return wrong(".linux.uidMappings: needs a new user namespace");
	if (!l->uid_mappings.n != !l->gid_mappings.n)
		return wrong(".linux.%s: needs the other kind of mappings beside it",
			     l->uid_mappings.n ? "uidMappings" : "gidMappings");
	return NULL;
}

static error *time_offsets_fit(const struct spec *s)
{
	const struct spec_namespace *ns = spec_namespace(s, NS_TIME);

	if (!s->linux_->time_offsets.n)
		return NULL;
	if (!ns || ns->path)
		return wrong(".linux.timeOffsets: needs a new time namespace");
	for (size_t i = 0; i < s->linux_->time_offsets.n; i++) {
		const struct spec_time_offset *o = &s->linux_->time_offsets.v[i];
		if (strcmp(o->key, "boottime") != 0 && strcmp(o->key, "monotonic") != 0)
			return wrong(".linux.timeOffsets.%s: want boottime or monotonic", o->key);
		if (o->nanosecs >= 1000000000)
			return wrong(".linux.timeOffsets.%s.nanosecs: want less than 1000000000",
				     o->key);
	}
	return NULL;
}

static error *mounts_have_destinations(const struct spec *s)
{
	for (size_t i = 0; i < s->mounts.n; i++) {
		const struct spec_mount *m = &s->mounts.v[i];
		if (!m->destination[0])
			return wrong(".mounts[%zu].destination: is empty", i);
		if (!m->uid_mappings.n != !m->gid_mappings.n)
			return wrong(".mounts[%zu]: uidMappings and gidMappings go together", i);
	}
	return NULL;
}

static error *sysctls_are_namespaced(const struct spec *s)
{
	static const char *const ipc_names[] = {
		"kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem",
		"kernel.shmall", "kernel.shmmax", "kernel.shmmni", "kernel.shm_rmid_forced",
	};

	for (size_t i = 0; i < s->linux_->sysctl.n; i++) {
		const char *key = s->linux_->sysctl.v[i].key;
		enum namespace_type needs = NS_COUNT;
		auto_free char *dotted = strdup(key);
		if (!dotted)
			return error_new(ENOMEM, "sysctl");
		for (char *c = dotted; *c && !strchr(key, '.'); c++)
			*c = *c == '/' ? '.' : *c;
		for (size_t k = 0; k < COUNT(ipc_names); k++)
			if (strcmp(dotted, ipc_names[k]) == 0)
				needs = NS_IPC;
		if (text_starts(dotted, "fs.mqueue."))
			needs = NS_IPC;
		else if (text_starts(dotted, "net."))
			needs = NS_NETWORK;
		else if (text_starts(dotted, "user."))
			needs = NS_USER;
		else if (strcmp(dotted, "kernel.domainname") == 0 ||
			 strcmp(dotted, "kernel.hostname") == 0)
			needs = NS_UTS;
		if (strstr(key, "..") || key[0] == '/' || needs == NS_COUNT)
			return wrong(".linux.sysctl.%s: belongs to no namespace: setting it would "
				     "change the host",
				     key);
		if (!spec_namespace(s, needs))
			return wrong(".linux.sysctl.%s: needs a %s namespace, else it would change "
				     "the host",
				     key, name_of(&namespace_names, needs));
	}
	return NULL;
}

static error *devices_are_whole(const struct spec *s)
{
	for (size_t i = 0; i < s->linux_->devices.n; i++) {
		const struct spec_device *d = &s->linux_->devices.v[i];
		if (d->path[0] != '/')
			return wrong(".linux.devices[%zu].path: '%s' is not absolute", i, d->path);
		if (d->file_mode.set && d->file_mode.value > 07777)
			return wrong(".linux.devices[%zu].fileMode: %u is more than 07777", i,
				     d->file_mode.value);
		if (d->major < 0 || d->minor < 0)
			return wrong(".linux.devices[%zu]: negative device number", i);
	}
	return NULL;
}

static error *device_rules_are_whole(const struct spec *s)
{
	for (size_t i = 0; i < s->linux_->resources->devices.n; i++) {
		const char *access = s->linux_->resources->devices.v[i].access;
		if (access && access[strspn(access, "rwm")])
			return wrong(".linux.resources.devices[%zu].access: '%s' holds more than "
				     "r, w and m",
				     i, access);
	}
	return NULL;
}

static error *seccomp_is_whole(const struct spec *s)
{
	const struct spec_seccomp *f = s->linux_->seccomp;
	bool notifies = false;

	if (!f)
		return NULL;
	if (f->default_action.value == ACT_NOTIFY)
		return wrong(
			".linux.seccomp.defaultAction: SCMP_ACT_NOTIFY as the default would stop "
			"the container's first process for ever");
	for (size_t i = 0; i < f->syscalls.n; i++) {
		const struct spec_syscall *c = &f->syscalls.v[i];
		if (!c->names.n)
			return wrong(".linux.seccomp.syscalls[%zu].names: is empty", i);
		notifies |= c->action.value == ACT_NOTIFY;
		for (size_t a = 0; a < c->args.n; a++)
			if (c->args.v[a].index > 5)
				return wrong(
					".linux.seccomp.syscalls[%zu].args[%zu].index: want 0 to 5",
					i, a);
		/* the first process must be able to hand over the descriptor that the filter gives
		 * it */
		for (size_t n = 0; c->action.value == ACT_NOTIFY && n < c->names.n; n++)
			if (strcmp(c->names.v[n], "sendmsg") == 0 ||
			    strcmp(c->names.v[n], "recvmsg") == 0)
				return wrong(".linux.seccomp.syscalls[%zu]: SCMP_ACT_NOTIFY cannot "
					     "be used "
					     "for %s, which hands over the listener itself",
					     i, c->names.v[n]);
	}
	if (notifies && !f->listener_path)
		return wrong(".linux.seccomp.listenerPath: is required with SCMP_ACT_NOTIFY");
	if (f->listener_metadata && !f->listener_path)
		return wrong(".linux.seccomp.listenerMetadata: needs listenerPath");
	return NULL;
}

static error *net_devices_have_a_namespace(const struct spec *s)
{
	if (s->linux_->net_devices.n && !spec_namespace(s, NS_NETWORK))
		return wrong(".linux.netDevices: needs a network namespace");
	for (size_t i = 0; i < s->linux_->net_devices.n; i++) {
		const struct spec_net_device *d = &s->linux_->net_devices.v[i];
		const char *name = d->name ? d->name : d->key;
		if (!name[0] || strlen(name) > 15 || strchr(name, '/') || strcmp(name, ".") == 0)
			return wrong(".linux.netDevices.%s: '%s' is not a device name", d->key,
				     name);
	}
	return NULL;
}

static error *unified_names_files(const struct spec *s)
{
	const struct pairs *u = &s->linux_->resources->unified;

	for (size_t i = 0; i < u->n; i++)
		if (!u->v[i].key[0] || strchr(u->v[i].key, '/') || !strchr(u->v[i].key, '.') ||
		    u->v[i].key[0] == '.')
			return wrong(
				".linux.resources.unified.%s: is not the name of a cgroup file",
				u->v[i].key);
	return NULL;
}

static error *hooks_are_whole(const struct spec *s)
{
	const struct {
		const char *name;
		const struct spec_hook *v;
		size_t n;
	} kinds[] = {
		{ "prestart", s->hooks->prestart.v, s->hooks->prestart.n },
		{ "createRuntime", s->hooks->create_runtime.v, s->hooks->create_runtime.n },
		{ "createContainer", s->hooks->create_container.v, s->hooks->create_container.n },
		{ "startContainer", s->hooks->start_container.v, s->hooks->start_container.n },
		{ "poststart", s->hooks->poststart.v, s->hooks->poststart.n },
		{ "poststop", s->hooks->poststop.v, s->hooks->poststop.n },
	};

	for (size_t k = 0; k < COUNT(kinds); k++)
		for (size_t i = 0; i < kinds[k].n; i++) {
			const struct spec_hook *h = &kinds[k].v[i];
			if (h->path[0] != '/')
				return wrong(".hooks.%s[%zu].path: '%s' is not absolute",
					     kinds[k].name, i, h->path);
			if (h->timeout.set && h->timeout.value <= 0)
				return wrong(".hooks.%s[%zu].timeout: want more than 0",
					     kinds[k].name, i);
		}
	return NULL;
}

static error *vm_paths_are_absolute(const struct spec *s)
{
	if (!s->vm)
		return NULL;
	if (s->vm->kernel->path[0] != '/')
		return wrong(".vm.kernel.path: '%s' is not absolute", s->vm->kernel->path);
	if (s->vm->hypervisor && s->vm->hypervisor->path[0] != '/')
		return wrong(".vm.hypervisor.path: '%s' is not absolute", s->vm->hypervisor->path);
	if (s->vm->kernel->initrd && s->vm->kernel->initrd[0] != '/')
		return wrong(".vm.kernel.initrd: '%s' is not absolute", s->vm->kernel->initrd);
	if (s->vm->image && s->vm->image->path[0] != '/')
		return wrong(".vm.image.path: '%s' is not absolute", s->vm->image->path);
	if (s->vm->hardware && s->vm->hardware->vcpus.set && !s->vm->hardware->vcpus.value)
		return wrong(".vm.hwConfig.vcpus: want at least 1");
	return NULL;
}

static error *personality_has_no_flags(const struct spec *s)
{
	const struct spec_personality *p = s->linux_->personality;

	if (p && p->flags.n)
		return wrong(".linux.personality.flags: the specification defines none");
	return NULL;
}

static error *process_is_whole(const struct spec *s)
{
	auto_error error *e = s->process ? spec_check_process(s->process) : NULL;

	return e ? wrong(".process%s", error_message(e)) : NULL;
}

static error *(*const rules[])(const struct spec *) = {
	version_is_1,
	root_has_a_path,
	mount_namespace_is_there,
	namespaces_differ,
	names_have_a_uts_namespace,
	id_maps_fit,
	time_offsets_fit,
	mounts_have_destinations,
	sysctls_are_namespaced,
	devices_are_whole,
	device_rules_are_whole,
	seccomp_is_whole,
	unified_names_files,
	net_devices_have_a_namespace,
	hooks_are_whole,
	vm_paths_are_absolute,
	personality_has_no_flags,
	process_is_whole,
};

error *spec_check(const struct spec *spec)
{
	for (size_t i = 0; i < COUNT(rules); i++)
		try(rules[i](spec));
	return NULL;
}

/* "If rlimits contains duplicated entries with same type, the runtime MUST generate an error." */
static error *rlimits_differ(const struct spec_process *p)
{
	uint64_t seen = 0;

	for (size_t i = 0; i < p->rlimits.n; i++) {
		const struct spec_rlimit *r = &p->rlimits.v[i];
		if (seen & 1ULL << r->type.value)
			return wrong(".rlimits[%zu]: a second %s", i,
				     name_of(&rlimit_names, r->type.value));
		seen |= 1ULL << r->type.value;
		if (r->soft > r->hard)
			return wrong(".rlimits[%zu]: soft %" PRIu64 " is more than hard %" PRIu64,
				     i, r->soft, r->hard);
	}
	return NULL;
}

static error *ids_are_real(const struct spec_process *p)
{
	/* 2^32 - 1 means "leave as it is" to the kernel */
	if (p->user->uid == UINT32_MAX || p->user->gid == UINT32_MAX)
		return wrong(".user: 4294967295 is no user or group");
	for (size_t i = 0; i < p->user->additional_gids.n; i++)
		if (p->user->additional_gids.v[i] == UINT32_MAX)
			return wrong(".user.additionalGids[%zu]: 4294967295 is no group", i);
	if (p->user->umask.set && p->user->umask.value > 0777)
		return wrong(".user.umask: %u is more than 0777", p->user->umask.value);
	return NULL;
}

static error *numbers_fit(const struct spec_process *p)
{
	if (p->oom_score_adj.set &&
	    (p->oom_score_adj.value < -1000 || p->oom_score_adj.value > 1000))
		return wrong(".oomScoreAdj: want -1000 to 1000");
	if (p->io_priority && (p->io_priority->priority < 0 || p->io_priority->priority > 7))
		return wrong(".ioPriority.priority: want 0 to 7");
	if (p->scheduler && (p->scheduler->nice < -20 || p->scheduler->nice > 19))
		return wrong(".scheduler.nice: want -20 to 19");
	if (p->scheduler && (p->scheduler->priority < 0 || p->scheduler->priority > 99))
		return wrong(".scheduler.priority: want 0 to 99");
	if (p->console_size && (p->console_size->height > 65535 || p->console_size->width > 65535))
		return wrong(".consoleSize: want at most 65535");
	return NULL;
}

error *spec_check_process(const struct spec_process *p)
{
	if (p->cwd[0] != '/')
		return wrong(".cwd: '%s' is not absolute", p->cwd);
	if (p->args.v && (!p->args.n || !p->args.v[0][0]))
		return wrong(".args: want at least one, and no empty program name");
	try(ids_are_real(p));
	try(rlimits_differ(p));
	return numbers_fit(p);
}
