/* A compiler from the profile straight to BPF. The kernel runs a new filter once for every system
 * call number to build its table of calls that are always allowed, so that the program's shape
 * decides what installing it costs: here a binary tree over ranges of numbers with the same answer.
 * libseccomp serves for what it knows best, the numbers of the names; its own programs are longer
 * and take milliseconds to generate.
 *
 * Meaning, as libseccomp's: a rule without arguments decides its system call, whatever rules with
 * arguments say; of these the first that matches decides. Rules whose action is the default are
 * left out.
 */
#include "runtime/seccomp.h"

#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

enum {
	AT_NR = offsetof(struct seccomp_data, nr),
	AT_ARCH = offsetof(struct seccomp_data, arch),
	AT_ARGS = offsetof(struct seccomp_data, args),
	X32_BIT = 0x40000000,
	ARCHS_MAX = 24,
	PROGRAM_MAX = BPF_MAXINSNS,
};

/* One system call of one architecture, and the rule that names it. */
struct entry {
	uint32_t nr;
	uint32_t order; /* of the rule in the profile */
	const struct spec_syscall *rule;
	int call; /* the first argument of socketcall(2) or ipc(2); 0: this is no multiplexed call
		   */
};

/* Numbers from `start` up to the next run's start have one answer. */
struct run {
	uint32_t start;
	const struct entry *entries; /* rules with arguments, n of them; n 0: action alone */
	size_t n;
	uint32_t action;
};

struct program {
	struct sock_filter *code;
	size_t n;
	bool overflow;
};

struct compiler {
	const struct spec_seccomp *profile;
	struct arena *arena;
	struct program program;
	uint32_t default_action;
};

static uint32_t action_value(int64_t action, const struct opt_u32 *errno_ret)
{
	static const uint32_t values[] = {
		[ACT_KILL_THREAD] = SECCOMP_RET_KILL_THREAD,
		[ACT_KILL_PROCESS] = SECCOMP_RET_KILL_PROCESS,
		[ACT_TRAP] = SECCOMP_RET_TRAP,
		[ACT_ERRNO] = SECCOMP_RET_ERRNO,
		[ACT_NOTIFY] = SECCOMP_RET_USER_NOTIF,
		[ACT_TRACE] = SECCOMP_RET_TRACE,
		[ACT_LOG] = SECCOMP_RET_LOG,
		[ACT_ALLOW] = SECCOMP_RET_ALLOW,
	};
	uint32_t value = values[action];

	/* "errnoRet: if not specified its default value is EPERM" */
	if (action == ACT_ERRNO || action == ACT_TRACE)
		value |= errno_ret->set ? errno_ret->value & SECCOMP_RET_DATA : EPERM;
	return value;
}

static void emit(struct program *p, uint16_t code, uint8_t yes, uint8_t no, uint32_t k)
{
	if (p->n == PROGRAM_MAX)
		p->overflow = true;
	else
		p->code[p->n++] = (struct sock_filter){ code, yes, no, k };
}

static void load(struct program *p, uint32_t offset)
{
	emit(p, BPF_LD | BPF_W | BPF_ABS, 0, 0, offset);
}

static void answer(struct program *p, uint32_t action)
{
	emit(p, BPF_RET | BPF_K, 0, 0, action);
}

/* Jumps that leave a rule are written as these and set right when its end is known: short enough
 * for 8 bits. */
enum { TO_FAIL = 254, TO_PASS = 255 };

static void settle(struct program *p, size_t from, size_t to, uint8_t what)
{
	for (size_t i = from; i < p->n; i++) {
		struct sock_filter *f = &p->code[i];
		if (BPF_CLASS(f->code) != BPF_JMP || BPF_OP(f->code) == BPF_JA)
			continue;
		if (f->jt == what)
			f->jt = (uint8_t)(to - i - 1);
		if (f->jf == what)
			f->jf = (uint8_t)(to - i - 1);
	}
}

/* One comparison of a 64-bit argument, as two of 32 bits. It falls through, or goes to TO_PASS,
 * when it holds. */
