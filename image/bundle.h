/* What an image's configuration means for a container: conversion.md of the image specification. */
#pragma once

#include "image/documents.h"
#include "image/users.h"
#include "spec.h"

/* The parts of a configuration, converted and checked. Everything lives in the arena. */
struct conversion {
	struct texts args; /* Entrypoint, then Cmd; may be empty */
	struct texts env;  /* with PATH and HOME */
	const char *cwd;   /* absolute and clean */
	struct user user;
	struct texts volumes; /* absolute, clean, sorted */
	struct pairs annotations;
};

/* roots: the image's file system. user: instead of the configuration's, may be NULL. strict: what
 * is wrong but harmless is an error too. */
must_use error *convert(const struct image_config *c, const struct lower_dir *roots, bool userxattr,
			const char *user, bool strict, struct arena *arena, struct conversion *out);

/* A config.json for the bundle; maps: of a user who has no root, or n_maps 0. */
must_use error *bundle_spec(const struct conversion *c, const struct spec_id_map *uid_maps,
			    size_t n_uid_maps, const struct spec_id_map *gid_maps,
			    size_t n_gid_maps, struct arena *arena, struct spec **out);
