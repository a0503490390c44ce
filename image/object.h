/* The way back: something in a file system as the entry of an archive that it would be. */
#pragma once

#include "image/extract.h"

struct object;

/* What dir has under that name, not followed. path is what the entry is called. */
must_use error *object_open(int dir, const char *name, const char *path, struct object **out);
const struct entry *object_entry(const struct object *o);
const struct stat *object_stat(const struct object *o);
/* The content of a file; holes are left out. Only once. */
struct content *object_content(struct object *o);
/* A socket: no archive can hold one. */
bool object_is_socket(const struct object *o);
void object_free(struct object *o);

DEFINE_AUTO(struct object *, object_free)
#define auto_object auto_(object_free)
