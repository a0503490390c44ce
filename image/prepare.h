/* What a container needs to know about an image, see include/image.h. */
#pragma once

#include "image.h"
#include "image/bundle.h"
#include "image/rootless.h"
#include "image/store.h"

struct prepare_options {
	const char *name;      /* as the user called the image; may be NULL */
	const char *container; /* id: make its folders, keep the image for it; NULL: none */
	const char *bundle; /* its folders are for this bundle: gc takes them when that is gone; may
			       be NULL */
	const char *user;   /* instead of the image's */
	const char *workdir;  /* instead of the image's: then it must be there */
	struct texts volumes; /* NAME:PATH, as volume_ensure takes them */
	bool strict;
};

/* The folders of an image's layers, topmost first; close with lower_dir_close. paths, if not NULL,
 * gets them as absolute names in the arena. */
must_use error *image_lowers(struct store *s, const struct stored_image *image, struct arena *arena,
			     struct lower_dir *out, struct texts *paths);
must_use error *image_prepare(struct store *s, const struct stored_image *image,
			      const struct prepare_options *o, const struct rootless *r,
			      struct arena *arena, struct prepared_image **out);
/* Removes what a container had here; one that has nothing is fine. */
must_use error *image_release(struct store *s, const char *container);
must_use error *image_read_config(struct store *s, const struct stored_image *image,
				  struct arena *arena, struct image_config **out);
