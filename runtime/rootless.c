#include "runtime/rootless.h"

#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/text.h"
#include "runtime/helper.h"

/* The first range of /etc/subuid or /etc/subgid for the user: "name:first:count" or
 * "uid:first:count". */
static bool find_range(const char *file, const char *user, uint32_t *first, uint32_t *count)
{
	auto_free char *text = NULL;
	char number[16];
	auto_error error *none = file_read(AT_FDCWD, file, 1 << 20, &text, NULL);

	snprintf(number, sizeof(number), "%u", geteuid());
	for (char *line = none ? NULL : text; line && *line;) {
		char *next = line + strcspn(line, "\n");
		if (*next)
			*next++ = '\0';
		char *name = strsep(&line, ":");
		char *from = strsep(&line, ":");
		if (from && line && (strcmp(name, user) == 0 || strcmp(name, number) == 0) &&
		    text_to_u32(from, first) && text_to_u32(line, count) && *count > 0)
			return true;
		line = next;
	}
	return false;
}

/* The user's name out of /etc/passwd: no name service is loaded for this. */
static void own_name(char *name, size_t size)
{
	auto_free char *text = NULL;
	auto_error error *none = file_read(AT_FDCWD, "/etc/passwd", 1 << 22, &text, NULL);

	name[0] = '\0';
	for (char *line = none ? NULL : text; line && *line;) {
		char *next = line + strcspn(line, "\n");
		uint32_t uid;
		if (*next)
			*next++ = '\0';
		char *user = strsep(&line, ":");
		strsep(&line, ":");
		char *id = strsep(&line, ":");
		if (id && text_to_u32(id, &uid) && uid == geteuid())
			snprintf(name, size, "%s", user);
		line = next;
	}
}

static size_t make_maps(const char *file, const char *helper, uint32_t own,
			struct spec_id_map *maps)
{
	char user[64];
	uint32_t first;
	uint32_t count;

	maps[0] = (struct spec_id_map){ 0, own, 1 };
	own_name(user, sizeof(user));
	if (!helper_exists(helper) || !find_range(file, user, &first, &count))
		return 1;
	maps[1] = (struct spec_id_map){ 1, first, count };
	return 2;
}

static bool is_mapped(const struct spec_id_map *maps, size_t n, uint32_t id)
{
	for (size_t i = 0; i < n; i++)
		if (id >= maps[i].container_id && id - maps[i].container_id < maps[i].size)
			return true;
	return false;
}

/* "gid=5" for /dev/pts names a group that one id alone does not reach. */
static error *drop_unmapped(struct spec *s, struct arena *arena)
{
	struct spec_mount *mounts = arena_array_of(arena, struct spec_mount, s->mounts.n + 1);

	if (!mounts)
		return arena_exhausted();
	for (size_t i = 0; i < s->mounts.n; i++) {
		struct spec_mount *m = &mounts[i];
		*m = s->mounts.v[i];
		char **options = arena_array_of(arena, char *, m->options.n + 1);
		size_t n = 0;
		if (!options)
			return arena_exhausted();
		for (size_t o = 0; o < m->options.n; o++) {
			uint32_t gid;
			const char *option = m->options.v[o];
			if (text_starts(option, "gid=") && text_to_u32(option + 4, &gid) &&
			    !is_mapped(s->linux_->gid_mappings.v, s->linux_->gid_mappings.n, gid))
				continue;
			options[n++] = m->options.v[o];
		}
		m->options = (struct texts){ options, n };
	}
	s->mounts.v = mounts;
	return NULL;
}

error *rootless_complete(const struct spec *spec, struct arena *arena, const struct spec **out)
{
	struct spec *s = arena_new_of(arena, struct spec);
	struct spec_linux *x = arena_new_of(arena, struct spec_linux);
	struct spec_id_map *maps = arena_array_of(arena, struct spec_id_map, 4);
	size_t n = spec->linux_->namespaces.n;
	struct spec_namespace *list = arena_array_of(arena, struct spec_namespace, n + 1);

	if (!s || !x || !maps || !list)
		return arena_exhausted();
	*s = *spec;
	*x = *spec->linux_;
	s->linux_ = x;
	if (!spec_namespace(spec, NS_USER)) {
		memcpy(list, x->namespaces.v, n * sizeof(*list));
		list[n] = (struct spec_namespace){ .type = { true, NS_USER } };
		x->namespaces.v = list;
		x->namespaces.n = n + 1;
	}
	const struct spec_namespace *users = spec_namespace(s, NS_USER);
	if (!x->uid_mappings.n && !users->path) {
		x->uid_mappings.v = maps;
		x->uid_mappings.n = make_maps("/etc/subuid", "newuidmap", geteuid(), maps);
		x->gid_mappings.v = maps + 2;
		x->gid_mappings.n = make_maps("/etc/subgid", "newgidmap", getegid(), maps + 2);
	}
	if (x->gid_mappings.n)
		try(drop_unmapped(s, arena));
	*out = s;
	return NULL;
}
