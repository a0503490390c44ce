/* HOST: namespaces that exist, and the maps of a new user namespace. */
#include <fcntl.h>
#include <linux/nsfs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/text.h"
#include "runtime/helper.h"
#include "runtime/steps.h"

/* The file must be a namespace, and of the type that config.json says. */
error *host_open_namespaces(struct life *l)
{
	l->join_fds = arena_array_of(l->arena, int, NS_COUNT);
	if (!l->join_fds)
		return arena_exhausted();
	for (int type = 0; type < NS_COUNT; type++)
		l->join_fds[type] = -1;
	for (int type = 0; type < NS_COUNT; type++) {
		if (!joins_namespace(l, type))
			continue;
		const char *path = spec_namespace(l->spec, type)->path;
		auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return error_errno("open the namespace %s", path);
		int found = ioctl(fd, NS_GET_NSTYPE);
		if (found < 0 || (uint64_t)found != spec_namespaces[type].clone_flag)
			return error_new(found < 0 ? errno : 0, "%s is not a %s namespace", path,
					 name_of(&namespace_names, type));
		l->join_fds[type] = take_fd(&fd);
	}
	return NULL;
}

static error *map_text(const struct spec_id_map *maps, size_t n, char *text, size_t size)
{
	size_t used = 0;

	for (size_t i = 0; i < n; i++) {
		int len = snprintf(text + used, size - used, "%u %u %u\n", maps[i].container_id,
				   maps[i].host_id, maps[i].size);
		if (len < 0 || (size_t)len >= size - used)
			return error_new(E2BIG, "%zu id mappings", n);
		used += (size_t)len;
	}
	return NULL;
}

/* newuidmap(1) and newgidmap(1) are setuid: they let a user map what /etc/subuid gives it. */
static error *map_with_helper(const char *program, pid_t pid, const struct spec_id_map *maps,
			      size_t n)
{
	struct strings argv = { 0 };
	char number[16];
	error *e;

	snprintf(number, sizeof(number), "%d", pid);
	e = strings_add(&argv, program);
	if (!e)
		e = strings_add(&argv, number);
	for (size_t i = 0; !e && i < n; i++) {
		const uint32_t fields[] = { maps[i].container_id, maps[i].host_id, maps[i].size };
		for (size_t f = 0; !e && f < COUNT(fields); f++) {
			snprintf(number, sizeof(number), "%u", fields[f]);
			e = strings_add(&argv, number);
		}
	}
	if (!e)
		e = helper_run(argv.v);
	strings_free(&argv);
	return e;
}

static error *write_map(struct life *l, const char *file, const char *helper,
			const struct spec_id_map *maps, size_t n)
{
	char path[48];
	char text[4096];

	snprintf(path, sizeof(path), "/proc/%d/%s", l->init, file);
	try(map_text(maps, n, text, sizeof(text)));
	auto_error error *e = file_write(AT_FDCWD, path, text);
	if (!e || error_code(e) != EPERM || !l->rootless)
		return take_ptr(&e);
	/* more than oneself, which takes the helper */
	error *second = map_with_helper(helper, l->init, maps, n);
	return second ? error_wrap(second, "map users and groups") : NULL;
}

error *host_write_maps(struct life *l)
{
	const struct spec_linux *x = l->spec->linux_;
	char path[48];

	/* an ordinary user may map its own group only when groups can no longer be dropped */
	if (l->rootless && x->gid_mappings.n == 1 && x->gid_mappings.v[0].size == 1) {
		snprintf(path, sizeof(path), "/proc/%d/setgroups", l->init);
		try(file_write(AT_FDCWD, path, "deny"));
	}
	if (!x->uid_mappings.n)
		return error_said(0, ".linux.uidMappings: a new user namespace needs mappings");
	try(write_map(l, "gid_map", "newgidmap", x->gid_mappings.v, x->gid_mappings.n));
	return write_map(l, "uid_map", "newuidmap", x->uid_mappings.v, x->uid_mappings.n);
}

error *host_set_oom_score(struct life *l)
{
	char path[48];
	char text[16];

	snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", l->init);
	snprintf(text, sizeof(text), "%lld", (long long)l->process->oom_score_adj.value);
	try_as(file_write(AT_FDCWD, path, text), ".process.oomScoreAdj");
	return NULL;
}
