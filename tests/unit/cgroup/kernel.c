/* Cgroups for real: in one of its own below the top of the hierarchy, which is gone afterwards. */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/kernel.h"
#include "base/process.h"
#include "cgroup/hierarchy.h"
#include "tests/unit/check.h"

static char top[64]; /* "/skiff-unit-PID" */

static const char *in_top(const char *name)
{
	static char path[4][256];
	static int turn;
	char *out = path[turn++ % 4];

	snprintf(out, sizeof(path[0]), "%s/%s", top, name);
	return out;
}

static char *read_file(const struct cgroup *c, const char *file)
{
	char *text = NULL;

	CHECK_FINE(file_read(c->dir, file, 1 << 20, &text, NULL));
	return text;
}

static bool exists(const char *path)
{
	auto_fd int mount = -1;

	CHECK_FINE(hierarchy_open(&mount, NULL));
	return faccessat(mount, hierarchy_below(path), F_OK, 0) == 0;
}

static struct cgroup *make(const char *name, const char *resources)
{
	auto_arena struct arena *arena = NULL;
	struct spec_resources *r = NULL;
	struct cgroup *c = NULL;
	struct cgroup_request request = { .path = in_top(name), .id = "x" };

	CHECK_FINE(arena_new(&arena));
	CHECK_FINE(spec_read_resources(resources, strlen(resources), arena, &r));
	request.resources = r;
	CHECK_FINE(cgroup_create(&request, &c));
	CHECK(c && exists(request.path));
	return c;
}

static void refuse(const char *name, const char *resources, int code, const char *why)
{
	auto_arena struct arena *arena = NULL;
	struct spec_resources *r = NULL;
	struct cgroup *c = NULL;
	struct cgroup_request request = { .path = in_top(name), .id = "x" };

	CHECK_FINE(arena_new(&arena));
	CHECK_FINE(spec_read_resources(resources, strlen(resources), arena, &r));
	request.resources = r;
	CHECK_FAILS(cgroup_create(&request, &c), code, why);
	CHECK(!c);
}

static error *update(const struct cgroup *c, const char *resources)
{
	auto_arena struct arena *arena = NULL;
	struct spec_resources *r = NULL;

	CHECK_FINE(arena_new(&arena));
	CHECK_FINE(spec_read_resources(resources, strlen(resources), arena, &r));
	return cgroup_set_limits(c, r);
}

static void drop(struct cgroup *c)
{
	char *path = strdup(cgroup_path(c));

	CHECK_FINE(cgroup_remove(c));
	CHECK(!exists(path));
	CHECK_FINE(cgroup_remove(c));
	cgroup_free(c);
	free(path);
}

/* A child in the cgroup: it sleeps, or tells by its exit code whether it may open a device. */
static pid_t start(const struct cgroup *c, const char *device, int flags)
{
	struct clone_args args = {
		.flags = CLONE_INTO_CGROUP,
		.exit_signal = SIGCHLD,
		.cgroup = (uint64_t)cgroup_fd(c),
	};
	pid_t pid = sys_clone3(&args);

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGTERM, SIG_DFL);
		while (!device)
			pause();
		int fd = open(device, flags | O_CLOEXEC);
		_exit(fd >= 0 ? 0 : errno);
	}
	CHECK(pid > 0);
	return pid;
}

static int end_of(pid_t pid)
{
	int status = 0;

	CHECK_FINE(process_wait(pid, &status));
	return process_exit_code(status);
}

