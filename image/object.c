#include "image/object.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

struct object {
	struct content content;
	struct entry entry;
	struct stat st;
	int fd;
	char *path;
	char *target;
	struct segment *segments;
	struct xattr xattrs[TAR_XATTRS_MAX];
	size_t segment; /* where reading stands */
	uint64_t position;
	char buffer[128 << 10];
};

static error *next_piece(struct content *c, const void **chunk, size_t *len, uint64_t *offset)
{
	struct object *o = (struct object *)c;
	const struct entry *e = &o->entry;
	uint64_t at = o->position;
	uint64_t left = e->size - at;

	*len = 0;
	if (e->is_sparse) {
		while (o->segment < e->n_segments && o->position == e->segments[o->segment].len) {
			o->segment++;
			o->position = 0;
		}
		if (o->segment == e->n_segments)
			return NULL;
		at = e->segments[o->segment].offset + o->position;
		left = e->segments[o->segment].len - o->position;
	}
	if (left == 0)
		return NULL;
	size_t want = left < sizeof(o->buffer) ? (size_t)left : sizeof(o->buffer);
	ssize_t n = pread(o->fd, o->buffer, want, (off_t)at);
	if (n < 0)
		return error_errno("read %s", o->path);
	if (n == 0)
		return error_said(EIO, "%s became shorter while it was read", o->path);
	o->position += (uint64_t)n;
	*chunk = o->buffer;
	*len = (size_t)n;
	*offset = at;
	return NULL;
}

static error *keep_xattr(void *context, const struct xattr *x)
{
	struct object *o = context;
	size_t n = o->entry.n_xattrs;

	if (n == TAR_XATTRS_MAX)
		return error_said(E2BIG, "more than %d xattrs", TAR_XATTRS_MAX);
	/* one block: the value first, so that it is what is freed */
	char *value = malloc(x->len + strlen(x->name) + 1);
	if (!value)
		return error_new(ENOMEM, "xattrs");
	memcpy(value, x->value, x->len);
	memcpy(value + x->len, x->name, strlen(x->name) + 1);
	o->xattrs[n] = (struct xattr){ value + x->len, value, x->len };
	o->entry.n_xattrs = n + 1;
	return NULL;
}

static error *find_segments(struct object *o)
{
	off_t at = 0;
	size_t capacity = 0;

	o->entry.is_sparse = true;
	for (;;) {
		off_t data = lseek(o->fd, at, SEEK_DATA);
		if (data < 0 && errno == ENXIO)
			return NULL;
		at = data < 0 ? -1 : lseek(o->fd, data, SEEK_HOLE);
		if (at < 0)
			return error_errno("find the holes");
		if (o->entry.n_segments == capacity) {
			capacity = capacity ? capacity * 2 : 16;
			void *more = realloc(o->segments, capacity * sizeof(*o->segments));
			if (!more)
				return error_new(ENOMEM, "holes");
			o->segments = more;
			o->entry.segments = more;
		}
		o->segments[o->entry.n_segments++] =
			(struct segment){ (uint64_t)data, (uint64_t)(at - data) };
	}
}

static error *describe(struct object *o, int dir, const char *name)
{
	static const struct {
		mode_t format;
		enum entry_type type;
	} types[] = {
		{ S_IFREG, ENTRY_FILE },  { S_IFDIR, ENTRY_DIR },   { S_IFLNK, ENTRY_SYMLINK },
		{ S_IFCHR, ENTRY_CHAR },  { S_IFBLK, ENTRY_BLOCK }, { S_IFIFO, ENTRY_FIFO },
		{ S_IFSOCK, ENTRY_FIFO },
	};
	struct entry *e = &o->entry;

	if (fstat(o->fd, &o->st) < 0)
		return error_errno("look at it");
	for (size_t i = 0; i < COUNT(types); i++)
		if (types[i].format == (o->st.st_mode & S_IFMT))
			e->type = types[i].type;
	e->mode = o->st.st_mode & 07777;
	e->uid = o->st.st_uid;
	e->gid = o->st.st_gid;
	e->major = major(o->st.st_rdev);
	e->minor = minor(o->st.st_rdev);
	e->mtime = o->st.st_mtim;
	e->xattrs = o->xattrs;
	try(metadata_each_xattr(o->fd, keep_xattr, o));
	if (e->type == ENTRY_SYMLINK) {
		o->target = calloc(1, 4097);
		if (!o->target || readlinkat(dir, name, o->target, 4096) < 0)
			return error_errno("read the link");
		e->target = o->target;
	}
	if (e->type != ENTRY_FILE)
		return NULL;
	e->size = (uint64_t)o->st.st_size;
	return (uint64_t)o->st.st_blocks * 512 < e->size ? find_segments(o) : NULL;
}

error *object_open(int dir, const char *name, const char *path, struct object **out)
{
	auto_object struct object *o = calloc(1, sizeof(*o));
	struct stat st;

	if (!o)
		return error_new(ENOMEM, "%s", path);
	o->fd = -1;
	o->content.next = next_piece;
	o->path = strdup(path);
	o->entry.name = o->path;
	if (!o->path || fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return error_errno("look at %s", path);
	int how = S_ISREG(st.st_mode) || S_ISDIR(st.st_mode) ? O_RDONLY | O_NONBLOCK : O_PATH;
	o->fd = openat(dir, name, how | O_NOFOLLOW | O_CLOEXEC);
	if (o->fd < 0)
		return error_errno("open %s", path);
	try_as(describe(o, dir, name), "%s", path);
	*out = take_ptr(&o);
	return NULL;
}

const struct entry *object_entry(const struct object *o)
{
	return &o->entry;
}

const struct stat *object_stat(const struct object *o)
{
	return &o->st;
}

struct content *object_content(struct object *o)
{
	return &o->content;
}

bool object_is_socket(const struct object *o)
{
	return S_ISSOCK(o->st.st_mode);
}

void object_free(struct object *o)
{
	if (!o)
		return;
	if (o->fd >= 0)
		close(o->fd);
	for (size_t i = 0; i < o->entry.n_xattrs; i++)
		free((void *)o->xattrs[i].value);
	free(o->segments);
	free(o->target);
	free(o->path);
	free(o);
}
