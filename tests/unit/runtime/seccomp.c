/* The compiler against libseccomp: both programs are run over every system call number of every
 * architecture, and, for calls whose rules compare arguments, over the values around each boundary.
 */
#include "runtime/seccomp.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../check.h"

/* What the kernel does with a filter. */
static uint32_t run(const struct sock_filter *f, size_t n, const struct seccomp_data *data)
{
	uint32_t a = 0;

	for (size_t pc = 0; pc < n; pc++) {
		uint32_t k = f[pc].k;
		switch (f[pc].code) {
		case BPF_LD | BPF_W | BPF_ABS:
			CHECK(k + 4 <= sizeof(*data));
			memcpy(&a, (const char *)data + k, 4);
			break;
		case BPF_JMP | BPF_JA:
			pc += k;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			pc += a == k ? f[pc].jt : f[pc].jf;
			break;
		case BPF_JMP | BPF_JGT | BPF_K:
			pc += a > k ? f[pc].jt : f[pc].jf;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			pc += a >= k ? f[pc].jt : f[pc].jf;
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= k;
			break;
		case BPF_RET | BPF_K:
			return k;
		default:
			CHECK_FAIL("instruction %zu has code %#x", pc, f[pc].code);
		}
	}
	CHECK_FAIL("the program ran off its end");
	return 0;
}

static uint32_t scmp_action(int64_t action, const struct opt_u32 *ret)
{
	uint32_t code = ret->set ? ret->value : EPERM;

	switch (action) {
	case ACT_KILL_THREAD:
		return SCMP_ACT_KILL_THREAD;
	case ACT_KILL_PROCESS:
		return SCMP_ACT_KILL_PROCESS;
	case ACT_TRAP:
		return SCMP_ACT_TRAP;
	case ACT_ERRNO:
		return SCMP_ACT_ERRNO(code);
	case ACT_TRACE:
		return SCMP_ACT_TRACE(code);
	case ACT_LOG:
		return SCMP_ACT_LOG;
	case ACT_NOTIFY:
		return SCMP_ACT_NOTIFY;
	default:
		return SCMP_ACT_ALLOW;
	}
}

/* libseccomp's own program for the profile, as the peers build it. */
static size_t reference(const struct spec_seccomp *p, struct sock_filter *out, size_t room)
{
	static const enum scmp_compare ops[] = { SCMP_CMP_NE,       SCMP_CMP_LT, SCMP_CMP_LE,
						 SCMP_CMP_EQ,       SCMP_CMP_GE, SCMP_CMP_GT,
						 SCMP_CMP_MASKED_EQ };
	uint32_t otherwise = scmp_action(p->default_action.value, &p->default_errno_ret);
	scmp_filter_ctx ctx = seccomp_init(otherwise);

	for (size_t i = 0; i < p->architectures.n; i++) {
		const struct name *arch = name_find(&seccomp_arch_names, p->architectures.v[i]);
		int e = seccomp_arch_add(ctx, (uint32_t)arch->value);
		CHECK(e == 0 || e == -EEXIST);
	}
	for (size_t i = 0; i < p->syscalls.n; i++) {
		const struct spec_syscall *c = &p->syscalls.v[i];
		struct scmp_arg_cmp args[6];
		for (size_t a = 0; a < c->args.n; a++)
			args[a] =
				(struct scmp_arg_cmp){ c->args.v[a].index,
						       ops[c->args.v[a].op.value],
						       c->args.v[a].value, c->args.v[a].value_two };
		uint32_t action = scmp_action(c->action.value, &c->errno_ret);
		for (size_t n = 0; n < c->names.n && action != otherwise; n++) {
			int nr = seccomp_syscall_resolve_name(c->names.v[n]);
			if (nr != __NR_SCMP_ERROR)
				CHECK(seccomp_rule_add_array(ctx, action, nr, (unsigned)c->args.n,
							     args) == 0);
		}
	}
	int fd = memfd_create("bpf", 0);
	CHECK(seccomp_export_bpf(ctx, fd) == 0);
	ssize_t n = pread(fd, out, room * sizeof(*out), 0);
	CHECK(n > 0);
	close(fd);
	seccomp_release(ctx);
	return (size_t)n / sizeof(*out);
}

static const uint32_t tried_archs[] = { AUDIT_ARCH_X86_64, AUDIT_ARCH_I386, AUDIT_ARCH_AARCH64,
					AUDIT_ARCH_ARM };

