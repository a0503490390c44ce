/* What of config.json is done where: a sandbox's guest gets a config.json of its own, the host's
 * side does the rest. Pure. */
#include <string.h>

#include "base/log.h"
#include "base/path.h"
#include "base/text.h"
#include "runtime/vm.h"

#define ANNOTATION       "org.skiff.sandbox"
#define ANNOTATION_VSOCK ANNOTATION ".vsock"
#define HANDLER          "run.oci.handler" /* as crun reads it; krun is its handler of microVMs */

static const struct {
	const char *word;
	enum vm_choice choice;
} choices[] = {
	{ "none", VM_NONE },
	{ "auto", VM_AUTO },
	{ "qemu", VM_QEMU },
	{ "kvm", VM_KVM },
};

static error *find_choice(const char *from, const char *word, enum vm_choice *out)
{
	for (size_t i = 0; i < COUNT(choices); i++)
		if (strcmp(choices[i].word, word) == 0) {
			*out = choices[i].choice;
			return NULL;
		}
	return error_said(EINVAL, "%s: '%s' is neither kvm, qemu, auto nor none", from, word);
}

error *vm_choose(const struct spec *spec, const char *option, enum vm_choice *out)
{
	const char *annotation = spec_annotation(spec, ANNOTATION);
	const char *handler = spec_annotation(spec, HANDLER);

	*out = VM_NONE;
	if (option)
		return find_choice("--sandbox", option, out);
	if (annotation)
		return find_choice(".annotations[" ANNOTATION "]", annotation, out);
	if (spec->vm || (handler && strcmp(handler, "krun") == 0))
		*out = VM_AUTO;
	return NULL;
}

/* Our own: whoever wants these sections has them, whatever config.json has. */
struct vm_sections {
	struct spec spec;
	struct spec_vm vm;
	struct spec_hypervisor hypervisor;
	struct spec_kernel kernel;
	struct spec_vm_image image;
	struct spec_hardware hardware;
};

static error *absolute(const char *option, const char *path, struct arena *arena, char **out)
{
	auto_free char *whole = NULL;

	if (!path)
		return NULL;
	try_as(path_absolute(path, &whole), "%s", option);
	*out = arena_strdup(arena, whole);
	return *out ? NULL : arena_exhausted();
}

error *vm_with_options(const struct spec *spec, const struct vm_options *o, struct arena *arena,
		       const struct spec **out)
{
	struct vm_sections *s = arena_new_of(arena, struct vm_sections);

	if (!s)
		return arena_exhausted();
	s->spec = *spec;
	if (spec->vm)
		s->vm = *spec->vm;
	if (s->vm.kernel)
		s->kernel = *s->vm.kernel;
	if (s->vm.hardware)
		s->hardware = *s->vm.hardware;
	s->spec.vm = &s->vm;
	s->vm.kernel = &s->kernel;
	s->vm.hardware = &s->hardware;
	try(absolute("--vm-kernel", o->kernel, arena, &s->kernel.path));
	try(absolute("--vm-initrd", o->initrd, arena, &s->kernel.initrd));
	try(absolute("--vm-image", o->image, arena, &s->image.path));
	try(absolute("--vm-hypervisor", o->hypervisor, arena, &s->hypervisor.path));
	if (o->image) {
		s->image.format.value = name_find(&image_format_names, "raw")->value;
		s->vm.image = &s->image;
	}
	if (o->hypervisor)
		s->vm.hypervisor = &s->hypervisor;
	if (o->parameters.n)
		s->kernel.parameters = o->parameters;
	if (o->vcpus)
		s->hardware.vcpus = (struct opt_u32){ true, o->vcpus };
	if (o->memory)
		s->hardware.memory = (struct opt_u64){ true, o->memory };
	*out = &s->spec;
	return NULL;
}

error *vm_find_vsock(const struct spec *spec, const char *option, struct arena *arena,
		     const char **out)
{
	const char *asked = option ? option : spec_annotation(spec, ANNOTATION_VSOCK);
	char *path = NULL;

	try(absolute("--vm-vsock", option, arena, &path));
	if (!option && asked && asked[0] != '/')
		return error_said(EINVAL,
				  ".annotations[" ANNOTATION_VSOCK "]: '%s' does not begin "
				  "with /",
				  asked);
	if (!option && asked) {
		path = arena_strdup(arena, asked);
		if (!path)
			return arena_exhausted();
	}
	*out = path;
	return NULL;
}

static bool mounts_at(const struct spec *s, const char *target)
{
	for (size_t i = 0; i < s->mounts.n; i++)
		if (strcmp(s->mounts.v[i].destination, target) == 0)
			return true;
	return false;
}

