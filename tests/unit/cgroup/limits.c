/* Limits as data: what of config.json becomes which text in which file. */
#include "cgroup/limits.h"

#include <stdint.h>

#include "tests/unit/check.h"

static void with(const char *json, const struct limit_facts *facts,
		 void (*look)(error *e, const struct limits *, const void *), const void *want)
{
	auto_arena struct arena *arena = NULL;
	auto_(limits_free) struct limits limits = { 0 };
	struct spec_resources *r = NULL;

	CHECK_FINE(arena_new(&arena));
	CHECK_FINE(spec_read_resources(json, strlen(json), arena, &r));
	error *e = limits_from(r, facts, &limits);
	look(e, &limits, want);
}

/* "FILE=VALUE;..." with "!JSON" for a warning and "|FILE=VALUE" for the other file. */
static void look_at_list(error *e, const struct limits *l, const void *want)
{
	char text[2048] = "";
	size_t n = 0;

	if (e)
		CHECK_FAIL("%s: %s", (const char *)want, error_message(e));
	for (size_t i = 0; i < l->n; i++) {
		const struct limit *x = &l->v[i];
		if (!x->file)
			n += (size_t)sprintf(text + n, "!%s;", x->json);
		else if (x->other_file)
			n += (size_t)sprintf(text + n, "%s=%s|%s=%s;", x->file, x->value,
					     x->other_file, x->other_value);
		else
			n += (size_t)sprintf(text + n, "%s=%s;", x->file, x->value);
		CHECK(strncmp(x->json, ".linux.resources.", 17) == 0);
	}
	CHECK_TEXT(text, want);
}

static void look_at_error(error *e, const struct limits *l, const void *want)
{
	if (!e)
		CHECK_FAIL("want '%s', not %zu limits", (const char *)want, l->n);
	if (!strstr(error_message(e), want))
		CHECK_FAIL("want '%s', not '%s'", (const char *)want, error_message(e));
	error_free(e);
}

