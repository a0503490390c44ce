/* From wishes to a config.json: the example, with what users of podman and docker expect of a
 * container. */
#include <linux/capability.h>
#include <string.h>

#include "base/overlay.h"
#include "base/text.h"
#include "spec.h"

#define BIT(cap) (1ULL << CAP_##cap)
static const uint64_t default_capabilities =
	BIT(CHOWN) | BIT(DAC_OVERRIDE) | BIT(FSETID) | BIT(FOWNER) | BIT(MKNOD) | BIT(NET_RAW) |
	BIT(SETGID) | BIT(SETUID) | BIT(SETFCAP) | BIT(SETPCAP) | BIT(NET_BIND_SERVICE) |
	BIT(SYS_CHROOT) | BIT(KILL) | BIT(AUDIT_WRITE);

static error *capability_bits(const struct texts *words, const char *option, uint64_t *out)
{
	*out = 0;
	for (size_t i = 0; i < words->n; i++) {
		char name[64] = "CAP_";
		const char *word = words->v[i];
		size_t used = text_starts(word, "CAP_") ? 0 : 4;
		if (strcmp(word, "ALL") == 0 || strcmp(word, "all") == 0) {
			for (size_t c = 0; c < capability_names.n; c++)
				*out |= 1ULL << capability_names.list[c].value;
			continue;
		}
		if (strlen(word) + used < sizeof(name))
			memcpy(name + used, word, strlen(word) + 1);
		const struct name *cap = name_find(&capability_names, name);
		if (!cap)
			return error_said(EINVAL, "%s: '%s' is not a capability", option, word);
		*out |= 1ULL << cap->value;
	}
	return NULL;
}

/* A program that is not root's has none, but may get the bounding ones through files that carry
 * them. */
static error *set_capabilities(const struct container_wishes *w, struct arena *arena,
			       struct spec_process *p)
{
	struct spec_capabilities *c = arena_new_of(arena, struct spec_capabilities);
	uint64_t add;
	uint64_t drop;

	if (!c)
		return arena_exhausted();
	try(capability_bits(&w->cap_add, "--cap-add", &add));
	try(capability_bits(&w->cap_drop, "--cap-drop", &drop));
	uint64_t bits = (default_capabilities & ~drop) | add;
	c->bounding = (struct mask){ true, bits };
	c->permitted = c->effective = (struct mask){ true, w->user.uid == 0 ? bits : add };
	if (w->user.uid != 0)
		c->inheritable = c->ambient = (struct mask){ true, add };
	p->capabilities = c;
	return NULL;
}

/* "KEY=VALUE" over those of the same key that came before is the runtime's rule; a key alone was
 * looked up by cli. */
static error *set_process(const struct container_wishes *w, struct arena *arena, struct spec *s)
{
	struct spec_process *p = s->process;
	char **env = arena_array_of(arena, char *, w->env.n + 4);
	struct spec_user *user = arena_new_of(arena, struct spec_user);
	size_t n = 0;

	if (!env || !user)
		return arena_exhausted();
	env[n++] = arena_strdup(arena, "container=skiff");
	env[n++] = arena_printf(arena, "HOSTNAME=%s", s->hostname);
	if (w->terminal)
		env[n++] = arena_strdup(arena, "TERM=xterm");
	for (size_t i = 0; i < w->env.n; i++)
		env[n++] = w->env.v[i];
	*user = w->user;
	p->env = (struct texts){ env, n };
	p->args = w->args;
	p->cwd = (char *)w->cwd;
	p->user = user;
	p->terminal = w->terminal;
	p->no_new_privileges = w->no_new_privileges;
	p->rlimits.n = 0;
	return set_capabilities(w, arena, p);
}

static error *overlay_mount(const struct container_wishes *w, struct arena *arena,
			    struct spec_mount *m)
{
	char **options = arena_array_of(arena, char *, 6);
	auto_free char *layers = overlay_layers(w->lower.v, w->lower.n);
	size_t n = 0;

