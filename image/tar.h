/* Reads tar: ustar, pax, GNU (long names, base-256 numbers, all forms of sparse files). Written for
 * hostile input: what is ambiguous is refused, what is large is bounded. libarchive's reader is not
 * used since it renames by locale, misreads times before 1970 and accepts NUL bytes in names and
 * ids that mean "no change" (docs/images.md). */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "image/stream.h"

enum entry_type {
	ENTRY_FILE,
	ENTRY_HARD_LINK,
	ENTRY_SYMLINK,
	ENTRY_CHAR,
	ENTRY_BLOCK,
	ENTRY_DIR,
	ENTRY_FIFO,
};

struct xattr {
	const char *name;
	const void *value;
	size_t len;
};

/* A part of a sparse file that has data. */
struct segment {
	uint64_t offset, len;
};

struct entry {
	enum entry_type type;
	const char *name;   /* raw bytes, not empty */
	const char *target; /* of links */
	uint32_t mode;      /* permissions, at most 07777 */
	uint32_t uid, gid;  /* never (uint32_t)-1, which chown(2) takes as "leave it" */
	uint32_t major, minor;
	struct timespec mtime; /* tv_nsec from 0 to 999999999, also before 1970 */
	uint64_t size;         /* of a file, with its holes */
	bool is_sparse;
	const struct segment *segments; /* sorted, inside size; when is_sparse */
	size_t n_segments;
	const struct xattr *xattrs;
	size_t n_xattrs;
};

/* Sees everything but the contents of files, so that the archive can be put together again. */
struct tar_tap {
	error *(*raw)(struct tar_tap *tap, const void *data, size_t len);
	/* len bytes of the entry's file, from offset on, come here */
	error *(*content)(struct tar_tap *tap, uint64_t offset, uint64_t len);
};

struct tar;

/* s and tap (which may be NULL) are borrowed. */
must_use error *tar_open(struct stream *s, struct tar_tap *tap, struct tar **out);
/* *out is NULL at the end; it and what it points at live until the next call. Content that was not
 * read is skipped. After the end the rest of the stream has been read too. */
must_use error *tar_next(struct tar *t, const struct entry **out);
/* A piece of the content of the entry that came last and where it belongs; *len is 0 at its end. */
must_use error *tar_content(struct tar *t, const void **chunk, size_t *len, uint64_t *offset);
/* How many bytes of the archive were read: after tar_next, where the entry's content begins. */
uint64_t tar_position(const struct tar *t);
void tar_free(struct tar *t);

DEFINE_AUTO(struct tar *, tar_free)
#define auto_tar auto_(tar_free)

enum {
	TAR_BLOCK = 512,
	TAR_EXTENSION_MAX = 1 << 20, /* one pax header or long name (Go CVE-2022-2879) */
	TAR_XATTR_MAX = 64 << 10,    /* XATTR_SIZE_MAX of the kernel */
	TAR_XATTRS_MAX = 512,        /* for each entry */
	TAR_SEGMENTS_MAX = 64 << 10, /* of a sparse file (Go CVE-2025-58183) */
	TAR_PATH_MAX = 32 << 10,
};
