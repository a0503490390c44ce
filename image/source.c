#include "image/source.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/kernel.h"
#include "base/path.h"
#include "base/text.h"
#include "image/tar.h"

/* A file or link of an archive. */
struct member {
	char *name; /* clean: no "./", no leading '/' */
	char *link; /* where a link leads, seen from the archive's root; NULL: a file */
	off_t offset;
	int64_t size;
};

enum { MEMBERS_MAX = 100000, LINKS_MAX = 8 };

static const struct {
	const char *scheme;
	enum source_kind kind;
} schemes[] = {
	{ "oci:", SOURCE_OCI_DIR },
	{ "oci-archive:", SOURCE_OCI_ARCHIVE },
	{ "docker-archive:", SOURCE_DOCKER_ARCHIVE },
	{ "rootfs:", SOURCE_ROOTFS_FILE },
};

bool source_is(const char *text)
{
	for (size_t i = 0; i < COUNT(schemes); i++)
		if (text_starts(text, schemes[i].scheme))
			return true;
	return (text[0] == '/' || text[0] == '.') && access(text, F_OK) == 0;
}

void source_free(struct source *s)
{
	if (!s)
		return;
	if (s->fd >= 0)
		close(s->fd);
	for (size_t i = 0; i < s->n_members; i++) {
		free(s->members[i].name);
		free(s->members[i].link);
	}
	free(s->members);
	free(s->path);
	free(s->ref);
	free(s);
}

/* "DIR:REF": both may hold colons, so the shortest beginning that exists is the path, unless the
 * whole is one. */
static error *split_ref(const char *text, struct source *s)
{
	if (access(text, F_OK) == 0 || strcmp(text, "-") == 0) {
		s->path = strdup(text);
		return s->path ? NULL : error_new(ENOMEM, "source");
	}
	for (const char *colon = strchr(text, ':'); colon; colon = strchr(colon + 1, ':')) {
		auto_free char *path = strndup(text, (size_t)(colon - text));
		if (!path)
			return error_new(ENOMEM, "source");
		if (access(path, F_OK) < 0 && strcmp(path, "-") != 0)
			continue;
		s->path = take_ptr(&path);
		s->ref = strdup(colon + 1);
		return s->ref ? NULL : error_new(ENOMEM, "source");
	}
	return error_new(ENOENT, "%s", text);
}

/* --- archives --- */

static error *add_member(struct source *s, const struct entry *e, const char *link, off_t offset)
{
	char *clean = path_clean(e->name);

	if (s->n_members == MEMBERS_MAX || !clean) {
		free(clean);
		return error_said(E2BIG, "more than %d files in the archive", MEMBERS_MAX);
	}
	if ((s->n_members & (s->n_members + 1)) == 0) { /* 2^k - 1 are full */
		void *more = realloc(s->members, (s->n_members + 1) * 2 * sizeof(*s->members));
		if (!more) {
			free(clean);
			return error_new(ENOMEM, "archive");
		}
		s->members = more;
	}
	struct member *m = &s->members[s->n_members++];
	*m = (struct member){ .name = clean, .offset = offset, .size = (int64_t)e->size };
	if (link) {
		m->link = path_clean(link);
		return m->link ? NULL : error_new(ENOMEM, "archive");
	}
	return NULL;
}

/* A link's target as seen from the archive's root. */
static error *add_link(struct source *s, const struct entry *e)
{
	const char *slash = strrchr(e->name, '/');
	auto_free char *target = NULL;

	if (e->type == ENTRY_HARD_LINK || e->target[0] == '/' || !slash)
		return add_member(s, e, e->target, 0);
	if (asprintf(&target, "%.*s/%s", (int)(slash - e->name), e->name, e->target) < 0)
		return error_new(ENOMEM, "archive");
	return add_member(s, e, target, 0);
}

