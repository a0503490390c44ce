#include "runtime/life_make.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/fd.h"
#include "base/kernel.h"
#include "base/path.h"
#include "base/text.h"
#include "cgroup.h"
#include "runtime/baton.h"
#include "runtime/network.h"
#include "runtime/notify.h"
#include "runtime/rootless.h"
#include "runtime/seccomp.h"
#include "runtime/state.h"
#include "runtime/vm.h"

error *life_new(const struct runtime *rt, struct life **out)
{
	struct arena *arena = NULL;

	try(arena_new_shared(&arena));
	struct life *l = arena_new_of(arena, struct life);
	if (!l) {
		arena_free(arena);
		return arena_exhausted();
	}
	arena_set_root(arena, l);
	for (int i = 0; i < FD_COUNT; i++)
		l->fd[i] = -1;
	l->arena = arena;
	l->fd[FD_ARENA] = arena_fd(arena);
	l->cgroup_fd = l->init_pidfd = -1;
	l->rootless = rt->rootless;
	l->debug = rt->debug;
	l->state_root = arena_strdup(arena, rt->root);
#ifdef SKIFF_FAIL_STEP
	const char *step = getenv("FAIL_STEP");
	l->fail_step = step ? arena_strdup(arena, step) : NULL;
#endif
	error *e = l->state_root ? baton_pair(l->fd) : arena_exhausted();
	if (e)
		life_free(l);
	else
		*out = l;
	return e;
}

void life_free(struct life *l)
{
	if (!l)
		return;
	for (int i = 0; i < FD_COUNT; i++)
		if (l->fd[i] >= 0 && i != FD_ARENA && !(i == FD_BATON && l->baton_given))
			close(l->fd[i]);
	for (size_t i = 0; i < l->mounts.n; i++)
		if (l->mounts.v[i].fd >= 0)
			close(l->mounts.v[i].fd);
	for (int i = 0; l->join_fds && i < NS_COUNT; i++)
		if (l->join_fds[i] >= 0)
			close(l->join_fds[i]);
	if (l->init_pidfd >= 0)
		close(l->init_pidfd);
	cgroup_free(l->cgroup);
	state_free(l->state);
	arena_free(l->arena); /* and l with it */
}

static error *absolute_in_arena(struct arena *arena, const char *base, const char *path,
				const char **out)
{
	auto_free char *joined = path_join(base, path);
	auto_free char *clean = NULL;

	if (!joined)
		return error_new(ENOMEM, "%s", path);
	try(path_absolute(joined, &clean));
	*out = arena_strdup(arena, clean);
	return *out ? NULL : arena_exhausted();
}

static bool is_set(char *const *env, const char *name)
{
	size_t len = strlen(name);

	for (; *env; env++)
		if (strncmp(*env, name, len) == 0 && (*env)[len] == '=')
			return true;
	return false;
}

/* The program's environment: of equal names the last wins, as a shell would have it. What has no
 * "=" is no variable. */
static error *make_env(struct life *l, uint32_t listen_fds)
{
	const struct texts *given = &l->process->env;
	char **env = arena_array_of(l->arena, char *, given->n + 4);
	size_t n = 0;

	if (!env)
		return arena_exhausted();
	for (size_t i = 0; i < given->n; i++) {
		char name[256];
		size_t len = strcspn(given->v[i], "=");
		if (!given->v[i][len] || len >= sizeof(name)) {
			env[n++] = given->v[i];
			continue;
		}
		memcpy(name, given->v[i], len);
		name[len] = '\0';
		if (!is_set(given->v + i + 1, name))
			env[n++] = given->v[i];
	}
	if (l->notifies)
		env[n++] = arena_strdup(l->arena, "NOTIFY_SOCKET=" NOTIFY_TARGET "/notify");
	if (listen_fds) { /* sd_listen_fds(3): the program is process 1 of its namespace */
		env[n++] = arena_printf(l->arena, "LISTEN_FDS=%u", listen_fds);
		env[n++] = arena_strdup(l->arena, "LISTEN_PID=1");
	}
	l->env = env;
	return NULL;
}

/* Sockets that a supervisor hands down begin at 3; they come in addition to --preserve-fds. */
static error *count_preserved(struct life *l, uint32_t preserve_fds, uint32_t *listen_fds)
{
	const char *listen = getenv("LISTEN_FDS");

	*listen_fds = 0;
	if (listen && !text_to_u32(listen, listen_fds))
		return error_said(EINVAL, "LISTEN_FDS: '%s' is not a number", listen);
	l->preserve_fds = preserve_fds + *listen_fds;
	for (uint32_t i = 0; i < l->preserve_fds; i++) {
		/* one that is closed on exec did not come from the caller: it is ours */
		int flags = fcntl((int)(3 + i), F_GETFD);
		if (flags < 0 || flags & FD_CLOEXEC)
			return error_said(EBADF, "descriptor %u, which is to be kept, is not open",
					  3 + i);
	}
	return NULL;
}

