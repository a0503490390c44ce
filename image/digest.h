/* Digests as the image specification writes them, "sha256:<64 hex digits>", and what computes them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum { DIGEST_HEX_MAX = 128, DIGEST_MAX = 8 + DIGEST_HEX_MAX };

struct digest {
	char text[DIGEST_MAX]; /* the whole: "sha256:abc..." */
	char algorithm[8];     /* "sha256" or "sha512" */
};

/* Strict: a registered algorithm, lower case digits, the exact length. Whatever passes can be part
 * of a path (containers/image CVE-2024-3727 is what happens otherwise). */
must_use error *digest_parse(const char *text, struct digest *out);
/* What stands behind the colon. */
const char *digest_hex(const struct digest *d);
bool digest_same(const struct digest *a, const struct digest *b);
/* The digest of some bytes, by sha256. */
must_use error *digest_of(const void *data, size_t len, struct digest *out);

struct hasher;
/* algorithm: "sha256" or "sha512". */
must_use error *hasher_new(const char *algorithm, struct hasher **out);
must_use error *hasher_add(struct hasher *h, const void *data, size_t len);
/* Ends the computation: only hasher_free may follow. */
must_use error *hasher_finish(struct hasher *h, struct digest *out);
void hasher_free(struct hasher *h);

DEFINE_AUTO(struct hasher *, hasher_free)
#define auto_hasher auto_(hasher_free)
