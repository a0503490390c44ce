#include "netns/store.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#include "base/path.h"
#include "base/text.h"

#define USUAL_ROOT "/run/skiff"

error *store_open(const char *root, struct store **out)
{
	auto_store struct store *s = calloc(1, sizeof(*s));
	struct arena *arena = NULL;

	if (!s)
		return error_new(ENOMEM, "store");
	s->lock = -1;
	try(arena_new(&arena));
	s->arena = arena;
	s->root = arena_strdup(arena, root);
	s->leases = arena_printf(arena, "%s/.net/leases", root);
	s->networks = strcmp(root, USUAL_ROOT) == 0 ? arena_strdup(arena, "/var/lib/skiff/networks")
						    : arena_printf(arena, "%s/.net/networks", root);
	if (!s->root || !s->leases || !s->networks)
		return arena_exhausted();
	try_as(path_make_folders(s->leases, 0700), "the store of networks");
	try_as(path_make_folders(s->networks, 0700), "the store of networks");
	try(store_lock(s));
	*out = take_ptr(&s);
	return NULL;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	store_unlock(s);
	arena_free(s->arena);
	free(s);
}

error *store_lock(struct store *s)
{
	const char *path = arena_printf(s->arena, "%s/.net/lock", s->root);

	if (!path)
		return arena_exhausted();
	s->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (s->lock < 0)
		return error_errno("open %s", path);
	while (flock(s->lock, LOCK_EX) < 0)
		if (errno != EINTR)
			return error_errno("lock %s", path);
	return NULL;
}

void store_unlock(struct store *s)
{
	if (s->lock >= 0)
		close(take_fd(&s->lock));
}

/* FNV-1a */
uint32_t store_hash(const struct store *s, const char *word)
{
	const char *const texts[] = { s->root, word };
	uint32_t hash = 2166136261U;

	for (size_t i = 0; i < COUNT(texts); i++)
		for (const char *c = texts[i];; c++) {
			hash = (hash ^ (uint8_t)*c) * 16777619U;
			if (!*c)
				break;
		}
	return hash;
}

const char *store_table(const struct store *s, char name[32])
{
	if (strcmp(s->root, USUAL_ROOT) == 0)
		snprintf(name, 32, "skiff");
	else
		snprintf(name, 32, "skiff-%08x", store_hash(s, "table"));
	return name;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static error *read_names(const char *folder, const char *end, struct strings *out)
{
	DIR *dir = opendir(folder);
	error *e = NULL;

	if (!dir)
		return errno == ENOENT ? NULL : error_errno("open %s", folder);
	for (struct dirent *d; !e && (d = readdir(dir));)
		if (d->d_name[0] != '.' && text_ends(d->d_name, end))
			e = strings_add(out, d->d_name);
	closedir(dir);
	return e;
}

error *store_list(struct store *s, const char *folder, const char *end, struct texts *out)
{
	struct strings found = { 0 };
	error *e = read_names(folder, end, &found);
	char **v = arena_array_of(s->arena, char *, found.n + 1);

	for (size_t i = 0; v && !e && i < found.n; i++) {
		v[i] = arena_strndup(s->arena, found.v[i], strlen(found.v[i]) - strlen(end));
		if (!v[i])
			e = arena_exhausted();
	}
	if (!e && !v)
		e = arena_exhausted();
	if (!e && found.n)
		qsort(v, found.n, sizeof(*v), by_text);
	if (!e)
		*out = (struct texts){ v, found.n };
	strings_free(&found);
	return e;
}
