#include "image/layer.h"

#include <string.h>

#include "image/record.h"
#include "image/tar.h"

/* The streams of a layer, lowest first, and what they compute. */
struct pipeline {
	struct hasher *blob_hasher; /* NULL: nothing to compare with */
	struct hasher *diff_hasher;
	struct stream *archive; /* the uppermost */
	struct stream *packed;  /* inside archive */
	uint64_t archive_size;
};

static void pipeline_release(struct pipeline *p)
{
	stream_free(p->archive);
	hasher_free(p->blob_hasher);
	hasher_free(p->diff_hasher);
}

#define auto_pipeline __attribute__((cleanup(pipeline_release)))

static error *pipeline_open(const struct layer_input *in, struct pipeline *p)
{
	struct stream *s = NULL;
	const void *first;
	size_t len;

	try(stream_file(in->fd, in->offset, in->size, in->progress, &s));
	if (in->blob) {
		auto_stream struct stream *file = s;
		try(hasher_new(in->blob->algorithm, &p->blob_hasher));
		try(stream_hashed(take_ptr(&file), p->blob_hasher, NULL, &s));
	}
	try(stream_peek(s, &first, &len, &s));
	p->packed = s;
	enum packing packing = packing_of(first, len);
	if (packing == PACKED_OTHER && !in->any_packing) {
		stream_free(s);
		return error_said(
			EINVAL,
			"packed in a way that images do not know: want gzip, zstd or nothing");
	}
	try(stream_unpacked(s, packing, in->inflater, &s));
	try(stream_limited(s, in->max_archive, &s));
	p->archive = s;
	try(hasher_new(in->diff_id ? in->diff_id->algorithm : "sha256", &p->diff_hasher));
	p->archive = NULL;
	try(stream_hashed(s, p->diff_hasher, &p->archive_size, &s));
	if (in->in_two_threads)
		try(stream_ahead(s, &s));
	p->archive = s;
	return NULL;
}

static error *same_digest(struct hasher *h, const struct digest *want, const char *what,
			  struct digest *is)
{
	try(hasher_finish(h, is));
	if (want && !digest_same(is, want))
		return error_said(EBADMSG, "the %s is %s, not %s", what, is->text, want->text);
	return NULL;
}

/* Both streams to their ends, then the digests. The archive may end before what it is packed in
 * does. */
static error *pipeline_finish(struct pipeline *p, const struct layer_input *in,
			      struct layer_output *out)
{
	struct digest blob;

	try(stream_drain(p->archive));
	try(stream_drain(p->packed));
	if (in->blob)
		try(same_digest(p->blob_hasher, in->blob, "digest", &blob));
	try(same_digest(p->diff_hasher, in->diff_id, "diff_id", &out->diff_id));
	out->archive_size = p->archive_size;
	return NULL;
}

struct tar_source {
	struct content c;
	struct tar *tar;
};

static error *from_tar(struct content *c, const void **chunk, size_t *len, uint64_t *offset)
{
	return tar_content(((struct tar_source *)c)->tar, chunk, len, offset);
}

static error *extract_all(struct extract *x, struct tar *tar)
{
	struct tar_source source = { { from_tar }, tar };
	const struct entry *e;

	for (;;) {
		try(tar_next(tar, &e));
		if (!e)
			return NULL;
		try(extract_entry(x, e, &source.c));
	}
}

error *layer_unpack(const struct layer_input *in, int into, int record,
		    const struct extract_options *how, struct layer_output *out)
{
	auto_pipeline struct pipeline p = { 0 };
	auto_extract struct extract *x = NULL;
	auto_recorder struct recorder *recorder = NULL;
	auto_tar struct tar *tar = NULL;

	try(pipeline_open(in, &p));
	try(extract_new(into, how, &x));
	if (record >= 0)
		try(recorder_new(record, x, &recorder));
	try(tar_open(p.archive, recorder ? recorder_tap(recorder) : NULL, &tar));
	try(extract_all(x, tar));
	try(pipeline_finish(&p, in, out));
	if (recorder)
		try(recorder_finish(recorder));
	return extract_finish(x, &out->extracted);
}

error *layer_check(const struct layer_input *in, struct layer_output *out)
{
	auto_pipeline struct pipeline p = { 0 };

	try(pipeline_open(in, &p));
	memset(&out->extracted, 0, sizeof(out->extracted));
	return pipeline_finish(&p, in, out);
}
