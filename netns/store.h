/* What is remembered about networks, for one folder of states:
 *     networks/NAME.json  what `skiff net create` was told: ROOT/.net/networks; for the usual root
 *                         /var/lib/skiff/networks, which outlives a restart of the machine
 *     leases/NAME/NUMBER  who has that host number: ROOT/.net/leases, which does not
 *     lock                held by whoever changes leases, bridges or rules
 * Ids of containers never begin with a dot, so that none is in the way.
 */
#pragma once

#include "base/rows.h"

struct store {
	const char *root; /* the folder of states */
	char *networks, *leases;
	int lock;
	struct arena *arena; /* all that is read lies here */
};

/* Waits until nobody else has it. With store_close the lock goes. */
must_use error *store_open(const char *root, struct store **out);
void store_close(struct store *s);
/* Gives the lock away for a while and takes it back. */
void store_unlock(struct store *s);
must_use error *store_lock(struct store *s);
/* 32 bits out of the root and a word: for names of devices that no other store has. */
uint32_t store_hash(const struct store *s, const char *word);
/* The store's table of rules. */
const char *store_table(const struct store *s, char name[32]);

DEFINE_AUTO(struct store *, store_close)
#define auto_store auto_(store_close)

/* Sorted names in a folder that end so, without the end; one that is missing is empty. */
must_use error *store_list(struct store *s, const char *folder, const char *end, struct texts *out);
