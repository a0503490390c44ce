#include "image/prepare.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "image/metadata.h"
#include "image/place.h"
#include "image/remove.h"
#include "image/volume.h"

error *image_read_config(struct store *s, const struct stored_image *image, struct arena *arena,
			 struct image_config **out)
{
	auto_free char *text = NULL;
	struct digest digest;
	size_t len;

	try(digest_parse(image->config, &digest));
	try(store_blob_read(s, &digest, &text, &len));
	return document_read_config(text, len, arena, out);
}

static error *add_lower(struct store *s, const char *path, struct arena *arena,
			struct lower_dir *out, struct texts *paths)
{
	int fd = openat(s->dir, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return error_errno("open %s/%s", s->path, path);
	out->fds[out->n++] = fd;
	if (!paths)
		return NULL;
	paths->v[paths->n] = arena_printf(arena, "%s/%s", s->path, path);
	return paths->v[paths->n++] ? NULL : arena_exhausted();
}

error *image_lowers(struct store *s, const struct stored_image *image, struct arena *arena,
		    struct lower_dir *out, struct texts *paths)
{
	struct lower_dir dir = { .fds = calloc(image->layers.n + 2, sizeof(int)) };
	error *e = NULL;

	if (paths)
		*paths = (struct texts){ arena_array_of(arena, char *, image->layers.n + 2), 0 };
	if (!dir.fds || (paths && !paths->v))
		e = error_new(ENOMEM, "layers");
	if (!e && image->root)
		e = add_lower(s, image->root, arena, &dir, paths);
	bool goes_on = true;
	for (size_t i = image->layers.n; !e && goes_on && i-- > 0;) {
		struct layer_handle h = { .dir = -1, .diff = -1 };
		char path[LAYER_KEY_MAX + 16];
		snprintf(path, sizeof(path), "layers/%s/diff", image->layers.v[i]);
		e = layer_open(s, image->layers.v[i], arena, &h);
		if (e)
			break;
		e = add_lower(s, path, arena, &dir, paths);
		goes_on = !h.meta->opaque_root; /* hides all that is below it */
		layer_close(&h);
	}
	if (e)
		lower_dir_close(&dir);
	else
		*out = dir;
	return e;
}

static error *check_container(const char *id)
{
	size_t len = strlen(id);

	if (!len || len > 255 || id[0] == '.' ||
	    strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-.") != len)
		return error_said(EINVAL, "'%s' is not a container id", id);
	return NULL;
}

struct below {
	struct lowers lowers;
	const struct lower_dir *dir;
};

static error *get_below(struct lowers *self, const struct lower_dir **out)
{
	*out = ((struct below *)self)->dir;
	return NULL;
}

/* Where the image says that its program works there must be a folder, and one that is made for it
 * is its user's. */
static error *make_workdir(struct store *s, const struct lower_dir *layers, int upper,
			   const char *path, const struct prepared_user *user)
{
	struct below below = { .lowers = { get_below }, .dir = layers };
	struct tree t = {
		.root = upper,
		.form = FORM_OVERLAY,
		.userxattr = s->userxattr,
		.lowers = &below.lowers,
		.parent = -1,
	};
	auto_free char *name = malloc(strlen(path) + 1);
	int fd = -1;

	if (!name)
		return error_new(ENOMEM, "%s", path);
	error *e = place_normalize(path, name);
	if (!e)
		e = tree_folder(&t, name, &fd);
	/* EINVAL: an owner that a user's namespace does not have */
	if (!e && fchown(fd, user->uid, user->gid) < 0 && errno != EINVAL)
		e = error_errno("give %s to the image's user", path);
	if (!e)
		e = tree_finish(&t);
	tree_release(&t);
	return e;
}

static bool is_volume(const struct texts *volumes, const char *path)
{
	for (size_t i = 0; i < volumes->n; i++) {
		size_t len = strlen(volumes->v[i]);
		if (strncmp(volumes->v[i], path, len) == 0 && (!path[len] || path[len] == '/'))
			return true;
	}
	return false;
}

static error *settle_workdir(struct store *s, const struct prepare_options *o,
			     const struct lower_dir *layers, int upper,
			     const struct prepared_image *p)
{
	const char *own = p->config->working_dir;
	const char *path = o->workdir ? o->workdir : own;
	struct lower_dir found = { 0 };
	auto_error error *e = lower_open_folder(layers, path, s->userxattr, &found);

	lower_dir_close(&found);
	if (!e || is_volume(&p->config->volumes, path))
		return NULL;
	if (error_code(e) == ENOENT && strcmp(path, own) == 0)
		return make_workdir(s, layers, upper, path, p->user);
	if (error_code(e) == ENOENT)
		return error_said(ENOENT, "--workdir: the image has no folder %s", path);
	return error_wrap(take_ptr(&e), "the working directory");
}

/* containers/ID, made whole elsewhere: gc never sees it without the name of its image. */
static error *make_container(struct store *s, const struct prepare_options *o,
			     const struct stored_image *image, const struct lower_dir *layers,
			     struct arena *arena, struct prepared_image *p)
{
	static const char *const folders[] = { "new/work", "new/merged", "new/upper" };
	char **const paths[] = { &p->work, &p->merged, &p->upper };
	auto_stage struct stage stage = { .dir = -1 };
	auto_free char *path = NULL;
	auto_fd int upper = -1;

	const char *id = o->container;
	try(check_container(id));
	try(stage_new(s, &stage));
	if (mkdirat(stage.dir, "new", 0700) < 0)
		return error_errno("container %s", id);
	for (size_t i = 0; i < COUNT(folders); i++) {
		if (mkdirat(stage.dir, folders[i], 0755) < 0)
			return error_errno("container %s", id);
		*paths[i] = arena_printf(arena, "%s/containers/%s/%s", s->path, id,
					 folders[i] + strlen("new/"));
		if (!*paths[i])
			return arena_exhausted();
	}
	upper = openat(stage.dir, "new/upper", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (upper < 0)
		return error_errno("container %s", id);
	if (layers->n)
		try(metadata_copy_folder(layers->fds[0], upper));
	try(settle_workdir(s, o, layers, upper, p));
	try(file_create(stage.dir, "new/image", 0600, image->manifest, strlen(image->manifest)));
	if (o->bundle)
		try(file_create(stage.dir, "new/bundle", 0600, o->bundle, strlen(o->bundle)));
	p->container = arena_printf(arena, "%s/containers/%s", s->path, id);
	if (!p->container || asprintf(&path, "containers/%s", id) < 0)
		return error_new(ENOMEM, "container");
	if (renameat2(stage.dir, "new", s->dir, path, RENAME_NOREPLACE) < 0)
		return error_errno("container %s", id);
	return NULL;
}

error *image_release(struct store *s, const char *container)
{
	auto_stage struct stage stage = { .dir = -1 };
	auto_free char *path = NULL;

	try(check_container(container));
	if (asprintf(&path, "containers/%s", container) < 0)
		return error_new(ENOMEM, "container");
	try(stage_new(s, &stage));
	/* away at once, then removed; after a crash the next command goes on */
	if (renameat(s->dir, path, stage.dir, "old") < 0)
		return errno == ENOENT ? NULL : error_errno("remove %s", path);
	return NULL;
}

static error *describe_user(const struct user *user, struct arena *arena,
			    struct prepared_user **out)
{
	struct prepared_user *u = arena_new_of(arena, struct prepared_user);

	if (!u)
		return arena_exhausted();
	*u = (struct prepared_user){ .uid = user->uid,
				     .gid = user->gid,
				     .more_gids = user->more_gids,
				     .name = (char *)user->name,
				     .home = (char *)user->home };
	*out = u;
	return NULL;
}

static error *describe_root(int fd, struct arena *arena, struct prepared_root **out)
{
	struct prepared_root *r = arena_new_of(arena, struct prepared_root);
	struct stat st = { .st_mode = 0755 };

	if (!r)
		return arena_exhausted();
	if (fd >= 0 && fstat(fd, &st) < 0)
		return error_errno("look at the root");
	*r = (struct prepared_root){ st.st_mode & 07777, st.st_uid, st.st_gid };
	*out = r;
	return NULL;
}

static error *prepare(struct store *s, const struct stored_image *image,
		      const struct prepare_options *o, const struct lower_dir *lowers,
		      struct arena *arena, struct prepared_image *p)
{
	struct image_config *config = NULL;
	struct conversion c = { 0 };
	struct prepared_config *pc = arena_new_of(arena, struct prepared_config);
	int root = lowers->n ? lowers->fds[0] : -1;

	if (!pc)
		return arena_exhausted();
	try(image_read_config(s, image, arena, &config));
	try(convert(config, lowers, s->userxattr, o->user, o->strict, arena, &c));
	*pc = (struct prepared_config){
		.entrypoint = config->config->entrypoint,
		.cmd = config->config->cmd,
		.env = c.env,
		.working_dir = (char *)c.cwd,
		.user = config->config->user,
		.stop_signal = config->config->stop_signal,
		.volumes = c.volumes,
	};
	p->config = pc;
	p->annotations = c.annotations;
	try(describe_user(&c.user, arena, &p->user));
	try(describe_root(root, arena, &p->root));
	for (size_t i = 0; i < o->volumes.n; i++)
		try(volume_ensure(s, o->volumes.v[i], lowers));
	return o->container ? make_container(s, o, image, lowers, arena, p) : NULL;
}

error *image_prepare(struct store *s, const struct stored_image *image,
		     const struct prepare_options *o, const struct rootless *r, struct arena *arena,
		     struct prepared_image **out)
{
	struct prepared_image *p = arena_new_of(arena, struct prepared_image);
	struct lower_dir lowers;

	if (!p)
		return arena_exhausted();
	p->name = (char *)o->name;
	p->image = image->config;
	p->manifest = image->manifest;
	p->userxattr = s->userxattr;
	p->uid_mappings.v = (struct spec_id_map *)r->uid_maps;
	p->uid_mappings.n = r->n_uid_maps;
	p->gid_mappings.v = (struct spec_id_map *)r->gid_maps;
	p->gid_mappings.n = r->n_gid_maps;
	try(image_lowers(s, image, arena, &lowers, &p->lower));
	error *e = prepare(s, image, o, &lowers, arena, p);
	lower_dir_close(&lowers);
	if (!e)
		*out = p;
	return e;
}
