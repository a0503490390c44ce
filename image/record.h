/* What an archive holds besides the contents of its files, kept beside an unpacked layer: with the
 * files it gives the archive back, bit by bit. That is how a layer is verified and exported without
 * keeping its blob. A file of records, packed by zstd:
 *     'H' length bytes           bytes of the archive
 *     'F' length path            the file that the next records are about
 *     'D' offset length          a part of that file
 * with lengths and offsets of 8 bytes, in the machine's order: it never leaves the machine.
 */
#pragma once

#include "image/extract.h"

struct recorder;

/* Writes to fd, borrowed; x tells which file content belongs to. */
must_use error *recorder_new(int fd, const struct extract *x, struct recorder **out);
struct tar_tap *recorder_tap(struct recorder *r);
must_use error *recorder_finish(struct recorder *r);
void recorder_free(struct recorder *r);

DEFINE_AUTO(struct recorder *, recorder_free)
#define auto_recorder auto_(recorder_free)

/* The archive, out of the records in fd and the files below root. Both are borrowed. */
must_use error *record_replay(int fd, int root, struct stream **out);