static error *scan(struct source *s)
{
	auto_stream struct stream *stream = NULL;
	auto_tar struct tar *tar = NULL;
	struct stat st;
	const struct entry *e;

	if (fstat(s->fd, &st) < 0)
		return error_errno("look at it");
	try(stream_file(s->fd, 0, st.st_size, NULL, &stream));
	try(tar_open(stream, NULL, &tar));
	for (;;) {
		try(tar_next(tar, &e));
		if (!e)
			return NULL;
		if (e->type == ENTRY_FILE && !e->is_sparse)
			try(add_member(s, e, NULL, (off_t)tar_position(tar)));
		else if (e->type == ENTRY_HARD_LINK || e->type == ENTRY_SYMLINK)
			try(add_link(s, e));
	}
}

/* A packed archive, or one out of a pipe, goes into a file without a name first: blobs are read in
 * an order of their own. */
static error *spool(struct source *s, struct stream *from)
{
	const char *dir = getenv("TMPDIR");
	auto_fd int fd = open(dir && *dir ? dir : "/var/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0)
		return error_errno("make a temporary file in %s", dir && *dir ? dir : "/var/tmp");
	for (;;) {
		const char *chunk;
		size_t len;
		try(stream_next(from, (const void **)&chunk, &len));
		if (len == 0)
			break;
		for (ssize_t n; len; chunk += n, len -= (size_t)n)
			if ((n = write(fd, chunk, len)) < 0)
				return error_errno("write a temporary file");
	}
	close(s->fd);
	s->fd = take_fd(&fd);
	return NULL;
}

static error *open_archive(struct source *s)
{
	struct stream *stream = NULL;
	const void *first;
	size_t len;
	struct stat st;

	if (fstat(s->fd, &st) < 0)
		return error_errno("look at it");
	try(stream_file(s->fd, 0, S_ISREG(st.st_mode) ? st.st_size : -1, NULL, &stream));
	try(stream_peek(stream, &first, &len, &stream));
	enum packing packing = packing_of(first, len);
	auto_stream struct stream *whole = stream;
	if (packing != PACKED_NONE || !S_ISREG(st.st_mode)) {
		try(stream_unpacked(take_ptr(&whole), packing, INFLATE_BEST, &stream));
		whole = stream;
		try(spool(s, whole));
	}
	return scan(s);
}

/* --- kinds --- */

static error *recognise_archive(struct source *s)
{
	auto_error error *e = open_archive(s);

	if (!e && source_has(s, "oci-layout")) {
		s->kind = SOURCE_OCI_ARCHIVE;
		return NULL;
	}
	if (!e && source_has(s, "manifest.json") && !source_has(s, "etc") &&
	    !source_has(s, "bin/sh")) {
		s->kind = SOURCE_DOCKER_ARCHIVE;
		return NULL;
	}
	s->kind = SOURCE_ROOTFS_FILE; /* what is wrong with it is said when it is unpacked */
	return NULL;
}

/* What a path without a scheme is. */
static enum source_kind kind_of(const struct source *s, mode_t mode)
{
	if (!S_ISDIR(mode))
		return SOURCE_ROOTFS_FILE;
	return faccessat(s->fd, "oci-layout", F_OK, 0) == 0 ? SOURCE_OCI_DIR : SOURCE_ROOTFS_DIR;
}

static error *open_source(struct source *s, bool is_known)
{
	struct stat st;

	if (strcmp(s->path, "-") == 0)
		s->fd = fcntl(0, F_DUPFD_CLOEXEC, 3);
	else /* a fifo must not hold us up */
		s->fd = open(s->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (s->fd < 0 || fstat(s->fd, &st) < 0)
		return error_errno("open");
	if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode) && strcmp(s->path, "-") != 0)
		return error_said(EINVAL, "neither a file nor a folder");
	if (!is_known && S_ISREG(st.st_mode))
		return recognise_archive(s);
	if (!is_known)
		s->kind = kind_of(s, st.st_mode);
	else if (s->kind == SOURCE_ROOTFS_FILE && S_ISDIR(st.st_mode))
		s->kind = SOURCE_ROOTFS_DIR;
	bool wants_dir = s->kind == SOURCE_OCI_DIR || s->kind == SOURCE_ROOTFS_DIR;
	if (wants_dir != S_ISDIR(st.st_mode))
		return error_new(wants_dir ? ENOTDIR : EISDIR, "open");
	if (s->kind == SOURCE_OCI_ARCHIVE || s->kind == SOURCE_DOCKER_ARCHIVE)
		return open_archive(s);
	return NULL;
}

