/* The configuration that `skiff spec` prints: a shell in busybox or Debian, in namespaces of its
 * own, with the capabilities that a program run by root needs least. */
#include <string.h>

#include "spec.h"

/* Read like any other configuration, so that it cannot drift from what the reader accepts. */
static const char example[] =
#include "spec/example.h"
	;

/* An ordinary user can map only itself, has no say over the host's network or cgroups, and cannot
 * mount a new sysfs: the host's, read-only, takes its place. */
static error *make_rootless(struct spec *s, uint32_t uid, uint32_t gid, struct arena *arena)
{
	struct spec_id_map *maps = arena_array_of(arena, struct spec_id_map, 2);
	struct spec_namespace *list =
		arena_array_of(arena, struct spec_namespace, s->linux_->namespaces.n + 1);
	size_t n = 0;

	if (!maps || !list)
		return arena_exhausted();
	for (size_t i = 0; i < s->linux_->namespaces.n; i++)
		if (s->linux_->namespaces.v[i].type.value != NS_NETWORK)
			list[n++] = s->linux_->namespaces.v[i];
	list[n++] = (struct spec_namespace){ .type = { true, NS_USER } };
	s->linux_->namespaces.v = list;
	s->linux_->namespaces.n = n;
	maps[0] = (struct spec_id_map){ 0, uid, 1 };
	maps[1] = (struct spec_id_map){ 0, gid, 1 };
	s->linux_->uid_mappings.v = &maps[0];
	s->linux_->gid_mappings.v = &maps[1];
	s->linux_->uid_mappings.n = s->linux_->gid_mappings.n = 1;
	s->linux_->resources = NULL;
	for (size_t i = 0; i < s->mounts.n; i++) {
		static char *const sys_options[] = { "rbind", "nosuid", "noexec",
						     "nodev", "ro",     NULL };
		struct spec_mount *m = &s->mounts.v[i];
		if (strcmp(m->destination, "/sys") == 0) {
			m->type = "none";
			m->source = "/sys";
			m->options = (struct texts){ (char **)sys_options, COUNT(sys_options) - 1 };
		}
		/* group 5 (tty) is not mapped */
		for (size_t o = 0; o < m->options.n; o++)
			if (strcmp(m->options.v[o], "gid=5") == 0)
				m->options.v[o] = m->options.v[--m->options.n];
	}
	return NULL;
}

error *spec_example(bool rootless, uint32_t uid, uint32_t gid, struct arena *arena,
		    struct spec **out)
{
	struct spec *s = arena_new_of(arena, struct spec);

	if (!s)
		return arena_exhausted();
	try(rows_read(&spec_shape, example, strlen(example), ROWS_NO_DUPLICATES, arena, s));
	if (rootless)
		try(make_rootless(s, uid, gid, arena));
	*out = s;
	return NULL;
}