error *vm_with_names(const struct spec *spec, const char *folder, struct arena *arena,
		     const struct spec **out)
{
	static char *const files[] = { "hosts", "resolv.conf", "hostname" };
	static char *const options[] = { "bind", "nosuid", "nodev", "noexec", NULL };
	struct spec *s = arena_new_of(arena, struct spec);
	size_t n = spec->mounts.n;

	if (!s)
		return arena_exhausted();
	*s = *spec;
	s->mounts.v = arena_array_of(arena, struct spec_mount, n + COUNT(files) + 1);
	if (!s->mounts.v)
		return arena_exhausted();
	for (size_t i = 0; i < n; i++)
		s->mounts.v[i] = spec->mounts.v[i];
	for (size_t i = 0; i < COUNT(files); i++) {
		struct spec_mount *m = &s->mounts.v[n];
		*m = (struct spec_mount){ .destination = arena_printf(arena, "/etc/%s", files[i]),
					  .source = arena_printf(arena, "%s/%s", folder, files[i]),
					  .options.v =
						  arena_array_of(arena, char *, COUNT(options)) };
		if (!m->destination || !m->source || !m->options.v)
			return arena_exhausted();
		for (size_t o = 0; options[o]; o++)
			m->options.v[m->options.n++] = arena_strdup(arena, options[o]);
		n += !mounts_at(spec, m->destination);
	}
	s->mounts.n = n;
	*out = s;
	return NULL;
}

/* --- what cannot be --- */

static error *check_namespaces(const struct spec *s)
{
	bool network = false;

	for (size_t i = 0; i < s->linux_->namespaces.n; i++) {
		const struct spec_namespace *ns = &s->linux_->namespaces.v[i];
		network |= ns->type.value == NS_NETWORK;
		if (ns->path && ns->type.value != NS_NETWORK)
			return error_said(ENOTSUP,
					  ".linux.namespaces[%zu].path: a sandbox has a kernel of "
					  "its own: only a network namespace of the host's can be "
					  "joined",
					  i);
	}
	if (!network)
		return error_said(ENOTSUP,
				  ".linux.namespaces: a sandbox cannot share the host's network: "
				  "add {\"type\": \"network\"}");
	return NULL;
}

static error *check_mounts(const struct spec *s)
{
	for (size_t i = 0; i < s->mounts.n; i++)
		for (size_t o = 0; o < s->mounts.v[i].options.n; o++)
			if (strcmp(s->mounts.v[i].options.v[o], "copy-symlink") == 0)
				return error_said(ENOTSUP,
						  ".mounts[%zu].options: copy-symlink is not for a "
						  "sandbox",
						  i);
	return NULL;
}

static error *check_hardware(const struct spec *s)
{
	const struct spec_hardware *h = s->vm ? s->vm->hardware : NULL;
	static const char why[] = "is for other kinds of machines; leave it out";

	if (!h)
		return NULL;
	if (h->device_tree)
		return error_said(ENOTSUP, ".vm.hwConfig.deviceTree: %s", why);
	if (h->dt_devs.n)
		return error_said(ENOTSUP, ".vm.hwConfig.dtdevs: %s", why);
	if (h->io_mems.n)
		return error_said(ENOTSUP, ".vm.hwConfig.iomems: %s", why);
	if (h->irqs.n)
		return error_said(ENOTSUP, ".vm.hwConfig.irqs: %s", why);
	return NULL;
}

static error *check_rest(const struct spec *s)
{
	if (s->linux_->seccomp && s->linux_->seccomp->listener_path)
		return error_said(
			ENOTSUP, ".linux.seccomp.listenerPath: the descriptor of a listener cannot "
				 "leave a sandbox; use actions other than SCMP_ACT_NOTIFY");
	return NULL;
}

/* --- the guest's part --- */

static bool is_bind(const struct spec_mount *m)
{
	if (m->type && strcmp(m->type, "bind") == 0)
		return true;
	for (size_t i = 0; i < m->options.n; i++)
		if (strcmp(m->options.v[i], "bind") == 0 || strcmp(m->options.v[i], "rbind") == 0)
			return true;
	return false;
}

/* Done on the host's side already, when the source was opened. */
static bool is_of_the_source(const char *option)
{
	return strcmp(option, "idmap") == 0 || strcmp(option, "ridmap") == 0 ||
	       strcmp(option, "src-nofollow") == 0 || text_starts(option, "idmap=");
}

