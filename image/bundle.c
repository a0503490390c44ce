#include "image/bundle.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/overlay.h"
#include "base/path.h"
#include "base/text.h"

#define PATH_DEFAULT "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static bool has_variable(const struct texts *env, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < env->n; i++)
		if (strncmp(env->v[i], name, len) == 0 && env->v[i][len] == '=')
			return true;
	return false;
}

static error *convert_env(const struct image_execution *c, bool strict, struct arena *arena,
			  struct conversion *out)
{
	char **v = arena_array_of(arena, char *, c->env.n + 3);
	const char *home = out->user.home ? out->user.home : "/";

	if (!v)
		return arena_exhausted();
	out->env = (struct texts){ v, 0 };
	for (size_t i = 0; i < c->env.n; i++) {
		const char *equals = strchr(c->env.v[i], '=');
		if (equals && equals != c->env.v[i]) {
			v[out->env.n++] = c->env.v[i];
			continue;
		}
		if (strict)
			return error_said(EINVAL, "Env: '%s' is not NAME=VALUE", c->env.v[i]);
		log_warning("Env: '%s' is not NAME=VALUE: left out", c->env.v[i]);
	}
	if (!has_variable(&out->env, "PATH"))
		v[out->env.n++] = (char *)PATH_DEFAULT;
	if (!has_variable(&out->env, "HOME")) {
		v[out->env.n] = arena_printf(arena, "HOME=%s", home);
		if (!v[out->env.n++])
			return arena_exhausted();
	}
	return NULL;
}

/* An absolute path, clean. ".." that leads out of the root is refused rather than cut off: whoever
 * wrote it wanted to get out (podman CVE-2026-55686). */
static error *clean_inside(const char *what, const char *path, struct arena *arena,
			   const char **out)
{
	int depth = 0;

	if (path[0] != '/')
		return error_said(EINVAL, "%s: '%s' is not absolute", what, path);
	for (const char *part = path; *part;) {
		size_t n = strcspn(part, "/");
		if (n == 2 && part[0] == '.' && part[1] == '.')
			depth--;
		else if (n && !(n == 1 && part[0] == '.'))
			depth++;
		if (depth < 0)
			return error_said(EINVAL, "%s: '%s' leads out of the root", what, path);
		part += n + (part[n] == '/');
	}
	auto_free char *clean = path_clean(path);
	*out = clean ? arena_strdup(arena, clean) : NULL;
	return *out ? NULL : arena_exhausted();
}

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static error *convert_volumes(const struct image_execution *c, struct arena *arena,
			      struct conversion *out)
{
	char **v = arena_array_of(arena, char *, c->volumes.n + 1);

	if (!v)
		return arena_exhausted();
	for (size_t i = 0; i < c->volumes.n; i++) {
		try(clean_inside("Volumes", c->volumes.v[i].key, arena, (const char **)&v[i]));
		if (strcmp(v[i], "/") == 0 || strcmp(v[i], "/proc") == 0 ||
		    text_starts(v[i], "/proc/"))
			return error_said(EINVAL, "Volumes: '%s' cannot be one",
					  c->volumes.v[i].key);
	}
	qsort(v, c->volumes.n, sizeof(*v), compare_texts);
	out->volumes = (struct texts){ v, c->volumes.n };
	return NULL;
}

/* Annotations that steer a runtime are for who starts the container. Labels come with the image:
 * one of these names would let a stranger choose what runs on the host (containerd CVE-2026-53488).
 */
static bool steers_a_runtime(const char *key)
{
	static const char *const starts[] = {
		"run.oci.",       "org.skiff.",     "skiff.",           "run.skiff.",
		"io.kubernetes.", "io.containerd.", "io.podman.",       "io.katacontainers.",
		"org.systemd.",   "module.wasm.",   "io.kubernetes.cri"
	};

	for (size_t i = 0; i < COUNT(starts); i++)
		if (text_starts(key, starts[i]))
			return true;
	return false;
}

