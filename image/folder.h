/* A folder as an archive: for root file systems that are folders, for export, and to put unpacked
 * layers into one folder. */
#pragma once

#include "image/layer.h"
#include "image/object.h"

/* What becomes of each object of a tree, folders before what is in them, names in order. Several
 * names of one file come as hard links to the first. */
struct folder_sink {
	error *(*take)(struct folder_sink *sink, const struct entry *e, struct content *content);
};

/* with_whiteouts: overlayfs' marks come as ".wh." names; else they are left out. */
must_use error *folder_walk(int dir, bool with_whiteouts, bool userxattr, struct folder_sink *sink);

/* The whole folder as a tar archive. */
must_use error *folder_write(int dir, bool with_whiteouts, bool userxattr,
			     error *(*write)(void *context, const void *data, size_t len),
			     void *context);
/* Unpacks the archive that the folder would be, in passing. */
must_use error *folder_unpack(int dir, int into, int record, const struct extract_options *how,
			      struct layer_output *out);
/* Lays an unpacked layer over what `into` has already; with_root: with the owner, mode and time of
 * its root. */
must_use error *folder_merge(int layer, bool userxattr, bool with_root, int into,
			     const struct extract_options *how, struct extract_result *out);
