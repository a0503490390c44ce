/* Is what is in the store still what was imported? */
#pragma once

#include "image/store.h"

/* Puts the layer's archive together again, compares its digest with the diff_id, and each file's
 * type, owner, mode, time and xattrs with what the archive says. *is_exact false: the layer's own
 * entries replaced each other, only what is there could be compared. */
must_use error *layer_verify(struct store *s, const char *key, struct arena *arena, bool *is_exact);
