/* One layer: from a blob to a folder, everything checked on the way. */
#pragma once

#include "image/extract.h"
#include "image/stream.h"

struct layer_input {
	int fd;
	off_t offset;
	int64_t size;                 /* of the blob; -1: unknown, to the end */
	const struct digest *blob;    /* must be the blob's; NULL: unknown */
	const struct digest *diff_id; /* must be that of the archive inside; NULL: unknown */
	bool any_packing; /* xz, bzip2 and so on too, which the image specification does not know */
	enum inflater inflater;
	uint64_t max_archive;       /* bytes of the archive, with its headers and what is behind */
	bool in_two_threads;        /* unpack and hash in one, write in the other */
	_Atomic uint64_t *progress; /* counts bytes of the blob; may be NULL */
};

struct layer_output {
	struct digest diff_id;
	uint64_t archive_size;
	struct extract_result extracted;
};

/* Unpacks into the folder `into`. record: a file for record.h's records, or -1. On failure `into`
 * is left half full. */
must_use error *layer_unpack(const struct layer_input *in, int into, int record,
			     const struct extract_options *how, struct layer_output *out);
/* Only reads and checks. */
must_use error *layer_check(const struct layer_input *in, struct layer_output *out);
