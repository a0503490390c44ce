/* Device rules, compiled, against the rules themselves: an interpreter runs the program. */
#include "cgroup/devices.h"

#include "tests/unit/check.h"

/* The instructions that the compiler uses, and no other. */
static uint64_t run(const struct bpf_insn *v, size_t n, const struct bpf_cgroup_dev_ctx *ctx)
{
	uint64_t r[11] = { 0 };

	for (size_t at = 0; at < n; at++) {
		const struct bpf_insn *i = &v[at];
		uint64_t imm = (uint64_t)(int64_t)i->imm;
		switch (i->code) {
		case BPF_LDX | BPF_MEM | BPF_W: {
			uint32_t word;
			CHECK(i->src_reg == 1 && i->off >= 0 && (size_t)i->off + 4 <= sizeof(*ctx));
			memcpy(&word, (const char *)ctx + i->off, 4);
			r[i->dst_reg] = word;
			break;
		}
		case BPF_ALU64 | BPF_MOV | BPF_X:
			r[i->dst_reg] = r[i->src_reg];
			break;
		case BPF_ALU64 | BPF_MOV | BPF_K:
			r[i->dst_reg] = imm;
			break;
		case BPF_ALU | BPF_MOV | BPF_K:
			r[i->dst_reg] = (uint32_t)i->imm;
			break;
		case BPF_ALU64 | BPF_RSH | BPF_X:
			CHECK(r[i->src_reg] < 64);
			r[i->dst_reg] >>= r[i->src_reg];
			break;
		case BPF_ALU64 | BPF_AND | BPF_K:
			r[i->dst_reg] &= imm;
			break;
		case BPF_ALU64 | BPF_RSH | BPF_K:
			r[i->dst_reg] >>= imm;
			break;
		case BPF_JMP | BPF_JNE | BPF_K:
			at += r[i->dst_reg] != imm ? (size_t)i->off : 0;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			at += r[i->dst_reg] == imm ? (size_t)i->off : 0;
			break;
		case BPF_JMP | BPF_JGT | BPF_K:
			at += r[i->dst_reg] > imm ? (size_t)i->off : 0;
			break;
		case BPF_JMP | BPF_EXIT:
			return r[0];
		default:
			CHECK_FAIL("instruction %zu: code %#x", at, i->code);
		}
	}
	CHECK_FAIL("the program runs over its end");
}

/* The kernel's verifier refuses programs with unreachable parts. */
static void check_reachable(const struct bpf_insn *v, size_t n)
{
	bool *seen = calloc(n + 1, 1);

	CHECK(seen);
	seen[0] = true;
	for (size_t i = 0; i < n; i++) {
		uint8_t class = v[i].code & 7;
		uint8_t op = v[i].code & 0xf0;
		CHECK(seen[i]);
		if (class == BPF_JMP && op == BPF_EXIT)
			continue;
		if (class == BPF_JMP) {
			CHECK(v[i].off >= 0 && i + 1 + (size_t)v[i].off < n);
			seen[i + 1 + (size_t)v[i].off] = true;
		}
		if (class != BPF_JMP || op != BPF_JA)
			seen[i + 1] = true;
	}
	CHECK(!seen[n]);
	free(seen);
}

static bool matches(const struct spec_device_rule *r, char type, int64_t major, int64_t minor)
{
	char t = r->type.set ? (char)r->type.value : 'a';

	return (t == 'a' || t == type) &&
	       (!r->major.set || r->major.value == -1 || r->major.value == major) &&
	       (!r->minor.set || r->minor.value == -1 || r->minor.value == minor);
}

/* One letter of access, as the specification's sentences have it. */
static bool letter_is_allowed(const struct spec_device_rule *rules, size_t n, char type,
			      int64_t major, int64_t minor, char letter)
{
	static const int always[][2] = { { 1, 3 }, { 1, 5 }, { 1, 7 }, { 1, 8 },
					 { 1, 9 }, { 5, 0 }, { 5, 2 }, { 136, -1 } };
	bool allowed = false;

	for (size_t i = 0; i < n; i++) {
		const char *access = rules[i].access && *rules[i].access ? rules[i].access : "rwm";
		if (matches(&rules[i], type, major, minor) && strchr(access, letter))
			allowed = rules[i].allow;
	}
	for (size_t i = 0; i < COUNT(always); i++)
		if (type == 'c' && major == always[i][0] &&
		    (always[i][1] == -1 || minor == always[i][1]))
			allowed = true;
	return allowed || letter == 'm';
}

