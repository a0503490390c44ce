/* Device rules as a program for the kernel's eBPF machine. */
#pragma once

#include <linux/bpf.h>

#include "cgroup.h"

/* Pure: rules, then what every container may use, then "deny". *out is malloc()ed. */
must_use error *devices_compile(const struct spec_device_rule *rules, size_t n,
				struct bpf_insn **out, size_t *n_out);
/* may_replace: a program of ours may be in force already. */
must_use error *devices_set(const struct cgroup *c, const struct spec_device_rule *rules, size_t n,
			    bool rootless, bool may_replace);
