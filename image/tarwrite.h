/* Writes tar: ustar headers, with a pax header before those that need one. The same entries always
 * give the same bytes. */
#pragma once

#include "image/extract.h"

struct tar_writer {
	error *(*write)(void *context, const void *data, size_t len);
	void *context;
	char *records; /* of a pax header */
	size_t len, capacity;
};

must_use error *tar_write_entry(struct tar_writer *w, const struct entry *e,
				struct content *content);
/* The two blocks that end an archive. */
must_use error *tar_write_end(struct tar_writer *w);
void tar_writer_release(struct tar_writer *w);