static error *add_annotation(struct pairs *to, struct arena *arena, const char *key,
			     const char *value)
{
	if (!value || !*value || pairs_find(to, key))
		return NULL;
	to->v[to->n].key = arena_strdup(arena, key);
	to->v[to->n].value = arena_strdup(arena, value);
	if (!to->v[to->n].key || !to->v[to->n].value)
		return arena_exhausted();
	to->n++;
	return NULL;
}

static error *join(char *const *v, size_t n, struct arena *arena, const char **out)
{
	const char *all = "";

	for (size_t i = 0; i < n && all; i++)
		all = arena_printf(arena, "%s%s%s", all, i ? "," : "", v[i]);
	*out = all;
	return all ? NULL : arena_exhausted();
}

#define ANNOTATION "org.opencontainers.image."

/* Labels first: "Labels ... override the annotations that other fields lead to" (conversion.md). */
static error *convert_annotations(const struct image_config *c, struct arena *arena,
				  struct conversion *out)
{
	const struct pairs *labels = &c->config->labels;
	const size_t n_ports = c->config->exposed_ports.n;
	char **ports = arena_array_of(arena, char *, n_ports + 1);
	const char *port_list;
	const char *features;

	out->annotations = (struct pairs){ arena_array_of(arena, struct pair, labels->n + 16), 0 };
	if (!ports || !out->annotations.v)
		return arena_exhausted();
	for (size_t i = 0; i < n_ports; i++)
		ports[i] = c->config->exposed_ports.v[i].key;
	qsort(ports, n_ports, sizeof(*ports), compare_texts);
	try(join(ports, n_ports, arena, &port_list));
	try(join(c->os_features.v, c->os_features.n, arena, &features));
	for (size_t i = 0; i < labels->n; i++)
		if (*labels->v[i].key && !steers_a_runtime(labels->v[i].key))
			try(add_annotation(&out->annotations, arena, labels->v[i].key,
					   labels->v[i].value));
	const struct {
		const char *key, *value;
	} fields[] = {
		{ ANNOTATION "os", c->os },
		{ ANNOTATION "architecture", c->architecture },
		{ ANNOTATION "variant", c->variant },
		{ ANNOTATION "os.version", c->os_version },
		{ ANNOTATION "os.features", features },
		{ ANNOTATION "author", c->author },
		{ ANNOTATION "created", c->created },
		{ ANNOTATION "stopSignal", c->config->stop_signal },
		{ ANNOTATION "exposedPorts", port_list },
	};
	for (size_t i = 0; i < COUNT(fields); i++)
		try(add_annotation(&out->annotations, arena, fields[i].key, fields[i].value));
	return NULL;
}

error *convert(const struct image_config *c, const struct lower_dir *roots, bool userxattr,
	       const char *user, bool strict, struct arena *arena, struct conversion *out)
{
	const struct image_execution *x = c->config;
	struct conversion result = { 0 };
	size_t n = 0;

	try_as(user_find(roots, userxattr, user ? user : x->user, arena, &result.user), "User");
	result.args.v = arena_array_of(arena, char *, x->entrypoint.n + x->cmd.n + 1);
	if (!result.args.v)
		return arena_exhausted();
	for (size_t i = 0; i < x->entrypoint.n; i++)
		result.args.v[n++] = x->entrypoint.v[i];
	for (size_t i = 0; i < x->cmd.n; i++)
		result.args.v[n++] = x->cmd.v[i];
	result.args.n = n;
	try(clean_inside("WorkingDir", x->working_dir && *x->working_dir ? x->working_dir : "/",
			 arena, &result.cwd));
	try(convert_env(x, strict, arena, &result));
	try(convert_volumes(x, arena, &result));
	try(convert_annotations(c, arena, &result));
	*out = result;
	return NULL;
}

/* --- config.json --- */

/* What container engines leave a program by default; bit numbers are looked up by name. */
static const char *const default_capabilities[] = {
	"CAP_CHOWN",   "CAP_DAC_OVERRIDE", "CAP_FSETID",           "CAP_FOWNER",
	"CAP_MKNOD",   "CAP_NET_RAW",      "CAP_SETGID",           "CAP_SETUID",
	"CAP_SETFCAP", "CAP_SETPCAP",      "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT",
	"CAP_KILL",    "CAP_AUDIT_WRITE",
};