static void compare(struct program *p, const struct spec_syscall_arg *a)
{
	bool little = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__;
	uint32_t at = (uint32_t)(AT_ARGS + 8 * a->index);
	uint32_t high = at + (little ? 4 : 0);
	uint32_t low = at + (little ? 0 : 4);
	bool masked = a->op.value == OP_MASKED_EQ;
	uint64_t value = masked ? a->value_two & a->value : a->value;
	uint16_t jeq = BPF_JMP | BPF_JEQ | BPF_K;
	uint16_t jgt = BPF_JMP | BPF_JGT | BPF_K;
	uint16_t jge = BPF_JMP | BPF_JGE | BPF_K;
	bool greater = a->op.value == OP_GT || a->op.value == OP_GE;
	/* LT is "not GE", LE is "not GT": the same code with the ends exchanged */
	uint8_t yes = greater ? TO_PASS : TO_FAIL;
	uint8_t no = greater ? TO_FAIL : TO_PASS;

	load(p, high);
	switch (a->op.value) {
	case OP_EQ:
	case OP_MASKED_EQ:
		if (masked)
			emit(p, BPF_ALU | BPF_AND | BPF_K, 0, 0, (uint32_t)(a->value >> 32));
		emit(p, jeq, 0, TO_FAIL, (uint32_t)(value >> 32));
		load(p, low);
		if (masked)
			emit(p, BPF_ALU | BPF_AND | BPF_K, 0, 0, (uint32_t)a->value);
		emit(p, jeq, TO_PASS, TO_FAIL, (uint32_t)value);
		break;
	case OP_NE:
		emit(p, jeq, 0, TO_PASS, (uint32_t)(value >> 32));
		load(p, low);
		emit(p, jeq, TO_FAIL, TO_PASS, (uint32_t)value);
		break;
	default: /* the four orders */
		emit(p, jgt, yes, 0, (uint32_t)(value >> 32));
		emit(p, jeq, 0, no, (uint32_t)(value >> 32));
		load(p, low);
		emit(p, a->op.value == OP_GT || a->op.value == OP_LE ? jgt : jge, yes, no,
		     (uint32_t)value);
	}
}

/* Whether two arguments of the rule look at the same one: then it is several rules, one for each
 * ("or"). */
static bool repeats_index(const struct spec_syscall *rule)
{
	uint32_t seen = 0;

	for (size_t i = 0; i < rule->args.n; i++) {
		if (seen & 1U << rule->args.v[i].index)
			return true;
		seen |= 1U << rule->args.v[i].index;
	}
	return false;
}

/* All of args must hold for the action; otherwise execution goes on behind. */
static void emit_rule(struct program *p, const struct spec_syscall_arg *args, size_t n,
		      uint32_t action)
{
	size_t begin = p->n;

	for (size_t i = 0; i < n; i++) {
		size_t from = p->n;
		compare(p, &args[i]);
		settle(p, from, p->n, TO_PASS);
	}
	answer(p, action);
	settle(p, begin, p->n, TO_FAIL);
}

static void emit_conditions(struct compiler *c, const struct run *run)
{
	for (size_t i = 0; i < run->n; i++) {
		const struct spec_syscall *rule = run->entries[i].rule;
		uint32_t action = action_value(rule->action.value, &rule->errno_ret);
		struct spec_syscall_arg call = { .value = (uint64_t)run->entries[i].call,
						 .op = { true, OP_EQ } };
		if (run->entries[i].call)
			emit_rule(&c->program, &call, 1, action);
		else if (!repeats_index(rule))
			emit_rule(&c->program, rule->args.v, rule->args.n, action);
		else
			for (size_t a = 0; a < rule->args.n; a++)
				emit_rule(&c->program, &rule->args.v[a], 1, action);
	}
	answer(&c->program, run->action);
}

/* The tree: is the number in the upper half of the runs? The lower half follows at once. */
static void emit_tree(struct compiler *c, const struct run *runs, size_t n)
{
	struct program *p = &c->program;

	if (n == 1) {
		emit_conditions(c, runs);
		return;
	}
	size_t half = n / 2;
	size_t test = p->n;
	/* a conditional jump reaches 255 instructions: it skips over a long one, which may not be
	 * needed */
	emit(p, BPF_JMP | BPF_JGE | BPF_K, 0, 1, runs[half].start);
	emit(p, BPF_JMP | BPF_JA, 0, 0, 0);
	emit_tree(c, runs, half);
	if (p->overflow)
		return;
	size_t distance = p->n - test - 2;
	if (distance < 255) {
		memmove(&p->code[test + 1], &p->code[test + 2], distance * sizeof(p->code[0]));
		p->n--;
		p->code[test].jt = (uint8_t)distance;
		p->code[test].jf = 0;
	} else {
		p->code[test + 1].k = (uint32_t)distance;
	}
	emit_tree(c, runs + half, n - half);
}

static int by_number(const void *a, const void *b)
{
	const struct entry *x = a;
	const struct entry *y = b;

	if (x->nr != y->nr)
		return x->nr < y->nr ? -1 : 1;
	return (x->order > y->order) - (x->order < y->order);
}

/* 32-bit x86 has two ways to most calls of sockets and of System V IPC: directly, and all through
 * one system call with a number as the first argument. libseccomp names such calls by a negative
 * base minus that number. */
