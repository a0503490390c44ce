/* Cgroup v2 has no device controller: a program of type BPF_PROG_TYPE_CGROUP_DEVICE decides, with
 * kind, access and numbers of the device in its context. A cgroup's program and those of the
 * cgroups above it must all agree (BPF_F_ALLOW_MULTI).
 */
#include "cgroup/devices.h"

#include <linux/bpf_common.h>
#include <string.h>
#include <sys/resource.h>

#include "base/kernel.h"
#include "cgroup/hierarchy.h"

#define ALL_ACCESS (BPF_DEVCG_ACC_MKNOD | BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE)
#define ANY        (-1)

struct device_rule {
	bool allow;
	int type; /* 'a', 'b', 'c' */
	int64_t major, minor;
	uint32_t access; /* BPF_DEVCG_ACC_* */
};

/* What every container has, whatever its rules say. Making a node is harmless, since using it is
 * checked again. The specification's /dev/console is a pseudoterminal (136:*): 5:1, the host's own
 * console, is nobody's default. */
static const struct device_rule always[] = {
	{ true, 'a', ANY, ANY, BPF_DEVCG_ACC_MKNOD },
	{ true, 'c', 1, 3, ALL_ACCESS },     /* null */
	{ true, 'c', 1, 5, ALL_ACCESS },     /* zero */
	{ true, 'c', 1, 7, ALL_ACCESS },     /* full */
	{ true, 'c', 1, 8, ALL_ACCESS },     /* random */
	{ true, 'c', 1, 9, ALL_ACCESS },     /* urandom */
	{ true, 'c', 5, 0, ALL_ACCESS },     /* tty */
	{ true, 'c', 5, 2, ALL_ACCESS },     /* ptmx */
	{ true, 'c', 136, ANY, ALL_ACCESS }, /* pts */
};

/* --- the compiler ---
 *
 * Each access bit goes its own way: the last rule that matches the device and names the bit decides
 * it, and all bits must be allowed. The program walks the rules backwards, so that the first match
 * decides: WANTED holds the bits that are still open, a matching "deny" with one of them is the
 * end, a matching "allow" clears them.
 *
 * What the kernel's verifier takes for the program is spent at each container's start, some 5 us
 * for each conditional jump. Hence neighbours share their tests: one for a run of rules of the same
 * type, one for a run with the same major number, and a set of bits for their minor numbers. For
 * the defaults alone that makes 70 us out of 165. */

enum { INSNS_PER_RULE = 12, PROLOGUE = 9, EPILOGUE = 2 };
/* a jump reaches 32,767 instructions */
enum { RUN_MAX = 2000, SET_MAX = 32 };

/* What the registers hold. */
enum {
	CONTEXT = BPF_REG_1,
	TYPE = BPF_REG_2,
	WANTED = BPF_REG_3,
	MAJOR = BPF_REG_4,
	MINOR = BPF_REG_5
};

struct code {
	struct bpf_insn *v;
	size_t n;
};

static void emit(struct code *c, uint8_t op, uint8_t dst, uint8_t src, int16_t off, int32_t imm)
{
	c->v[c->n++] = (struct bpf_insn){
		.code = op, .dst_reg = dst & 15, .src_reg = src & 15, .off = off, .imm = imm
	};
}

static void load(struct code *c, uint8_t reg, size_t offset)
{
	emit(c, BPF_LDX | BPF_MEM | BPF_W, reg, CONTEXT, (int16_t)offset, 0);
}

