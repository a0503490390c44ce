/* Limits, once computed, are written; when one fails, those before it get back what they had. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/log.h"
#include "cgroup/hierarchy.h"
#include "cgroup/limits.h"

enum { FILE_MAX = 1 << 20 };

struct old_value {
	const char *file; /* of the limit */
	char *text;       /* NULL: nothing to restore */
};

/* How a line that was not there before is taken back, in files with a line per device. */
static const struct {
	const char *file, *none;
} no_line[] = {
	{ "io.max", "rbps=max wbps=max riops=max wiops=max" },
	{ "io.bfq.weight", "default" },
	{ "io.weight", "default" },
	{ "rdma.max", "hca_handle=max hca_object=max" },
};

/* What to write so that the file says again what it says now, as far as `value` is about to change
 * it: all of a file with one value; of a file with a line per device ("8:0 rbps=1", "mlx5_0 ...")
 * only that device's line. */
static char *old_text(int dir, const char *file, const char *value)
{
	auto_free char *now = NULL;
	size_t key = strcspn(value, " \n");
	char *text = NULL;
	auto_error error *e = file_read(dir, file, FILE_MAX, &now, NULL);
	const char *none = NULL;

	if (e)
		return NULL;
	for (size_t i = 0; i < COUNT(no_line); i++)
		if (strcmp(file, no_line[i].file) == 0)
			none = no_line[i].none;
	if (!none)
		return take_ptr(&now);
	/* a weight for all devices is the line "default N" */
	const char *device = value[key] ? value : "default";
	if (!value[key])
		key = strlen(device);
	for (char *line = now; line && *line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, device, key) == 0 && line[key] == ' ')
			return strndup(line, strcspn(line, "\n"));
	}
	return asprintf(&text, "%.*s %s", (int)key, device, none) < 0 ? NULL : text;
}

/* A file is missing: the kernel is older or smaller than the limit. */
static error *explain_missing(const struct limit *l)
{
	/* without swap accounting nothing is swapped on the container's account */
	if (l->optional || limit_is_unlimited(l) ||
	    (strcmp(l->file, "memory.swap.max") == 0 && strcmp(l->value, "0") == 0))
		return NULL;
	if (text_starts(l->file, "hugetlb."))
		return error_said(ENOTSUP, "%s: this kernel has no huge pages of that size (no %s)",
				  l->json, l->file);
	if (strcmp(l->file, "memory.swap.max") == 0)
		return error_said(ENOTSUP, "%s: this kernel does not account swap (no %s)", l->json,
				  l->file);
	if (l->other_file)
		return error_said(ENOTSUP,
				  "%s: this kernel has neither %s (scheduler BFQ) nor %s (iocost)",
				  l->json, l->file, l->other_file);
	return error_said(ENOTSUP, "%s: this kernel has no %s", l->json, l->file);
}

static error *write_one(const struct cgroup *c, const struct limit *l, struct old_value *old)
{
	const char *file = l->file;
	const char *value = l->value;

	if (l->other_file && faccessat(c->dir, file, F_OK, 0) < 0) {
		file = l->other_file;
		value = l->other_value;
	}
	if (old) {
		old->file = file;
		old->text = old_text(c->dir, file, value);
	}
	error *e = file_write(c->dir, file, value);
	if (!e)
		return NULL;
	if (error_code(e) == ENOENT) {
		error_free(e);
		return explain_missing(l);
	}
	return error_wrap(e, "%s", l->json);
}

/* Newest first. A pair such as cpu.max and its burst may have to go back in the other order: hence
 * a second round for what the first was refused. */
static void restore(const struct cgroup *c, struct old_value *old, size_t n)
{
	for (int round = 0; round < 2; round++)
		for (size_t i = n; old && i-- > 0;) {
			auto_error error *e =
				old[i].text ? file_write(c->dir, old[i].file, old[i].text) : NULL;
			if (!e) {
				free(old[i].text);
				old[i].text = NULL;
			} else if (round) {
				log_warning("cgroup %s: the old limit is lost: %s", c->path,
					    error_message(e));
			}
		}
}

