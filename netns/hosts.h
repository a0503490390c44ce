/* Names of a network's containers, in the /etc/hosts of each: who starts later is found too, and no
 * name server is needed. */
#pragma once

#include "netns/lease.h"

/* Brings the files of all containers of the network up to date. One that cannot be written is left
 * as it is: its container's workload may have made it what it likes. */
must_use error *hosts_refresh(struct store *s, const struct network *n);
/* The part between our two marks replaced (or appended); malloc()ed, NULL without memory. Pure. */
char *hosts_splice(const char *text, const char *block);
