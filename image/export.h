/* An image of the store as a folder or archive that others read. */
#pragma once

#include "image/pack.h"
#include "image/store.h"

enum export_form { EXPORT_OCI, EXPORT_DOCKER };

/* Puts the files of the form into an empty folder. name: what it is called there; may be NULL.
 * Layers come out bit by bit as they came in where that is possible; else with a new diff_id. */
must_use error *image_export(struct store *s, const struct stored_image *image, const char *name,
			     enum export_form form, enum pack_how how, int into,
			     struct arena *arena);