/* clang-format off */
static const struct {
	const char *json, *want;
} good[] = {
	{ "{}", "" },
	{ "{\"memory\":{}, \"cpu\":{}, \"pids\":{}, \"blockIO\":{}}", "" },
	/* memory */
	{ "{\"memory\":{\"limit\":1048576}}", "memory.max=1048576;" },
	{ "{\"memory\":{\"limit\":0,\"swap\":0,\"reservation\":0}}", "" },
	{ "{\"memory\":{\"limit\":100,\"swap\":300,\"reservation\":50}}",
	  "memory.swap.max=200;memory.max=100;memory.low=50;" },
	{ "{\"memory\":{\"limit\":100,\"swap\":100}}", "memory.swap.max=0;memory.max=100;" },
	{ "{\"memory\":{\"limit\":100,\"swap\":-1}}", "memory.swap.max=max;memory.max=100;" },
	{ "{\"memory\":{\"limit\":-1}}", "memory.swap.max=max;memory.max=max;" },
	{ "{\"memory\":{\"limit\":-1,\"swap\":5}}", "memory.swap.max=5;memory.max=max;" },
	{ "{\"memory\":{\"swap\":-1}}", "memory.swap.max=max;" },
	{ "{\"memory\":{\"reservation\":-1}}", "memory.low=max;" },
	{ "{\"memory\":{\"kernel\":5,\"kernelTCP\":6,\"swappiness\":7,\"disableOOMKiller\":true,\"useHierarchy\":false}}",
	  "!.linux.resources.memory.kernel;!.linux.resources.memory.kernelTCP;"
	  "!.linux.resources.memory.swappiness;!.linux.resources.memory.disableOOMKiller;"
	  "!.linux.resources.memory.useHierarchy;" },
	{ "{\"memory\":{\"kernel\":-1,\"kernelTCP\":0,\"disableOOMKiller\":false,\"useHierarchy\":true}}", "" },
	/* cpu */
	{ "{\"cpu\":{\"shares\":1024}}", "cpu.weight=100;" },
	{ "{\"cpu\":{\"shares\":0}}", "" },
	{ "{\"cpu\":{\"shares\":1024,\"idle\":0}}", "cpu.idle=0;cpu.weight=100;" },
	{ "{\"cpu\":{\"shares\":1024,\"idle\":1}}", "cpu.idle=1;" },
	{ "{\"cpu\":{\"quota\":50000,\"period\":200000}}", "cpu.max=50000 200000;" },
	{ "{\"cpu\":{\"quota\":50000}}", "cpu.max=50000;" },
	{ "{\"cpu\":{\"quota\":-1}}", "cpu.max=max;" },
	{ "{\"cpu\":{\"period\":200000}}", "cpu.max=max 200000;" },
	{ "{\"cpu\":{\"quota\":0,\"period\":0}}", "" },
	{ "{\"cpu\":{\"burst\":100,\"quota\":1000}}", "cpu.max.burst=100;cpu.max=1000;" },
	{ "{\"cpu\":{\"cpus\":\"0-1\",\"mems\":\"0\"}}", "cpuset.cpus=0-1;cpuset.mems=0;" },
	{ "{\"cpu\":{\"realtimeRuntime\":0,\"realtimePeriod\":0}}", "" },
	/* pids */
	{ "{\"pids\":{\"limit\":32}}", "pids.max=32;" },
	{ "{\"pids\":{\"limit\":-1}}", "pids.max=max;" },
	{ "{\"pids\":{\"limit\":0}}", "pids.max=1;" },
	/* io */
	{ "{\"blockIO\":{\"weight\":10}}", "io.bfq.weight=10|io.weight=1;" },
	{ "{\"blockIO\":{\"weight\":1000}}", "io.bfq.weight=1000|io.weight=10000;" },
	{ "{\"blockIO\":{\"weight\":500}}", "io.bfq.weight=500|io.weight=4950;" },
	{ "{\"blockIO\":{\"weight\":0}}", "" },
	{ "{\"blockIO\":{\"weightDevice\":[{\"major\":8,\"minor\":1,\"weight\":100},{\"major\":8,\"minor\":2,\"leafWeight\":9}]}}",
	  "io.bfq.weight=8:1 100|io.weight=8:1 910;!.linux.resources.blockIO.leafWeight;" },
	{ "{\"blockIO\":{\"throttleReadBpsDevice\":[{\"major\":8,\"minor\":0,\"rate\":5}],"
	  "\"throttleWriteBpsDevice\":[{\"major\":8,\"minor\":0,\"rate\":6}],"
	  "\"throttleReadIOPSDevice\":[{\"major\":8,\"minor\":0,\"rate\":7}],"
	  "\"throttleWriteIOPSDevice\":[{\"major\":8,\"minor\":0,\"rate\":0},{\"major\":9,\"minor\":1,\"rate\":8}]}}",
	  "io.max=8:0 rbps=5;io.max=8:0 wbps=6;io.max=8:0 riops=7;io.max=8:0 wiops=max;io.max=9:1 wiops=8;" },
	/* the rest */
	{ "{\"hugepageLimits\":[{\"pageSize\":\"2MB\",\"limit\":4194304}]}",
	  "hugetlb.2MB.max=4194304;hugetlb.2MB.rsvd.max=4194304;" },
	{ "{\"rdma\":{\"mlx5_1\":{\"hcaHandles\":3,\"hcaObjects\":10000},\"mlx4_0\":{\"hcaObjects\":1}}}",
	  "rdma.max=mlx5_1 hca_handle=3 hca_object=10000;rdma.max=mlx4_0 hca_object=1;" },
	{ "{\"network\":{\"classID\":0,\"priorities\":[]}}", "" },
	{ "{\"memory\":{\"limit\":5},\"unified\":{\"memory.high\":\"max\",\"cgroup.max.depth\":\"3\"}}",
	  "memory.max=5;memory.high=max;cgroup.max.depth=3;" },
}, bad[] = {
	{ "{\"memory\":{\"swap\":300}}", ".linux.resources.memory.swap: needs .linux.resources.memory.limit" },
	{ "{\"memory\":{\"limit\":300,\"swap\":200}}", ".linux.resources.memory.swap: 200 is less" },
	{ "{\"memory\":{\"limit\":-2}}", ".linux.resources.memory.limit: want -1" },
	{ "{\"cpu\":{\"idle\":2}}", ".linux.resources.cpu.idle: want 0 or 1" },
	{ "{\"cpu\":{\"quota\":-7}}", ".linux.resources.cpu.quota: want -1" },
	{ "{\"cpu\":{\"realtimeRuntime\":100}}", ".linux.resources.cpu.realtimeRuntime: cgroup v2 has no" },
	{ "{\"blockIO\":{\"weight\":9}}", ".linux.resources.blockIO.weight: weight 9" },
	{ "{\"blockIO\":{\"weightDevice\":[{\"major\":8,\"minor\":1,\"weight\":1001}]}}",
	  ".linux.resources.blockIO.weightDevice[0]: weight 1001" },
	{ "{\"hugepageLimits\":[{\"pageSize\":\"2MB\",\"limit\":1},{\"pageSize\":\"../x\",\"limit\":1}]}",
	  ".linux.resources.hugepageLimits[1].pageSize: '../x'" },
	{ "{\"rdma\":{\"a b\":{\"hcaHandles\":3}}}", ".linux.resources.rdma.a b: is not" },
	{ "{\"network\":{\"classID\":5}}", ".linux.resources.network.classID: cgroup v2 has no net_cls" },
	{ "{\"network\":{\"priorities\":[{\"name\":\"eth0\",\"priority\":1}]}}", ".linux.resources.network.priorities: " },
	{ "{\"unified\":{\"../memory.max\":\"1\"}}", "is not the name of a cgroup file" },
	{ "{\"unified\":{\"memory\":\"1\"}}", "is not the name of a cgroup file" },
};
/* clang-format on */

