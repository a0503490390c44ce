#include "runtime/image_wishes.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/text.h"

enum { ENV_FILE_MAX = 1 << 20, VOLUME_NAME_MAX = 128 };

error *wish_entrypoint(const char *text, struct arena *arena, struct texts *out)
{
	struct prepared_config c = { 0 };
	char **one = arena_array_of(arena, char *, 2);
	char *json = arena_printf(arena, "{\"Entrypoint\":%s}", text);

	if (!one || !json || !(one[0] = arena_strdup(arena, text)))
		return arena_exhausted();
	*out = (struct texts){ one, *text != '\0' };
	if (*text != '[')
		return NULL;
	/* "[" is a program too */
	auto_error error *no_array = rows_read(&prepared_config_shape, json, strlen(json),
					       ROWS_NO_DUPLICATES, arena, &c);
	if (!no_array)
		*out = c.entrypoint;
	return NULL;
}

struct variables {
	struct arena *arena;
	char **v;
	size_t n, room;
};

/* Docker's rule for a name alone: the caller's own value, or none at all. */
static error *add_variable(struct variables *to, const char *word)
{
	const char *mine = strchr(word, '=') ? NULL : getenv(word);
	char *text =
		mine ? arena_printf(to->arena, "%s=%s", word, mine) : arena_strdup(to->arena, word);

	if (!mine && !strchr(word, '='))
		return NULL;
	if (to->n == to->room) {
		size_t room = to->room * 2 + 16;
		char **v = arena_array_of(to->arena, char *, room);
		if (v && to->n)
			memcpy(v, to->v, to->n * sizeof(*v));
		to->v = v;
		to->room = room;
	}
	if (!to->v || !text)
		return arena_exhausted();
	to->v[to->n++] = text;
	return NULL;
}

/* A variable on each line; a line that begins with # says nothing. Quotes and blanks behind "=" are
 * the value's own. */
static error *add_env_file(struct variables *to, const char *path)
{
	auto_free char *text = NULL;
	size_t len;

	try_as(file_read(AT_FDCWD, path, ENV_FILE_MAX, &text, &len), "--env-file");
	if (strlen(text) != len)
		return error_said(EINVAL, "--env-file: %s has a NUL byte", path);
	char *rest = text;
	for (char *line; (line = strsep(&rest, "\n"));) {
		line += strspn(line, " \t");
		line[strcspn(line, "\r")] = '\0';
		if (!*line || *line == '#')
			continue;
		size_t name = strcspn(line, "=");
		if (!name || strcspn(line, " \t") < name)
			return error_said(EINVAL, "--env-file: %s: '%s' is not NAME[=VALUE]", path,
					  line);
		try(add_variable(to, line));
	}
	return NULL;
}

error *wish_env(const struct image_options *o, const struct texts *of_image, struct arena *arena,
		struct texts *out)
{
	struct variables all = { .arena = arena };

	for (size_t i = 0; i < of_image->n; i++)
		try(add_variable(&all, of_image->v[i]));
	for (size_t i = 0; i < o->env_files.n; i++)
		try(add_env_file(&all, o->env_files.v[i]));
	for (size_t i = 0; i < o->env.n; i++)
		try(add_variable(&all, o->env.v[i]));
	*out = (struct texts){ all.v, all.n };
	return NULL;
}

/* The same names as podman's. */
static bool is_volume_name(const char *name, size_t len)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";

	return len && len <= VOLUME_NAME_MAX && strspn(name, letters) >= len && name[0] != '.' &&
	       name[0] != '-';
}

bool wish_names_volume(const char *word)
{
	size_t len = strcspn(word, ":");

	return is_volume_name(word, len) && text_starts(word + len, ":/");
}

/* STORE/volumes/NAME; prepare() made it. */
static char *volume_path(const struct prepared_image *p, const char *name, size_t len,
			 struct arena *arena)
{
	const char *behind = strrchr(p->container, '/');

	while (behind > p->container && behind[-1] != '/')
		behind--;
	return arena_printf(arena, "%.*svolumes/%.*s", (int)(behind - p->container), p->container,
			    (int)len, name);
}

static error *wish_volume(const char *word, const struct prepared_image *p, struct arena *arena,
			  struct texts *binds, struct texts *volumes)
{
	const char *colon = strchr(word, ':');
	size_t len = colon ? (size_t)(colon - word) : 0;
	char *source;

	if (word[0] == '/' && !colon) {
		volumes->v[volumes->n++] = arena_strdup(arena, word);
		return volumes->v[volumes->n - 1] ? NULL : arena_exhausted();
	}
	if (wish_names_volume(word)) {
		source = volume_path(p, word, len, arena);
	} else if (colon && (word[0] == '/' || text_starts(word, "./") ||
			     text_starts(word, "../") || text_starts(word, ".:"))) {
		auto_free char *named = strndup(word, len);
		auto_free char *path = NULL;
		if (!named)
			return error_new(ENOMEM, "--volume");
		try(path_absolute(named, &path));
		source = arena_strdup(arena, path);
	} else {
		return error_said(EINVAL,
				  "--volume: '%s' is none of /SOURCE:/TARGET[:OPTION,...], "
				  "./SOURCE:/TARGET, NAME:/TARGET, /TARGET",
				  word);
	}
	binds->v[binds->n++] = arena_printf(arena, "%s%s", source ? source : "", colon);
	return source && binds->v[binds->n - 1] ? NULL : arena_exhausted();
}

/* Something else is mounted where the image has a volume. */
static bool is_bound(const struct image_options *o, const char *volume)
{
	size_t len = strlen(volume);

	for (size_t i = 0; i < o->binds.n; i++) {
		const char *colon = strchr(o->binds.v[i], ':');
		if (colon && strcspn(colon + 1, ":") == len && strncmp(colon + 1, volume, len) == 0)
			return true;
	}
	return false;
}

error *wish_volumes(const struct image_options *o, const struct prepared_image *p,
		    struct arena *arena, struct texts *binds, struct texts *volumes)
{
	const struct texts *of_image = &p->config->volumes;

	*binds = (struct texts){ arena_array_of(arena, char *, o->binds.n + 1), 0 };
	*volumes = (struct texts){ arena_array_of(arena, char *, of_image->n + o->binds.n + 1), 0 };
	if (!binds->v || !volumes->v)
		return arena_exhausted();
	for (size_t i = 0; i < of_image->n; i++)
		if (!is_bound(o, of_image->v[i]))
			volumes->v[volumes->n++] = of_image->v[i];
	for (size_t i = 0; i < o->binds.n; i++)
		try(wish_volume(o->binds.v[i], p, arena, binds, volumes));
	return NULL;
}

/* target up to its end, a colon or the word's end */
static bool holds(const char *target, const char *path)
{
	size_t len = strcspn(target, ":");

	while (len && target[len - 1] == '/')
		len--;
	return strncmp(target, path, len) == 0 && (!path[len] || path[len] == '/');
}

bool wish_mounts(const struct image_options *o, const char *path)
{
	static const char *const always[] = { "/proc", "/sys", "/dev" };

	for (size_t i = 0; i < COUNT(always); i++)
		if (holds(always[i], path))
			return true;
	for (size_t i = 0; i < o->tmpfs.n; i++)
		if (holds(o->tmpfs.v[i], path))
			return true;
	for (size_t i = 0; i < o->binds.n; i++) {
		const char *colon = strchr(o->binds.v[i], ':');
		if (holds(colon ? colon + 1 : o->binds.v[i], path))
			return true;
	}
	return false;
}
