#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/text.h"
#include "image/export.h"
#include "image/folder.h"
#include "image/verb.h"

static const struct option_row options[] = {
	OPTIONS_COMMON,
	{ "compress", 0, OPT_TEXT, REQUEST(compress), "HOW",
	  "gzip, zstd or none, for OCI images (gzip)" },
	{ "name", 'n', OPT_TEXT, REQUEST(name), "NAME", "what to call it there (as here)" },
};

static const struct target {
	const char *scheme;
	enum export_form form;
	bool is_folder;
} targets[] = {
	{ "oci:", EXPORT_OCI, true },
	{ "oci-archive:", EXPORT_OCI, false },
	{ "docker-archive:", EXPORT_DOCKER, false },
	{ "", EXPORT_OCI, false },
};

static error *choose_packing(const struct request *r, enum export_form form, enum pack_how *out)
{
	static const struct {
		const char *word;
		enum pack_how how;
	} words[] = { { "gzip", PACK_GZIP }, { "zstd", PACK_ZSTD }, { "none", PACK_NONE } };

	*out = form == EXPORT_OCI ? PACK_GZIP : PACK_NONE;
	if (!r->compress)
		return NULL;
	if (form == EXPORT_DOCKER && strcmp(r->compress, "none") != 0)
		return error_said(EINVAL, "--compress: layers of docker archives are not packed");
	for (size_t i = 0; i < COUNT(words); i++)
		if (strcmp(words[i].word, r->compress) == 0) {
			*out = words[i].how;
			return NULL;
		}
	return error_said(EINVAL, "--compress: '%s' is none of its values", r->compress);
}

static error *write_file(void *context, const void *data, size_t len)
{
	return fd_write_all(*(int *)context, data, len);
}

/* The folder's files become one archive, which takes its name only when it is whole. */
static error *write_archive(int folder, const char *path)
{
	auto_free char *fresh = NULL;
	int out = 1;

	if (strcmp(path, "-") == 0)
		return folder_write(folder, false, false, write_file, &out);
	if (asprintf(&fresh, "%s.%d.new", path, getpid()) < 0)
		return error_new(ENOMEM, "%s", path);
	auto_fd int fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return error_errno("make %s", fresh);
	error *e = folder_write(folder, false, false, write_file, &fd);
	if (!e && rename(fresh, path) < 0)
		e = error_errno("rename to %s", path);
	if (e)
		unlink(fresh);
	return e;
}

static error *export_image(struct request *r, int n, char **words)
{
	auto_stage struct stage stage = { .dir = -1 };
	const struct target *t = targets;
	struct stored_image *image = NULL;
	enum pack_how how;
	auto_fd int into = -1;
	bool by_digest = text_starts(words[0], "sha");
	const char *name = r->name ? r->name : by_digest ? NULL : words[0];

	(void)n;
	while (!text_starts(words[1], t->scheme))
		t++;
	const char *path = words[1] + strlen(t->scheme);
	try(choose_packing(r, t->form, &how));
	try(store_image_find(r->store, words[0], r->arena, &image));
	if (t->is_folder) {
		if (mkdir(path, 0755) < 0 && errno != EEXIST)
			return error_errno("make %s", path);
		into = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	} else {
		try(stage_new(r->store, &stage));
		if (mkdirat(stage.dir, "out", 0755) < 0)
			return error_errno("make a folder");
		into = openat(stage.dir, "out", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (into < 0)
		return error_errno("open %s", path);
	try_as(image_export(r->store, image, name, t->form, how, into, r->arena), "%s", path);
	return t->is_folder ? NULL : write_archive(into, path);
}

const struct verb verb_export = {
	.name = "export",
	.args = "NAME [oci:|oci-archive:|docker-archive:]PATH",
	.summary = "write an image as others read it",
	VERB_OPTIONS(options),
	.min = 2,
	.max = 2,
	.needs_store = true,
	.run = export_image,
};
