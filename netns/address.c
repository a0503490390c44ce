#include "netns/address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

bool ip_parse(const char *text, struct ip *out)
{
	struct ip ip = { .family = strchr(text, ':') ? AF_INET6 : AF_INET };

	if (inet_pton(ip.family, text, ip.bytes) != 1)
		return false;
	*out = ip;
	return true;
}

const char *ip_text(const struct ip *ip, char text[IP_TEXT])
{
	text[0] = '\0';
	inet_ntop(ip->family, ip->bytes, text, IP_TEXT);
	return text;
}

bool ip_same(const struct ip *a, const struct ip *b)
{
	return a->family == b->family && memcmp(a->bytes, b->bytes, ip_size(a->family)) == 0;
}

bool ip_is_loopback(const struct ip *ip)
{
	static const uint8_t six[16] = { [15] = 1 };

	return ip->family == AF_INET ? ip->bytes[0] == 127
				     : memcmp(ip->bytes, six, sizeof(six)) == 0;
}

unsigned ip_size(int family)
{
	return family == AF_INET ? 4 : 16;
}

static unsigned bits_of(const struct subnet *s)
{
	return 8 * ip_size(s->base.family);
}

/* Host numbers are kept to 32 bits: nobody has that many containers. */
uint64_t subnet_last(const struct subnet *s)
{
	unsigned bits = bits_of(s) - s->prefix;

	if (bits > 32)
		return UINT32_MAX;
	return (1ULL << bits) - (s->base.family == AF_INET ? 2 : 1);
}

struct ip subnet_host(const struct subnet *s, uint64_t number)
{
	struct ip ip = s->base;

	for (unsigned i = ip_size(ip.family); i-- > 0 && number; number >>= 8)
		ip.bytes[i] |= (uint8_t)number;
	return ip;
}

static bool same_bits(const struct ip *a, const struct ip *b, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if ((a->bytes[i / 8] ^ b->bytes[i / 8]) & (0x80 >> i % 8))
			return false;
	return true;
}

bool subnet_number(const struct subnet *s, const struct ip *ip, uint64_t *out)
{
	uint64_t number = 0;
	unsigned size = ip_size(ip->family);

	if (s->base.family != ip->family || !same_bits(&s->base, ip, s->prefix))
		return false;
	for (unsigned i = s->prefix / 8; i < size; i++) {
		uint8_t own = ip->bytes[i] ^ s->base.bytes[i];
		if (number >> 24)
			return false;
		number = number << 8 | own;
	}
	*out = number;
	return true;
}

bool subnet_overlaps(const struct subnet *a, const struct subnet *b)
{
	unsigned prefix = a->prefix < b->prefix ? a->prefix : b->prefix;

	return a->base.family && a->base.family == b->base.family &&
	       same_bits(&a->base, &b->base, prefix);
}

error *subnet_parse(const char *text, struct subnet *out)
{
	static const struct ip none = { 0 };
	struct subnet s = { 0 };
	char address[IP_TEXT];
	const char *slash = strchr(text, '/');
	uint32_t prefix;

	if (!slash || (size_t)(slash - text) >= sizeof(address) || !text_to_u32(slash + 1, &prefix))
		return error_said(EINVAL, "'%s' is not a subnet such as 10.90.0.0/22", text);
	memcpy(address, text, (size_t)(slash - text));
	address[slash - text] = '\0';
	if (!ip_parse(address, &s.base))
		return error_said(EINVAL, "'%s' is not a subnet such as 10.90.0.0/22", text);
	s.prefix = prefix;
	if (prefix < 8 || prefix > bits_of(&s) - 2)
		return error_said(EINVAL, "subnet %s: want a prefix of 8 to %u", text,
				  bits_of(&s) - 2);
	for (unsigned i = prefix; i < bits_of(&s); i++)
		if ((s.base.bytes[i / 8] ^ none.bytes[i / 8]) & (0x80 >> i % 8))
			return error_said(EINVAL, "subnet %s: bits behind /%u are not 0", text,
					  prefix);
	*out = s;
	return NULL;
}

bool mac_parse(const char *text, uint8_t out[6])
{
	unsigned b[6];
	int end = 0;

	if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%n", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5],
		   &end) != 6 ||
	    text[end] || end != 17 || b[0] & 1 || !(b[0] | b[1] | b[2] | b[3] | b[4] | b[5]))
		return false;
	for (int i = 0; i < 6; i++)
		out[i] = (uint8_t)b[i];
	return true;
}
