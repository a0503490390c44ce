#include <fcntl.h>
#include <string.h>

#include "base/fd.h"
#include "cli/command.h"
#include "spec.h"

struct values {
	const char *resources;
	const char *cpu_period, *cpu_quota, *cpu_burst, *cpu_share, *cpu_idle, *cpus, *mems;
	const char *rt_period, *rt_runtime;
	const char *memory, *reservation, *swap, *kernel_memory, *kernel_memory_tcp;
	const char *pids;
	const char *weight;
};

#define AT(member) offsetof(struct values, member)
/* clang-format off */
static const struct option_row options[] = {
	{ "resources",          'r', OPT_TEXT, AT(resources),         "FILE",   "linux.resources as JSON; - reads standard input" },
	{ "cpu-period",         0,   OPT_TEXT, AT(cpu_period),        "USEC",   "length of a period" },
	{ "cpu-quota",          0,   OPT_TEXT, AT(cpu_quota),         "USEC",   "time in a period; -1: no limit" },
	{ "cpu-burst",          0,   OPT_TEXT, AT(cpu_burst),         "USEC",   "time that may be saved up" },
	{ "cpu-share",          0,   OPT_TEXT, AT(cpu_share),         "N",      "share of the processors, 2 to 262144" },
	{ "cpu-idle",           0,   OPT_TEXT, AT(cpu_idle),          "0|1",    "only when nobody else wants them" },
	{ "cpuset-cpus",        0,   OPT_TEXT, AT(cpus),              "LIST",   "which processors, as 0-3,7" },
	{ "cpuset-mems",        0,   OPT_TEXT, AT(mems),              "LIST",   "which memory nodes" },
	{ "cpu-rt-period",      0,   OPT_TEXT, AT(rt_period),         "USEC",   "cgroup v1 only" },
	{ "cpu-rt-runtime",     0,   OPT_TEXT, AT(rt_runtime),        "USEC",   "cgroup v1 only" },
	{ "memory",             0,   OPT_TEXT, AT(memory),            "BYTES",  "memory limit, as 512m; -1: none" },
	{ "memory-reservation", 0,   OPT_TEXT, AT(reservation),       "BYTES",  "memory that is protected" },
	{ "memory-swap",        0,   OPT_TEXT, AT(swap),              "BYTES",  "memory and swap together; -1: no limit" },
	{ "kernel-memory",      0,   OPT_TEXT, AT(kernel_memory),     "BYTES",  "cgroup v1 only" },
	{ "kernel-memory-tcp",  0,   OPT_TEXT, AT(kernel_memory_tcp), "BYTES",  "cgroup v1 only" },
	{ "pids-limit",         0,   OPT_TEXT, AT(pids),              "N",      "number of processes; -1: no limit" },
	{ "blkio-weight",       0,   OPT_TEXT, AT(weight),            "N",      "share of disk time, 10 to 1000" },
};
/* clang-format on */
#undef AT

static error *read_resources(const char *file, struct arena *arena, struct spec_resources **out)
{
	auto_free char *text = NULL;
	size_t len;

	if (strcmp(file, "-") == 0)
		try_as(fd_read_all(0, (size_t)16 << 20, &text, &len), "standard input");
	else
		try_as(file_read(AT_FDCWD, file, (size_t)16 << 20, &text, &len), "--resources");
	try_as(spec_read_resources(text, len, arena, out), "--resources");
	return NULL;
}

/* One option that holds a number: where it goes in the resources. */
struct number {
	const char *option;
	const char *text;
	struct opt_i64 *i64;
	struct opt_u64 *u64;
	struct opt_u32 *u32;
	bool bytes;
};

static error *set_number(const struct number *n)
{
	int64_t value;

	if (!n->text)
		return NULL;
	if (!(n->bytes ? text_to_bytes(n->text, &value) : text_to_i64(n->text, &value)) ||
	    (!n->i64 && value < 0) || (n->u32 && value > UINT32_MAX))
		return error_said(EINVAL, "--%s: '%s' is not such a number", n->option, n->text);
	if (n->i64)
		*n->i64 = (struct opt_i64){ true, value };
	else if (n->u64)
		*n->u64 = (struct opt_u64){ true, (uint64_t)value };
	else
		*n->u32 = (struct opt_u32){ true, (uint32_t)value };
	return NULL;
}

static error *update(struct runtime *rt, const void *values, int n_words, char **words,
		     int *exit_code)
{
	const struct values *v = values;
	auto_arena struct arena *arena = NULL;
	struct spec_resources none = { 0 };
	struct spec_resources *r = &none;
	struct spec_memory memory = { 0 };
	struct spec_cpu cpu = { 0 };
	struct spec_pids pids = { 0 };
	struct spec_block_io block_io = { 0 };

	(void)n_words, (void)exit_code;
	try(arena_new(&arena));
	if (v->resources)
		try(read_resources(v->resources, arena, &r));
	r->memory = r->memory ? r->memory : &memory;
	r->cpu = r->cpu ? r->cpu : &cpu;
	r->pids = r->pids ? r->pids : &pids;
	r->block_io = r->block_io ? r->block_io : &block_io;
	const struct number numbers[] = {
		{ "cpu-period", v->cpu_period, .u64 = &r->cpu->period },
		{ "cpu-quota", v->cpu_quota, .i64 = &r->cpu->quota },
		{ "cpu-burst", v->cpu_burst, .u64 = &r->cpu->burst },
		{ "cpu-share", v->cpu_share, .u64 = &r->cpu->shares },
		{ "cpu-idle", v->cpu_idle, .i64 = &r->cpu->idle },
		{ "cpu-rt-period", v->rt_period, .u64 = &r->cpu->realtime_period },
		{ "cpu-rt-runtime", v->rt_runtime, .i64 = &r->cpu->realtime_runtime },
		{ "memory", v->memory, .i64 = &r->memory->limit, .bytes = true },
		{ "memory-reservation", v->reservation, .i64 = &r->memory->reservation,
		  .bytes = true },
		{ "memory-swap", v->swap, .i64 = &r->memory->swap, .bytes = true },
		{ "kernel-memory", v->kernel_memory, .i64 = &r->memory->kernel, .bytes = true },
		{ "kernel-memory-tcp", v->kernel_memory_tcp, .i64 = &r->memory->kernel_tcp,
		  .bytes = true },
		{ "pids-limit", v->pids, .i64 = &r->pids->limit },
		{ "blkio-weight", v->weight, .u32 = &r->block_io->weight },
	};
	for (size_t i = 0; i < COUNT(numbers); i++)
		try(set_number(&numbers[i]));
	if (v->cpus)
		r->cpu->cpus = (char *)v->cpus;
	if (v->mems)
		r->cpu->mems = (char *)v->mems;
	return container_update(rt, words[0], r);
}

const struct command command_update = {
	.name = "update",
	.args = "ID",
	.summary = "change the limits of a container",
	COMMAND_OPTIONS(options, struct values),
	.min = 1,
	.max = 1,
	.run = update,
};