static void facts_complete_updates(void)
{
	struct limit_facts facts = { .memory_max = "100", .cpu_max = "70 1000" };
	struct limit_facts unlimited = { .memory_max = "max", .cpu_max = "max 1000" };

	with("{\"memory\":{\"swap\":300},\"cpu\":{\"period\":500}}", &facts, look_at_list,
	     "memory.swap.max=200;cpu.max=70 500;");
	with("{\"memory\":{\"swap\":300},\"cpu\":{\"period\":500}}", &unlimited, look_at_list,
	     "memory.swap.max=300;cpu.max=max 500;");
	with("{\"memory\":{\"swap\":30}}", &facts, look_at_error, "is less than the memory limit");
}

static void unlimited(error *e, const struct limits *l, const void *want)
{
	CHECK(!e && l->n == 1);
	CHECK(limit_is_unlimited(&l->v[0]) == (want != NULL));
}

static void unlimited_is_told(void)
{
	with("{\"pids\":{\"limit\":-1}}", NULL, unlimited, "");
	with("{\"pids\":{\"limit\":1}}", NULL, unlimited, NULL);
	with("{\"cpu\":{\"period\":1000}}", NULL, unlimited, "");
	with("{\"cpu\":{\"shares\":1024}}", NULL, unlimited, "");
	with("{\"cpu\":{\"shares\":1025}}", NULL, unlimited, NULL);
	with("{\"unified\":{\"io.max\":\"8:0 rbps=max wbps=max\"}}", NULL, unlimited, "");
	with("{\"unified\":{\"io.max\":\"8:0 rbps=1 wbps=max\"}}", NULL, unlimited, NULL);
}

/* Against the formula as libm computes it, for every value, as a checksum (FNV-1a of two bytes
 * each); the exact formula agrees there, but for the one value that is a whole number. */
static void weights_follow_the_curve(void)
{
	static const uint64_t known[][2] = {
		{ 0, 0 },       { 1, 1 },          { 2, 1 },          { 3, 2 },
		{ 100, 17 },    { 512, 59 },       { 1024, 100 },     { 2048, 174 },
		{ 10240, 639 }, { 262143, 10000 }, { 262144, 10000 }, { UINT64_MAX, 10000 },
	};
	uint64_t hash = 0xcbf29ce484222325;

	for (size_t i = 0; i < COUNT(known); i++)
		CHECK(cpu_weight_of_shares(known[i][0]) == known[i][1]);
	for (uint64_t shares = 2; shares <= 262144; shares++) {
		uint64_t weight = cpu_weight_of_shares(shares);
		hash = (hash ^ (weight & 255)) * 0x100000001b3;
		hash = (hash ^ weight >> 8) * 0x100000001b3;
	}
	CHECK(hash == 0x65a31facb03a9c0e);
}

int main(void)
{
	for (size_t i = 0; i < COUNT(good); i++)
		with(good[i].json, NULL, look_at_list, good[i].want);
	for (size_t i = 0; i < COUNT(bad); i++)
		with(bad[i].json, NULL, look_at_error, bad[i].want);
	facts_complete_updates();
	unlimited_is_told();
	weights_follow_the_curve();
	return 0;
}