static error *guest_mounts(const struct spec *s, struct arena *arena, struct spec *guest)
{
	guest->mounts.v = arena_array_of(arena, struct spec_mount, s->mounts.n + 1);
	if (!guest->mounts.v)
		return arena_exhausted();
	guest->mounts.n = 0;
	for (size_t i = 0; i < s->mounts.n; i++) {
		struct spec_mount *m = &guest->mounts.v[guest->mounts.n++];
		*m = s->mounts.v[i];
		if (!is_bind(m)) {
			/* the root's layers are put together on the host's side */
			guest->mounts.n -= strcmp(m->destination, "/") == 0;
			continue;
		}
		m->source = arena_printf(arena, VM_SHARE "/mounts/%zu", i);
		m->uid_mappings.n = m->gid_mappings.n = 0;
		m->options.v = arena_array_of(arena, char *, m->options.n + 1);
		if (!m->source || !m->options.v)
			return arena_exhausted();
		m->options.n = 0;
		for (size_t o = 0; o < s->mounts.v[i].options.n; o++)
			if (!is_of_the_source(s->mounts.v[i].options.v[o]))
				m->options.v[m->options.n++] = s->mounts.v[i].options.v[o];
	}
	return NULL;
}

static error *guest_namespaces(const struct spec_linux *x, bool rootless, struct arena *arena,
			       struct spec_linux *guest)
{
	guest->namespaces.n = 0;
	guest->namespaces.v = arena_array_of(arena, struct spec_namespace, x->namespaces.n + 1);
	if (!guest->namespaces.v)
		return arena_exhausted();
	for (size_t i = 0; i < x->namespaces.n; i++) {
		struct spec_namespace ns = { .type = x->namespaces.v[i].type };
		/* an ordinary user's ids are mapped by the host's side */
		if (!rootless || ns.type.value != NS_USER)
			guest->namespaces.v[guest->namespaces.n++] = ns;
	}
	if (rootless)
		guest->uid_mappings.n = guest->gid_mappings.n = 0;
	return NULL;
}

/* The labels of the host's security modules are about what could be done to the host. */
static void drop_labels(const struct spec *s, struct spec_process *process,
			struct spec_linux *linux_)
{
	if (process && (process->apparmor_profile || process->selinux_label))
		log_warning(
			"the labels of .process are not used in a sandbox, whose kernel has its "
			"own security modules");
	if (process)
		process->apparmor_profile = process->selinux_label = NULL;
	(void)s;
	linux_->mount_label = NULL;
}

/* In the guest it is a plain container. */
static error *guest_annotations(const struct spec *s, struct arena *arena, struct spec *guest)
{
	guest->annotations.n = 0;
	guest->annotations.v = arena_array_of(arena, struct pair, s->annotations.n + 1);
	if (!guest->annotations.v)
		return arena_exhausted();
	for (size_t i = 0; i < s->annotations.n; i++)
		if (!text_starts(s->annotations.v[i].key, ANNOTATION) &&
		    strcmp(s->annotations.v[i].key, HANDLER) != 0)
			guest->annotations.v[guest->annotations.n++] = s->annotations.v[i];
	return NULL;
}

static error *guest_config(const struct spec *s, bool rootless, struct arena *arena, struct vm *vm)
{
	struct spec guest = *s;
	struct spec_linux linux_ = *s->linux_;
	struct spec_root root = *s->root;
	struct spec_resources resources = *s->linux_->resources;
	struct spec_block_io block_io;
	struct spec_hooks hooks = { 0 };
	struct spec_process process;
	auto_json struct json *to = NULL;
	const char *text;

	if (s->process) {
		process = *s->process;
		guest.process = &process;
	}
	guest.linux_ = &linux_;
	guest.root = &root;
	guest.hooks = &hooks;
	guest.vm = NULL;
	try(guest_annotations(s, arena, &guest));
	root.path = arena_strdup(arena, vm->root_image ? VM_ROOT : VM_SHARE "/rootfs");
	linux_.resources = &resources;
	if (resources.block_io) {
		vm_guest_block_io(resources.block_io, &block_io);
		resources.block_io = &block_io;
	}
	if (s->hooks)
		hooks.start_container = s->hooks->start_container;
	try(guest_mounts(s, arena, &guest));
	try(guest_namespaces(s->linux_, rootless, arena, &linux_));
	drop_labels(s, guest.process, &linux_);
	linux_.cgroups_path = NULL;
	linux_.intel_rdt = NULL;
	linux_.net_devices.n = 0;
	try(json_new(JSON_ONE_LINE, &to));
	rows_write(&spec_shape, &guest, NULL, to);
	try(json_finish(to, &text, &vm->config_len));
	vm->config = arena_strndup(arena, text, vm->config_len);
	return vm->config && root.path ? NULL : arena_exhausted();
}

/* --- the host's part --- */

