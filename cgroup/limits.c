/* One row per limit: which field of config.json becomes which text in which file. Nothing here
 * touches a file: limits_write.c does. */
#include "cgroup/limits.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct limit_row;

/* What one row is asked: its part of the resources, as limits behind those of the rows before. */
struct ask {
	const struct limit_row *row;
	const struct spec_resources *r;
	const struct limit_facts *facts; /* never NULL */
	struct limits *out;
};

struct limit_row {
	const char *json; /* below .linux.resources */
	const char *controller;
	const char *file;
	/* Adds what is set: nothing, one limit or several. */
	error *(*make)(const struct ask *a);
};

#define wrong(...) error_said(EINVAL, __VA_ARGS__)

/* --- building the list --- */

/* The new last element, with the row's file. Its text follows with put(). */
static error *add(const struct ask *a, struct limit **new)
{
	struct limit *more = realloc(a->out->v, (a->out->n + 1) * sizeof(*more));

	if (!more)
		return error_new(ENOMEM, "limits");
	a->out->v = more;
	*new = &more[a->out->n++];
	**new = (struct limit){ .json = a->row->json, .controller = a->row->controller };
	(*new)->file = a->row->file ? strdup(a->row->file) : NULL;
	return a->row->file && !(*new)->file ? error_new(ENOMEM, "limits") : NULL;
}

printf_like(2, 3) static error *put(char **text, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int n = vasprintf(text, fmt, ap);
	va_end(ap);
	if (n >= 0)
		return NULL;
	*text = NULL;
	return error_new(ENOMEM, "limits");
}

/* For lists: each element has a JSON path of its own. */
static error *add_own_json(const struct ask *a, struct limit **new, const char *key, size_t i)
{
	try(add(a, new));
	try(key ? put(&(*new)->own_json, "%s.%s", a->row->json, key)
		: put(&(*new)->own_json, "%s[%zu]", a->row->json, i));
	(*new)->json = (*new)->own_json;
	return NULL;
}

static error *add_text(const struct ask *a, const char *text)
{
	struct limit *l;

	try(add(a, &l));
	return put(&l->value, "%s", text);
}

static error *add_number(const struct ask *a, uint64_t number)
{
	struct limit *l;

	try(add(a, &l));
	return put(&l->value, "%" PRIu64, number);
}

/* Sizes and counts of which -1 means "no limit". */
static error *add_or_max(const struct ask *a, int64_t number)
{
	if (number < -1)
		return wrong("%s: want -1 (no limit) or more, not %" PRId64, a->row->json, number);
	return number < 0 ? add_text(a, "max") : add_number(a, (uint64_t)number);
}

/* Version 2 has no such limit, but a container lives as well without: no file, a warning. */
static error *add_warning(const struct ask *a)
{
	struct limit *l;

	return add(a, &l);
}

/* --- memory: 0 is "not set", as in the other runtimes --- */

/* A limit whose update names only the other half stays as it is: "max" or a number. */
static int64_t memory_in_force(const struct ask *a)
{
	int64_t limit = 0;

	if (a->facts->memory_max && !text_to_i64(a->facts->memory_max, &limit))
		limit = -1;
	return limit;
}

/* The specification's swap is memory and swap together, version 2's is swap alone. */
static error *memory_swap(const struct ask *a)
{
	const struct spec_memory *m = a->r->memory;
	int64_t limit = m ? m->limit.value : 0;
	int64_t swap = m ? m->swap.value : 0;

	if (swap == 0)
		/* in version 1 no limit on memory is none on swap either */
		return limit == -1 ? add_text(a, "max") : NULL;
	if (swap < 0)
		return add_or_max(a, swap);
	if (limit == 0)
		limit = memory_in_force(a);
	if (limit == 0)
		return wrong("%s: needs .linux.resources.memory.limit: swap counts memory and swap "
			     "together",
			     a->row->json);
	if (limit > swap)
		return wrong("%s: %" PRId64 " is less than the memory limit, %" PRId64
			     ", which it includes",
			     a->row->json, swap, limit);
	return add_or_max(a, limit > 0 ? swap - limit : swap);
}