	if (!options || !layers)
		return arena_exhausted();
	options[n++] = arena_strdup(arena, layers);
	options[n++] = arena_printf(arena, "upperdir=%s", w->upper);
	options[n++] = arena_printf(arena, "workdir=%s", w->work);
	options[n++] =
		arena_strdup(arena, "nodev"); /* what devices an image brings along are none */
	if (w->userxattr)
		options[n++] = arena_strdup(arena, "userxattr");
	*m = (struct spec_mount){ .destination = arena_strdup(arena, "/"),
				  .type = arena_strdup(arena, "overlay"),
				  .source = arena_strdup(arena, "overlay"),
				  .options = { options, n } };
	return m->source && options[n - 1] ? NULL : arena_exhausted();
}

/* SOURCE:TARGET[:OPTION,...] */
static error *bind_mount(const char *text, struct arena *arena, struct spec_mount *m)
{
	char *copy = arena_strdup(arena, text);
	char **options = arena_array_of(arena, char *, 16);
	size_t n = 0;

	if (!copy || !options)
		return arena_exhausted();
	m->source = strsep(&copy, ":");
	m->destination = strsep(&copy, ":");
	if (!m->destination || m->source[0] != '/' || m->destination[0] != '/')
		return error_said(EINVAL, "--volume: '%s' is not /SOURCE:/TARGET[:OPTION,...]",
				  text);
	options[n++] = arena_strdup(arena, "rbind");
	options[n++] = arena_strdup(arena, "rprivate");
	for (char *word; copy && (word = strsep(&copy, ",")) && n < 14;)
		if (*word && strcmp(word, "z") != 0 && strcmp(word, "Z") != 0)
			options[n++] = word;
	m->type = arena_strdup(arena, "bind");
	m->options = (struct texts){ options, n };
	return m->type ? NULL : arena_exhausted();
}

static error *tmpfs_mount(char *target, struct arena *arena, struct spec_mount *m)
{
	static const char *const words[] = { "tmpcopyup", "nosuid", "nodev" };
	char **options = arena_array_of(arena, char *, COUNT(words) + 1);

	if (!options)
		return arena_exhausted();
	for (size_t i = 0; i < COUNT(words); i++)
		options[i] = arena_strdup(arena, words[i]);
	*m = (struct spec_mount){ .destination = target,
				  .type = arena_strdup(arena, "tmpfs"),
				  .source = arena_strdup(arena, "tmpfs"),
				  .options = { options, COUNT(words) } };
	return m->source ? NULL : arena_exhausted();
}

static error *set_shm_size(int64_t size, struct arena *arena, const struct spec *s)
{
	char *option = arena_printf(arena, "size=%lld", (long long)size);

	for (size_t i = 0; i < s->mounts.n; i++) {
		const struct spec_mount *m = &s->mounts.v[i];
		for (size_t at = 0; strcmp(m->destination, "/dev/shm") == 0 && at < m->options.n;
		     at++)
			if (text_starts(m->options.v[at], "size="))
				m->options.v[at] = option;
	}
	return option ? NULL : arena_exhausted();
}

/* TARGET[:OPTION,...] */
static error *tmpfs_wish(const char *text, struct arena *arena, struct spec_mount *m)
{
	char *copy = arena_strdup(arena, text);
	char **options = arena_array_of(arena, char *, 20);

	if (!copy || !options)
		return arena_exhausted();
	char *target = strsep(&copy, ":");
	if (target[0] != '/')
		return error_said(EINVAL, "--tmpfs: '%s' is not /TARGET[:OPTION,...]", text);
	try(tmpfs_mount(target, arena, m));
	memcpy(options, m->options.v, m->options.n * sizeof(*options));
	for (char *word; copy && (word = strsep(&copy, ",")) && m->options.n < 18;)
		if (*word)
			options[m->options.n++] = word;
	m->options.v = options;
	return NULL;
}

/* Where programs expect to be able to write, though the root cannot be written. */
static char *const writable[] = { (char *)"/run", (char *)"/tmp", (char *)"/var/tmp" };

