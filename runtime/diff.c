/* What a container made from an image has changed: its writable layer, read as overlayfs reads it.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/overlay.h"
#include "base/path.h"
#include "base/text.h"
#include "runtime.h"
#include "runtime/state.h"

enum { LAYERS_MAX = 512, DEPTH_MAX = 256 };

struct diff {
	int lower[LAYERS_MAX];
	size_t n;
	error *(*visit)(char kind, const char *path, void *context);
	void *context;
};

static bool is_below(const struct diff *d, const char *path)
{
	for (size_t i = 0; i < d->n; i++) {
		int fd;
		auto_error error *e = root_open(d->lower[i], path, O_PATH | O_NOFOLLOW, &fd);
		if (e)
			continue;
		close(fd);
		return true;
	}
	return false;
}

/* What skiff makes to mount the files that name hosts over. */
static bool is_for_mount(const struct stat *st, const char *path)
{
	return S_ISREG(st->st_mode) && st->st_size == 0 &&
	       (strcmp(path, "/etc/hosts") == 0 || strcmp(path, "/etc/hostname") == 0 ||
		strcmp(path, "/etc/resolv.conf") == 0);
}

static error *walk(const struct diff *d, int dir, const char *path, int depth);

static error *look_at(const struct diff *d, int dir, const char *name, const char *path, int depth)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return error_errno("look at %s", path);
	/* overlayfs marks what is gone by a device of number 0 */
	if (S_ISCHR(st.st_mode) && st.st_rdev == 0)
		return d->visit('D', path, d->context);
	bool is_changed = is_below(d, path);
	if (!is_changed && is_for_mount(&st, path))
		return NULL;
	try(d->visit(is_changed ? 'C' : 'A', path, d->context));
	if (!S_ISDIR(st.st_mode))
		return NULL;
	int below = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return below < 0 ? error_errno("open %s", path) : walk(d, below, path, depth + 1);
}

/* dir is given away. */
static error *walk(const struct diff *d, int dir, const char *path, int depth)
{
	DIR *entries = fdopendir(dir);
	error *e = NULL;

	if (!entries) {
		e = error_errno("read %s", path);
		close(dir);
		return e;
	}
	if (depth > DEPTH_MAX)
		e = error_new(ELOOP, "%s", path);
	for (struct dirent *entry; !e && (entry = readdir(entries));) {
		auto_free char *full = NULL;
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (asprintf(&full, "%s/%s", path, entry->d_name) < 0)
			e = error_new(ENOMEM, "diff");
		else
			e = look_at(d, dirfd(entries), entry->d_name, full, depth);
	}
	closedir(entries);
	return e;
}

static error *open_layers(struct diff *d, char *list)
{
	for (char *layer; (layer = overlay_next_layer(&list)) && d->n < LAYERS_MAX;) {
		d->lower[d->n] = open(layer, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (d->lower[d->n] < 0)
			return error_errno("open the layer %s", layer);
		d->n++;
	}
	return NULL;
}

/* The root overlay of its config.json says which layers there are. */
static error *read_overlay(struct state *s, struct diff *d, int *upper)
{
	const struct spec *spec;

	try(state_spec(s, &spec));
	for (size_t i = 0; i < spec->mounts.n; i++) {
		const struct spec_mount *m = &spec->mounts.v[i];
		if (strcmp(m->destination, "/") != 0)
			continue;
		for (size_t o = 0; o < m->options.n; o++) {
			char *option = m->options.v[o];
			if (text_starts(option, "lowerdir="))
				try(open_layers(d, option + strlen("lowerdir=")));
			if (text_starts(option, "upperdir="))
				*upper = open(option + strlen("upperdir="),
					      O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		}
	}
	return *upper < 0 ? error_errno("open the writable layer") : NULL;
}

error *container_diff(const struct runtime *rt, const char *id,
		      error *(*visit)(char kind, const char *path, void *context), void *context)
{
	auto_state struct state *s = NULL;
	struct diff d = { .visit = visit, .context = context };
	int upper = -1;

	try(state_open(rt->root, id, false, &s));
	if (!s->fixed || !s->fixed->container_dir)
		return error_said(ENOTSUP,
				  "container '%s' was not made by run --image: it has no writable "
				  "layer of its own",
				  id);
	error *e = read_overlay(s, &d, &upper);
	if (!e)
		e = walk(&d, upper, "", 0);
	for (size_t i = 0; i < d.n; i++)
		close(d.lower[i]);
	return e;
}