static error *memory_limit(const struct ask *a)
{
	if (!a->r->memory || !a->r->memory->limit.set || !a->r->memory->limit.value)
		return NULL;
	return add_or_max(a, a->r->memory->limit.value);
}

static error *memory_reservation(const struct ask *a)
{
	if (!a->r->memory || !a->r->memory->reservation.set || !a->r->memory->reservation.value)
		return NULL;
	return add_or_max(a, a->r->memory->reservation.value);
}

static error *memory_kernel(const struct ask *a)
{
	const struct spec_memory *m = a->r->memory;

	return m && m->kernel.set && m->kernel.value > 0 ? add_warning(a) : NULL;
}

static error *memory_kernel_tcp(const struct ask *a)
{
	const struct spec_memory *m = a->r->memory;

	return m && m->kernel_tcp.set && m->kernel_tcp.value > 0 ? add_warning(a) : NULL;
}

static error *memory_swappiness(const struct ask *a)
{
	return a->r->memory && a->r->memory->swappiness.set ? add_warning(a) : NULL;
}

static error *memory_oom_killer(const struct ask *a)
{
	const struct spec_memory *m = a->r->memory;

	return m && m->disable_oom_killer.value ? add_warning(a) : NULL;
}

/* Version 2 is always hierarchical. */
static error *memory_hierarchy(const struct ask *a)
{
	const struct spec_memory *m = a->r->memory;

	return m && m->use_hierarchy.set && !m->use_hierarchy.value ? add_warning(a) : NULL;
}

/* --- cpu --- */

/* Before the weight, which an idle cgroup does not take (EINVAL). */
static error *cpu_idle(const struct ask *a)
{
	const struct spec_cpu *c = a->r->cpu;

	if (!c || !c->idle.set)
		return NULL;
	if (c->idle.value != 0 && c->idle.value != 1)
		return wrong("%s: want 0 or 1, not %" PRId64, a->row->json, c->idle.value);
	return add_number(a, (uint64_t)c->idle.value);
}

static error *cpu_shares(const struct ask *a)
{
	const struct spec_cpu *c = a->r->cpu;

	if (!c || !c->shares.set || !c->shares.value || (c->idle.set && c->idle.value == 1))
		return NULL;
	return add_number(a, cpu_weight_of_shares(c->shares.value));
}

/* Before cpu.max, for when both shrink; limits_write tries again behind it, for when both grow. */
static error *cpu_burst(const struct ask *a)
{
	if (!a->r->cpu || !a->r->cpu->burst.set)
		return NULL;
	return add_number(a, a->r->cpu->burst.value);
}

/* "QUOTA PERIOD". The kernel keeps a period that is not given, but a quota must be. */
static error *cpu_quota(const struct ask *a)
{
	const struct spec_cpu *c = a->r->cpu;
	int64_t quota = c && c->quota.set ? c->quota.value : 0;
	uint64_t period = c && c->period.set ? c->period.value : 0;
	char now[24] = "max";
	struct limit *l;

	if (!quota && !period)
		return NULL;
	if (quota < -1)
		return wrong("%s: want -1 (no limit) or more, not %" PRId64, a->row->json, quota);
	if (quota > 0)
		snprintf(now, sizeof(now), "%" PRId64, quota);
	else if (!quota && a->facts->cpu_max)
		snprintf(now, sizeof(now), "%.*s", (int)strcspn(a->facts->cpu_max, " \n"),
			 a->facts->cpu_max);
	try(add(a, &l));
	return period ? put(&l->value, "%s %" PRIu64, now, period) : put(&l->value, "%s", now);
}

static error *cpu_realtime(const struct ask *a)
{
	if (!a->r->cpu || (!a->r->cpu->realtime_runtime.value && !a->r->cpu->realtime_period.value))
		return NULL;
	return error_said(ENOTSUP,
			  "%s: cgroup v2 has no real-time groups: give the process a scheduler "
			  "(.process.scheduler) instead",
			  a->row->json);
}

/* Version 2 takes any list and uses what the cgroups above leave of it, so that, unlike in version
 * 1, no parent need be widened. */
static error *cpuset_cpus(const struct ask *a)
{
	return a->r->cpu && a->r->cpu->cpus && a->r->cpu->cpus[0] ? add_text(a, a->r->cpu->cpus)
								  : NULL;
}