/* Beyond the highest number that the profile knows ours says ENOSYS where libseccomp gives the
 * default. */
static bool same_answer(uint32_t ours, uint32_t theirs, uint32_t otherwise)
{
	return ours == theirs || (ours == (SECCOMP_RET_ERRNO | ENOSYS) && theirs == otherwise);
}

static void compare_all(const char *what, const char *json)
{
	struct arena *arena;
	struct spec_seccomp p = { 0 };
	struct sock_fprog ours;
	static struct sock_filter theirs[65536];
	unsigned flags;

	CHECK_FINE(arena_new(&arena));
	CHECK_FINE(
		rows_read(&spec_seccomp_shape, json, strlen(json), ROWS_NO_DUPLICATES, arena, &p));
	CHECK_FINE(seccomp_compile(&p, arena, &ours, &flags));
	size_t n = reference(&p, theirs, COUNT(theirs));
	uint32_t otherwise = scmp_action(p.default_action.value, &p.default_errno_ret);
	uint64_t values[64];
	size_t n_values = 0;
	bool wide = false; /* libseccomp compares only the low half where registers have 32 bits;
			      ours, all */
	for (size_t i = 0; i < p.syscalls.n; i++)
		for (size_t a = 0; a < p.syscalls.v[i].args.n && n_values + 4 < COUNT(values);
		     a++) {
			uint64_t v = p.syscalls.v[i].args.v[a].value;
			wide |= v > UINT32_MAX;
			values[n_values++] = v - 1;
			values[n_values++] = v;
			values[n_values++] = v + 1;
			values[n_values++] = v ^ 1ULL << 32;
		}
	values[n_values++] = 0;
	for (size_t arch = 0; arch < COUNT(tried_archs); arch++)
		for (uint32_t nr = 0; nr < 1200; nr++)
			for (size_t v = 0; v < n_values; v++) {
				/* x32 numbers behind the others */
				struct seccomp_data d = {
					.nr = (int)(nr < 600 ? nr : (nr - 600) | 0x40000000),
					.arch = tried_archs[arch]
				};
				for (size_t i = 0; i < 6; i++)
					d.args[i] = values[(v + i * 5) % n_values];
				bool narrow = tried_archs[arch] == AUDIT_ARCH_I386 || nr >= 600;
				for (size_t i = 0; i < 6 && narrow; i++)
					d.args[i] = (uint32_t)d.args[i];
				if (narrow && wide)
					continue;
				uint32_t a = run(ours.filter, ours.len, &d);
				uint32_t b = run(theirs, n, &d);
				if (!same_answer(a, b, otherwise))
					CHECK_FAIL("%s: arch %#x nr %#x arg0 %#llx: %#x, "
						   "libseccomp %#x",
						   what, d.arch, d.nr,
						   (unsigned long long)d.args[0], a, b);
			}
	printf("%s: %u instructions, libseccomp %zu\n", what, ours.len, n);
	arena_free(arena);
}

#define ARCHS "'architectures':['SCMP_ARCH_X86_64','SCMP_ARCH_X86','SCMP_ARCH_X32']"

/* ' for " */
static void compare(const char *what, const char *text)
{
	char *json = strdup(text);

	for (char *c = json; *c; c++)
		*c = *c == '\'' ? '"' : *c;
	compare_all(what, json);
	free(json);
}

static void unknown_calls_are_enosys(void)
{
	static const char json[] = "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[{\"names\":"
				   "[\"read\",\"close\"],"
				   "\"action\":\"SCMP_ACT_ALLOW\"}]}";
	struct arena *arena;
	struct spec_seccomp p = { 0 };
	struct sock_fprog program;
	unsigned flags;
	struct seccomp_data d = { .nr = 2, .arch = AUDIT_ARCH_X86_64 };

	CHECK_FINE(arena_new(&arena));
	CHECK_FINE(rows_read(&spec_seccomp_shape, json, strlen(json), ROWS_LENIENT, arena, &p));
	CHECK_FINE(seccomp_compile(&p, arena, &program, &flags));
	CHECK(run(program.filter, program.len, &d) ==
	      (SECCOMP_RET_ERRNO | EPERM)); /* open: known, denied */
	d.nr = 400;
	CHECK(run(program.filter, program.len, &d) == (SECCOMP_RET_ERRNO | ENOSYS));
	CHECK(flags == SECCOMP_FILTER_FLAG_SPEC_ALLOW);
	arena_free(arena);
}

