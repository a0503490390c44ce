/* What `events` reports, in the schema that runc gave it (its types/events.go), which was made for
 * cgroup v1: hence the nanoseconds, and swap as memory and swap together. A file that is not there
 * is a figure that is not there. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "cgroup/hierarchy.h"

enum { FILE_MAX = 1 << 20 };

/* The whole file, or NULL. */
static char *read_all(int dir, const char *file)
{
	char *text = NULL;
	auto_error error *missing = file_read(dir, file, FILE_MAX, &text, NULL);

	return missing ? NULL : text;
}

/* A file with one number; "max" is UINT64_MAX. */
static bool read_number(int dir, const char *file, uint64_t *out)
{
	auto_free char *text = read_all(dir, file);

	if (!text)
		return false;
	text[strcspn(text, "\n")] = '\0';
	if (strcmp(text, "max") == 0) {
		*out = UINT64_MAX;
		return true;
	}
	return text_to_u64(text, out);
}

static uint64_t number_or_0(int dir, const char *file)
{
	uint64_t n = 0;

	return read_number(dir, file, &n) ? n : 0;
}

/* A copy of a key's number under another name, if it is there. */
static void copy_number(struct json *to, const char *name, const char *text, const char *key,
			uint64_t factor)
{
	uint64_t n;

	if (text && key_number(text, key, &n))
		json_u64(to, name, n * factor);
}

/* --- pressure --- */

/* "some avg10=0.00 avg60=0.00 avg300=0.00 total=0" and the same with "full"; total is in
 * microseconds. Reading fails with EOPNOTSUPP where the kernel was booted with psi=0. */
static void put_pressure(struct json *to, int dir, const char *file)
{
	static const char *const kinds[] = { "some", "full" };
	auto_free char *text = read_all(dir, file);

	if (!text || !*text)
		return;
	json_object(to, "psi");
	for (size_t i = 0; i < COUNT(kinds); i++) {
		const char *line = strstr(text, kinds[i]);
		double avg10, avg60, avg300;
		unsigned long long total;
		if (!line || sscanf(line + 4, " avg10=%lf avg60=%lf avg300=%lf total=%llu", &avg10,
				    &avg60, &avg300, &total) != 4)
			continue;
		json_object(to, kinds[i]);
		json_double(to, "avg10", avg10);
		json_double(to, "avg60", avg60);
		json_double(to, "avg300", avg300);
		json_u64(to, "total", total);
		json_end(to);
	}
	json_end(to);
}

/* --- one function per member of `data` --- */

static void put_cpu(struct json *to, int dir)
{
	auto_free char *stat = read_all(dir, "cpu.stat");

	json_object(to, "cpu");
	json_object(to, "usage");
	copy_number(to, "total", stat, "usage_usec", 1000);
	copy_number(to, "kernel", stat, "system_usec", 1000);
	copy_number(to, "user", stat, "user_usec", 1000);
	json_end(to);
	json_object(to, "throttling");
	copy_number(to, "periods", stat, "nr_periods", 1);
	copy_number(to, "throttledPeriods", stat, "nr_throttled", 1);
	copy_number(to, "throttledTime", stat, "throttled_usec", 1000);
	json_end(to);
	put_pressure(to, dir, "cpu.pressure");
	json_end(to);
}

/* "0-3,7" as an array. */
static void put_numbers(struct json *to, int dir, const char *file, const char *name)
{
	unsigned long mask[8192 / (8 * sizeof(long))];
	auto_free char *text = read_all(dir, file);
	auto_error error *e = text ? text_to_bits(text, mask, sizeof(mask)) : NULL;

	if (!text || e)
		return;
	json_array(to, name);
	for (size_t i = 0; i < 8 * sizeof(mask); i++)
		if (mask[i / (8 * sizeof(long))] >> i % (8 * sizeof(long)) & 1)
			json_u64(to, NULL, i);
	json_end(to);
}

