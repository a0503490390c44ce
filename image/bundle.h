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

/* A config.json for a bundle. root: an overlay to be mounted at "/", or NULL: rootfs is a plain
 * folder. maps: of a user who is not root, or n_maps 0. */
struct bundle {
	const struct conversion *conversion;
	const struct spec_mount *root;
	const struct spec_id_map *uid_maps, *gid_maps;
	size_t n_uid_maps, n_gid_maps;
};
must_use error *bundle_spec(const struct bundle *b, struct arena *arena, struct spec **out);
/* The overlay of these folders, topmost first. */
must_use error *bundle_overlay(const struct texts *lower, const char *upper, const char *work,
			       bool userxattr, struct arena *arena, struct spec_mount *out);
