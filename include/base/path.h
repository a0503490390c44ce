/* Paths as text, and paths that are resolved inside a root that may be hostile: there only by
 * descriptor, so that nothing can be swapped between a check and its use. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

/* "/a//b/./c/" -> "/a/b/c"; ".." goes up, never above the start. As text only. malloc()ed, or NULL.
 */
char *path_clean(const char *path);
/* dir "/" name, or name alone when it is absolute. malloc()ed, or NULL. */
char *path_join(const char *dir, const char *name);
/* The absolute, clean form of path as seen from the current directory. */
must_use error *path_absolute(const char *path, char **out);

/* Opens path inside the directory root as a process chrooted there would see it: ".." and absolute
 * links stay inside, magic links (/proc/self/fd/N) are refused. flags as for openat2(2). */
must_use error *root_open(int root, const char *path, uint64_t flags, int *out);
/* The same, making the folders (mode 0755) that are missing on the way; the last part becomes a
 * folder, or, with is_file, an empty file. Returns an O_PATH descriptor. */
must_use error *root_ensure(int root, const char *path, int is_file, int *out);
/* The same for a file that may be a link to what is not there yet, inside: images have
 * /etc/resolv.conf lead to where a service of the host would write it. */
must_use error *root_ensure_linked(int root, const char *path, int *out);
/* Ensures the folder that path lies in; *name points at path's last part. */
must_use error *root_ensure_parent(int root, const char *path, int *out, const char **name);

/* Makes a folder and those above it; one that exists is fine. */
must_use error *path_make_folders(const char *path, mode_t mode);
/* Removes what is below the folder dir and the folder itself; one that is missing is fine. Never
 * follows a link and stays on its file system. */
must_use error *path_remove_tree(int parent, const char *name);
