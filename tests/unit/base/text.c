/* Numbers and lists, strictly. */
#include "base/text.h"

#include "base/process.h"

#include "../check.h"

static void numbers(void)
{
	static const char *const not_numbers[] = { "",  " 1",   "1 ",  "+1",
						   "-", "0x10", "1e3", "99999999999999999999",
						   "a" };
	uint64_t u;
	uint32_t v;
	int64_t i;

	for (size_t n = 0; n < COUNT(not_numbers); n++)
		CHECK(!text_to_u64(not_numbers[n], &u) && !text_to_i64(not_numbers[n], &i));
	CHECK(text_to_u64("18446744073709551615", &u) && u == UINT64_MAX);
	CHECK(!text_to_u64("18446744073709551616", &u) && !text_to_u64("-1", &u));
	CHECK(text_to_i64("-9223372036854775808", &i) && i == INT64_MIN);
	CHECK(!text_to_i64("9223372036854775808", &i) && !text_to_i64("-9223372036854775809", &i));
	CHECK(text_to_u32("4294967295", &v) && v == UINT32_MAX && !text_to_u32("4294967296", &v));
}

static void bytes(void)
{
	int64_t i;

	CHECK(text_to_bytes("512", &i) && i == 512);
	CHECK(text_to_bytes("64k", &i) && i == 65536);
	CHECK(text_to_bytes("3G", &i) && i == (int64_t)3 << 30);
	CHECK(text_to_bytes("-1", &i) && i == -1);
	CHECK(!text_to_bytes("-2", &i) && !text_to_bytes("", &i) && !text_to_bytes("k", &i) &&
	      !text_to_bytes("1x", &i) && !text_to_bytes("9223372036854775807t", &i) &&
	      !text_to_bytes("-1k", &i));
}

static void bits(void)
{
	unsigned long mask[16];

	CHECK_FINE(text_to_bits("0-3,7", mask, sizeof(mask)));
	CHECK(mask[0] == 0x8f && !mask[1]);
	CHECK_FINE(text_to_bits("", mask, sizeof(mask)));
	CHECK(!mask[0]);
	CHECK_FINE(text_to_bits("64, 1023", mask, sizeof(mask)));
	CHECK(mask[1] == 1 && mask[15] == 1UL << 63);
	CHECK_FAILS(text_to_bits("1024", mask, sizeof(mask)), ERANGE, "1024");
	CHECK_FAILS(text_to_bits("3-1", mask, sizeof(mask)), EINVAL, "3-1");
	CHECK_FAILS(text_to_bits("a", mask, sizeof(mask)), EINVAL, "a");
	CHECK_FAILS(text_to_bits("1,,2", mask, sizeof(mask)), EINVAL, "1,,2");
	CHECK_FAILS(text_to_bits("0-99999999999999", mask, sizeof(mask)), ERANGE, "99");
}

static void signals(void)
{
	CHECK(signal_from_name("TERM") == 15 && signal_from_name("SIGTERM") == 15 &&
	      signal_from_name("term") == 15);
	CHECK(signal_from_name("9") == 9 && signal_from_name("0") == 0 &&
	      signal_from_name("64") == 64);
	CHECK(signal_from_name("RTMIN+1") == 35 && signal_from_name("SIGRTMAX-1") == 63);
	CHECK(signal_from_name("65") < 0 && signal_from_name("-1") < 0 &&
	      signal_from_name("") < 0 && signal_from_name("NOPE") < 0 &&
	      signal_from_name("TERM+1") < 0 && signal_from_name("RTMIN+31") < 0);
}

int main(void)
{
	numbers();
	bytes();
	bits();
	signals();
	return 0;
}
