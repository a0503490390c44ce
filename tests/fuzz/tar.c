/* Any bytes as a layer: read in pieces of any size, then unpacked in both forms. Nothing may crash, and what was made
 * must lie in the folder, which the kernel sees to as it does for the program itself. FUZZ_FOLDER says where that is. The first byte says how large the
 * pieces are, the second in which form. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/confine.h"
#include "image/extract.h"
#include "image/remove.h"
#include "image/tar.h"
#include "tests/fuzz/pieces.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* no program to print names of functions can be started from here */
const char *__asan_default_options(void);
const char *__ubsan_default_options(void);
const char *__asan_default_options(void)
{
	return "symbolize=0";
}
const char *__ubsan_default_options(void)
{
	return "symbolize=0";
}

static int folder;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	umask(0);
	const char *path = getenv("FUZZ_FOLDER");
	folder = path ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	const struct confine_folder folders[] = { { .fd = folder }, { .fd = open("build/fuzz", O_PATH | O_CLOEXEC) } };
	if (folder < 0 || confine(folders, COUNT(folders), 1 << 26)) {
		fputs("want: FUZZ_FOLDER=DIR, for what is unpacked\n", stderr);
		exit(2);
	}
	return 0;
}

struct source {
	struct content c;
	struct tar *tar;
};

static error *from_tar(struct content *c, const void **chunk, size_t *len, uint64_t *offset)
{
	return tar_content(((struct source *)c)->tar, chunk, len, offset);
}

static error *nothing_below(struct lowers *self, const struct lower_dir **out)
{
	static const struct lower_dir none = { NULL, 0 };

	(void)self;
	*out = &none;
	return NULL;
}

static error *unpack(struct tar *tar, int into, uint8_t form)
{
	struct lowers lowers = { .get = nothing_below };
	struct budget budget = { .max_bytes = 1 << 20, .max_entries = 200 };
	const struct extract_options options = {
		.form = form & 1 ? FORM_FLAT : FORM_OVERLAY,
		.is_bottom = form & 2,
		.userxattr = form & 4,
		.lowers = &lowers,
		.devices = form & 8 ? DEVICES_SKIP : DEVICES_MAKE,
		.budget = &budget,
	};
	struct source source = { { from_tar }, tar };
	struct extract_result result;
	auto_extract struct extract *x = NULL;
	const struct entry *e;

	try(extract_new(into, &options, &x));
	for (;;) {
		try(tar_next(tar, &e));
		if (!e)
			return extract_finish(x, &result);
		try(extract_entry(x, e, &source.c));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct stream *s;
	struct tar *tar = NULL;

	if (size < 2)
		return 0;
	if (mkdirat(folder, "root", 0755) < 0)
		abort(); /* the one before was not removed */
	int into = openat(folder, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	s = pieces_new(data + 2, size - 2, data[0] ? (size_t)data[0] * 8 : 1);
	error *e = tar_open(s, NULL, &tar);
	if (!e)
		e = unpack(tar, into, data[1]);
	error_free(e);
	tar_free(tar);
	stream_free(s);
	close(into);
	e = remove_all(folder, "root");
	if (e)
		abort();
	return 0;
}