error *life_set_filter(struct life *l, const struct sock_fprog *filter, unsigned flags)
{
	struct sock_filter *copy;

	if (!filter)
		return NULL;
	copy = arena_array_of(l->arena, struct sock_filter, filter->len + 1U);
	if (!copy)
		return arena_exhausted();
	for (unsigned i = 0; i < filter->len; i++)
		copy[i] = filter->filter[i];
	l->filter = (struct sock_fprog){ .len = filter->len, .filter = copy };
	l->filter_flags = flags;
	l->has_filter = true;
	return NULL;
}

error *life_set_process(struct life *l, const struct spec_process *process, uint32_t preserve_fds)
{
	uint32_t listen_fds;

	l->process = process;
	if (!process)
		return NULL;
	try(count_preserved(l, preserve_fds, &listen_fds));
	if (l->preserve_fds && l->vm)
		return error_said(ENOTSUP, "--preserve-fds, LISTEN_FDS: descriptors cannot go into "
					   "a sandbox");
	try(make_env(l, listen_fds));
	l->has_console = process->terminal;
	/* a sandbox's filter is for the guest */
	const struct spec_seccomp *seccomp =
		l->vm ? l->vm->asked->linux_->seccomp : l->spec->linux_->seccomp;
	if (seccomp && !l->has_filter)
		try(seccomp_compile(seccomp, l->arena, &l->filter, &l->filter_flags));
	return NULL;
}

/* A root that is a file is an image, which only the guest mounts. */
static error *find_root_image(struct life *l, const struct spec *asked)
{
	const char *path;
	struct stat st;

	try(absolute_in_arena(l->arena, l->bundle, asked->root->path, &path));
	if (stat(path, &st) == 0 && (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode)))
		l->vm->root_image = path;
	return NULL;
}

/* A sandbox walks another table, with the host's part of config.json. */
static error *make_sandbox(const struct container_options *o, struct life *l)
{
	enum vm_choice choice;
	const struct spec *asked = l->spec;

	try(vm_choose(asked, o->sandbox, &choice));
	if (choice == VM_NONE)
		return NULL;
	l->vm = arena_new_of(l->arena, struct vm);
	if (!l->vm)
		return arena_exhausted();
	l->vm->engine = choice;
	l->plan = vm_life;
	try(vm_with_options(asked, &o->vm, l->arena, &asked));
	if (l->network && l->network->names)
		try(vm_with_names(asked, l->network->names, l->arena, &asked));
	try(find_root_image(l, asked));
	try(vm_find_vsock(asked, o->vm.vsock, l->arena, &l->vm->vsock));
	return vm_divide(asked, l->rootless, l->arena, l->vm, &l->spec);
}

static error *read_config(const struct container_options *o, struct life *l)
{
	auto_free char *text = NULL;
	const struct spec *spec;
	const char *name = o->config ? o->config : "config.json";

	if (o->config)
		try(file_read(AT_FDCWD, o->config, (size_t)16 << 20, &text, &l->config_len));
	else
		try_as(file_read(AT_FDCWD, arena_printf(l->arena, "%s/config.json", l->bundle),
				 (size_t)16 << 20, &text, &l->config_len),
		       "bundle %s", o->bundle);
	l->config = arena_strndup(l->arena, text, l->config_len);
	if (!l->config)
		return arena_exhausted();
	try_as(spec_read(text, l->config_len, l->arena, &spec), "%s", name);
	if (l->rootless)
		try(rootless_complete(spec, l->arena, &spec));
	l->spec = spec;
	return NULL;
}

/* What state.json will say. */
static error *make_fixed(const struct runtime *rt, const struct container_options *o,
			 struct life *l)
{
	static const char *const managers[] = { "cgroupfs", "systemd", "disabled" };
	struct state_fixed *f = l->fixed = arena_new_of(l->arena, struct state_fixed);
	struct timespec now;
	struct tm tm;
	char date[32];