static void put_cpuset(struct json *to, int dir)
{
	json_object(to, "cpuset");
	put_numbers(to, dir, "cpuset.cpus.effective", "cpus");
	put_numbers(to, dir, "cpuset.mems.effective", "mems");
	json_end(to);
}

static void put_entry(struct json *to, const char *name, uint64_t limit, uint64_t usage,
		      uint64_t max, uint64_t failures)
{
	json_object(to, name);
	json_u64(to, "limit", limit);
	json_u64(to, "usage", usage);
	if (max)
		json_u64(to, "max", max);
	json_u64(to, "failcnt", failures);
	json_end(to);
}

static uint64_t plus(uint64_t a, uint64_t b)
{
	return a == UINT64_MAX || b == UINT64_MAX ? UINT64_MAX : a + b;
}

/* "KEY NUMBER" lines as an object. */
static void put_flat(struct json *to, const char *name, char *text)
{
	char *rest = NULL;

	json_object(to, name);
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		char *space = strchr(line, ' ');
		uint64_t n;
		if (!space || !text_to_u64(space + 1, &n))
			continue;
		*space = '\0';
		json_u64(to, line, n);
	}
	json_end(to);
}

static void put_memory(struct json *to, int dir)
{
	auto_free char *stat = read_all(dir, "memory.stat");
	auto_free char *events = read_all(dir, "memory.events");
	uint64_t usage = 0;
	uint64_t limit = UINT64_MAX;
	uint64_t swap_limit = UINT64_MAX;
	uint64_t failures = 0;

	json_object(to, "memory");
	if (read_number(dir, "memory.current", &usage)) {
		read_number(dir, "memory.max", &limit);
		read_number(dir, "memory.swap.max", &swap_limit);
		if (events)
			key_number(events, "max", &failures);
		copy_number(to, "cache", stat, "file", 1);
		put_entry(to, "usage", limit, usage, number_or_0(dir, "memory.peak"), failures);
		put_entry(to, "swap", plus(limit, swap_limit),
			  usage + number_or_0(dir, "memory.swap.current"), 0, 0);
	}
	if (stat)
		put_flat(to, "raw", stat);
	put_pressure(to, dir, "memory.pressure");
	if (events)
		put_flat(to, "event_count", events);
	json_end(to);
}

static void put_pids(struct json *to, int dir)
{
	uint64_t n;

	json_object(to, "pids");
	if (read_number(dir, "pids.current", &n))
		json_u64(to, "current", n);
	if (read_number(dir, "pids.max", &n) && n != UINT64_MAX)
		json_u64(to, "limit", n);
	json_end(to);
}

/* clang-format off */
static const struct io_list {
	const char *name;
	struct { const char *key, *op; } counts[3];
} io_lists[] = {
	{ "ioServiceBytesRecursive", { { "rbytes", "Read" }, { "wbytes", "Write" }, { "dbytes", "Discard" } } },
	{ "ioServicedRecursive",     { { "rios", "Read" }, { "wios", "Write" }, { "dios", "Discard" } } },
	/* of the controller iocost, in microseconds; runc has no name for what they do either */
	{ "ioCostUsage",             { { "cost.usage", "Count" } } },
	{ "ioCostWait",              { { "cost.wait", "Count" } } },
	{ "ioCostIndebt",            { { "cost.indebt", "Count" } } },
	{ "ioCostIndelay",           { { "cost.indelay", "Count" } } },
};
/* clang-format on */

/* The number of " KEY=NUMBER" in a line. */
static bool pair_number(const char *line, const char *key, uint64_t *out)
{
	size_t len = strlen(key);
	char number[24];

	for (const char *at = line; (at = strchr(at, ' ')); at++) {
		if (strncmp(at + 1, key, len) != 0 || at[1 + len] != '=')
			continue;
		snprintf(number, sizeof(number), "%.*s", (int)strcspn(at + 2 + len, " \n"),
			 at + 2 + len);
		return text_to_u64(number, out);
	}
	return false;
}