static void paths(void)
{
	static const struct {
		const char *path, *want; /* NULL: an error */
	} rows[] = {
		{ NULL, "/skiff/box" }, { "/a/b", "/a/b" },     { "//a/./b/", "/a/b" },
		{ "/a/../b", NULL },    { "../b", NULL },       { "/", NULL },
		{ "/a/..", NULL },      { "/..a/b", "/..a/b" }, { ".", NULL },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct cgroup_request r = { .path = rows[i].path, .id = "box" };
		auto_free char *path = NULL;
		error *e = cgroup_path_for(&r, &path);
		if (!rows[i].want) {
			CHECK_FAILS(e, EINVAL, ".linux.cgroupsPath: ");
			continue;
		}
		CHECK_FINE(e);
		CHECK_TEXT(path, rows[i].want);
	}
	struct cgroup_request relative = { .path = "pod/box", .id = "box" };
	auto_free char *path = NULL;
	CHECK_FINE(cgroup_path_for(&relative, &path));
	CHECK(path[0] == '/' && strlen(path) >= 8 && !strcmp(path + strlen(path) - 8, "/pod/box"));
	struct cgroup_request dots = { .id = ".." };
	auto_free char *none = NULL;
	CHECK_FAILS(cgroup_path_for(&dots, &none), EINVAL, "'..'");
	struct cgroup *c = NULL;
	struct cgroup_request systemd = { .manager = CGROUP_SYSTEMD, .id = "x" };
	CHECK_FAILS(cgroup_create(&systemd, &c), ENOTSUP, "skiff-systemd");
	struct cgroup_request disabled = { .manager = CGROUP_DISABLED, .id = "x" };
	CHECK_FINE(cgroup_create(&disabled, &c));
	CHECK(!c && cgroup_fd(c) == -1 && !cgroup_path(c));
	CHECK_FINE(cgroup_remove(c));
	CHECK_FINE(cgroup_signal(c, SIGKILL));
}

static void lives(void)
{
	struct cgroup *c = make("a/b/c", "{}");
	struct cgroup *again = NULL;
	pid_t pid = start(c, NULL, 0);
	pid_t *pids = NULL;
	size_t n = 0;
	auto_free char *of = NULL;
	auto_fd int watch = -1;

	CHECK_TEXT(cgroup_path(c), in_top("a/b/c"));
	CHECK_FINE(cgroup_of(pid, &of));
	CHECK_TEXT(of, cgroup_path(c));
	CHECK(cgroup_is_populated(c));
	refuse("a/b/c", "{}", EEXIST, "in use");
	CHECK_FINE(cgroup_pids(c, &pids, &n));
	CHECK(n == 1 && pids[0] == pid);
	free(pids);

	CHECK_FINE(cgroup_watch(c, "cgroup.events", &watch));
	struct pollfd p = { .fd = watch, .events = POLLPRI };
	CHECK(poll(&p, 1, 0) == 0);
	CHECK(!cgroup_is_frozen(c));
	CHECK_FINE(cgroup_freeze(c, true));
	CHECK(cgroup_is_frozen(c));
	CHECK(poll(&p, 1, 1000) == 1 && p.revents & POLLPRI);
	CHECK_FINE(cgroup_freeze(c, false));
	CHECK(!cgroup_is_frozen(c));

	CHECK_FINE(cgroup_open(cgroup_path(c), &again));
	CHECK_FINE(cgroup_signal(again, SIGTERM));
	CHECK(end_of(pid) == 128 + SIGTERM);
	cgroup_free(again);

	pid = start(c, NULL, 0);
	pid_t other = start(c, NULL, 0);
	CHECK_FINE(cgroup_freeze(c, true));
	CHECK_FINE(cgroup_signal(c, SIGKILL));
	/* removal waits for the dying */
	drop(c);
	CHECK(end_of(pid) == 128 + SIGKILL && end_of(other) == 128 + SIGKILL);
	CHECK_FAILS(cgroup_open(in_top("a/b/c"), &c), ENOENT, "a/b/c");
	drop(make("a/b", "{}")); /* which is there, and empty */
}

/* An empty cgroup that was left frozen would stop the next container for ever. */
static void reuse(void)
{
	struct cgroup *c = make("again", "{}");

	CHECK_FINE(cgroup_freeze(c, true));
	cgroup_free(c);
	c = make("again", "{}");
	CHECK(!cgroup_is_frozen(c));
	drop(c);
}

