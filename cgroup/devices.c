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
	char type; /* 'a', 'b', 'c' */
	int64_t major, minor;
	uint32_t access; /* BPF_DEVCG_ACC_* */
};

/* What every container has, whatever its rules say. Making a node is harmless, since using it is
 * checked again. The specification's /dev/console is a pseudoterminal (136:*): 5:1, the host's own
 * console, is nobody's default. */
static const struct device_rule always[] = {
	{ true, 'c', ANY, ANY, BPF_DEVCG_ACC_MKNOD },
	{ true, 'b', ANY, ANY, BPF_DEVCG_ACC_MKNOD },
	{ true, 'c', 1, 3, ALL_ACCESS },     /* null */
	{ true, 'c', 1, 5, ALL_ACCESS },     /* zero */
	{ true, 'c', 1, 7, ALL_ACCESS },     /* full */
	{ true, 'c', 1, 8, ALL_ACCESS },     /* random */
	{ true, 'c', 1, 9, ALL_ACCESS },     /* urandom */
	{ true, 'c', 5, 0, ALL_ACCESS },     /* tty */
	{ true, 'c', 5, 2, ALL_ACCESS },     /* ptmx */
	{ true, 'c', 136, ANY, ALL_ACCESS }, /* pts */
};

/* --- the compiler --- */

enum { INSNS_PER_RULE = 8, PROLOGUE = 9, EPILOGUE = 2 };

/* What the registers hold while the rules are walked. */
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

/* Each access bit goes its own way: the last rule that matches the device and names the bit decides
 * it, and all must be allowed. Backwards, that is: WANTED holds the bits that are undecided; a
 * matching "deny" with one of them is the end, a matching "allow" clears them. Returns whether
 * anything can come after the rule (which decides everything when it matches everything). */
static bool compile_rule(struct code *c, const struct device_rule *r)
{
	size_t start = c->n;
	size_t tests = 0;
	size_t skip[3];

	if (!r->access)
		return true;
	if (r->type != 'a') {
		skip[tests++] = c->n;
		emit(c, BPF_JMP | BPF_JNE | BPF_K, TYPE, 0, 0,
		     r->type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
	}
	if (r->major != ANY) {
		skip[tests++] = c->n;
		emit(c, BPF_JMP | BPF_JNE | BPF_K, MAJOR, 0, 0, (int32_t)r->major);
	}
	if (r->minor != ANY) {
		skip[tests++] = c->n;
		emit(c, BPF_JMP | BPF_JNE | BPF_K, MINOR, 0, 0, (int32_t)r->minor);
	}
	if (r->access == ALL_ACCESS) {
		decide(c, r->allow);
	} else if (r->allow) {
		emit(c, BPF_ALU64 | BPF_AND | BPF_K, WANTED, 0, 0, (int32_t)~r->access);
		emit(c, BPF_JMP | BPF_JNE | BPF_K, WANTED, 0, 2, 0);
		decide(c, true);
	} else {
		emit(c, BPF_JMP | BPF_JSET | BPF_K, WANTED, 0, 1, (int32_t)r->access);
		emit(c, BPF_JMP | BPF_JA, 0, 0, 2, 0);
		decide(c, false);
	}
	for (size_t i = 0; i < tests; i++)
		c->v[skip[i]].off = (int16_t)(c->n - skip[i] - 1);
	return c->n != start + 2;
}

static error *translate(const struct spec_device_rule *rule, size_t i, struct device_rule *out)
{
	int64_t major = rule->major.set ? rule->major.value : ANY;
	int64_t minor = rule->minor.set ? rule->minor.value : ANY;
	const char *access = rule->access && rule->access[0] ? rule->access : "rwm";
	char type = rule->type.set ? (char)rule->type.value : 'a';

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
	size_t room = PROLOGUE + EPILOGUE + (n + COUNT(always)) * INSNS_PER_RULE;
	auto_free struct bpf_insn *v = calloc(room, sizeof(*v));
	struct code c = { .v = v };
	bool more = true;

	if (!v)
		return error_new(ENOMEM, "device rules");
	load(&c, TYPE, offsetof(struct bpf_cgroup_dev_ctx, access_type));
	emit(&c, BPF_ALU64 | BPF_MOV | BPF_X, WANTED, TYPE, 0, 0);
	emit(&c, BPF_ALU64 | BPF_AND | BPF_K, TYPE, 0, 0, 0xffff);
	emit(&c, BPF_ALU64 | BPF_RSH | BPF_K, WANTED, 0, 0, 16);
	load(&c, MAJOR, offsetof(struct bpf_cgroup_dev_ctx, major));
	load(&c, MINOR, offsetof(struct bpf_cgroup_dev_ctx, minor));
	/* access(2) that asks only whether the node exists */
	emit(&c, BPF_JMP | BPF_JNE | BPF_K, WANTED, 0, 2, 0);
	decide(&c, true);

	for (size_t i = COUNT(always); i-- > 0;)
		compile_rule(&c, &always[i]);
	for (size_t i = n; i-- > 0;) {
		struct device_rule r;
		try(translate(&rules[i], i, &r));
		/* the verifier refuses what cannot be reached */
		more = more && compile_rule(&c, &r);
	}
	if (more)
		decide(&c, false);
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
	uint32_t ids[PROGRAMS_MAX];
	union bpf_attr query = { .query = {
					 .target_fd = (uint32_t)cgroup,
					 .attach_type = BPF_CGROUP_DEVICE,
					 .prog_ids = (uintptr_t)ids,
					 .prog_cnt = PROGRAMS_MAX,
				 } };

	if (bpf(BPF_PROG_QUERY, &query) < 0)
		return -1;
	for (uint32_t i = 0; i < query.query.prog_cnt && i < PROGRAMS_MAX; i++) {
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
