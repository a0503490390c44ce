/* Volumes that have a name: folders of the store that outlive the containers that mount them. */
#pragma once

#include "image/lower.h"
#include "image/store.h"

/* word: NAME:PATH[:...]. Makes the volume, unless it is there, with what the layers have at PATH.
 */
must_use error *volume_ensure(struct store *s, const char *word, const struct lower_dir *layers);
