/* What `run --image` says in podman's words, as container_wishes want it. */
#pragma once

#include "image.h"
#include "runtime.h"

/* --entrypoint: a program, or a JSON array of it and its first words; "" is none at all. */
must_use error *wish_entrypoint(const char *text, struct arena *arena, struct texts *out);
/* The image's variables, then those of --env-file, then those of --env: of equal names the last
 * wins. */
must_use error *wish_env(const struct image_options *o, const struct texts *of_image,
			 struct arena *arena, struct texts *out);
/* --volume: SOURCE:TARGET becomes a bind mount, NAME:TARGET one of the store's volume, which is
 * made when it is first used, TARGET alone one of the container's own volumes. */
must_use error *wish_volumes(const struct image_options *o, const struct prepared_image *p,
			     struct arena *arena, struct texts *binds, struct texts *volumes);
/* Whether the word of a --volume begins with a volume's name. */
bool wish_names_volume(const char *word);
/* Whether path is, or is below, something that is mounted: by the options, or always. */
bool wish_mounts(const struct image_options *o, const char *path);
