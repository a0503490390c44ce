/* One header block as numbers and texts, and pax records. Only tar*.c need it. */
#pragma once

#include "image/tar.h"

union tar_header {
	struct {
		char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8], type;
		char link[100], magic[8], uname[32], gname[32], major[8], minor[8], prefix[155];
	};
	char bytes[TAR_BLOCK];
};

/* Octal text, or base-256 when the first bit is set. */
must_use error *tar_number(const char *field, size_t len, const char *what, int64_t *out);
bool tar_checksum_is_right(const union tar_header *h);
bool tar_is_gnu(const union tar_header *h);
bool tar_is_ustar(const union tar_header *h);

/* What pax records say about an entry; `has` bits tell which. Texts point into the records. */
enum pax_has {
	PAX_PATH = 1,
	PAX_LINK = 2,
	PAX_SIZE = 4,
	PAX_UID = 8,
	PAX_GID = 16,
	PAX_MTIME = 32,
	PAX_SPARSE_NAME = 64,
	PAX_SPARSE_SIZE = 128,
	PAX_SPARSE_MAP = 256,
	PAX_SPARSE_1_0 = 512,
};

struct pax {
	unsigned has;
	const char *path, *link, *sparse_name, *sparse_map, *acl_access, *acl_default;
	uint64_t size, sparse_size, sparse_major, sparse_minor;
	uint32_t uid, gid;
	struct timespec mtime;
	struct xattr xattrs[TAR_XATTRS_MAX];
	size_t n_xattrs;
	struct segment *segments; /* of format 0.0, with room for TAR_SEGMENTS_MAX; may be NULL */
	size_t n_segments;
	bool offset_awaits_length; /* format 0.0 */
};

/* Reads records into pax, changing them in place: records end with a NUL afterwards. */
must_use error *pax_read(char *records, size_t len, struct pax *pax);
/* "-86400.25" -> tv_sec -86401, tv_nsec 750000000 */
bool pax_time(const char *text, struct timespec *out);
/* "0,512,4096,512": format 0.1. */
must_use error *sparse_map_from_text(const char *map, struct segment *segments, size_t *n);
/* Sorted, not overlapping, inside size; together `stored` bytes. */
must_use error *sparse_map_check(const struct segment *segments, size_t n, uint64_t size,
				 uint64_t stored);