static void nested(void)
{
	enum { DEEP = 300 };
	struct cgroup *c = make("deep", "{}");
	auto_fd int sub = -1;
	pid_t *pids = NULL;
	size_t n = 0;

	CHECK(mkdirat(c->dir, "one", 0755) == 0 && mkdirat(c->dir, "one/two", 0755) == 0);
	CHECK(mkdirat(c->dir, "three", 0755) == 0);
	CHECK_FINE(cgroup_open_below(c, "/one/two", &sub));
	CHECK_FAILS(cgroup_open_below(c, "one/../../..", &sub), EINVAL, "leads out");
	CHECK_FAILS(cgroup_open_below(c, "nothing", &sub), ENOENT, "nothing");
	struct cgroup two = { .dir = sub, .path = "two", .mount = -1 };
	pid_t pid = start(&two, NULL, 0);
	pid_t other = start(c, NULL, 0);
	CHECK_FINE(cgroup_pids(c, &pids, &n));
	CHECK(n == 2 && pids[0] < pids[1] && pids[0] + pids[1] == pid + other);
	free(pids);
	CHECK_FINE(cgroup_signal(c, SIGTERM));
	CHECK(end_of(pid) == 128 + SIGTERM && end_of(other) == 128 + SIGTERM);
	CHECK(!cgroup_is_populated(c));

	int dir = openat(c->dir, "three", O_PATH);
	for (int i = 0; i < DEEP; i++) {
		CHECK(mkdirat(dir, "d", 0755) == 0);
		int next = openat(dir, "d", O_PATH);
		CHECK(next >= 0);
		close(dir);
		dir = next;
	}
	close(dir);
	CHECK_FAILS(cgroup_pids(c, &pids, &n), ELOOP, "deeper");
	drop(c);
}

static void enter(void)
{
	struct cgroup *c = make("enter", "{}");
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	CHECK_FINE(cgroup_enter(c, pid));
	auto_free char *of = NULL;
	CHECK_FINE(cgroup_of(pid, &of));
	CHECK_TEXT(of, cgroup_path(c));
	CHECK_FINE(cgroup_signal(c, SIGKILL));
	CHECK(end_of(pid) == 128 + SIGKILL);
	drop(c);
}

static void devices(void)
{
	struct spec_device_rule kmsg[] = {
		{ .allow = false, .access = "rwm" },
		{ .allow = true,
		  .type = { true, 'c' },
		  .major = { true, 1 },
		  .minor = { true, 11 },
		  .access = "r" },
	};
	struct cgroup *c = make("devices", "{\"devices\":[{\"allow\":false,\"access\":\"rwm\"}]}");

	CHECK(end_of(start(c, "/dev/kmsg", O_RDONLY)) == EPERM);
	CHECK(end_of(start(c, "/dev/null", O_RDWR)) == 0);
	/* twice, so that a second program beside the first would be noticed */
	for (int i = 0; i < 2; i++) {
		CHECK_FINE(cgroup_set_devices(c, kmsg, 2, false));
		CHECK(end_of(start(c, "/dev/kmsg", O_RDONLY)) == 0);
		CHECK(end_of(start(c, "/dev/kmsg", O_RDWR)) == EPERM);
		CHECK(end_of(start(c, "/dev/urandom", O_RDWR)) == 0);
	}
	CHECK_FINE(cgroup_set_devices(c, kmsg, 1, false));
	CHECK(end_of(start(c, "/dev/kmsg", O_RDONLY)) == EPERM);
	drop(c);
	c = make("devices", "{}");
	CHECK(end_of(start(c, "/dev/kmsg", O_RDONLY)) == 0);
	drop(c);
}

static void delegate(void)
{
	struct cgroup *c = make("delegate", "{}");
	struct stat st;

	CHECK_FINE(cgroup_delegate(c, 1234, 5678));
	CHECK(fstatat(c->dir, "", &st, AT_EMPTY_PATH) == 0 && st.st_uid == 1234 &&
	      st.st_gid == 5678);
	CHECK(fstatat(c->dir, "cgroup.procs", &st, 0) == 0 && st.st_uid == 1234);
	CHECK(fstatat(c->dir, "cgroup.freeze", &st, 0) == 0 && st.st_uid == 0);
	drop(c);
}

