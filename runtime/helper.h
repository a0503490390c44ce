/* Other programs that skiff runs: the host's, and its own in libexec. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/* Runs argv[0], found in PATH unless it has a slash, with our environment, and waits. Not zero is
 * an error, which ends with the first line that the program wrote to standard error. */
must_use error *helper_run(char *const argv[]);
/* The same, and gives back what it wrote to standard output (at most 16 MiB); malloc()ed. */
must_use error *helper_output(char *const argv[], char **out, size_t *len);
/* Whether such a program is in PATH. */
bool helper_exists(const char *name);
/* The path of one of our own programs: beside this one in libexec/ (as make leaves it), or
 * ../libexec/skiff/ (as make install does). malloc()ed. ENOENT when it is in neither. */
must_use error *helper_own(const char *name, char **out);
/* Becomes one of them, with these words behind its name; returns only when it cannot. */
must_use error *helper_become(const char *name, char *const words[]);
