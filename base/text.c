#include "base/text.h"

#include <ctype.h>
#include <string.h>

bool text_to_u64(const char *text, uint64_t *out)
{
	uint64_t value = 0;

	if (!*text)
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return false;
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*text - '0'), &value))
			return false;
	}
	*out = value;
	return true;
}

bool text_to_i64(const char *text, int64_t *out)
{
	bool negative = *text == '-';
	uint64_t value;

	if (!text_to_u64(text + negative, &value) || value > (uint64_t)INT64_MAX + negative)
		return false;
	*out = negative ? (int64_t)-value : (int64_t)value;
	return true;
}

bool text_to_u32(const char *text, uint32_t *out)
{
	uint64_t value;

	if (!text_to_u64(text, &value) || value > UINT32_MAX)
		return false;
	*out = (uint32_t)value;
	return true;
}

bool text_starts(const char *text, const char *start)
{
	return strncmp(text, start, strlen(start)) == 0;
}

bool text_ends(const char *text, const char *end)
{
	size_t n = strlen(text);
	size_t m = strlen(end);

	return n >= m && strcmp(text + n - m, end) == 0;
}

bool text_same(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

bool text_to_bytes(const char *text, int64_t *out)
{
	static const char suffixes[] = "bkmgt";
	char digits[24];
	size_t n = strlen(text);
	int shift = 0;

	if (n == 0 || n >= sizeof(digits))
		return false;
	memcpy(digits, text, n + 1);
	const char *suffix = strchr(suffixes, tolower((unsigned char)digits[n - 1]));
	if (suffix && *suffix) {
		digits[n - 1] = '\0';
		shift = (int)(suffix - suffixes) * 10;
	}
	if (!text_to_i64(digits, out))
		return false;
	if (*out < 0)
		return *out == -1 && shift == 0;
	if (*out > INT64_MAX >> shift)
		return false;
	*out <<= shift;
	return true;
}

static bool take_number(const char **text, size_t *out)
{
	size_t value = 0;
	const char *at = *text;

	for (; isdigit((unsigned char)*at) && value < 1000000; at++)
		value = value * 10 + (size_t)(*at - '0');
	if (at == *text)
		return false;
	*text = at;
	*out = value;
	return true;
}

error *text_to_bits(const char *list, unsigned long *mask, size_t size)
{
	size_t bits = size * 8;
	const char *at = list;

	memset(mask, 0, size);
	for (;;) {
		size_t first;
		size_t last;

		at += strspn(at, " \n");
		if (!*at && at == list)
			return NULL;
		if (!take_number(&at, &first))
			break;
		last = first;
		at += strspn(at, " ");
		if (*at == '-') {
			at++;
			at += strspn(at, " ");
			if (!take_number(&at, &last) || last < first)
				break;
		}
		if (last >= bits)
			return error_new(ERANGE, "'%s' names number %zu", list, last);
		for (size_t i = first; i <= last; i++)
			mask[i / (8 * sizeof(long))] |= 1UL << (i % (8 * sizeof(long)));
		at += strspn(at, " \n");
		if (!*at)
			return NULL;
		if (*at++ != ',')
			break;
	}
	return error_new(EINVAL, "'%s' is not a list of numbers such as 0-3,7", list);
}

error *strings_add(struct strings *list, const char *text)
{
	char **more = realloc(list->v, (list->n + 2) * sizeof(char *));

	if (!more)
		return error_new(ENOMEM, "list");
	list->v = more;
	more[list->n] = strdup(text);
	if (!more[list->n])
		return error_new(ENOMEM, "list");
	more[++list->n] = NULL;
	return NULL;
}

void strings_free(struct strings *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->v[i]);
	free(list->v);
	*list = (struct strings){ 0 };
}
