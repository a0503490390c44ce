/* One row per limit: which field of config.json becomes which text in which file. Nothing here
 * touches a file: limits_write.c does. */
#include "cgroup/limits.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct limit_row {
	const char *json; /* below .linux.resources */
	const char *controller;
	const char *file;
	/* Adds what is set to out: nothing, one limit or several. */
	error *(*make)(const struct limit_row *row, const struct spec_resources *r,
		       const struct limit_facts *facts, struct limits *out);
};

#define wrong(...) error_said(EINVAL, __VA_ARGS__)
#define MAKE(name)                                                                                 \
	static error *name(const struct limit_row *row __attribute__((unused)),                    \
			   const struct spec_resources *r,                                         \
			   const struct limit_facts *facts __attribute__((unused)),                \
			   struct limits *out __attribute__((unused)))

/* --- building the list --- */

/* The new last element, with the row's file. Its text follows with put(). */
static error *add(struct limits *out, const struct limit_row *row, struct limit **new)
{
	struct limit *more = realloc(out->v, (out->n + 1) * sizeof(*more));

	if (!more)
		return error_new(ENOMEM, "limits");
	out->v = more;
	*new = &more[out->n++];
	**new = (struct limit){ .json = row->json, .controller = row->controller };
	(*new)->file = row->file ? strdup(row->file) : NULL;
	return row->file && !(*new)->file ? error_new(ENOMEM, "limits") : NULL;
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

/* Replaces the row's file and JSON path: for lists, whose elements have their own. */
#define put_again(text, ...)                                                                       \
	({                                                                                         \
		char *old_ = *(text);                                                              \
		error *e_ = put((text), __VA_ARGS__);                                              \
		free(old_);                                                                        \
		e_;                                                                                \
	})

static error *add_own_json(struct limits *out, const struct limit_row *row, struct limit **new,
			   const char *key, size_t i)
{
	try(add(out, row, new));
	try(key ? put(&(*new)->own_json, "%s.%s", row->json, key)
		: put(&(*new)->own_json, "%s[%zu]", row->json, i));
	(*new)->json = (*new)->own_json;
	return NULL;
}

static error *add_text(struct limits *out, const struct limit_row *row, const char *text)
{
	struct limit *l;

	try(add(out, row, &l));
	return put(&l->value, "%s", text);
}

static error *add_number(struct limits *out, const struct limit_row *row, uint64_t number)
{
	struct limit *l;

	try(add(out, row, &l));
	return put(&l->value, "%" PRIu64, number);
}

/* Sizes and counts of which -1 means "no limit". */
static error *add_or_max(struct limits *out, const struct limit_row *row, int64_t number)
{
	if (number < -1)
		return wrong("%s: want -1 (no limit) or more, not %" PRId64, row->json, number);
	return number < 0 ? add_text(out, row, "max") : add_number(out, row, (uint64_t)number);
}

/* Version 2 has no such limit, but a container lives as well without: no file, a warning. */
static error *add_warning(struct limits *out, const struct limit_row *row)
{
	struct limit *l;

	return add(out, row, &l);
}

/* --- memory: 0 is "not set", as in the other runtimes --- */

/* The specification's swap is memory and swap together, version 2's is swap alone. */
MAKE(memory_swap)
{
	const struct spec_memory *m = r->memory;
	int64_t limit = m && m->limit.set ? m->limit.value : 0;
	int64_t swap = m && m->swap.set ? m->swap.value : 0;

	/* in version 1 no limit on memory is none on swap either */
	if (limit == -1 && swap == 0)
		swap = -1;
	if (swap == 0)
		return NULL;
	if (swap > 0 && limit == 0 && facts && facts->memory_max &&
	    !text_to_i64(facts->memory_max, &limit))
		limit = -1;
	if (swap > 0 && limit == 0)
		return wrong("%s: needs .linux.resources.memory.limit: swap counts memory and swap "
			     "together",
			     row->json);
	if (swap > 0 && limit > swap)
		return wrong("%s: %" PRId64 " is less than the memory limit, %" PRId64
			     ", which it includes",
			     row->json, swap, limit);
	return add_or_max(out, row, swap > 0 && limit > 0 ? swap - limit : swap);
}

MAKE(memory_limit)
{
	if (!r->memory || !r->memory->limit.set || !r->memory->limit.value)
		return NULL;
	return add_or_max(out, row, r->memory->limit.value);
}

MAKE(memory_reservation)
{
	if (!r->memory || !r->memory->reservation.set || !r->memory->reservation.value)
		return NULL;
	return add_or_max(out, row, r->memory->reservation.value);
}

MAKE(memory_kernel)
{
	const struct spec_memory *m = r->memory;

	return m && m->kernel.set && m->kernel.value > 0 ? add_warning(out, row) : NULL;
}

MAKE(memory_kernel_tcp)
{
	const struct spec_memory *m = r->memory;

	return m && m->kernel_tcp.set && m->kernel_tcp.value > 0 ? add_warning(out, row) : NULL;
}

MAKE(memory_swappiness)
{
	return r->memory && r->memory->swappiness.set ? add_warning(out, row) : NULL;
}

MAKE(memory_oom_killer)
{
	const struct spec_memory *m = r->memory;

	return m && m->disable_oom_killer.value ? add_warning(out, row) : NULL;
}

/* Version 2 is always hierarchical. */
MAKE(memory_hierarchy)
{
	const struct spec_memory *m = r->memory;

	return m && m->use_hierarchy.set && !m->use_hierarchy.value ? add_warning(out, row) : NULL;
}

/* --- cpu --- */

/* ln((1 + z) / (1 - z)) / 2, for |z| < 1/3. */
static double atanh_near_0(double z)
{
	double sum = 0;
	double power = z;

	for (int n = 1; n < 60; n += 2, power *= z * z)
		sum += power / n;
	return sum;
}

static const double ln2 = 0.693147180559945309417;
static const double ln10 = 2.302585092994045684018;

/* The static program does without libm. */
static double log2_of(uint64_t n)
{
	int whole = 63 - __builtin_clzll(n);
	double m = (double)n / (double)(1ULL << whole);

	return whole + 2 * atanh_near_0((m - 1) / (m + 1)) / ln2;
}

static double power_of_10(double x)
{
	int whole = (int)x;
	double y = (x - whole) * ln10;
	double sum = 0;
	double term = 1;

	for (int n = 1; n < 40; n++) {
		sum += term;
		term *= y / n;
	}
	for (; whole > 0; whole--)
		sum *= 10;
	return sum;
}

/* The quadratic curve that Kubernetes, runc and crun agreed on in 2025, through (2, 1),
 * (1024, 100), (262144, 10000): 10^((l^2 + 125 l) / 612 - 7 / 34) with l = log2(shares), rounded
 * up. */
uint64_t cpu_weight_of_shares(uint64_t shares)
{
	if (shares == 0)
		return 0;
	if (shares <= 2)
		return 1;
	if (shares >= 262144)
		return 10000;
	double l = log2_of(shares);
	double weight = power_of_10((l * l + 125 * l) / 612 - 7.0 / 34);
	/* 1024 must become 100, and not 101 for the last bits of a double */
	uint64_t down = (uint64_t)weight;
	return weight - (double)down > 1e-9 ? down + 1 : down;
}

/* Before the weight, which an idle cgroup does not take (EINVAL). */
MAKE(cpu_idle)
{
	const struct spec_cpu *c = r->cpu;

	if (!c || !c->idle.set)
		return NULL;
	if (c->idle.value != 0 && c->idle.value != 1)
		return wrong("%s: want 0 or 1, not %" PRId64, row->json, c->idle.value);
	return add_number(out, row, (uint64_t)c->idle.value);
}

MAKE(cpu_shares)
{
	const struct spec_cpu *c = r->cpu;

	if (!c || !c->shares.set || !c->shares.value || (c->idle.set && c->idle.value == 1))
		return NULL;
	return add_number(out, row, cpu_weight_of_shares(c->shares.value));
}

/* Before cpu.max, for when both shrink; limits_write tries again behind it, for when both grow. */
MAKE(cpu_burst)
{
	if (!r->cpu || !r->cpu->burst.set)
		return NULL;
	return add_number(out, row, r->cpu->burst.value);
}

/* "QUOTA PERIOD". The kernel keeps a period that is not given, but a quota must be. */
MAKE(cpu_quota)
{
	const struct spec_cpu *c = r->cpu;
	int64_t quota = c && c->quota.set ? c->quota.value : 0;
	uint64_t period = c && c->period.set ? c->period.value : 0;
	char now[24] = "max";
	struct limit *l;

	if (!quota && !period)
		return NULL;
	if (quota < -1)
		return wrong("%s: want -1 (no limit) or more, not %" PRId64, row->json, quota);
	if (quota > 0)
		snprintf(now, sizeof(now), "%" PRId64, quota);
	else if (!quota && facts && facts->cpu_max)
		snprintf(now, sizeof(now), "%.*s", (int)strcspn(facts->cpu_max, " \n"),
			 facts->cpu_max);
	try(add(out, row, &l));
	return period ? put(&l->value, "%s %" PRIu64, now, period) : put(&l->value, "%s", now);
}

MAKE(cpu_realtime)
{
	if (!r->cpu || (!r->cpu->realtime_runtime.value && !r->cpu->realtime_period.value))
		return NULL;
	return error_said(ENOTSUP,
			  "%s: cgroup v2 has no real-time groups: give the process a scheduler "
			  "(.process.scheduler) instead",
			  row->json);
}

/* Version 2 takes any list and uses what the cgroups above leave of it, so that, unlike in version
 * 1, no parent need be widened. */
MAKE(cpuset_cpus)
{
	return r->cpu && r->cpu->cpus && r->cpu->cpus[0] ? add_text(out, row, r->cpu->cpus) : NULL;
}

MAKE(cpuset_mems)
{
	return r->cpu && r->cpu->mems && r->cpu->mems[0] ? add_text(out, row, r->cpu->mems) : NULL;
}

/* --- pids --- */

/* 0 is a limit since version 1.3 of the specification, and cannot mean that not even the
 * container's own process may be: that none may follow it is what 1 says. */
MAKE(pids_limit)
{
	if (!r->pids || !r->pids->limit.set)
		return NULL;
	int64_t limit = r->pids->limit.value;
	return limit < 0 ? add_text(out, row, "max")
			 : add_number(out, row, limit ? (uint64_t)limit : 1);
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

MAKE(io_weight)
{
	struct limit *l;

	if (!r->block_io || !r->block_io->weight.set || !r->block_io->weight.value)
		return NULL;
	try(add(out, row, &l));
	return set_weight(l, "", r->block_io->weight.value);
}

MAKE(io_weight_device)
{
	const struct spec_block_io *b = r->block_io;

	for (size_t i = 0; b && i < b->weight_device.n; i++) {
		const struct spec_weight_device *d = &b->weight_device.v[i];
		char prefix[48];
		struct limit *l;
		if (!d->weight.set || !d->weight.value)
			continue;
		snprintf(prefix, sizeof(prefix), "%" PRId64 ":%" PRId64 " ", d->major, d->minor);
		try(add_own_json(out, row, &l, NULL, i));
		try(set_weight(l, prefix, d->weight.value));
	}
	return NULL;
}

MAKE(io_leaf_weight)
{
	const struct spec_block_io *b = r->block_io;
	bool set = b && b->leaf_weight.set && b->leaf_weight.value;

	for (size_t i = 0; b && i < b->weight_device.n; i++)
		set |= b->weight_device.v[i].leaf_weight.set &&
		       b->weight_device.v[i].leaf_weight.value;
	return set ? add_warning(out, row) : NULL;
}

static error *throttle(const struct limit_row *row, const struct spec_throttle_device *v, size_t n,
		       const char *what, struct limits *out)
{
	for (size_t i = 0; i < n; i++) {
		struct limit *l;
		try(add_own_json(out, row, &l, NULL, i));
		/* 0 takes a limit away in version 1, and is none in version 2 */
		try(v[i].rate ? put(&l->value, "%" PRId64 ":%" PRId64 " %s=%" PRIu64, v[i].major,
				    v[i].minor, what, v[i].rate)
			      : put(&l->value, "%" PRId64 ":%" PRId64 " %s=max", v[i].major,
				    v[i].minor, what));
	}
	return NULL;
}

#define MAKE_THROTTLE(list, what)                                                                  \
	MAKE(io_##list)                                                                            \
	{                                                                                          \
		const struct spec_block_io *b = r->block_io;                                       \
		return b ? throttle(row, b->list.v, b->list.n, what, out) : NULL;                  \
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
static error *add_huge(const struct limit_row *row, const struct spec_resources *r, bool reserved,
		       struct limits *out)
{
	for (size_t i = 0; i < r->hugepage_limits.n; i++) {
		const struct spec_hugepage_limit *h = &r->hugepage_limits.v[i];
		struct limit *l;
		if (!is_page_size(h->page_size))
			return wrong("%s[%zu].pageSize: '%s' is not a size such as 2MB or 1GB",
				     row->json, i, h->page_size);
		try(add_own_json(out, row, &l, NULL, i));
		try(put_again(&l->file, "hugetlb.%s%s.max", h->page_size, reserved ? ".rsvd" : ""));
		try(put(&l->value, "%" PRIu64, h->limit));
		l->optional = reserved;
	}
	return NULL;
}

MAKE(huge_used)
{
	return add_huge(row, r, false, out);
}

MAKE(huge_reserved)
{
	return add_huge(row, r, true, out);
}

MAKE(rdma_max)
{
	for (size_t i = 0; i < r->rdma.n; i++) {
		const struct spec_rdma *d = &r->rdma.v[i];
		char handles[32] = "";
		char objects[32] = "";
		struct limit *l;
		if (!d->key[0] || d->key[strcspn(d->key, " \t\n")])
			return wrong("%s.%s: is not the name of a device", row->json, d->key);
		if (!d->handles.set && !d->objects.set)
			continue;
		if (d->handles.set)
			snprintf(handles, sizeof(handles), " hca_handle=%u", d->handles.value);
		if (d->objects.set)
			snprintf(objects, sizeof(objects), " hca_object=%u", d->objects.value);
		try(add_own_json(out, row, &l, d->key, 0));
		try(put(&l->value, "%s%s%s", d->key, handles, objects));
	}
	return NULL;
}

MAKE(network_class)
{
	if (!r->network || !r->network->class_id.value)
		return NULL;
	return error_said(ENOTSUP,
			  "%s: cgroup v2 has no net_cls: match the cgroup itself in nftables "
			  "(socket cgroupv2) and mark its packets there",
			  row->json);
}

MAKE(network_priorities)
{
	if (!r->network || !r->network->priorities.n)
		return NULL;
	return error_said(ENOTSUP,
			  "%s: cgroup v2 has no net_prio: match the cgroup itself in nftables "
			  "(socket cgroupv2) and set meta priority there",
			  row->json);
}

/* --- unified --- */

/* As it is. "memory.max" belongs to the controller "memory"; the files of the core to none. */
MAKE(unified)
{
	for (size_t i = 0; i < r->unified.n; i++) {
		const char *file = r->unified.v[i].key;
		size_t prefix = strcspn(file, ".");
		struct limit *l;
		if (!prefix || file[prefix] != '.' || strchr(file, '/'))
			return wrong("%s.%s: is not the name of a cgroup file", row->json, file);
		try(add_own_json(out, row, &l, file, 0));
		try(put(&l->file, "%s", file));
		try(put(&l->value, "%s", r->unified.v[i].value));
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
	{ IN("hugepageLimits"),          "hugetlb", "hugetlb.*.max",   huge_used },
	{ IN("hugepageLimits"),          "hugetlb", "hugetlb.*.max",   huge_reserved },
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
	struct limits list = { 0 };

	for (size_t i = 0; i < COUNT(rows); i++) {
		error *e = rows[i].make(&rows[i], r, facts, &list);
		if (e) {
			limits_free(&list);
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

bool limit_is_unlimited(const struct limit *l)
{
	return !l->file || strcmp(l->value, "max") == 0 || text_starts(l->value, "max ") ||
	       only_max(l->value) ||
	       (strcmp(l->file, "cpu.max.burst") == 0 && strcmp(l->value, "0") == 0);
}
