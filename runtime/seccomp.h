/* The seccomp profile of config.json as a program for the kernel. */
#pragma once

#include <linux/filter.h>

#include "spec.h"

/* Pure. flags are SECCOMP_FILTER_FLAG_* for seccomp(2). Everything lies in the arena. Names that no
 * libseccomp knows, and architectures that this one does not, are skipped as the specification
 * asks. */
must_use error *seccomp_compile(const struct spec_seccomp *profile, struct arena *arena,
				struct sock_fprog *out, unsigned *flags);