/* What is missing is refused in words, and leaves nothing, not even the parents. */
static void missing(void)
{
	bool memory = cgroup_has_controller("memory");

	refuse("m/n", "{\"unified\":{\"nonsense.max\":\"1\"}}", ENOTSUP,
	       ".linux.resources.unified.nonsense.max: the nonsense controller is not available");
	CHECK(!exists(in_top("m")));
	if (!memory)
		refuse("m/n", "{\"memory\":{\"limit\":1000000}}", ENOTSUP,
		       ".linux.resources.memory.limit: the memory controller is not available");
	refuse("m/n", "{\"hugepageLimits\":[{\"pageSize\":\"3MB\",\"limit\":1}]}", ENOTSUP,
	       ".linux.resources.hugepageLimits[0]: ");
	CHECK(!exists(in_top("m")));
	struct cgroup *c = make("m", "{\"memory\":{\"limit\":-1},\"pids\":{\"limit\":-1}}");
	CHECK_FINE(update(c, "{\"memory\":{\"swap\":-1},\"cpu\":{\"quota\":-1}}"));
	uint64_t kills = 1;
	CHECK_FINE(cgroup_oom_kills(c, &kills));
	CHECK(kills == 0);
	drop(c);
}

static void expect(const struct cgroup *c, const char *file, const char *want)
{
	auto_free char *text = read_file(c, file);

	text[strcspn(text, "\n")] = '\0';
	CHECK_TEXT(text, want);
}

/* All or nothing. */
static void huge_pages(void)
{
	if (!cgroup_has_controller("hugetlb")) {
		puts("skip: no hugetlb controller");
		return;
	}
	struct cgroup *c =
		make("huge", "{\"hugepageLimits\":[{\"pageSize\":\"2MB\",\"limit\":4194304}]}");
	expect(c, "hugetlb.2MB.max", "4194304");
	expect(c, "hugetlb.2MB.rsvd.max", "4194304");
	CHECK_FAILS(update(c, "{\"hugepageLimits\":[{\"pageSize\":\"2MB\",\"limit\":2097152}],"
			      "\"unified\":{\"hugetlb.2MB.max\":\"junk\"}}"),
		    EINVAL, ".linux.resources.unified.hugetlb.2MB.max: ");
	expect(c, "hugetlb.2MB.max", "4194304");
	expect(c, "hugetlb.2MB.rsvd.max", "4194304");
	CHECK_FINE(update(c, "{\"unified\":{\"hugetlb.2MB.max\":\"max\"}}"));
	expect(c, "hugetlb.2MB.max", "max");
	drop(c);
}

/* Only where version 2 has these controllers, as in the test machine. */
static void all_limits(void)
{
	if (!cgroup_has_controller("memory") || !cgroup_has_controller("cpu") ||
	    !cgroup_has_controller("pids") || !cgroup_has_controller("cpuset")) {
		puts("skip: no memory, cpu, cpuset and pids controllers in cgroup v2");
		return;
	}
	struct cgroup *c =
		make("all",
		     "{\"memory\":{\"limit\":67108864,\"swap\":134217728,\"reservation\":4194304},"
		     "\"cpu\":{\"shares\":2048,\"quota\":50000,\"period\":100000,\"burst\":20000,"
		     "\"cpus\":\"0\"},"
		     "\"pids\":{\"limit\":7}}");
	expect(c, "memory.max", "67108864");
	expect(c, "memory.swap.max", "67108864");
	expect(c, "memory.low", "4194304");
	expect(c, "cpu.weight", "174");
	expect(c, "cpu.max", "50000 100000");
	expect(c, "cpu.max.burst", "20000");
	expect(c, "cpuset.cpus", "0");
	expect(c, "pids.max", "7");

	/* swap is a sum whose other half is in force already; the period keeps its quota */
	CHECK_FINE(update(c, "{\"memory\":{\"swap\":100000000},\"cpu\":{\"period\":200000}}"));
	expect(c, "memory.swap.max", "32890880"); /* down to a page */
	expect(c, "cpu.max", "50000 200000");
	/* burst and quota: both grow, both shrink */
	CHECK_FINE(update(c, "{\"cpu\":{\"quota\":90000,\"burst\":80000}}"));
	expect(c, "cpu.max.burst", "80000");
	CHECK_FINE(update(c, "{\"cpu\":{\"quota\":30000,\"burst\":1000}}"));
	expect(c, "cpu.max", "30000 200000");
	expect(c, "cpu.max.burst", "1000");
	/* a failure undoes what came before it */
	CHECK_FAILS(update(c, "{\"memory\":{\"limit\":33554432},\"cpu\":{\"shares\":4,\"quota\":"
			      "80000,\"burst\":70000},"
			      "\"unified\":{\"pids.max\":\"junk\"}}"),
		    EINVAL, "pids.max");
	expect(c, "memory.max", "67108864");
	expect(c, "cpu.weight", "174");
	expect(c, "cpu.max", "30000 200000");
	expect(c, "cpu.max.burst", "1000");
	CHECK_FINE(update(c, "{\"cpu\":{\"idle\":1}}"));
	expect(c, "cpu.idle", "1");
	CHECK_FINE(update(c, "{\"cpu\":{\"idle\":0,\"shares\":1024}}"));
	expect(c, "cpu.weight", "100");
	drop(c);
}

