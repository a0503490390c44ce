/* Images: what the program libexec/skiff-image tells those who start it. Its verbs do the work;
 * this is the shape of what `skiff-image prepare` prints as one JSON object. */
#pragma once

#include "base/rows.h"
#include "spec.h"

/* clang-format off */
#define IMAGE_ROOT(row) \
	row(U32,  mode,         "mode",         OPTIONAL) \
	row(U32,  uid,          "uid",          OPTIONAL) \
	row(U32,  gid,          "gid",          OPTIONAL)

#define IMAGE_USER(row) \
	row(U32,  uid,          "uid",          OPTIONAL) \
	row(U32,  gid,          "gid",          OPTIONAL) \
	row(U32S, more_gids,    "additionalGids", OPTIONAL) \
	row(STR,  name,         "name",         OPTIONAL) \
	row(STR,  home,         "home",         OPTIONAL)

#define IMAGE_PREPARED_CONFIG(row) \
	row(STRS, entrypoint,   "Entrypoint",   OPTIONAL) \
	row(STRS, cmd,          "Cmd",          OPTIONAL) \
	row(STRS, env,          "Env",          OPTIONAL) \
	row(STR,  working_dir,  "WorkingDir",   OPTIONAL) \
	row(STR,  user,         "User",         OPTIONAL) \
	row(STR,  stop_signal,  "StopSignal",   OPTIONAL) \
	row(STRS, volumes,      "Volumes",      OPTIONAL)

#define IMAGE_PREPARED(row) \
	row(STR,  name,         "name",         OPTIONAL) \
	row(STR,  image,        "image",        REQUIRED) \
	row(STR,  manifest,     "manifest",     REQUIRED) \
	row(STRS, lower,        "lower",        OPTIONAL) \
	row(BOOL, userxattr,    "userxattr",    OPTIONAL) \
	row(SUB(prepared_root), root,           "root",        OPTIONAL) \
	row(STR,  container,    "container",    OPTIONAL) \
	row(STR,  upper,        "upper",        OPTIONAL) \
	row(STR,  work,         "work",         OPTIONAL) \
	row(STR,  merged,       "merged",       OPTIONAL) \
	row(SUB(prepared_config), config,       "config",      OPTIONAL) \
	row(SUB(prepared_user), user,           "user",        OPTIONAL) \
	row(MAP,  annotations,  "annotations",  OPTIONAL) \
	row(LIST(spec_id_map),  uid_mappings,   "uidMappings", OPTIONAL) \
	row(LIST(spec_id_map),  gid_mappings,   "gidMappings", OPTIONAL)
/* clang-format on */

/* image: the configuration's digest; manifest: the manifest's. lower: absolute folders of the
 * layers, topmost first. userxattr: overlayfs must be told so. root: what "/" is like, for an upper
 * folder. container, upper, work, merged: with --container only; they exist, empty, and upper is
 * like "/". config: as the image says it, but Env has PATH and HOME, WorkingDir is absolute and
 * clean ("/" when there is none), Volumes are clean and sorted. user: config's User, or --user's,
 * looked up in the image. annotations: data only; what would steer a runtime was left out. The
 * mappings: of a user's store, whose files have these owners; none in root's. */
SHAPE_STRUCT(prepared_root, IMAGE_ROOT)
SHAPE_STRUCT(prepared_user, IMAGE_USER)
SHAPE_STRUCT(prepared_config, IMAGE_PREPARED_CONFIG)
SHAPE_STRUCT(prepared_image, IMAGE_PREPARED)
