#include "image/verify.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "image/metadata.h"
#include "image/object.h"
#include "image/place.h"
#include "image/record.h"
#include "image/whiteout.h"

/* What the archive says of a file, compared with the file. */
struct check {
	struct tree tree; /* to find files; nothing is made */
	char path[PLACE_PATH_MAX + 1];
};

static error *differs(const char *what)
{
	return error_said(EBADMSG, "its %s is not what was imported", what);
}

static const struct xattr *find_xattr(const struct entry *e, const char *name)
{
	for (size_t i = 0; i < e->n_xattrs; i++)
		if (strcmp(e->xattrs[i].name, name) == 0)
			return &e->xattrs[i];
	return NULL;
}

/* Those that are there must be the archive's. Some of the archive's were left out when it came. */
static error *compare_xattrs(const struct entry *want, const struct entry *is)
{
	for (size_t i = 0; i < is->n_xattrs; i++) {
		const struct xattr *x = &is->xattrs[i];
		const struct xattr *y = find_xattr(want, x->name);
		bool is_acl = strncmp(x->name, "system.posix_acl", 16) == 0;
		if (!y ||
		    (!is_acl && (y->len != x->len || memcmp(y->value, x->value, x->len) != 0)))
			return differs(x->name);
	}
	return NULL;
}

static error *compare(const struct entry *want, const struct entry *is)
{
	if (want->type != is->type)
		return differs("type");
	if (want->uid != is->uid || want->gid != is->gid)
		return differs("owner");
	if (want->type != ENTRY_SYMLINK && want->mode != is->mode)
		return differs("mode");
	if (want->type == ENTRY_SYMLINK && strcmp(want->target, is->target) != 0)
		return differs("target");
	if (want->type == ENTRY_FILE && want->size != is->size)
		return differs("size");
	if (want->mtime.tv_sec != is->mtime.tv_sec || want->mtime.tv_nsec != is->mtime.tv_nsec)
		return differs("time");
	return compare_xattrs(want, is);
}

static error *check_entry(struct check *c, const struct entry *e)
{
	auto_object struct object *o = NULL;
	auto_fd int dir = -1;

	try(place_normalize(e->name, c->path));
	char *slash = strrchr(c->path, '/');
	const char *name = slash ? slash + 1 : c->path;
	if (slash)
		*slash = '\0';
	/* a hard link's own entry repeats, or not, what its target's says */
	if (whiteout_is(name) || e->type == ENTRY_HARD_LINK)
		return NULL;
	try(tree_folder_apart(&c->tree, slash ? c->path : "", &dir, NULL));
	try(object_open(dir, *name ? name : ".", e->name, &o));
	return compare(e, object_entry(o));
}

static error *check_all(struct layer_handle *h, struct stream *archive)
{
	struct check *c = calloc(1, sizeof(*c));
	struct tar *tar = NULL;
	const struct entry *e = NULL;
	error *failed = c ? tar_open(archive, NULL, &tar) : error_new(ENOMEM, "verify");

	if (!failed)
		c->tree = (struct tree){ .root = h->diff, .parent = -1, .form = FORM_FLAT };
	while (!failed) {
		failed = tar_next(tar, &e);
		if (failed || !e)
			break;
		failed = check_entry(c, e);
		if (failed)
			failed = error_wrap(failed, "%s", e->name);
	}
	tar_free(tar);
	free(c);
	return failed;
}

static error *verify(struct layer_handle *h)
{
	auto_fd int records = openat(h->dir, "records.zst", O_RDONLY | O_CLOEXEC);
	auto_stream struct stream *archive = NULL;
	auto_hasher struct hasher *hasher = NULL;
	struct stream *plain = NULL;
	struct digest want;
	struct digest is;

	if (records < 0)
		return error_errno("open records.zst");
	try(digest_parse(h->meta->diff_id, &want));
	try(hasher_new(want.algorithm, &hasher));
	try(record_replay(records, h->diff, &plain));
	try(stream_hashed(plain, hasher, NULL, &archive));
	try(check_all(h, archive));
	try(stream_drain(archive));
	try(hasher_finish(hasher, &is));
	if (!digest_same(&is, &want))
		return error_said(EBADMSG,
				  "the content of a file is not what was imported: %s, not %s",
				  is.text, want.text);
	return NULL;
}

error *layer_verify(struct store *s, const char *key, struct arena *arena, bool *is_exact)
{
	struct layer_handle h = { .dir = -1, .diff = -1 };

	try(layer_open(s, key, arena, &h));
	*is_exact = h.meta->is_exact;
	error *e = *is_exact ? verify(&h) : NULL;
	layer_close(&h);
	return e ? error_wrap(e, "layer %s", key) : NULL;
}