static void compare(const struct spec_device_rule *rules, size_t n)
{
	static const int64_t majors[] = { 0, 1, 2, 5, 8, 136 };
	static const int64_t minors[] = { 0, 1, 2, 3, 8, 1048575 };
	struct bpf_insn *code = NULL;
	size_t len = 0;

	CHECK_FINE(devices_compile(rules, n, &code, &len));
	check_reachable(code, len);
	for (size_t i = 0; i < 2 * COUNT(majors) * COUNT(minors) * 8; i++) {
		uint32_t access = i & 7;
		char type = i & 8 ? 'b' : 'c';
		int64_t major = majors[i / 16 % COUNT(majors)];
		int64_t minor = minors[i / 16 / COUNT(majors)];
		struct bpf_cgroup_dev_ctx ctx = {
			.access_type = access << 16 | (type == 'b' ? 1 : 2),
			.major = (uint32_t)major,
			.minor = (uint32_t)minor,
		};
		bool want = true;
		if (access & BPF_DEVCG_ACC_MKNOD)
			want &= letter_is_allowed(rules, n, type, major, minor, 'm');
		if (access & BPF_DEVCG_ACC_READ)
			want &= letter_is_allowed(rules, n, type, major, minor, 'r');
		if (access & BPF_DEVCG_ACC_WRITE)
			want &= letter_is_allowed(rules, n, type, major, minor, 'w');
		if (run(code, len, &ctx) != want)
			CHECK_FAIL("%zu rules: %c %d:%d access %u: want %d", n, type, (int)major,
				   (int)minor, access, want);
	}
	free(code);
}

static uint32_t state = 12345;

static uint32_t random_below(uint32_t n)
{
	state = state * 1664525 + 1013904223;
	return (state >> 8) % n;
}

static void random_rules(void)
{
	static char *const accesses[] = { NULL, "", "r", "w", "m", "rw", "rm", "wm", "rwm" };
	static const int64_t numbers[] = { -1, 0, 1, 2, 3, 5, 8, 136 };

	for (int round = 0; round < 3000; round++) {
		struct spec_device_rule rules[12] = { 0 };
		size_t n = random_below(COUNT(rules) + 1);
		for (size_t i = 0; i < n; i++) {
			struct spec_device_rule *r = &rules[i];
			r->allow = random_below(2);
			r->type.set = random_below(4);
			r->type.value = "abc"[random_below(3)];
			r->major.set = random_below(3);
			r->major.value = numbers[random_below(COUNT(numbers))];
			r->minor.set = random_below(3);
			r->minor.value = numbers[random_below(COUNT(numbers))];
			r->access = accesses[random_below(COUNT(accesses))];
		}
		compare(rules, n);
	}
}

static void the_example(void)
{
	struct spec_device_rule deny_all = { .allow = false, .access = "rwm" };
	struct spec_device_rule allow_all = { .allow = true };
	struct bpf_insn *code = NULL;
	size_t len = 0;

	compare(NULL, 0);
	compare(&deny_all, 1);
	compare(&allow_all, 1);
	CHECK_FINE(devices_compile(&deny_all, 1, &code, &len));
	CHECK(len < 64);
	free(code);
}

static void wrong_rules(void)
{
	struct spec_device_rule access = { .access = "rx" };
	struct spec_device_rule number[2] = { { 0 }, { .major = { true, 1LL << 40 } } };
	struct bpf_insn *code = NULL;
	size_t len = 0;

	CHECK_FAILS(devices_compile(&access, 1, &code, &len), EINVAL, "devices[0].access: 'rx'");
	CHECK_FAILS(devices_compile(number, 2, &code, &len), EINVAL, "devices[1]: no such");
	CHECK(!code);
}

int main(void)
{
	the_example();
	random_rules();
	wrong_rules();
	return 0;
}
