/* Users who are not root: a user namespace of their own, in which they are, with the ids that
 * /etc/subuid and /etc/subgid give them. */
#pragma once

#include "spec.h"

struct rootless {
	bool is_rootless; /* not the host's root: overlay marks are user.* */
	bool single_id;   /* no other ids */
	struct spec_id_map uid_maps[2], gid_maps[2];
	size_t n_uid_maps, n_gid_maps; /* 0: nothing is mapped by us */
};

/* Enters the namespace when it is needed. Before any thread is started. */
must_use error *rootless_enter(struct rootless *out);
