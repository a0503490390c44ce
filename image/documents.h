/* The JSON documents of images, as rows: the image specification's index, manifest and
 * configuration, and docker save's manifest.json. Reading refuses what readers disagree about
 * (CVE-2021-41190): equal keys, another document's fields, a media type that says something else.
 */
#pragma once

#include "base/rows.h"

enum {
	DOCUMENT_MAX = 4 << 20, /* containerd CVE-2023-25153 is what happens without a limit */
	DOCKER_MANIFEST_MAX = 16 << 20,
	LAYERS_MAX = 500, /* what overlayfs can stack */
};

/* clang-format off */
#define IMAGE_PLATFORM(row) \
	row(STR,  architecture, "architecture", OPTIONAL) \
	row(STR,  os,           "os",           OPTIONAL) \
	row(STR,  os_version,   "os.version",   OPTIONAL) \
	row(STRS, os_features,  "os.features",  OPTIONAL) \
	row(STR,  variant,      "variant",      OPTIONAL)

#define IMAGE_DESCRIPTOR(row) \
	row(STR,  media_type,   "mediaType",    OPTIONAL) \
	row(STR,  digest,       "digest",       REQUIRED) \
	row(I64,  size,         "size",         REQUIRED) \
	row(MAP,  annotations,  "annotations",  OPTIONAL) \
	row(SUB(image_platform), platform, "platform", OPTIONAL)

#define IMAGE_INDEX(row) \
	row(U32,  schema_version, "schemaVersion", OPTIONAL) \
	row(STR,  media_type,   "mediaType",    OPTIONAL) \
	row(LIST(image_descriptor), manifests, "manifests", OPTIONAL) \
	row(SUB(image_descriptor),  config,    "config",    OPTIONAL) \
	row(LIST(image_descriptor), layers,    "layers",    OPTIONAL) \
	row(MAP,  annotations,  "annotations",  OPTIONAL)

#define IMAGE_LAYOUT(row) \
	row(STR,  version,      "imageLayoutVersion", REQUIRED)

#define IMAGE_NOTHING(row)

#define IMAGE_EXECUTION(row) \
	row(STR,  user,         "User",         OPTIONAL) \
	row(SUBS(image_nothing), exposed_ports, "ExposedPorts", OPTIONAL) \
	row(STRS, env,          "Env",          OPTIONAL) \
	row(STRS, entrypoint,   "Entrypoint",   OPTIONAL) \
	row(STRS, cmd,          "Cmd",          OPTIONAL) \
	row(SUBS(image_nothing), volumes, "Volumes", OPTIONAL) \
	row(STR,  working_dir,  "WorkingDir",   OPTIONAL) \
	row(MAP,  labels,       "Labels",       OPTIONAL) \
	row(STR,  stop_signal,  "StopSignal",   OPTIONAL)

#define IMAGE_ROOTFS(row) \
	row(STR,  type,         "type",         OPTIONAL) \
	row(STRS, diff_ids,     "diff_ids",     OPTIONAL)

#define IMAGE_CONFIG(row) \
	row(STR,  created,      "created",      OPTIONAL) \
	row(STR,  author,       "author",       OPTIONAL) \
	row(STR,  architecture, "architecture", OPTIONAL) \
	row(STR,  variant,      "variant",      OPTIONAL) \
	row(STR,  os,           "os",           OPTIONAL) \
	row(STR,  os_version,   "os.version",   OPTIONAL) \
	row(STRS, os_features,  "os.features",  OPTIONAL) \
	row(SUB(image_execution), config, "config", OPTIONAL) \
	row(SUB(image_rootfs),    rootfs, "rootfs", OPTIONAL)

#define DOCKER_IMAGE(row) \
	row(STR,  config,       "Config",       REQUIRED) \
	row(STRS, repo_tags,    "RepoTags",     OPTIONAL) \
	row(STRS, layers,       "Layers",       OPTIONAL)

#define DOCKER_MANIFEST(row) \
	row(LIST(docker_image), images, "images", REQUIRED)

SHAPE_STRUCT(image_platform,   IMAGE_PLATFORM)
SHAPE_STRUCT(image_descriptor, IMAGE_DESCRIPTOR)
SHAPE_STRUCT(image_index,      IMAGE_INDEX)
SHAPE_STRUCT(image_layout,     IMAGE_LAYOUT)
SHAPE_STRUCT_KEYED(image_nothing, IMAGE_NOTHING)
SHAPE_STRUCT(image_execution,  IMAGE_EXECUTION)
SHAPE_STRUCT(image_rootfs,     IMAGE_ROOTFS)
SHAPE_STRUCT(image_config,     IMAGE_CONFIG)
SHAPE_STRUCT(docker_image,     DOCKER_IMAGE)
SHAPE_STRUCT(docker_manifest,  DOCKER_MANIFEST)
/* clang-format on */

#define MEDIA_INDEX      "application/vnd.oci.image.index.v1+json"
#define MEDIA_MANIFEST   "application/vnd.oci.image.manifest.v1+json"
#define MEDIA_CONFIG     "application/vnd.oci.image.config.v1+json"
#define MEDIA_LAYER      "application/vnd.oci.image.layer.v1.tar"
#define MEDIA_LAYER_GZIP MEDIA_LAYER "+gzip"
#define MEDIA_LAYER_ZSTD MEDIA_LAYER "+zstd"

enum media {
	MEDIA_IS_OTHER,
	MEDIA_IS_INDEX,
	MEDIA_IS_MANIFEST,
	MEDIA_IS_CONFIG,
	MEDIA_IS_LAYER,
};
/* What a media type says, docker's own names included; NULL is MEDIA_IS_OTHER. */
enum media media_of(const char *type);

/* An index or a manifest: one struct holds both, since what tells them apart is which fields are
 * there. said: the media type of the descriptor that led here, or NULL. On success exactly one of
 * manifests or config is there. */
must_use error *document_read_index(const char *text, size_t len, const char *said,
				    struct arena *arena, struct image_index **out);
/* The configuration; config and rootfs are there afterwards. */
must_use error *document_read_config(const char *text, size_t len, struct arena *arena,
				     struct image_config **out);
must_use error *document_read_docker(const char *text, size_t len, struct arena *arena,
				     struct docker_manifest **out);
/* The value of a key, or NULL. */
const char *pairs_find(const struct pairs *pairs, const char *key);
