/* Removes trees of any depth with a few descriptors. */
#pragma once

#include "base/error.h"

/* Removes what is named, whatever it is; a link is not followed, one that is missing is fine. Stays
 * on one file system: a mount below is an error (EBUSY, EXDEV). */
must_use error *remove_all(int parent, const char *name);
/* Empties a folder. */
must_use error *remove_content(int dir);
