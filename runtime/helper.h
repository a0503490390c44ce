/* Other programs of the host's that skiff runs. */
#pragma once

#include <stdbool.h>

#include "base/error.h"

/* Runs argv[0], found in PATH, with our environment and standard error, and waits. Not zero is an
 * error. */
must_use error *helper_run(char *const argv[]);
/* Whether such a program is in PATH. */
bool helper_exists(const char *name);
