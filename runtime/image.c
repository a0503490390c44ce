/* `run --image`: skiff-image brings the layers and makes folders for the container; here they
 * become a bundle. */
#include "image.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/path.h"
#include "cgroup.h"
#include "runtime.h"
#include "runtime/helper.h"
#include "runtime/image_wishes.h"
#include "runtime/state.h"

enum { PIDS_DEFAULT = 2048 };

static error *add_pair(struct strings *argv, const char *option, const char *value)
{
	if (!value)
		return NULL;
	try(strings_add(argv, option));
	return strings_add(argv, value);
}

static error *prepare_words(const struct image_options *o, const char *id, struct strings *argv)
{
	auto_free char *program = NULL;

	try(helper_own("skiff-image", &program));
	try(strings_add(argv, program));
	try(add_pair(argv, "--root", o->store));
	try(strings_add(argv, "prepare"));
	try(strings_add(argv, "--quiet"));
	try(add_pair(argv, "--container", id));
	try(add_pair(argv, "--user", o->user));
	/* what is mounted there is more than the image has */
	if (o->cwd && !wish_mounts(o, o->cwd))
		try(add_pair(argv, "--workdir", o->cwd));
	for (size_t i = 0; i < o->binds.n; i++)
		if (wish_names_volume(o->binds.v[i]))
			try(add_pair(argv, "--volume", o->binds.v[i]));
	return strings_add(argv, o->image);
}

static error *prepare(const struct image_options *o, const char *id, struct arena *arena,
		      struct prepared_image *out)
{
	auto_free char *text = NULL;
	struct strings argv = { 0 };
	size_t len;
	error *e = prepare_words(o, id, &argv);

	if (!e)
		e = helper_output(argv.v, &text, &len);
	strings_free(&argv);
	try(e);
	try_as(rows_read(&prepared_image_shape, text, len, ROWS_LENIENT, arena, out),
	       "skiff-image prepare");
	if (!out->container || !out->upper || !out->work || !out->merged || !out->config ||
	    !out->lower.n)
		return error_new(0, "skiff-image prepare: said too little");
	return NULL;
}

error *image_program(char *const words[])
{
	return helper_become("skiff-image", words);
}

/* What runs: --entrypoint takes the place of both words of the image's, a command that of Cmd
 * alone. */
static error *choose_args(const struct image_options *o, const struct prepared_config *c,
			  struct arena *arena, struct texts *out)
{
	struct texts entry = c->entrypoint;
	struct texts cmd = o->command.n ? o->command : o->entrypoint ? (struct texts){ 0 } : c->cmd;

	if (o->entrypoint)
		try(wish_entrypoint(o->entrypoint, arena, &entry));
	char **v = arena_array_of(arena, char *, entry.n + cmd.n + 1);
	if (!v)
		return arena_exhausted();
	for (size_t i = 0; i < entry.n; i++)
		v[i] = entry.v[i];
	for (size_t i = 0; i < cmd.n; i++)
		v[entry.n + i] = cmd.v[i];
	*out = (struct texts){ v, entry.n + cmd.n };
	return out->n ? NULL : error_said(EINVAL, "the image names no program: give a command");
}

static error *make_bundle(const struct runtime *rt, const struct image_options *o, const char *id,
			  struct arena *arena, struct prepared_image *p)
{
	struct container_wishes w = {
		.id = id,
		.hostname = o->hostname,
		.rootfs = p->merged,
		.lower = p->lower,
		.upper = p->upper,
		.work = p->work,
		.userxattr = p->userxattr,
		.cwd = o->cwd ? o->cwd : p->config->working_dir,
		.tmpfs = o->tmpfs,
		.cap_add = o->cap_add,
		.cap_drop = o->cap_drop,
		.annotations = p->annotations,
		.terminal = o->terminal,
		.read_only = o->read_only,
		.host_network = o->host_network,
		.no_new_privileges = o->no_new_privileges,
		.memory = o->memory,
		.shm_size = o->shm_size,
		.cpu_quota = o->cpu_quota,
		.pids = o->pids,
		.uid_mappings = p->uid_mappings.v,
		.n_uid_mappings = p->uid_mappings.n,
		.gid_mappings = p->gid_mappings.v,
		.n_gid_mappings = p->gid_mappings.n,
	};
	auto_json struct json *j = NULL;
	struct spec *spec;
	const char *text;
	size_t len;

	if (p->user)
		w.user = (struct spec_user){ .uid = p->user->uid,
					     .gid = p->user->gid,
					     .additional_gids = p->user->more_gids };
	if (!w.cwd || !*w.cwd)
		w.cwd = "/";
	/* a fork bomb in a container that nobody gave a limit should not take the machine with it
	 */
	if (!w.pids.set && !rt->rootless && rt->cgroup_manager != CGROUP_DISABLED &&
	    cgroup_has_controller("pids"))
		w.pids = (struct opt_i64){ true, PIDS_DEFAULT };
	try(choose_args(o, p->config, arena, &w.args));
	try(wish_env(o, &p->config->env, arena, &w.env));
	try(wish_volumes(o, p, arena, &w.binds, &w.volumes));
	try(spec_container(&w, arena, &spec));
	try(json_new(JSON_INDENTED, &j));
	spec_write(spec, j);
	try(json_finish(j, &text, &len));
	return file_create(AT_FDCWD, arena_printf(arena, "%s/config.json", p->container), 0600,
			   text, len);
}

/* A container in the background must not hold whatever waits for our output: it reads nothing, and
 * writes to a file beside its layer. saved takes what 0, 1 and 2 were. */
static error *redirect(const char *container, int saved[3])
{
	auto_free char *path = path_join(container, "output.log");
	auto_fd int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	auto_fd int log = path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;

	if (null < 0 || log < 0)
		return error_errno("open output.log");
	for (int fd = 0; fd < 3; fd++) {
		saved[fd] = fcntl(fd, F_DUPFD_CLOEXEC, 3);
		if (saved[fd] < 0 || dup2(fd ? log : null, fd) < 0)
			return error_errno("redirect the output");
	}
	return NULL;
}

static void restore(const int saved[3])
{
	for (int fd = 0; fd < 3; fd++)
		if (saved[fd] >= 0) {
			dup2(saved[fd], fd);
			close(saved[fd]);
		}
}

static error *run_bundle(const struct runtime *rt, const struct container_options *c,
			 int *exit_code)
{
	int saved[3] = { -1, -1, -1 };

	if (!c->detach || c->console_socket)
		return container_run(rt, c, exit_code);
	error *e = redirect(c->container_dir, saved);
	if (!e)
		e = container_run(rt, c, exit_code);
	restore(saved);
	return e;
}

error *container_run_image(const struct runtime *rt, struct container_options *c,
			   const struct image_options *o, int *exit_code)
{
	auto_arena struct arena *arena = NULL;
	struct prepared_image p = { 0 };

	try(arena_new(&arena));
	try(prepare(o, c->id, arena, &p));
	c->bundle = p.container;
	c->container_dir = p.container;
	/* without a network it still knows its own name */
	if (!c->network.net && !c->network.ports.n && !c->network.ips.n && !c->network.mac)
		c->network.net = "none";
	c->keep = !o->remove && !c->detach;
	error *e = make_bundle(rt, o, c->id, arena, &p);
	if (!e)
		e = run_bundle(rt, c, exit_code);
	if (!e || state_exists(rt->root, c->id))
		return e;
	auto_error error *left = path_remove_tree(AT_FDCWD, p.container);
	return e;
}
