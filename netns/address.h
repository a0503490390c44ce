/* Addresses and subnets as numbers. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct ip {
	int family; /* AF_INET, AF_INET6; 0: none */
	uint8_t bytes[16];
};

struct subnet {
	struct ip base; /* with family 0 there is none */
	unsigned prefix;
};

enum { IP_TEXT = 46 };

bool ip_parse(const char *text, struct ip *out);
const char *ip_text(const struct ip *ip, char text[IP_TEXT]);
bool ip_same(const struct ip *a, const struct ip *b);
bool ip_is_loopback(const struct ip *ip);
/* 4 or 16 */
unsigned ip_size(int family);

/* "10.90.0.0/22": the bits behind the prefix must be 0, and at least two hosts must fit. */
must_use error *subnet_parse(const char *text, struct subnet *out);
/* The highest number that a host may have; 0 is the subnet, and IPv4's last is for everybody. */
uint64_t subnet_last(const struct subnet *s);
struct ip subnet_host(const struct subnet *s, uint64_t number);
/* The number of an address that lies inside. */
bool subnet_number(const struct subnet *s, const struct ip *ip, uint64_t *out);
bool subnet_overlaps(const struct subnet *a, const struct subnet *b);

/* "02:00:5e:00:00:01", of one device alone: multicast and all zeros are none. */
bool mac_parse(const char *text, uint8_t out[6]);