static const uint16_t socket_calls[] = {
	[1] = 359,  [2] = 361,  [3] = 362,  [4] = 363,  [6] = 367,  [7] = 368,
	[8] = 360,  [11] = 369, [12] = 371, [13] = 373, [14] = 366, [15] = 365,
	[16] = 370, [17] = 372, [18] = 364, [19] = 345, [20] = 337,
};
static const uint16_t ipc_calls[] = {
	[2] = 393,  [3] = 394,  [11] = 400, [12] = 401, [13] = 399,
	[14] = 402, [21] = 397, [22] = 398, [23] = 395, [24] = 396,
};
static const struct multiplexer {
	int base; /* of the negative numbers */
	uint32_t nr;
	const uint16_t *direct;
	int n;
} multiplexers[] = {
	{ -100, 102, socket_calls, COUNT(socket_calls) },
	{ -200, 117, ipc_calls, COUNT(ipc_calls) },
};

/* The numbers that a name has in an architecture: none, one, or two. */
static size_t resolve(uint32_t arch, const char *name, const struct spec_syscall *rule,
		      uint32_t order, struct entry *out)
{
	int nr = seccomp_syscall_resolve_name_arch(arch, name);
	size_t n = 0;

	if (nr >= 0)
		out[n++] = (struct entry){ (uint32_t)nr, order, rule, 0 };
	for (size_t i = 0; arch == SCMP_ARCH_X86 && i < COUNT(multiplexers); i++) {
		const struct multiplexer *m = &multiplexers[i];
		int call = m->base - nr;
		if (call <= 0 || call > 30)
			continue;
		if (call < m->n && m->direct[call])
			out[n++] = (struct entry){ m->direct[call], order, rule, 0 };
		/* what the multiplexer passes in memory cannot be compared */
		if (!rule->args.n)
			out[n++] = (struct entry){ m->nr, order, rule, call };
	}
	return n;
}

static struct entry *collect(struct compiler *c, uint32_t arch, size_t *n, uint32_t *highest)
{
	const struct spec_seccomp *f = c->profile;
	size_t room = 0;

	for (size_t i = 0; i < f->syscalls.n; i++)
		room += f->syscalls.v[i].names.n * 2;
	struct entry *entries = calloc(room + 1, sizeof(*entries));
	*n = 0;
	*highest = 0;
	for (size_t i = 0; entries && i < f->syscalls.n; i++) {
		const struct spec_syscall *rule = &f->syscalls.v[i];
		bool is_default =
			action_value(rule->action.value, &rule->errno_ret) == c->default_action;
		for (size_t k = 0; k < rule->names.n; k++) {
			size_t more =
				resolve(arch, rule->names.v[k], rule, (uint32_t)i, entries + *n);
			for (size_t m = 0; m < more; m++)
				if (entries[*n + m].nr > *highest)
					*highest = entries[*n + m].nr;
			*n += is_default ? 0 : more;
		}
	}
	if (entries)
		qsort(entries, *n, sizeof(*entries), by_number);
	return entries;
}

/* Neighbours with one answer are one run; a run that begins where the last one did takes its place.
 */
static void add_run(struct run *runs, size_t *n, struct run next)
{
	if (*n && runs[*n - 1].start == next.start)
		--*n;
	struct run *last = *n ? &runs[*n - 1] : NULL;
	if (!last || last->n || next.n || last->action != next.action)
		runs[(*n)++] = next;
}

/* Entries of the same number as one run: an unconditional rule, or the conditional ones in order.
 */
static struct run run_of(const struct entry *e, size_t n, uint32_t default_action)
{
	for (size_t i = 0; i < n; i++)
		if (!e[i].rule->args.n && !e[i].call)
			return (struct run){ .start = e->nr,
					     .action = action_value(e[i].rule->action.value,
								    &e[i].rule->errno_ret) };
	return (struct run){ .start = e->nr, .entries = e, .n = n, .action = default_action };
}

/* A profile that denies what it does not name was written before newer system calls existed:
 * programs look for ENOSYS to fall back to older ones, and take EPERM for an answer. */
static bool unknown_is_enosys(const struct spec_seccomp *f)
{
	int64_t action = f->default_action.value;

	return action != ACT_ALLOW && action != ACT_LOG && action != ACT_TRACE &&
	       action != ACT_NOTIFY;
}

/* The block of one architecture: the number is loaded. base is what its numbers begin with (x32).
 */
static error *emit_arch(struct compiler *c, uint32_t arch, uint32_t base)
{
	size_t n;
	uint32_t highest;
	auto_free struct entry *entries = collect(c, arch, &n, &highest);
	auto_free struct run *runs = calloc(2 * n + 3, sizeof(*runs));
	size_t n_runs = 0;

	if (!entries || !runs)
		return error_new(ENOMEM, "compile the seccomp profile");
	add_run(runs, &n_runs, (struct run){ .start = base, .action = c->default_action });
	for (size_t i = 0; i < n;) {
		size_t same = 1;
		while (i + same < n && entries[i + same].nr == entries[i].nr)
			same++;
		add_run(runs, &n_runs, run_of(&entries[i], same, c->default_action));
		add_run(runs, &n_runs,
			(struct run){ .start = entries[i].nr + 1, .action = c->default_action });
		i += same;
	}
	if (unknown_is_enosys(c->profile) && highest)
		add_run(runs, &n_runs,
			(struct run){ .start = highest + 1, .action = SECCOMP_RET_ERRNO | ENOSYS });
	emit_tree(c, runs, n_runs);
	return NULL;
}

