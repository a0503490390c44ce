#include "image/tar_header.h"

#include <string.h>

/* Two's complement, as wide as the field less the first bit. */
static error *binary_number(const unsigned char *f, size_t len, const char *what, int64_t *out)
{
	bool is_negative = f[0] & 0x40;
	unsigned char spill = is_negative ? 0xff : 0;
	uint64_t value = 0;

	for (size_t i = 0; i < len; i++) {
		/* the first bit only says that this is no text: the sign is behind it */
		unsigned char first = (f[0] & 0x7f) | (spill & 0x80);
		unsigned char byte = i ? f[i] : first;
		if (len - i > 8 && byte != spill)
			return error_said(ERANGE, "the %s is out of range", what);
		value = value << 8 | byte;
	}
	if (is_negative != (value >> 63))
		return error_said(ERANGE, "the %s is out of range", what);
	*out = (int64_t)value;
	return NULL;
}

error *tar_number(const char *field, size_t len, const char *what, int64_t *out)
{
	const unsigned char *f = (const unsigned char *)field;
	uint64_t value = 0;

	if (f[0] & 0x80)
		return binary_number(f, len, what, out);
	size_t i = 0;
	while (i < len && f[i] == ' ')
		i++;
	for (; i < len && f[i] >= '0' && f[i] <= '7'; i++)
		value = value << 3 | (unsigned)(f[i] - '0');
	for (; i < len && f[i]; i++)
		if (f[i] != ' ')
			return error_said(EINVAL, "the %s is not a number", what);
	*out = (int64_t)value;
	return NULL;
}

bool tar_checksum_is_right(const union tar_header *h)
{
	int64_t want;
	unsigned sum = 8 * ' ';
	int signed_sum = 8 * ' '; /* what some old systems computed */
	size_t at = offsetof(union tar_header, checksum);
	error *e = tar_number(h->checksum, sizeof(h->checksum), "checksum", &want);

	if (e) {
		error_free(e);
		return false;
	}
	for (size_t i = 0; i < TAR_BLOCK; i++) {
		if (i >= at && i < at + sizeof(h->checksum))
			continue;
		sum += (unsigned char)h->bytes[i];
		signed_sum += (signed char)h->bytes[i];
	}
	return want == sum || want == signed_sum;
}

bool tar_is_gnu(const union tar_header *h)
{
	return memcmp(h->magic, "ustar  ", 8) == 0;
}

bool tar_is_ustar(const union tar_header *h)
{
	return memcmp(h->magic, "ustar", 6) == 0;
}
