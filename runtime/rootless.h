/* What an ordinary user's container needs beyond its config.json. */
#pragma once

#include "spec.h"

/* A copy of spec with a user namespace, when it has none: root inside is the user outside; with
 * newuidmap(1) and an entry in /etc/subuid more ids follow. Options that name ids which are then
 * not mapped are left out. */
must_use error *rootless_complete(const struct spec *spec, struct arena *arena,
				  const struct spec **out);
