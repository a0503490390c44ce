/* Who "USER" of an image is: looked up in its own /etc/passwd and /etc/group, never the host's. */
#pragma once

#include "base/rows.h"
#include "image/lower.h"

struct user {
	uint32_t uid, gid;
	struct u32s more_gids; /* of /etc/group, when a name without a group was given */
	const char *name;      /* NULL: unknown */
	const char *home;      /* of /etc/passwd; NULL: unknown */
};

/* "", "USER", "USER:GROUP", each a name or a number up to 4294967294 (CVE-2024-40635). Names that
 * are not there are an error; numbers need not be. Everything lives in the arena. */
must_use error *user_find(const struct lower_dir *roots, bool userxattr, const char *text,
			  struct arena *arena, struct user *out);
