/* Where an image comes from: a folder or an archive that holds its blobs by name. */
#pragma once

#include <sys/types.h>

#include "image/digest.h"
#include "image/stream.h"

enum source_kind {
	SOURCE_OCI_DIR,
	SOURCE_OCI_ARCHIVE,
	SOURCE_DOCKER_ARCHIVE,
	SOURCE_ROOTFS_FILE,
	SOURCE_ROOTFS_DIR,
};

struct source {
	enum source_kind kind;
	char *path;
	char *ref; /* NULL: none was given */
	int fd; /* the folder, or the archive: unpacked and seekable, unless SOURCE_ROOTFS_FILE */
	struct member *members;
	size_t n_members;
};

/* A file inside. fd is closed by blob_close. */
struct blob {
	int fd;
	bool owns_fd;
	off_t offset;
	int64_t size; /* -1: to the end of a pipe */
};

/* "oci:DIR[:REF]", "oci-archive:FILE[:REF]", "docker-archive:FILE[:REF]", "rootfs:FILE|DIR", or a
 * path whose kind is found out; FILE may be - for standard input. */
must_use error *source_open(const char *text, struct source **out);
void source_free(struct source *s);
/* Looks like a source rather than the name of an image: has a known scheme, or a '/' or '.' first
 * and is there. */
bool source_is(const char *text);

/* The file of that name; links inside an archive are followed, links in a folder are refused, what
 * is no regular file too. */
must_use error *source_member(const struct source *s, const char *name, struct blob *out);
must_use error *source_blob(const struct source *s, const struct digest *digest, struct blob *out);
bool source_has(const struct source *s, const char *name);
void blob_close(struct blob *b);
/* The whole content, at most max bytes, with a NUL behind; with a digest it is checked, and with
 * size
 * >= 0 that too. */
must_use error *blob_read(const struct blob *b, const struct digest *digest, int64_t size,
			  size_t max, char **out, size_t *len);

DEFINE_AUTO(struct source *, source_free)
#define auto_source auto_(source_free)
static inline void blob_close_at_end(struct blob *b)
{
	blob_close(b);
}
#define auto_blob __attribute__((cleanup(blob_close_at_end)))