error *source_open(const char *text, struct source **out)
{
	auto_source struct source *s = calloc(1, sizeof(*s));
	bool is_known = false;
	const char *rest = text;

	if (!s)
		return error_new(ENOMEM, "source");
	s->fd = -1;
	for (size_t i = 0; i < COUNT(schemes); i++)
		if (text_starts(text, schemes[i].scheme)) {
			s->kind = schemes[i].kind;
			rest = text + strlen(schemes[i].scheme);
			is_known = true;
		}
	if (s->kind == SOURCE_ROOTFS_FILE) {
		s->path = strdup(rest);
		if (!s->path)
			return error_new(ENOMEM, "source");
	} else {
		try(split_ref(rest, s));
	}
	try_as(open_source(s, is_known), "%s", s->path);
	*out = take_ptr(&s);
	return NULL;
}

/* --- what is inside --- */

static const struct member *find(const struct source *s, const char *name)
{
	auto_free char *clean = path_clean(name);

	for (int links = 0; clean && links <= LINKS_MAX; links++) {
		const struct member *found = NULL;
		for (size_t i = 0; i < s->n_members;
		     i++) /* the last of equal names wins, as in any tar */
			if (strcmp(s->members[i].name, clean) == 0)
				found = &s->members[i];
		if (!found || !found->link)
			return found;
		free(clean);
		clean = strdup(found->link);
	}
	return NULL;
}

bool source_has(const struct source *s, const char *name)
{
	return find(s, name) != NULL;
}

static error *open_in_dir(const struct source *s, const char *name, struct blob *out)
{
	struct stat st;
	auto_fd int fd = sys_openat2(s->fd, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC, 0,
				     RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno("%s: open %s", s->path, name);
	if (!S_ISREG(st.st_mode))
		return error_said(EINVAL, "%s: %s is not a file", s->path, name);
	*out = (struct blob){ take_fd(&fd), true, 0, st.st_size };
	return NULL;
}

error *source_member(const struct source *s, const char *name, struct blob *out)
{
	if (s->kind == SOURCE_OCI_DIR)
		return open_in_dir(s, name, out);
	const struct member *m = find(s, name);
	if (!m)
		return error_new(ENOENT, "%s: %s", s->path, name);
	*out = (struct blob){ s->fd, false, m->offset, m->size };
	return NULL;
}

error *source_blob(const struct source *s, const struct digest *digest, struct blob *out)
{
	char name[16 + DIGEST_MAX];

	snprintf(name, sizeof(name), "blobs/%s/%s", digest->algorithm, digest_hex(digest));
	return source_member(s, name, out);
}

void blob_close(struct blob *b)
{
	if (b->owns_fd && b->fd >= 0)
		close(b->fd);
	b->owns_fd = false;
	b->fd = -1;
}

error *blob_read(const struct blob *b, const struct digest *digest, int64_t size, size_t max,
		 char **out, size_t *len)
{
	auto_hasher struct hasher *hasher = NULL;
	auto_stream struct stream *s = NULL;
	auto_free char *text = NULL;
	struct digest is;

	if (size >= 0 && b->size != size)
		return error_said(EBADMSG, "it has %lld bytes, not %lld", (long long)b->size,
				  (long long)size);
	if (b->size > (int64_t)max)
		return error_said(EFBIG, "more than %zu bytes", max);
	try(stream_file(b->fd, b->offset, b->size, NULL, &s));
	try(stream_read_all(s, max, &text, len));
	if (digest) {
		try(hasher_new(digest->algorithm, &hasher));
		try(hasher_add(hasher, text, *len));
		try(hasher_finish(hasher, &is));
		if (!digest_same(&is, digest))
			return error_said(EBADMSG, "the digest is %s, not %s", is.text,
					  digest->text);
	}
	*out = take_ptr(&text);
	return NULL;
}