static error *cpuset_mems(const struct ask *a)
{
	return a->r->cpu && a->r->cpu->mems && a->r->cpu->mems[0] ? add_text(a, a->r->cpu->mems)
								  : NULL;
}

/* --- pids --- */

/* 0 is a limit since version 1.3 of the specification, and cannot mean that not even the
 * container's own process may be: that none may follow it is what 1 says. */
static error *pids_limit(const struct ask *a)
{
	if (!a->r->pids || !a->r->pids->limit.set)
		return NULL;
	int64_t limit = a->r->pids->limit.value;
	return limit < 0 ? add_text(a, "max") : add_number(a, limit ? (uint64_t)limit : 1);
}

/* --- io --- */

/* The scheduler BFQ has files of its own with the specification's range, 10 to 1000; the kernel's
 * common one goes from 1 to 10000. */
static error *set_weight(struct limit *l, const char *prefix, uint32_t weight)
{
	if (weight < 10 || weight > 1000)
		return wrong("%s: weight %u: want 10 to 1000", l->json, weight);
	try(put(&l->value, "%s%u", prefix, weight));
	try(put(&l->other_file, "io.weight"));
	return put(&l->other_value, "%s%u", prefix, 1 + (weight - 10) * 9999 / 990);
}

static error *io_weight(const struct ask *a)
{
	struct limit *l;

	if (!a->r->block_io || !a->r->block_io->weight.set || !a->r->block_io->weight.value)
		return NULL;
	try(add(a, &l));
	return set_weight(l, "", a->r->block_io->weight.value);
}

static error *io_weight_device(const struct ask *a)
{
	const struct spec_block_io *b = a->r->block_io;

	for (size_t i = 0; b && i < b->weight_device.n; i++) {
		const struct spec_weight_device *d = &b->weight_device.v[i];
		char prefix[48];
		struct limit *l;
		if (!d->weight.set || !d->weight.value)
			continue;
		snprintf(prefix, sizeof(prefix), "%" PRId64 ":%" PRId64 " ", d->major, d->minor);
		try(add_own_json(a, &l, NULL, i));
		try(set_weight(l, prefix, d->weight.value));
	}
	return NULL;
}

static error *io_leaf_weight(const struct ask *a)
{
	const struct spec_block_io *b = a->r->block_io;
	bool set = b && b->leaf_weight.set && b->leaf_weight.value;

	for (size_t i = 0; b && i < b->weight_device.n; i++)
		set |= b->weight_device.v[i].leaf_weight.set &&
		       b->weight_device.v[i].leaf_weight.value;
	return set ? add_warning(a) : NULL;
}

static error *throttle(const struct ask *a, const struct spec_throttle_device *v, size_t n,
		       const char *what)
{
	for (size_t i = 0; i < n; i++) {
		struct limit *l;
		try(add_own_json(a, &l, NULL, i));
		/* 0 takes a limit away in version 1, and is none in version 2 */
		try(v[i].rate ? put(&l->value, "%" PRId64 ":%" PRId64 " %s=%" PRIu64, v[i].major,
				    v[i].minor, what, v[i].rate)
			      : put(&l->value, "%" PRId64 ":%" PRId64 " %s=max", v[i].major,
				    v[i].minor, what));
	}
	return NULL;
}

#define MAKE_THROTTLE(list, what)                                                                  \
	static error *io_##list(const struct ask *a)                                               \
	{                                                                                          \
		const struct spec_block_io *b = a->r->block_io;                                    \
		return b ? throttle(a, b->list.v, b->list.n, what) : NULL;                         \
	}
MAKE_THROTTLE(read_bps, "rbps")
MAKE_THROTTLE(write_bps, "wbps")
MAKE_THROTTLE(read_iops, "riops")
MAKE_THROTTLE(write_iops, "wiops")

/* --- huge pages, rdma, network --- */

/* "2MB", "1GB": a part of a file's name. */
static bool is_page_size(const char *text)
{
	size_t digits = strspn(text, "0123456789");
	const char *unit = text + digits;

	return digits > 0 && digits < 8 &&
	       (strcmp(unit, "KB") == 0 || strcmp(unit, "MB") == 0 || strcmp(unit, "GB") == 0);
}