/* A child that touches that many bytes, and then ends or waits. */
static pid_t start_hungry(const struct cgroup *c, size_t bytes, bool waits)
{
	struct clone_args args = {
		.flags = CLONE_INTO_CGROUP,
		.exit_signal = SIGCHLD,
		.cgroup = (uint64_t)cgroup_fd(c),
	};
	pid_t pid = sys_clone3(&args);

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		char *much = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
				  -1, 0);
		memset(much, 1, bytes);
		while (waits)
			pause();
		_exit(0);
	}
	CHECK(pid > 0);
	return pid;
}

static void memory_in_use(void)
{
	struct cgroup *c = make("used", "{\"memory\":{\"limit\":67108864}}");
	pid_t pid = start_hungry(c, 8 << 20, true);
	uint64_t used = 0;

	for (int i = 0; used < 8 << 20; i++) {
		auto_free char *text = read_file(c, "memory.current");
		text[strcspn(text, "\n")] = '\0';
		CHECK(text_to_u64(text, &used) && i < 3000);
		usleep(10000);
	}
	CHECK_FAILS(update(c, "{\"memory\":{\"limit\":4194304,\"checkBeforeUpdate\":true}}"), EBUSY,
		    "bytes in use");
	expect(c, "memory.max", "67108864");
	CHECK_FINE(cgroup_signal(c, SIGKILL));
	CHECK(end_of(pid) == 128 + SIGKILL);
	drop(c);
}

/* The process needs more than it may have. */
static void out_of_memory(void)
{
	struct cgroup *c = make("oom", "{\"memory\":{\"limit\":8388608,\"swap\":8388608}}");
	auto_fd int watch = -1;
	uint64_t kills = 0;

	CHECK_FINE(cgroup_watch(c, "memory.events", &watch));
	pid_t pid = start_hungry(c, 64 << 20, false);
	struct pollfd p = { .fd = watch, .events = POLLPRI };
	CHECK(poll(&p, 1, 60000) == 1);
	CHECK(end_of(pid) == 128 + SIGKILL);
	CHECK_FINE(cgroup_oom_kills(c, &kills));
	CHECK(kills == 1);
	drop(c);
}

static void figures(void)
{
	struct cgroup *c = make("figures", "{}");
	auto_json struct json *j = NULL;
	const char *text;
	pid_t pid = start(c, NULL, 0);

	CHECK_FINE(json_new(JSON_ONE_LINE, &j));
	json_object(j, NULL);
	CHECK_FINE(cgroup_stats(c, j));
	json_end(j);
	CHECK_FINE(json_finish(j, &text, NULL));
	CHECK(strstr(text, "\"cpu\":{\"usage\":{\"total\":"));
	CHECK(strstr(text, "\"memory\":{") && strstr(text, "\"pids\":{") &&
	      strstr(text, "\"blkio\":{"));
	if (getenv("SHOW"))
		puts(text);
	if (cgroup_has_controller("memory"))
		CHECK(strstr(text, "\"usage\":{\"limit\":18446744073709551615,\"usage\":"));
	CHECK_FINE(cgroup_signal(c, SIGKILL));
	CHECK(end_of(pid) == 128 + SIGKILL);
	drop(c);
}

