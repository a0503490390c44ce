#include <endian.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/path.h"
#include "base/text.h"
#include "vmm/kernel.h"

/* What a guest may need, and the kind of virtio device that it is for; "-": always. The agent loads
 * them in this order. A kernel that lacks one has it built in, or cannot do that. */
static const struct {
	const char *kind;
	const char *module;
} wanted[] = {
	{ "-", "virtio_mmio" },    { "3", "virtio_console" },
	{ "26", "virtiofs" },      { "4", "virtio-rng" },
	{ "1", "virtio_net" },     { "2", "virtio_blk" },
	{ "2", "erofs" },          { "2", "squashfs" },
	{ "5", "virtio_balloon" }, { "19", "vmw_vsock_virtio_transport" },
	{ "-", "overlay" },
};

struct list {
	struct strings paths; /* of all modules below lib/modules/VERSION */
	struct strings taken; /* names, in order */
	FILE *order;
	const char *to;
};

/* nftw(3) hands nothing on. */
static struct strings *found;

static int visit(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)at;
	if (type != FTW_F || !text_ends(path, ".ko"))
		return 0;
	auto_error error *e = strings_add(found, path);
	return e ? -1 : 0;
}

/* The kernel takes "-" and "_" in names for the same. */
static bool is_named(const char *path, const char *name)
{
	const char *base = strrchr(path, '/') + 1;
	size_t len = strlen(base) - strlen(".ko");

	if (strlen(name) != len)
		return false;
	for (size_t i = 0; i < len; i++)
		if ((base[i] == '-' ? '_' : base[i]) != (name[i] == '-' ? '_' : name[i]))
			return false;
	return true;
}

static const char *find(const struct strings *paths, const char *name)
{
	for (size_t i = 0; i < paths->n; i++)
		if (is_named(paths->v[i], name))
			return paths->v[i];
	return NULL;
}

/* The .modinfo section says "depends=a,b". */
static char *depends_of(const char *data, size_t len)
{
	static const char key[] = "depends=";

	for (const char *at = data; (at = memmem(at, len - (size_t)(at - data), key, strlen(key)));
	     at++)
		if (at > data && !at[-1])
			return strdup(at + strlen(key));
	return NULL;
}

/* A guest that checks the signature of each module spends more time on it than on the module. Who
 * can change the modules can change the kernel. What is appended: the signature, twelve bytes that
 * end with its length, this text (the kernel's Documentation/admin-guide/module-signing.rst). */
static size_t without_signature(const char *data, size_t len)
{
	static const char mark[] = "~Module signature appended~\n";
	const size_t tail = sizeof(mark) - 1 + 12;
	uint32_t signature;

	if (len < tail || memcmp(data + len - (sizeof(mark) - 1), mark, sizeof(mark) - 1) != 0)
		return len;
	memcpy(&signature, data + len - tail + 8, sizeof(signature));
	signature = be32toh(signature);
	return signature <= len - tail ? len - tail - signature : len;
}

static error *take(struct list *l, const char *kind, const char *name);

/* Those it depends on come first, and all whenever it does. */
static error *take_dependencies(struct list *l, const char *kind, char *names)
{
	for (char *rest = names, *name; (name = strsep(&rest, ","));)
		if (*name)
			try(take(l, kind, name));
	return NULL;
}

static error *take(struct list *l, const char *kind, const char *name)
{
	const char *path = find(&l->paths, name);
	auto_free char *data = NULL;
	auto_free char *target = NULL;
	size_t len;

	if (!path || find(&l->taken, name))
		return NULL;
	const char *file = strrchr(path, '/') + 1;
	try(file_read(AT_FDCWD, path, (size_t)64 << 20, &data, &len));
	auto_free char *depends = depends_of(data, len);
	if (depends)
		try(take_dependencies(l, kind, depends));
	try(strings_add(&l->taken, path));
	target = path_join(l->to, file);
	if (!target)
		return error_new(ENOMEM, "%s", file);
	fprintf(l->order, "%s %s\n", kind, file);
	return file_create(AT_FDCWD, target, 0644, data, without_signature(data, len));
}

error *kernel_take_modules(const char *from, const char *to)
{
	struct list l = { .to = to };
	error *e = path_make_folders(to, 0755);
	auto_free char *order = path_join(to, "order");

	found = &l.paths;
	if (!e && !order)
		e = error_new(ENOMEM, "%s", to);
	if (!e && nftw(from, visit, 16, FTW_PHYS) != 0)
		e = error_errno("look through %s", from);
	if (!e && !(l.order = fopen(order, "we")))
		e = error_errno("make %s", order);
	for (size_t i = 0; i < COUNT(wanted) && !e; i++)
		e = take(&l, wanted[i].kind, wanted[i].module);
	if (l.order && fclose(l.order) != 0 && !e)
		e = error_errno("write %s", order);
	strings_free(&l.paths);
	strings_free(&l.taken);
	return e;
}