/* Pages in use and pages that are only reserved by mmap() count apart since Linux 5.7. */
static error *add_huge(const struct ask *a, bool reserved)
{
	for (size_t i = 0; i < a->r->hugepage_limits.n; i++) {
		const struct spec_hugepage_limit *h = &a->r->hugepage_limits.v[i];
		struct limit *l;
		if (!is_page_size(h->page_size))
			return wrong("%s[%zu].pageSize: '%s' is not a size such as 2MB or 1GB",
				     a->row->json, i, h->page_size);
		try(add_own_json(a, &l, NULL, i));
		try(put(&l->file, "hugetlb.%s%s.max", h->page_size, reserved ? ".rsvd" : ""));
		try(put(&l->value, "%" PRIu64, h->limit));
		l->optional = reserved;
	}
	return NULL;
}

static error *huge_used(const struct ask *a)
{
	return add_huge(a, false);
}

static error *huge_reserved(const struct ask *a)
{
	return add_huge(a, true);
}

static error *rdma_max(const struct ask *a)
{
	for (size_t i = 0; i < a->r->rdma.n; i++) {
		const struct spec_rdma *d = &a->r->rdma.v[i];
		char handles[32] = "";
		char objects[32] = "";
		struct limit *l;
		if (!d->key[0] || d->key[strcspn(d->key, " \t\n")])
			return wrong("%s.%s: is not the name of a device", a->row->json, d->key);
		if (!d->handles.set && !d->objects.set)
			continue;
		if (d->handles.set)
			snprintf(handles, sizeof(handles), " hca_handle=%u", d->handles.value);
		if (d->objects.set)
			snprintf(objects, sizeof(objects), " hca_object=%u", d->objects.value);
		try(add_own_json(a, &l, d->key, 0));
		try(put(&l->value, "%s%s%s", d->key, handles, objects));
	}
	return NULL;
}

static error *network_class(const struct ask *a)
{
	if (!a->r->network || !a->r->network->class_id.value)
		return NULL;
	return error_said(ENOTSUP,
			  "%s: cgroup v2 has no net_cls: match the cgroup itself in nftables "
			  "(socket cgroupv2) and mark its packets there",
			  a->row->json);
}

static error *network_priorities(const struct ask *a)
{
	if (!a->r->network || !a->r->network->priorities.n)
		return NULL;
	return error_said(ENOTSUP,
			  "%s: cgroup v2 has no net_prio: match the cgroup itself in nftables "
			  "(socket cgroupv2) and set meta priority there",
			  a->row->json);
}

/* --- unified --- */

/* As it is. "memory.max" belongs to the controller "memory"; the files of the core to none. */
static error *unified(const struct ask *a)
{
	for (size_t i = 0; i < a->r->unified.n; i++) {
		const char *file = a->r->unified.v[i].key;
		size_t prefix = strcspn(file, ".");
		struct limit *l;
		if (!prefix || file[prefix] != '.' || strchr(file, '/'))
			return wrong("%s.%s: is not the name of a cgroup file", a->row->json, file);
		try(add_own_json(a, &l, file, 0));
		try(put(&l->file, "%s", file));
		try(put(&l->value, "%s", a->r->unified.v[i].value));
		if (strncmp(file, "cgroup.", 7) == 0)
			continue;
		try(put(&l->own_controller, "%.*s", (int)prefix, file));
		l->controller = l->own_controller;
	}
	return NULL;
}

/* --- the table, in the order of writing --- */