static void put_io_line(struct json *to, const struct io_list *list, const char *line)
{
	unsigned major, minor;

	if (sscanf(line, "%u:%u ", &major, &minor) != 2)
		return;
	for (size_t i = 0; i < COUNT(list->counts) && list->counts[i].key; i++) {
		uint64_t n;
		if (!pair_number(line, list->counts[i].key, &n))
			continue;
		json_object(to, NULL);
		json_u64(to, "major", major);
		json_u64(to, "minor", minor);
		json_text(to, "op", list->counts[i].op);
		json_u64(to, "value", n);
		json_end(to);
	}
}

static void put_io(struct json *to, int dir)
{
	auto_free char *stat = read_all(dir, "io.stat");
	struct strings lines = { 0 };
	auto_error error *no_memory = NULL;
	char *rest = NULL;

	for (char *line = stat ? strtok_r(stat, "\n", &rest) : NULL; line && !no_memory;
	     line = strtok_r(NULL, "\n", &rest))
		no_memory = strings_add(&lines, line);
	json_object(to, "blkio");
	for (size_t i = 0; i < COUNT(io_lists); i++) {
		bool any = false;
		uint64_t n;
		for (size_t k = 0; k < lines.n; k++)
			any |= pair_number(lines.v[k], io_lists[i].counts[0].key, &n);
		if (!any)
			continue;
		json_array(to, io_lists[i].name);
		for (size_t k = 0; k < lines.n; k++)
			put_io_line(to, &io_lists[i], lines.v[k]);
		json_end(to);
	}
	put_pressure(to, dir, "io.pressure");
	json_end(to);
	strings_free(&lines);
}

/* "hugetlb.2MB.current": one object for each size that the kernel has. */
static void put_hugetlb(struct json *to, int dir)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	json_object(to, "hugetlb");
	for (const struct dirent *e; d && (e = readdir(d));) {
		char size[16];
		char file[64];
		int end = 0;
		uint64_t n;
		if (sscanf(e->d_name, "hugetlb.%15[0-9KMGB].current%n", size, &end) != 1 || !end ||
		    e->d_name[end])
			continue;
		json_object(to, size);
		/* where reservations are counted they are what the limit is about */
		snprintf(file, sizeof(file), "hugetlb.%s.rsvd.current", size);
		if (read_number(dir, file, &n) || read_number(dir, e->d_name, &n))
			json_u64(to, "usage", n);
		snprintf(file, sizeof(file), "hugetlb.%s.events", size);
		auto_free char *events = read_all(dir, file);
		copy_number(to, "failcnt", events, "max", 1);
		json_end(to);
	}
	json_end(to);
	if (d)
		closedir(d);
	else
		fd_at_end(&fd);
}

error *cgroup_stats(const struct cgroup *c, struct json *to)
{
	if (!c)
		return error_said(ENOENT, "the container has no cgroup to measure");
	if (faccessat(c->dir, "cgroup.procs", F_OK, 0) < 0)
		return error_errno("cgroup %s", c->path);
	put_cpu(to, c->dir);
	put_cpuset(to, c->dir);
	put_memory(to, c->dir);
	put_pids(to, c->dir);
	put_io(to, c->dir);
	put_hugetlb(to, c->dir);
	return NULL;
}

/* --- out of memory --- */

error *cgroup_oom_kills(const struct cgroup *c, uint64_t *out)
{
	auto_free char *events = c ? read_all(c->dir, "memory.events") : NULL;

	if (!events || !key_number(events, "oom_kill", out))
		*out = 0;
	return NULL;
}

error *cgroup_watch(const struct cgroup *c, const char *file, int *out)
{
	char first[512];

	if (!c)
		return error_said(ENOENT, "the container has no cgroup to watch");
	auto_fd int fd = openat(c->dir, file, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return error_errno("cgroup %s: open %s", c->path, file);
	/* what happened before counts as seen */
	if (pread(fd, first, sizeof(first), 0) < 0)
		return error_errno("cgroup %s: read %s", c->path, file);
	*out = take_fd(&fd);
	return NULL;
}