/* The disk of the test machine. */
static void disks(void)
{
	auto_free char *device = NULL;
	char json[256];
	char want[256];

	error *none = file_read(AT_FDCWD, "/sys/block/vda/dev", 32, &device, NULL);
	if (none || !cgroup_has_controller("io")) {
		puts("skip: no disk to limit");
		error_free(none);
		return;
	}
	device[strcspn(device, "\n")] = '\0';
	int major = atoi(device);
	int minor = atoi(strchr(device, ':') + 1);
	snprintf(json, sizeof(json),
		 "{\"blockIO\":{\"throttleReadBpsDevice\":[{\"major\":%d,\"minor\":%d,\"rate\":"
		 "1000000}]}}",
		 major, minor);
	struct cgroup *c = make("disks", json);
	snprintf(want, sizeof(want), "%s rbps=1000000 wbps=max riops=max wiops=max", device);
	expect(c, "io.max", want);
	/* a failure takes back what was there, and what was not */
	snprintf(json, sizeof(json),
		 "{\"unified\":{\"io.max\":\"%s wiops=7\",\"pids.max\":\"junk\"}}", device);
	CHECK_FAILS(update(c, json), EINVAL, "pids.max");
	expect(c, "io.max", want);
	CHECK_FAILS(update(c, "{\"unified\":{\"io.max\":\"999:0 rbps=1\"}}"), ENODEV,
		    ".linux.resources.unified.io.max: ");
	error *e = update(c, "{\"blockIO\":{\"weight\":500}}");
	if (e)
		CHECK(error_code(e) == ENOTSUP && strstr(error_message(e), "iocost"));
	error_free(e);
	drop(c);
}

/* As a user: where a cgroup was delegated to him, below its top; elsewhere none, and no limits. */
static int as_user(const struct cgroup *own)
{
	auto_arena struct arena *arena = NULL;
	struct spec_resources *r = NULL;
	struct cgroup *c = NULL;
	struct cgroup_request request = { .id = "r", .rootless = true };
	static const char limits[] = "{\"pids\":{\"limit\":5}}";

	CHECK_FINE(arena_new(&arena));
	CHECK_FINE(spec_read_resources(limits, strlen(limits), arena, &r));
	if (own)
		CHECK_FINE(cgroup_enter(own, 0));
	CHECK(setresgid(65534, 65534, 65534) == 0 && setresuid(65534, 65534, 65534) == 0);
	CHECK_FINE(cgroup_create(&request, &c));
	CHECK(!c == !own);
	if (own) {
		CHECK_TEXT(cgroup_path(c), in_top("user/skiff-r"));
		drop(c);
		return 0;
	}
	request.resources = r;
	CHECK_FAILS(cgroup_create(&request, &c), EACCES,
		    ".linux.resources.pids.limit: needs a cgroup");
	request.path = "/somewhere";
	CHECK_FAILS(cgroup_create(&request, &c), EACCES, "needs a cgroup");
	request.resources = NULL;
	CHECK_FINE(cgroup_create(&request, &c));
	CHECK(!c);
	return 0;
}

static void users(void)
{
	struct cgroup *c = make("user", "{}");
	struct cgroup *own = make("user/own", "{}");
	const struct cgroup *const places[] = { NULL, own };

	CHECK_FINE(cgroup_delegate(c, 65534, 65534));
	CHECK_FINE(cgroup_delegate(own, 65534, 65534));
	for (size_t i = 0; i < COUNT(places); i++) {
		fflush(stdout);
		pid_t pid = fork();
		if (pid == 0)
			_exit(as_user(places[i])); /* the parent frees */
		CHECK(end_of(pid) == 0);
	}
	drop(own);
	drop(c);
}

static int all(void)
{
	paths();
	lives();
	reuse();
	nested();
	enter();
	devices();
	delegate();
	missing();
	huge_pages();
	all_limits();
	if (cgroup_has_controller("memory")) {
		memory_in_use();
		out_of_memory();
	}
	figures();
	disks();
	users();
	return 0;
}

int main(void)
{
	auto_free char *mount = NULL;
	struct cgroup *c = NULL;

	error *none = cgroup_mount_path(&mount);
	if (geteuid() != 0 || none) {
		puts(none ? "skip: needs cgroup v2" : "skip: needs root");
		error_free(none);
		return 0;
	}
	snprintf(top, sizeof(top), "/skiff-unit-%d", getpid());
	struct cgroup_request request = { .path = top, .id = "x" };
	CHECK_FINE(cgroup_create(&request, &c));
	/* in a child, so that the cgroups go away even when a check fails */
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0)
		exit(all());
	int status = end_of(pid);
	CHECK_FINE(cgroup_signal(c, SIGKILL));
	drop(c);
	return status;
}