/* The container's limits hold in the guest. Here they would hit the machine that carries it; but
 * what the machine may take of processors and disks, the host decides. */
void vm_host_resources(const struct spec_resources *r, struct spec_resources *host)
{
	*host = (struct spec_resources){ .cpu = r ? r->cpu : NULL,
					 .block_io = r ? r->block_io : NULL };
}

static error *host_spec(const struct spec *s, bool rootless, struct arena *arena,
			const struct spec **out)
{
	static const enum namespace_type always[] = { NS_MOUNT, NS_PID, NS_IPC, NS_UTS };
	struct spec *host = arena_new_of(arena, struct spec);
	struct spec_linux *x = arena_new_of(arena, struct spec_linux);
	struct spec_resources *r = arena_new_of(arena, struct spec_resources);
	struct spec_process *p = arena_new_of(arena, struct spec_process);
	struct spec_namespace *ns = arena_array_of(arena, struct spec_namespace, NS_COUNT + 1);
	size_t n = 0;

	if (!host || !x || !r || !p || !ns)
		return arena_exhausted();
	*host = *s;
	host->hostname = host->domainname = NULL;
	host->linux_ = x;
	x->cgroups_path = s->linux_->cgroups_path;
	x->intel_rdt = s->linux_->intel_rdt;
	x->net_devices = s->linux_->net_devices;
	x->resources = r;
	vm_host_resources(s->linux_->resources, r);
	for (size_t i = 0; i < COUNT(always); i++)
		ns[n++].type = (struct opt_name){ true, always[i] };
	ns[n++] = *spec_namespace(s, NS_NETWORK);
	if (rootless && spec_namespace(s, NS_USER)) {
		ns[n++] = *spec_namespace(s, NS_USER);
		x->uid_mappings.v = s->linux_->uid_mappings.v;
		x->uid_mappings.n = s->linux_->uid_mappings.n;
		x->gid_mappings.v = s->linux_->gid_mappings.v;
		x->gid_mappings.n = s->linux_->gid_mappings.n;
	}
	x->namespaces.v = ns;
	x->namespaces.n = n;
	if (s->process) {
		p->terminal = s->process->terminal;
		p->console_size = s->process->console_size;
		p->user = s->process->user;
		p->args = s->process->args;
		p->cwd = s->process->cwd;
		p->oom_score_adj = s->process->oom_score_adj;
		host->process = p;
	}
	*out = host;
	return NULL;
}

/* --- the machine's size --- */

enum { MIB = 1 << 20, MEMORY_DEFAULT = 512, MEMORY_MIN = 128, MEMORY_OF_KERNEL = 128 };

/* What the container may use, and what the guest's kernel needs beside it. */
static uint64_t memory_of(const struct spec *s)
{
	const struct spec_memory *m = s->linux_->resources->memory;
	const struct spec_hardware *h = s->vm ? s->vm->hardware : NULL;
	uint64_t bytes = (uint64_t)MEMORY_DEFAULT * MIB;

	if (h && h->memory.set)
		bytes = h->memory.value;
	else if (m && m->limit.set && m->limit.value > 0)
		bytes = (uint64_t)m->limit.value + (uint64_t)m->limit.value / 32 +
			(uint64_t)MEMORY_OF_KERNEL * MIB;
	return (bytes + MIB - 1) / MIB * MIB;
}

static uint32_t vcpus_of(const struct spec *s)
{
	const struct spec_cpu *c = s->linux_->resources->cpu;
	const struct spec_hardware *h = s->vm ? s->vm->hardware : NULL;

	if (h && h->vcpus.set)
		return h->vcpus.value;
	if (c && c->quota.set && c->quota.value > 0) {
		int64_t period = c->period.set ? (int64_t)c->period.value : 100000;
		return (uint32_t)((c->quota.value + period - 1) / period);
	}
	return 1;
}

error *vm_divide(const struct spec *spec, bool rootless, struct arena *arena, struct vm *vm,
		 const struct spec **host)
{
	static error *(*const checks[])(const struct spec *) = { check_namespaces, check_mounts,
								 check_hardware, check_rest };

	for (size_t i = 0; i < COUNT(checks); i++)
		try(checks[i](spec));
	vm->asked = spec;
	vm->memory = memory_of(spec);
	vm->vcpus = vcpus_of(spec);
	if (vm->memory < (uint64_t)MEMORY_MIN * MIB)
		return error_said(EINVAL, ".vm.hwConfig.memory: a guest needs at least %d MiB",
				  MEMORY_MIN);
	try(vm_list_disks(spec, arena, vm));
	try(guest_config(spec, rootless, arena, vm));
	return host_spec(spec, rootless, arena, host);
}
