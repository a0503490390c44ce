/* Any bytes as config.json: reading, checking, mount rows, the seccomp program, writing. Nothing may crash, and what was
 * read must read back from what is written of it. */
#include "base/log.h"
#include "runtime/mounts.h"
#include "runtime/rootless.h"
#include "runtime/seccomp.h"
#include "spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_and_read_again(const struct spec *spec, struct arena *arena)
{
	struct json *j = NULL;
	const struct spec *again;
	const char *text;
	size_t len;

	error *e = json_new(JSON_ONE_LINE, &j);
	if (e)
		abort();
	spec_write(spec, j);
	e = json_finish(j, &text, &len);
	if (!e && (e = spec_read(text, len, arena, &again)))
		abort();
	error_free(e);
	json_free(j);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mounts_facts facts = { .bundle = "/bundle", .cgroup_root = "/sys/fs/cgroup" };
	struct arena *arena = NULL;
	const struct spec *spec;
	struct mount_rows rows;
	struct sock_fprog program;
	unsigned flags;

	if (arena_new(&arena))
		return 0;
	error *e = spec_read((const char *)data, size, arena, &spec);
	if (!e) {
		write_and_read_again(spec, arena);
		e = mounts_plan(spec, &facts, arena, &rows);
	}
	if (!e && spec->linux_->seccomp)
		e = seccomp_compile(spec->linux_->seccomp, arena, &program, &flags);
	if (!e)
		e = rootless_complete(spec, arena, &spec);
	error_free(e);
	arena_free(arena);
	return 0;
}