/* Code for an architecture that may be skipped: `test` jumps over it when it is not this one. */
static error *emit_skippable(struct compiler *c, uint16_t test, uint32_t k, uint32_t arch,
			     uint32_t base)
{
	struct program *p = &c->program;
	size_t at = p->n;

	emit(p, test, 1, 0, k);
	emit(p, BPF_JMP | BPF_JA, 0, 0, 0);
	if (arch != SCMP_ARCH_X32)
		load(p, AT_NR);
	try(emit_arch(c, arch, base));
	if (!p->overflow)
		p->code[at + 1].k = (uint32_t)(p->n - at - 2);
	return NULL;
}

/* x86-64 and x32 share one architecture number and differ in a bit of the system call's. */
static error *emit_x86_64(struct compiler *c, bool with_x32)
{
	struct program *p = &c->program;
	size_t at = p->n;

	emit(p, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, SCMP_ARCH_X86_64);
	emit(p, BPF_JMP | BPF_JA, 0, 0, 0);
	load(p, AT_NR);
	if (with_x32) {
		try(emit_skippable(c, BPF_JMP | BPF_JGE | BPF_K, X32_BIT, SCMP_ARCH_X32, X32_BIT));
	} else {
		emit(p, BPF_JMP | BPF_JGE | BPF_K, 0, 1, X32_BIT);
		answer(p, SECCOMP_RET_KILL_THREAD);
	}
	try(emit_arch(c, SCMP_ARCH_X86_64, 0));
	if (!p->overflow)
		p->code[at + 1].k = (uint32_t)(p->n - at - 2);
	return NULL;
}

/* The profile's architectures and the machine's own. */
static size_t architectures(const struct spec_seccomp *f, uint32_t *archs)
{
	size_t n = 0;

	archs[n++] = seccomp_arch_native();
	for (size_t i = 0; i < f->architectures.n && n < ARCHS_MAX; i++) {
		const struct name *name = name_find(&seccomp_arch_names, f->architectures.v[i]);
		bool known = false;
		if (!name) {
			log_warning("config.json: .linux.seccomp.architectures[%zu]: '%s' is not "
				    "known: ignored",
				    i, f->architectures.v[i]);
			continue;
		}
		for (size_t k = 0; k < n; k++)
			known |= archs[k] == (uint32_t)name->value;
		if (!known)
			archs[n++] = (uint32_t)name->value;
	}
	return n;
}

static error *emit_all(struct compiler *c)
{
	uint32_t archs[ARCHS_MAX];
	size_t n = architectures(c->profile, archs);
	bool x32 = false;

	for (size_t i = 0; i < n; i++)
		x32 |= archs[i] == SCMP_ARCH_X32;
	load(&c->program, AT_ARCH);
	for (size_t i = 0; i < n; i++) {
		if (archs[i] == SCMP_ARCH_X86_64)
			try(emit_x86_64(c, x32));
		else if (archs[i] != SCMP_ARCH_X32)
			try(emit_skippable(c, BPF_JMP | BPF_JEQ | BPF_K, archs[i], archs[i], 0));
	}
	answer(&c->program, SECCOMP_RET_KILL_THREAD);
	return NULL;
}

error *seccomp_compile(const struct spec_seccomp *profile, struct arena *arena,
		       struct sock_fprog *out, unsigned *flags)
{
	struct compiler c = { .profile = profile, .arena = arena };
	auto_free struct sock_filter *code = calloc(PROGRAM_MAX, sizeof(*code));

	if (!code)
		return error_new(ENOMEM, "compile the seccomp profile");
	c.program.code = code;
	c.default_action = action_value(profile->default_action.value, &profile->default_errno_ret);
	try(emit_all(&c));
	if (c.program.overflow)
		return error_said(E2BIG,
				  ".linux.seccomp: the profile needs more than %d instructions",
				  PROGRAM_MAX);
	out->filter = arena_array_of(arena, struct sock_filter, c.program.n);
	if (!out->filter)
		return arena_exhausted();
	memcpy(out->filter, code, c.program.n * sizeof(*code));
	out->len = (unsigned short)c.program.n;
	/* without a word about flags: what runc does since speculation has better cures */
	*flags =
		profile->flags.set ? (unsigned)profile->flags.bits : SECCOMP_FILTER_FLAG_SPEC_ALLOW;
	return NULL;
}