/* What installing a filter costs depends on its length: numbers that lie side by side are one
 * range. */
static void neighbours_are_one_range(void)
{
	static const char json[] = "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[{"
				   "\"action\":\"SCMP_ACT_ALLOW\",\"names\":[\"read\","
				   "\"write\",\"open\",\"close\",\"stat\",\"fstat\",\"lstat\","
				   "\"poll\",\"lseek\",\"mmap\",\"mprotect\"]}]}";
	struct arena *arena;
	struct spec_seccomp p = { 0 };
	struct sock_fprog program;
	unsigned flags;

	CHECK_FINE(arena_new(&arena));
	CHECK_FINE(rows_read(&spec_seccomp_shape, json, strlen(json), ROWS_LENIENT, arena, &p));
	CHECK_FINE(seccomp_compile(&p, arena, &program, &flags));
	CHECK(program.len <= 12);
	arena_free(arena);
}

int main(void)
{
	neighbours_are_one_range();
	compare("empty", "{'defaultAction':'SCMP_ACT_ALLOW'}");
	compare("one", "{'defaultAction':'SCMP_ACT_ALLOW','syscalls':[{'names':['mkdir'],'action':'"
		       "SCMP_ACT_ERRNO',"
		       "'errnoRet':99}]}");
	compare("three architectures",
		"{'defaultAction':'SCMP_ACT_ERRNO'," ARCHS
		",'syscalls':[{'names':['read','write','openat','socket',"
		"'accept','shmget','semop','nosuchcall','statx','futex_waitv','mmap2','_llseek'],"
		"'action':'SCMP_ACT_ALLOW'},{'names':['kexec_load'],'action':'SCMP_ACT_KILL_"
		"PROCESS'},"
		"{'names':['ptrace'],'action':'SCMP_ACT_TRAP'},{'names':['mount'],'action':'SCMP_"
		"ACT_LOG'}]}");
	for (int op = 0; op < 7; op++) {
		static const char *const ops[] = {
			"NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ"
		};
		static const char *const values[] = { "0", "7", "4294967296", "4294967301",
						      "18446744073709551615" };
		char json[512];
		for (size_t v = 0; v < COUNT(values); v++) {
			snprintf(json, sizeof(json),
				 "{'defaultAction':'SCMP_ACT_ERRNO'," ARCHS
				 ",'syscalls':[{'names':['personality',"
				 "'clone'],'action':'SCMP_ACT_ALLOW','args':[{'index':%d,'value':%"
				 "s,'valueTwo':%s,"
				 "'op':'SCMP_CMP_%s'}]}]}",
				 (int)v, values[v], op == 6 ? values[(v + 1) % 5] : "0", ops[op]);
			compare(ops[op], json);
		}
	}
	compare("two arguments", "{'defaultAction':'SCMP_ACT_ALLOW'," ARCHS
				 ",'syscalls':[{'names':['clone'],'action':'SCMP_ACT_ERRNO',"
				 "'args':[{'index':0,'value':16,'op':'SCMP_CMP_EQ'},{'index':2,'"
				 "value':9,'op':'SCMP_CMP_GE'}]}]}");
	compare("several rules of one call", "{'defaultAction':'SCMP_ACT_ERRNO','syscalls':["
					     "{'names':['personality'],'action':'SCMP_ACT_ALLOW','"
					     "args':[{'index':0,'value':0,'op':'SCMP_CMP_EQ'}]},"
					     "{'names':['personality'],'action':'SCMP_ACT_ALLOW','"
					     "args':[{'index':0,'value':8,'op':'SCMP_CMP_EQ'}]},"
					     "{'names':['personality'],'action':'SCMP_ACT_ALLOW','"
					     "args':[{'index':0,'value':131072,'op':"
					     "'SCMP_CMP_EQ'}]}]}");
	compare("unconditional wins", "{'defaultAction':'SCMP_ACT_ERRNO','syscalls':["
				      "{'names':['clone'],'action':'SCMP_ACT_KILL','args':[{'index'"
				      ":0,'value':5,'op':'SCMP_CMP_EQ'}]},"
				      "{'names':['clone'],'action':'SCMP_ACT_ALLOW'}]}");
	unknown_calls_are_enosys();
	return 0;
}