static void decide(struct code *c, bool allow)
{
	emit(c, BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, allow);
	emit(c, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

/* A conditional jump whose end lands() gives; returns its place. */
static size_t leave_if(struct code *c, uint8_t condition, uint8_t reg, int32_t imm)
{
	emit(c, BPF_JMP | BPF_K | condition, reg, 0, 0, imm);
	return c->n - 1;
}

static void lands(struct code *c, size_t jump)
{
	c->v[jump].off = (int16_t)(c->n - jump - 1);
}

/* The device matches: what that means for the bits that are open. */
static void apply(struct code *c, const struct device_rule *r)
{
	if (r->access == ALL_ACCESS) {
		decide(c, r->allow);
	} else if (r->allow) {
		emit(c, BPF_ALU64 | BPF_AND | BPF_K, WANTED, 0, 0, (int32_t)~r->access);
		size_t open = leave_if(c, BPF_JNE, WANTED, 0);
		decide(c, true);
		lands(c, open);
	} else {
		emit(c, BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_0, WANTED, 0, 0);
		emit(c, BPF_ALU64 | BPF_AND | BPF_K, BPF_REG_0, 0, 0, (int32_t)r->access);
		size_t other = leave_if(c, BPF_JEQ, BPF_REG_0, 0);
		decide(c, false);
		lands(c, other);
	}
}

/* Whether b, beside a, differs from it in the minor number only, and both fit into a set. */
static bool fit_a_set(const struct device_rule *a, const struct device_rule *b)
{
	return a->allow == b->allow && a->access == b->access && a->minor >= 0 && b->minor >= 0 &&
	       a->minor < SET_MAX && b->minor < SET_MAX;
}

/* Rules of one type and one major number. */
static void compile_minors(struct code *c, const struct device_rule *v, size_t n)
{
	for (size_t i = 0, next; i < n; i = next) {
		uint32_t set = 0;
		for (next = i; next < n && fit_a_set(&v[i], &v[next]); next++)
			set |= 1U << v[next].minor;
		if (next > i + 1) {
			size_t beyond = leave_if(c, BPF_JGT, MINOR, SET_MAX - 1);
			emit(c, BPF_ALU | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, (int32_t)set);
			emit(c, BPF_ALU64 | BPF_RSH | BPF_X, BPF_REG_0, MINOR, 0, 0);
			emit(c, BPF_ALU64 | BPF_AND | BPF_K, BPF_REG_0, 0, 0, 1);
			size_t absent = leave_if(c, BPF_JEQ, BPF_REG_0, 0);
			apply(c, &v[i]);
			lands(c, beyond);
			lands(c, absent);
			continue;
		}
		next = i + 1;
		if (v[i].minor == ANY) {
			apply(c, &v[i]);
			if (v[i].access == ALL_ACCESS)
				return; /* the verifier refuses what cannot be reached */
			continue;
		}
		size_t other = leave_if(c, BPF_JNE, MINOR, (int32_t)v[i].minor);
		apply(c, &v[i]);
		lands(c, other);
	}
}

/* Rules of one type. False: what comes behind them cannot be reached from among them. */
static bool compile_majors(struct code *c, const struct device_rule *v, size_t n)
{
	for (size_t i = 0, next; i < n; i = next) {
		for (next = i; next < n && v[next].major == v[i].major;)
			next++;
		if (v[i].major == ANY) {
			compile_minors(c, &v[i], next - i);
			for (size_t k = i; k < next; k++)
				if (v[k].minor == ANY && v[k].access == ALL_ACCESS)
					return false;
			continue;
		}
		size_t other = leave_if(c, BPF_JNE, MAJOR, (int32_t)v[i].major);
		compile_minors(c, &v[i], next - i);
		lands(c, other);
	}
	return true;
}

/* All rules, the last first. */
static void compile(struct code *c, const struct device_rule *v, size_t n)
{
	load(c, TYPE, offsetof(struct bpf_cgroup_dev_ctx, access_type));
	emit(c, BPF_ALU64 | BPF_MOV | BPF_X, WANTED, TYPE, 0, 0);
	emit(c, BPF_ALU64 | BPF_AND | BPF_K, TYPE, 0, 0, 0xffff);
	emit(c, BPF_ALU64 | BPF_RSH | BPF_K, WANTED, 0, 0, 16);
	load(c, MAJOR, offsetof(struct bpf_cgroup_dev_ctx, major));
	load(c, MINOR, offsetof(struct bpf_cgroup_dev_ctx, minor));
	/* access(2) that asks only whether the node exists */
	size_t asks = leave_if(c, BPF_JNE, WANTED, 0);
	decide(c, true);
	lands(c, asks);

	for (size_t i = 0, next; i < n; i = next) {
		for (next = i; next < n && next - i < RUN_MAX && v[next].type == v[i].type;)
			next++;
		if (v[i].type == 'a') {
			if (!compile_majors(c, &v[i], next - i))
				return;
			continue;
		}
		size_t other =
			leave_if(c, BPF_JNE, TYPE,
				 v[i].type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
		compile_majors(c, &v[i], next - i);
		lands(c, other);
	}
	decide(c, false);
}

static error *translate(const struct spec_device_rule *rule, size_t i, struct device_rule *out)
{
	int64_t major = rule->major.set ? rule->major.value : ANY;
	int64_t minor = rule->minor.set ? rule->minor.value : ANY;
	const char *access = rule->access && rule->access[0] ? rule->access : "rwm";
	int type = rule->type.set ? (int)rule->type.value : 'a';

	/* -1 is what some callers write for "any" */
	if (major < ANY || major > INT32_MAX || minor < ANY || minor > INT32_MAX)
		return error_said(EINVAL, ".linux.resources.devices[%zu]: no such device number",
				  i);
	if (access[strspn(access, "rwm")])
		return error_said(EINVAL,
				  ".linux.resources.devices[%zu].access: '%s' holds more than r, w "
				  "and m",
				  i, access);
	*out = (struct device_rule){
		.allow = rule->allow, .type = type, .major = major, .minor = minor
	};
	out->access |= strchr(access, 'r') ? BPF_DEVCG_ACC_READ : 0;
	out->access |= strchr(access, 'w') ? BPF_DEVCG_ACC_WRITE : 0;
	out->access |= strchr(access, 'm') ? BPF_DEVCG_ACC_MKNOD : 0;
	return NULL;
}

error *devices_compile(const struct spec_device_rule *rules, size_t n, struct bpf_insn **out,
		       size_t *n_out)
{
	size_t all = n + COUNT(always);
	auto_free struct device_rule *backwards = calloc(all, sizeof(*backwards));
	auto_free struct bpf_insn *v =
		calloc(PROLOGUE + EPILOGUE + all * INSNS_PER_RULE, sizeof(*v));
	struct code c = { .v = v };

	if (!v || !backwards)
		return error_new(ENOMEM, "device rules");
	for (size_t i = 0; i < n; i++)
		try(translate(&rules[i], i, &backwards[all - 1 - i]));
	for (size_t i = 0; i < COUNT(always); i++)
		backwards[COUNT(always) - 1 - i] = always[i];
	compile(&c, backwards, all);
	*n_out = c.n;
	*out = take_ptr(&v);
	return NULL;
}

/* --- the kernel --- */

/* By this name an update finds its predecessor among the programs of others. */
#define PROGRAM_NAME "skiff_devices"

static int bpf(int command, union bpf_attr *attr)
{
	return sys_bpf(command, attr, sizeof(*attr));
}

static int program_load(const struct bpf_insn *insns, size_t n)
{
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
		.insns = (uintptr_t)insns,
		.insn_cnt = (uint32_t)n,
		.license = (uintptr_t) "Apache",
		.prog_name = PROGRAM_NAME,
	};
	struct rlimit old;
	struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	int fd = bpf(BPF_PROG_LOAD, &attr);

	/* Before Linux 5.11 programs counted as locked memory. Raising that limit takes
	 * CAP_SYS_RESOURCE, and is not for the container to inherit. */
	if (fd < 0 && errno == EPERM && getrlimit(RLIMIT_MEMLOCK, &old) == 0 &&
	    old.rlim_cur != RLIM_INFINITY && setrlimit(RLIMIT_MEMLOCK, &unlimited) == 0) {
		fd = bpf(BPF_PROG_LOAD, &attr);
		int code = errno;
		setrlimit(RLIMIT_MEMLOCK, &old);
		errno = code;
	}
	return fd;
}

static bool is_ours(int program)
{
	struct bpf_prog_info info = { 0 };
	union bpf_attr attr = { .info = {
					.bpf_fd = (uint32_t)program,
					.info_len = sizeof(info),
					.info = (uintptr_t)&info,
				} };

	return bpf(BPF_OBJ_GET_INFO_BY_FD, &attr) == 0 && strcmp(info.name, PROGRAM_NAME) == 0;
}

/* The program that an earlier devices_set has put into this cgroup; -1 when there is none. */
static int program_find(int cgroup)
{
	enum { PROGRAMS_MAX = 64 };
	uint32_t ids[PROGRAMS_MAX] = { 0 };
	union bpf_attr asked = { .query = {
					 .target_fd = (uint32_t)cgroup,
					 .attach_type = BPF_CGROUP_DEVICE,
					 .prog_ids = (uintptr_t)ids,
					 .prog_cnt = PROGRAMS_MAX,
				 } };

	if (bpf(BPF_PROG_QUERY, &asked) < 0)
		return -1;
	for (uint32_t i = 0; i < asked.query.prog_cnt && i < PROGRAMS_MAX; i++) {
		union bpf_attr get = { .prog_id = ids[i] };
		auto_fd int fd = bpf(BPF_PROG_GET_FD_BY_ID, &get);
		if (fd >= 0 && is_ours(fd))
			return take_fd(&fd);
	}
	return -1;
}

error *devices_set(const struct cgroup *c, const struct spec_device_rule *rules, size_t n,
		   bool rootless, bool may_replace)
{
	auto_free struct bpf_insn *insns = NULL;
	size_t n_insns = 0;

	if (!n || !c)
		return NULL;
	try(devices_compile(rules, n, &insns, &n_insns));
	auto_fd int program = program_load(insns, n_insns);
	auto_fd int old = program >= 0 && may_replace ? program_find(c->dir) : -1;
	union bpf_attr attach = {
		.target_fd = (uint32_t)c->dir,
		.attach_bpf_fd = (uint32_t)program,
		.attach_type = BPF_CGROUP_DEVICE,
		.attach_flags = BPF_F_ALLOW_MULTI | (old >= 0 ? BPF_F_REPLACE : 0),
		.replace_bpf_fd = old >= 0 ? (uint32_t)old : 0,
	};
	if (program >= 0 && bpf(BPF_PROG_ATTACH, &attach) == 0)
		return NULL;
	/* No user namespace can make device nodes, and the host's are guarded by their owners. */
	if (rootless && (errno == EPERM || errno == EACCES))
		return NULL;
	return error_errno(".linux.resources.devices: %s the device program",
			   program < 0 ? "load" : "attach");
}

error *cgroup_set_devices(const struct cgroup *c, const struct spec_device_rule *rules, size_t n,
			  bool rootless)
{
	return devices_set(c, rules, n, rootless, true);
}