static error *set_mounts(const struct container_wishes *w, struct arena *arena, struct spec *s)
{
	size_t usual = s->mounts.n;
	size_t more = COUNT(writable) + w->volumes.n + w->tmpfs.n + w->binds.n;
	struct spec_mount *mounts = arena_array_of(arena, struct spec_mount, usual + more + 2);
	size_t n = 0;

	if (!mounts)
		return arena_exhausted();
	if (w->shm_size.set)
		try(set_shm_size(w->shm_size.value, arena, s));
	try(overlay_mount(w, arena, &mounts[n++]));
	memcpy(&mounts[n], s->mounts.v, usual * sizeof(*mounts));
	n += usual;
	for (size_t i = 0; w->read_only && i < COUNT(writable); i++)
		try(tmpfs_mount(writable[i], arena, &mounts[n++]));
	for (size_t i = 0; i < w->tmpfs.n; i++)
		try(tmpfs_wish(w->tmpfs.v[i], arena, &mounts[n++]));
	for (size_t i = 0; i < w->volumes.n; i++)
		try(tmpfs_mount(w->volumes.v[i], arena, &mounts[n++]));
	for (size_t i = 0; i < w->binds.n; i++)
		try(bind_mount(w->binds.v[i], arena, &mounts[n++]));
	s->mounts.v = mounts;
	s->mounts.n = n;
	return NULL;
}

static error *set_resources(const struct container_wishes *w, struct arena *arena,
			    struct spec_resources *r)
{
	r->memory = arena_new_of(arena, struct spec_memory);
	r->cpu = arena_new_of(arena, struct spec_cpu);
	r->pids = arena_new_of(arena, struct spec_pids);
	if (!r->memory || !r->cpu || !r->pids)
		return arena_exhausted();
	r->memory->limit = w->memory;
	r->cpu->quota = w->cpu_quota;
	if (w->cpu_quota.set)
		r->cpu->period = (struct opt_u64){ true, 100000 };
	r->pids->limit = w->pids;
	return NULL;
}

static void leave_out_namespace(struct spec_linux *l, enum namespace_type type)
{
	size_t n = 0;

	for (size_t i = 0; i < l->namespaces.n; i++)
		if (l->namespaces.v[i].type.value != (int64_t)type)
			l->namespaces.v[n++] = l->namespaces.v[i];
	l->namespaces.n = n;
}

static error *set_user_namespace(const struct container_wishes *w, struct arena *arena,
				 struct spec_linux *l)
{
	struct spec_namespace *list =
		arena_array_of(arena, struct spec_namespace, l->namespaces.n + 1);

	if (!list)
		return arena_exhausted();
	memcpy(list, l->namespaces.v, l->namespaces.n * sizeof(*list));
	list[l->namespaces.n++] = (struct spec_namespace){ .type = { true, NS_USER } };
	l->namespaces.v = list;
	l->uid_mappings.v = (struct spec_id_map *)w->uid_mappings;
	l->uid_mappings.n = w->n_uid_mappings;
	l->gid_mappings.v = (struct spec_id_map *)w->gid_mappings;
	l->gid_mappings.n = w->n_gid_mappings;
	return NULL;
}

error *spec_container(const struct container_wishes *w, struct arena *arena, struct spec **out)
{
	struct spec *s;

	try(spec_example(false, 0, 0, arena, &s));
	s->hostname =
		w->hostname ? (char *)w->hostname : arena_strndup(arena, w->id, strnlen(w->id, 12));
	s->root->path = (char *)w->rootfs;
	s->root->readonly = w->read_only;
	s->annotations = w->annotations;
	if (!s->hostname)
		return arena_exhausted();
	try(set_process(w, arena, s));
	try(set_mounts(w, arena, s));
	try(set_resources(w, arena, s->linux_->resources));
	if (w->host_network)
		leave_out_namespace(s->linux_, NS_NETWORK);
	if (w->n_uid_mappings)
		try(set_user_namespace(w, arena, s->linux_));
	try(spec_default_seccomp(s->process->capabilities->bounding.bits, arena,
				 &s->linux_->seccomp));
	*out = s;
	return NULL;
}