/* clang-format off */
#define IN(field) ".linux.resources." field
static const struct limit_row rows[] = {
	/* more swap first: a lower memory.max then finds room for what it pushes out */
	{ IN("memory.swap"),             "memory",  "memory.swap.max", memory_swap },
	{ IN("memory.limit"),            "memory",  "memory.max",      memory_limit },
	{ IN("memory.reservation"),      "memory",  "memory.low",      memory_reservation },
	{ IN("memory.kernel"),           NULL,      NULL,              memory_kernel },
	{ IN("memory.kernelTCP"),        NULL,      NULL,              memory_kernel_tcp },
	{ IN("memory.swappiness"),       NULL,      NULL,              memory_swappiness },
	{ IN("memory.disableOOMKiller"), NULL,      NULL,              memory_oom_killer },
	{ IN("memory.useHierarchy"),     NULL,      NULL,              memory_hierarchy },
	{ IN("cpu.idle"),                "cpu",     "cpu.idle",        cpu_idle },
	{ IN("cpu.shares"),              "cpu",     "cpu.weight",      cpu_shares },
	{ IN("cpu.burst"),               "cpu",     "cpu.max.burst",   cpu_burst },
	{ IN("cpu.quota"),               "cpu",     "cpu.max",         cpu_quota },
	{ IN("cpu.realtimeRuntime"),     NULL,      NULL,              cpu_realtime },
	{ IN("cpu.cpus"),                "cpuset",  "cpuset.cpus",     cpuset_cpus },
	{ IN("cpu.mems"),                "cpuset",  "cpuset.mems",     cpuset_mems },
	{ IN("pids.limit"),              "pids",    "pids.max",        pids_limit },
	{ IN("blockIO.weight"),          "io",      "io.bfq.weight",   io_weight },
	{ IN("blockIO.weightDevice"),    "io",      "io.bfq.weight",   io_weight_device },
	{ IN("blockIO.leafWeight"),      NULL,      NULL,              io_leaf_weight },
	{ IN("blockIO.throttleReadBpsDevice"),   "io", "io.max",       io_read_bps },
	{ IN("blockIO.throttleWriteBpsDevice"),  "io", "io.max",       io_write_bps },
	{ IN("blockIO.throttleReadIOPSDevice"),  "io", "io.max",       io_read_iops },
	{ IN("blockIO.throttleWriteIOPSDevice"), "io", "io.max",       io_write_iops },
	{ IN("hugepageLimits"),          "hugetlb", NULL,              huge_used },
	{ IN("hugepageLimits"),          "hugetlb", NULL,              huge_reserved },
	{ IN("rdma"),                    "rdma",    "rdma.max",        rdma_max },
	{ IN("network.classID"),         NULL,      NULL,              network_class },
	{ IN("network.priorities"),      NULL,      NULL,              network_priorities },
	/* last, so that they win */
	{ IN("unified"),                 NULL,      NULL,              unified },
};
/* clang-format on */

error *limits_from(const struct spec_resources *r, const struct limit_facts *facts,
		   struct limits *out)
{
	static const struct limit_facts none = { 0 };
	struct limits list = { 0 };

	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct ask a = { &rows[i], r, facts ? facts : &none, &list };
		error *e = rows[i].make(&a);
		if (e) {
			limits_free(&list);
			/* cppcheck-suppress returnDanglingLifetime ; the error keeps nothing of a
			 */
			return e;
		}
	}
	*out = list;
	return NULL;
}

void limits_free(struct limits *limits)
{
	for (size_t i = 0; i < limits->n; i++) {
		free(limits->v[i].file);
		free(limits->v[i].value);
		free(limits->v[i].other_file);
		free(limits->v[i].other_value);
		free(limits->v[i].own_json);
		free(limits->v[i].own_controller);
	}
	free(limits->v);
	*limits = (struct limits){ 0 };
}

/* "8:0 rbps=max wbps=max" */
static bool only_max(const char *value)
{
	bool any = false;

	for (const char *at = value; (at = strchr(at, '=')); at++, any = true)
		if (!text_starts(at, "=max"))
			return false;
	return any;
}

/* What the kernel gives every cgroup anyhow; callers such as containerd name these. */
static const struct {
	const char *file, *value;
} kernel_defaults[] = { { "cpu.max.burst", "0" }, { "cpu.weight", "100" }, { "cpu.idle", "0" } };

bool limit_is_unlimited(const struct limit *l)
{
	if (!l->file || strcmp(l->value, "max") == 0 || text_starts(l->value, "max ") ||
	    only_max(l->value))
		return true;
	for (size_t i = 0; i < COUNT(kernel_defaults); i++)
		if (strcmp(l->file, kernel_defaults[i].file) == 0 &&
		    strcmp(l->value, kernel_defaults[i].value) == 0)
			return true;
	return false;
}