static error *set_capabilities(struct spec_process *p, struct arena *arena)
{
	struct spec_capabilities *c = arena_new_of(arena, struct spec_capabilities);
	struct mask all = { .set = true };

	if (!c)
		return arena_exhausted();
	for (size_t i = 0; i < COUNT(default_capabilities); i++) {
		const struct name *name = name_find(&capability_names, default_capabilities[i]);
		if (name)
			all.bits |= 1ULL << name->value;
	}
	/* none inheritable: what the program starts gains nothing by itself (CVE-2022-24769) */
	c->bounding = c->permitted = c->effective = all;
	p->capabilities = c;
	return NULL;
}

error *bundle_overlay(const struct texts *lower, const char *upper, const char *work,
		      bool userxattr, struct arena *arena, struct spec_mount *out)
{
	char **options = arena_array_of(arena, char *, 6);
	auto_free char *layers = overlay_layers(lower->v, lower->n);
	size_t n = 0;

	if (!options || !layers)
		return arena_exhausted();
	options[n++] = arena_strdup(arena, layers);
	options[n++] = arena_printf(arena, "upperdir=%s", upper);
	options[n++] = arena_printf(arena, "workdir=%s", work);
	options[n++] =
		arena_strdup(arena, "nodev"); /* what devices an image brings along are none */
	if (userxattr)
		options[n++] = arena_strdup(arena, "userxattr");
	*out = (struct spec_mount){ .destination = (char *)"/",
				    .type = (char *)"overlay",
				    .source = (char *)"overlay",
				    .options = { options, n } };
	return options[n - 1] ? NULL : arena_exhausted();
}

/* The overlay goes first, since all else is mounted in it; volumes go last. */
static error *add_mounts(struct spec *s, const struct bundle *b, struct arena *arena)
{
	static char *const options[] = { "nosuid", "nodev", "mode=0755", NULL };
	const struct texts *volumes = &b->conversion->volumes;
	struct spec_mount *v =
		arena_array_of(arena, struct spec_mount, s->mounts.n + volumes->n + 2);
	size_t n = 0;

	if (!v)
		return arena_exhausted();
	if (b->root)
		v[n++] = *b->root;
	memcpy(v + n, s->mounts.v, s->mounts.n * sizeof(*v));
	n += s->mounts.n;
	for (size_t i = 0; i < volumes->n; i++)
		v[n++] = (struct spec_mount){
			.destination = volumes->v[i],
			.type = (char *)"tmpfs",
			.source = (char *)"tmpfs",
			.options = { (char **)options, COUNT(options) - 1 },
		};
	s->mounts.v = v;
	s->mounts.n = n;
	return NULL;
}

error *bundle_spec(const struct bundle *b, struct arena *arena, struct spec **out)
{
	static char *const shell[] = { "sh", NULL };
	const struct conversion *c = b->conversion;
	struct spec *s = NULL;

	try(spec_example(b->n_uid_maps > 0, b->n_uid_maps ? b->uid_maps[0].host_id : 0,
			 b->n_gid_maps ? b->gid_maps[0].host_id : 0, arena, &s));
	struct spec_process *p = s->process;
	struct spec_user *user = arena_new_of(arena, struct spec_user);
	if (!user)
		return arena_exhausted();
	*user = (struct spec_user){ .uid = c->user.uid,
				    .gid = c->user.gid,
				    .additional_gids = c->user.more_gids };
	p->user = user;
	p->terminal = false;
	p->args = c->args.n ? c->args : (struct texts){ (char **)shell, 1 };
	p->env = c->env;
	p->cwd = (char *)c->cwd;
	p->no_new_privileges = false;
	try(set_capabilities(p, arena));
	try(add_mounts(s, b, arena));
	s->annotations = c->annotations;
	if (b->n_uid_maps) {
		s->linux_->uid_mappings.v = (struct spec_id_map *)b->uid_maps;
		s->linux_->uid_mappings.n = b->n_uid_maps;
		s->linux_->gid_mappings.v = (struct spec_id_map *)b->gid_maps;
		s->linux_->gid_mappings.n = b->n_gid_maps;
	}
	*out = s;
	return NULL;
}
