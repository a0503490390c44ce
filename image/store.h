/* Where images are kept:
 *     version                    "1"
 *     lock                       flock: shared for all who use the store, exclusive for gc while it
 * marks tmp/PID.RANDOM/            what is being made; its file "owner" is locked as long as
 * somebody does locks/CHAIN                flock: exclusive while that layer is made
 *     blobs/ALGORITHM/HEX        manifests and configurations
 *     layers/KEY/                diff/ the unpacked layer, meta.json, records.zst (record.h)
 *     needs-parent/DIFF_ID       empty: layers of this diff_id differ with what is below them
 *     images/ALGORITHM-HEX.json  one for each image, by its manifest's digest
 *     refs/NAME                  a line: the manifest's digest
 *     containers/ID/             image, upper/, work/, merged/ of a container
 *     volumes/NAME/              what containers mount by this name; nothing removes it
 *     empty/                     nothing: overlayfs wants two layers where nothing is written
 * All is made elsewhere and renamed into place, so that a crash at any moment leaves nothing but
 * tmp/.
 */
#pragma once

#include "base/rows.h"
#include "image/digest.h"
#include "image/lower.h"

/* clang-format off */
#define STORED_LAYER(row) \
	row(STR,  diff_id,      "diffId",      REQUIRED) \
	row(STRS, blobs,        "blobs",       OPTIONAL) \
	row(U64,  archive_size, "archiveSize", OPTIONAL) \
	row(STR,  parent,       "parent",      OPTIONAL) \
	row(BOOL, has_root,     "hasRoot",     OPTIONAL) \
	row(BOOL, opaque_root,  "opaqueRoot",  OPTIONAL) \
	row(BOOL, is_exact,     "isExact",     OPTIONAL) \
	row(BOOL, userxattr,    "userxattr",   OPTIONAL)

#define STORED_IMAGE(row) \
	row(STR,  manifest,     "manifest",    REQUIRED) \
	row(STR,  config,       "config",      REQUIRED) \
	row(STR,  os,           "os",          OPTIONAL) \
	row(STR,  architecture, "architecture", OPTIONAL) \
	row(STR,  variant,      "variant",     OPTIONAL) \
	row(STR,  created,      "created",     OPTIONAL) \
	row(STR,  imported,     "imported",    OPTIONAL) \
	row(STR,  source,       "source",      OPTIONAL) \
	row(U64,  size,         "size",        OPTIONAL) \
	row(STRS, layers,       "layers",      OPTIONAL) \
	row(STR,  root,         "root",        OPTIONAL)
/* clang-format on */

/* A layer's key is its diff_id, so that all images share it, or, when it depends on what is below,
 * a hash of both. Layers of an image go lowest first. root: a folder beside the image whose owner,
 * mode and time are those of "/", where the uppermost layer does not have them. */
SHAPE_STRUCT(stored_layer, STORED_LAYER)
SHAPE_STRUCT(stored_image, STORED_IMAGE)

enum sync_how { SYNC_FS, SYNC_NONE };

struct store {
	char *path; /* absolute */
	int dir;
	int lock;
	bool userxattr; /* overlay marks of this store are user.*, since no root made it */
	enum sync_how sync;
};

/* The folder of the store; malloc()ed. asked may be NULL: /var/lib/skiff, or for users
 * $XDG_DATA_HOME/skiff or ~/.local/share/skiff. */
must_use error *store_path(const char *asked, bool rootless, char **out);
/* Opens, makes what is missing, and removes what crashed commands left. */
must_use error *store_open(const char *path, bool userxattr, struct store **out);
void store_free(struct store *s);
DEFINE_AUTO(struct store *, store_free)
#define auto_store auto_(store_free)

/* --- stage.c: a folder for what is being made --- */

struct stage {
	struct store *store;
	char name[48]; /* in tmp/ */
	int dir;
	int owner;
};
must_use error *stage_new(struct store *s, struct stage *out);
/* Removes what is still in it. */
void stage_drop(struct stage *stage);
/* Removes the stages of processes that are no more. */
void stage_tidy(struct store *s);
#define auto_stage __attribute__((cleanup(stage_drop)))
/* Writes a file beside and moves it to path; an existing one is replaced. */
must_use error *store_put(struct store *s, const char *path, const void *data, size_t len);

/* --- store_layer.c --- */

enum { LAYER_KEY_MAX = 160 };

struct layer_handle {
	char key[LAYER_KEY_MAX];
	int dir;  /* layers/KEY */
	int diff; /* its folder diff */
	struct stored_layer *meta;
};

/* "sha256-HEX" of a diff_id alone. */
void layer_key(const struct digest *diff_id, char *out);
/* The key of a layer that depends on the layers below it, whose uppermost has the key parent (""
 * for none), and on options that change the result (flavour, "" for none). */
must_use error *layer_key_above(const char *parent, const struct digest *diff_id,
				const char *flavour, char *out);
/* ENOENT when it is not there. */
must_use error *layer_open(struct store *s, const char *key, struct arena *arena,
			   struct layer_handle *out);
void layer_close(struct layer_handle *h);
bool layer_has_blob(const struct layer_handle *h, const struct digest *blob);
must_use error *layer_add_blob(struct store *s, struct layer_handle *h, const struct digest *blob,
			       struct arena *arena);
/* Waits for whoever makes this layer; *lock is to be closed. */
must_use error *layer_lock(struct store *s, const char *chain, int *lock);
bool layer_needs_parent(struct store *s, const struct digest *diff_id);
/* Moves stage's folder "layer" (diff/, records.zst) into the store, with meta. One that is there
 * already is kept instead. */
must_use error *layer_commit(struct store *s, struct stage *stage, const char *key,
			     const struct stored_layer *meta, bool needs_parent);

/* --- store_image.c --- */

must_use error *store_blob_read(struct store *s, const struct digest *digest, char **out,
				size_t *len);
must_use error *store_blob_write(struct store *s, const struct digest *digest, const void *data,
				 size_t len);
must_use error *store_image_write(struct store *s, const struct stored_image *image);
must_use error *store_image_read(struct store *s, const char *manifest, struct arena *arena,
				 struct stored_image **out);
/* A name, a name without ":latest", a digest of a manifest or configuration, or at least 6 digits
 * of one. */
must_use error *store_image_find(struct store *s, const char *name, struct arena *arena,
				 struct stored_image **out);
must_use error *ref_check(const char *name);
must_use error *ref_set(struct store *s, const char *name, const char *manifest);
must_use error *ref_remove(struct store *s, const char *name);

struct ref {
	char *name, *manifest;
};
/* Sorted by name; in the arena. */
must_use error *ref_list(struct store *s, struct arena *arena, struct ref **out, size_t *n);
/* The manifests of all images. */
must_use error *store_image_list(struct store *s, struct arena *arena, char ***out, size_t *n);
must_use error *store_image_remove(struct store *s, const char *manifest);

/* --- gc.c --- */

struct gc_result {
	size_t layers, images, blobs; /* removed, or with dry_run: that would be */
};
/* Removes images without a name or container, and what no image needs. */
must_use error *store_gc(struct store *s, bool dry_run, struct gc_result *out);