	if (!f)
		return arena_exhausted();
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	f->oci_version = arena_strdup(l->arena, SPEC_VERSION);
	f->id = (char *)l->id;
	f->bundle = (char *)(o->shown_bundle ? o->shown_bundle : l->bundle);
	f->rootfs = (char *)l->rootfs;
	f->created = arena_printf(l->arena, "%s.%09ldZ", date, now.tv_nsec);
	f->uid = geteuid();
	/* no name service is loaded for this: root has a name, others a number */
	f->owner = geteuid() ? arena_printf(l->arena, "%u", geteuid())
			     : arena_strdup(l->arena, "root");
	f->cgroup_manager = arena_strdup(l->arena, managers[rt->cgroup_manager]);
	f->rootless = rt->rootless;
	f->sandbox = l->vm != NULL;
	if (l->vm)
		f->led_network = spec_namespace(l->spec, NS_NETWORK)->path;
	f->vsock = l->vm ? (char *)l->vm->vsock : NULL;
	if (l->vm && l->vm->n_disks)
		f->disks = (struct texts){ (char **)l->vm->disk_paths, l->vm->n_disks };
	f->detached = o->detach;
	f->container_dir = o->container_dir ? arena_strdup(l->arena, o->container_dir) : NULL;
	f->annotations = l->spec->annotations;
	f->names = l->network ? (char *)l->network->names : NULL;
	return NULL;
}

/* The container's root as the host sees it: whose a delegated cgroup shall be. */
static uint32_t host_id(const struct spec_id_map *maps, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (maps[i].container_id == 0)
			return maps[i].host_id;
	return 0;
}

static error *make_cgroup_request(const struct runtime *rt, struct life *l)
{
	struct cgroup_request *r = l->cgroup_request =
		arena_new_of(l->arena, struct cgroup_request);
	const struct spec_linux *x = l->spec->linux_;

	if (!r)
		return arena_exhausted();
	/* "owned by the container's root when it has a cgroup namespace of its own and may write
	 * there" */
	bool writable = false;
	for (size_t i = 0; i < l->mounts.n; i++)
		writable |= l->mounts.v[i].op == MOUNT_CGROUP &&
			    !(l->mounts.v[i].attr_set & MOUNT_ATTR_RDONLY);
	*r = (struct cgroup_request){
		.manager = rt->cgroup_manager,
		.path = x->cgroups_path,
		.id = l->id,
		.rootless = rt->rootless,
		.resources = x->resources,
		.delegate = writable && maps_users(l) && makes_namespace(l, NS_CGROUP),
		.owner = host_id(x->uid_mappings.v, x->uid_mappings.n),
		.owner_group = host_id(x->gid_mappings.v, x->gid_mappings.n),
	};
	l->has_cgroup = rt->cgroup_manager != CGROUP_DISABLED;
	/* no row for it, but a limit that is asked for must not go unheard */
	return l->has_cgroup ? NULL : cgroup_create(r, &l->cgroup);
}

static error *make_mounts(struct life *l)
{
	struct mounts_facts facts = { .bundle = l->bundle,
				      .names = l->network && !l->vm ? l->network->names : NULL };
	auto_free char *cgroup_root = NULL;

	for (size_t i = 0; i < l->spec->mounts.n && !cgroup_root; i++)
		if (l->spec->mounts.v[i].type && strcmp(l->spec->mounts.v[i].type, "cgroup") == 0) {
			auto_error error *none = cgroup_mount_path(&cgroup_root);
		}
	facts.cgroup_root = cgroup_root;
	if (notify_is_wanted() && !l->vm) {
		l->notifies = true;
		facts.notify = arena_printf(l->arena, "%s/%s/notify", l->state_root, l->id);
		facts.notify_target = NOTIFY_TARGET;
	}
	return mounts_plan(l->spec, &facts, l->arena, &l->mounts);
}

error *life_of_bundle(const struct runtime *rt, const struct container_options *o,
		      struct life **out)
{
	auto_life struct life *l = NULL;

	try(life_new(rt, &l));
	l->plan = container_life;
	l->plan_name = arena_strdup(l->arena, "container");
	l->id = arena_strdup(l->arena, o->id);
	l->detached = o->detach;
	l->no_pivot = o->no_pivot;
	l->no_new_keyring = o->no_new_keyring;
	try(absolute_in_arena(l->arena, ".", o->bundle, &l->bundle));
	try(read_config(o, l));
	try(network_settle(rt, o, l));
	try(make_sandbox(o, l));
	try(absolute_in_arena(l->arena, l->bundle, l->spec->root->path, &l->rootfs));
	try_as(make_mounts(l), "config.json");
	try(make_fixed(rt, o, l));
	try(make_cgroup_request(rt, l));
	try(life_set_filter(l, o->filter, o->filter_flags));
	try_as(life_set_process(l, l->spec->process, o->preserve_fds), "config.json");
	*out = take_ptr(&l);
	return NULL;
}
