#include "base/path.h"
#include "image/overlay.h"
#include "image/prepare.h"
#include "image/verb.h"

static const struct option_row options[] = { OPTIONS_COMMON };

/* Read-only, in the mount namespace of the caller, until somebody unmounts it. */
static error *mount_image(struct request *r, int n, char **words)
{
	struct stored_image *image = NULL;
	struct lower_dir lowers;
	struct texts paths;

	(void)n;
	if (r->rootless->n_uid_maps)
		return error_said(EPERM,
				  "only root can mount for others to see: unpack makes a folder");
	try(store_image_find(r->store, words[0], r->arena, &image));
	try(image_lowers(r->store, image, r->arena, &lowers, &paths));
	lower_dir_close(&lowers);
	if (paths.n == 0)
		return error_said(EINVAL, "%s has no layers", words[0]);
	if (paths.n == 1) {
		paths.v[paths.n] = arena_printf(r->arena, "%s/empty", r->store->path);
		if (!paths.v[paths.n++])
			return arena_exhausted();
	}
	return image_show(&paths, r->store->userxattr, words[1]);
}

const struct verb verb_mount = {
	.name = "mount",
	.args = "NAME DIR",
	.summary = "show an image, read-only, at a folder",
	VERB_OPTIONS(options),
	.min = 2,
	.max = 2,
	.needs_store = true,
	.run = mount_image,
};