static void free_old(struct old_value *old, size_t n)
{
	for (size_t i = 0; old && i < n; i++)
		free(old[i].text);
	free(old);
}

/* The kernel wants burst <= quota at every moment. Burst comes first, which is right when both
 * shrink; when both grow it is refused, and has its turn behind the quota. */
static bool comes_later(const struct limits *limits, size_t i, const error *e)
{
	return error_code(e) == EINVAL && strcmp(limits->v[i].file, "cpu.max.burst") == 0 &&
	       i + 1 < limits->n && limits->v[i + 1].file &&
	       strcmp(limits->v[i + 1].file, "cpu.max") == 0;
}

error *limits_write(const struct cgroup *c, const struct limits *limits, bool keep_old)
{
	struct old_value *old = keep_old ? calloc(limits->n + 1, sizeof(*old)) : NULL;
	const struct limit *later = NULL;
	error *e = NULL;
	size_t i;

	if (keep_old && !old)
		return error_new(ENOMEM, "limits");
	for (i = 0; i < limits->n && !e; i++) {
		const struct limit *l = &limits->v[i];
		if (!l->file) {
			log_warning("%s: cgroup v2 has no such setting: ignored", l->json);
			continue;
		}
		e = write_one(c, l, old ? &old[i] : NULL);
		if (e && comes_later(limits, i, e)) {
			error_free(e);
			e = NULL;
			later = l;
		} else if (!e && later) {
			e = write_one(c, later, NULL);
			later = NULL;
		}
	}
	if (e)
		restore(c, old, i);
	free_old(old, limits->n);
	return e;
}

/* --- update --- */

static error *check_before_update(const struct cgroup *c, const struct spec_memory *m)
{
	auto_free char *text = NULL;
	uint64_t used;

	if (!m || !m->check_before_update.value || m->limit.value <= 0)
		return NULL;
	auto_error error *e = file_read(c->dir, "memory.current", 64, &text, NULL);
	if (e)
		return NULL; /* no limit of memory can be written either: that error says more */
	text[strcspn(text, "\n")] = '\0';
	if (text_to_u64(text, &used) && used > (uint64_t)m->limit.value)
		return error_said(EBUSY,
				  ".linux.resources.memory.limit: %" PRId64
				  " is less than the %" PRIu64 " bytes in use",
				  m->limit.value, used);
	return NULL;
}

/* The first line, or NULL. */
static char *read_fact(const struct cgroup *c, const char *file)
{
	char *text = NULL;
	auto_error error *e = file_read(c->dir, file, 256, &text, NULL);

	if (e)
		return NULL;
	text[strcspn(text, "\n")] = '\0';
	return text;
}

error *cgroup_set_limits(const struct cgroup *c, const struct spec_resources *r)
{
	auto_(limits_free) struct limits limits = { 0 };
	auto_free char *memory_max = NULL;
	auto_free char *cpu_max = NULL;
	struct limit_facts facts = { 0 };

	if (!c) {
		try(limits_from(r, NULL, &limits));
		for (size_t i = 0; i < limits.n; i++)
			if (!limit_is_unlimited(&limits.v[i]))
				return error_said(ENOTSUP, "%s: the container has no cgroup",
						  limits.v[i].json);
		return NULL;
	}
	if (r->memory && r->memory->swap.set && !r->memory->limit.value)
		facts.memory_max = memory_max = read_fact(c, "memory.max");
	if (r->cpu && r->cpu->period.set && !r->cpu->quota.value)
		facts.cpu_max = cpu_max = read_fact(c, "cpu.max");
	try(limits_from(r, &facts, &limits));
	try(check_before_update(c, r->memory));
	try(controllers_enable(c, &limits, false));
	return limits_write(c, &limits, true);
}
