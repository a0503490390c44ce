/* Hooks: programs of the host's (or the container's) that config.json names. */
#pragma once

#include <stddef.h>

#include "spec.h"

struct hook_output {
	const char *out; /* files for their output, or NULL: annotations run.oci.hooks.stdout and
			    .stderr */
	const char *err;
};

/* Runs them in order, each with the state on standard input, exactly the environment it names, "/"
 * as its working directory and no descriptor of ours (CVE-2025-23266). A hook that fails or takes
 * longer than its timeout (in seconds; it is then killed) is an error that names it:
 * ".hooks.poststart[0]". */
must_use error *hooks_run(const char *kind, const struct spec_hook *hooks, size_t n,
			  const char *state, const struct hook_output *output);
