/* Addresses as numbers, published ports, and the part of /etc/hosts that is ours. */
#include "netns/address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "netns/hosts.h"
#include "netns/publish.h"
#include "tests/unit/check.h"

static struct subnet subnet_of(const char *text)
{
	struct subnet s = { 0 };
	error *e = subnet_parse(text, &s);

	CHECK(!e);
	return s;
}

static void check_bad_subnet(const char *text)
{
	struct subnet s;
	auto_error error *e = subnet_parse(text, &s);

	if (!e)
		printf("accepted: %s\n", text);
	CHECK(e != NULL);
}

static void subnets(void)
{
	static const char *const bad[] = { "",
					   "10.0.0.0",
					   "10.0.0.0/",
					   "10.0.0.0/33",
					   "10.0.0.0/31",
					   "10.0.0.1/24",
					   "10.0.0/24",
					   "10.0.0.0/7",
					   "fd00::/127",
					   "fd00::1/64",
					   "/24",
					   "10.0.0.0/24x",
					   "10.0.0.0/-8",
					   "x/24" };

	for (size_t i = 0; i < COUNT(bad); i++)
		check_bad_subnet(bad[i]);
	CHECK(subnet_last(&(struct subnet){ { AF_INET, { 10 } }, 24 }) == 254);
	CHECK(subnet_last(&(struct subnet){ { AF_INET, { 10 } }, 30 }) == 2);
	CHECK(subnet_last(&(struct subnet){ { AF_INET6, { 0xfd } }, 64 }) == UINT32_MAX);
	CHECK(subnet_last(&(struct subnet){ { AF_INET6, { 0xfd } }, 126 }) == 3);
}

static void numbers_and_back(void)
{
	static const char *const texts[] = {
		"10.90.0.0/22",    "192.168.0.0/16", "10.0.0.0/8",
		"172.16.5.240/28", "fd00::/64",      "fd00:1:2::/112"
	};
	static const uint64_t tried[] = { 1, 2, 13, 254, 255, 256, 1000, 65534 };
	char text[IP_TEXT];

	for (size_t i = 0; i < COUNT(texts); i++) {
		struct subnet s = subnet_of(texts[i]);
		for (size_t k = 0; k < COUNT(tried); k++) {
			uint64_t number = 0;
			struct ip again;
			if (tried[k] > subnet_last(&s))
				continue;
			struct ip ip = subnet_host(&s, tried[k]);
			CHECK(subnet_number(&s, &ip, &number) && number == tried[k]);
			CHECK(ip_parse(ip_text(&ip, text), &again) && ip_same(&ip, &again));
		}
	}
	struct subnet s = subnet_of("10.90.0.0/22");
	struct ip ip = subnet_host(&s, 1022);
	CHECK(strcmp(ip_text(&ip, text), "10.90.3.254") == 0);
	uint64_t number;
	CHECK(ip_parse("10.90.4.0", &ip) && !subnet_number(&s, &ip, &number));
	CHECK(ip_parse("fd00::1", &ip) && !subnet_number(&s, &ip, &number));
}

static void overlaps(void)
{
	static const struct {
		const char *a, *b;
		bool overlap;
	} cases[] = {
		{ "10.90.0.0/22", "10.90.4.0/22", false }, { "10.90.0.0/22", "10.90.1.0/24", true },
		{ "10.0.0.0/8", "10.255.255.0/24", true }, { "10.0.0.0/8", "11.0.0.0/8", false },
		{ "fd00::/64", "fd00:0:0:1::/64", false }, { "fd00::/64", "fd00::/112", true },
		{ "10.0.0.0/8", "fd00::/8", false },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct subnet a = subnet_of(cases[i].a);
		struct subnet b = subnet_of(cases[i].b);
		CHECK(subnet_overlaps(&a, &b) == cases[i].overlap);
		CHECK(subnet_overlaps(&b, &a) == cases[i].overlap);
	}
	struct subnet none = { 0 };
	struct subnet some = subnet_of("10.0.0.0/8");
	CHECK(!subnet_overlaps(&none, &some) && !subnet_overlaps(&none, &none));
}

static void macs(void)
{
	static const char *const bad[] = { "",
					   "02:00:00:00:00",
					   "02:00:00:00:00:0",
					   "02:00:00:00:00:001",
					   "01:00:00:00:00:00",
					   "00:00:00:00:00:00",
					   "02-00-00-00-00-01",
					   "02:00:00:00:00:zz",
					   "ff:ff:ff:ff:ff:ff",
					   "02:00:00:00:00:01 " };
	uint8_t mac[6];

	for (size_t i = 0; i < COUNT(bad); i++)
		CHECK(!mac_parse(bad[i], mac));
	CHECK(mac_parse("02:0a:00:00:00:Ff", mac) && mac[1] == 10 && mac[5] == 255);
}

static error *parse_ports(struct arena *arena, const char *a, const char *b, struct ports *out)
{
	char *words[] = { (char *)a, (char *)b, NULL };

	return ports_parse(&(struct texts){ words, b ? 2 : 1 }, arena, out);
}

static void ports(void)
{
	static const char *const bad[] = { "",
					   "80",
					   ":80",
					   "80:",
					   "0:80",
					   "80:0",
					   "65536:80",
					   "80:65536",
					   "80:80/icmp",
					   "80:80/",
					   "1.2.3:1:2",
					   "fd00::1:1:2",
					   "[fd00::1]1:2",
					   "[]:1:2",
					   "80-90:80",
					   "80-81:80-82",
					   "90-80:90-80",
					   "a:b",
					   "1:2:3",
					   "80:80/tcp/udp",
					   "1-2000:1-2000" };
	auto_arena struct arena *arena = NULL;
	struct ports p;
	char text[64];

	CHECK(!arena_new(&arena));
	for (size_t i = 0; i < COUNT(bad); i++) {
		auto_error error *e = parse_ports(arena, bad[i], NULL, &p);
		if (!e)
			printf("accepted: %s\n", bad[i]);
		CHECK(e != NULL);
	}
	CHECK(!parse_ports(arena, "8080:80", "[fd00::1]:53:5353/udp", &p) && p.n == 2);
	CHECK(p.v[0].host == 8080 && p.v[0].container == 80 && !p.v[0].udp && !p.v[0].ip.family);
	CHECK(p.v[1].host == 53 && p.v[1].container == 5353 && p.v[1].udp);
	CHECK(strcmp(port_text(&p.v[0], text), "8080/tcp") == 0);
	CHECK(strcmp(port_text(&p.v[1], text), "[fd00::1]:53/udp") == 0);
	CHECK(!parse_ports(arena, "192.0.2.1:8000-8003:80-83/tcp", NULL, &p) && p.n == 4);
	CHECK(p.v[3].host == 8003 && p.v[3].container == 83);
	CHECK(strcmp(port_text(&p.v[3], text), "192.0.2.1:8003/tcp") == 0);
	auto_error error *twice = parse_ports(arena, "80:80", "127.0.0.1:80:81", &p);
	CHECK(twice != NULL);
	CHECK(!parse_ports(arena, "127.0.0.1:80:80", "127.0.0.2:80:81", &p));
	CHECK(!parse_ports(arena, "80:80", "80:80/udp", &p));
}

static void hosts(void)
{
	static const char *const befores[] = { "", "127.0.0.1\tlocalhost\n", "no end of line" };

	for (size_t i = 0; i < COUNT(befores); i++) {
		auto_free char *one = hosts_splice(befores[i], "10.0.0.1\ta\n");
		auto_free char *two = one ? hosts_splice(one, "10.0.0.2\tb\n") : NULL;
		auto_free char *none = two ? hosts_splice(two, "") : NULL;
		CHECK(one && two && none);
		CHECK(strncmp(two, befores[i], strlen(befores[i])) == 0);
		CHECK(strstr(one, "\n10.0.0.1\ta\n") && !strstr(two, "10.0.0.1"));
		CHECK(strstr(two, "\n10.0.0.2\tb\n") && !strstr(none, "10.0.0.2"));
		auto_free char *again = hosts_splice(two, "10.0.0.2\tb\n");
		CHECK(again && strcmp(again, two) == 0);
	}
	/* what the workload wrote behind it stays; one that took our end away loses what follows */
	auto_free char *first = hosts_splice("x\n", "y\n");
	auto_free char *more = NULL;
	CHECK(first && asprintf(&more, "%smine\n", first) > 0);
	auto_free char *kept = hosts_splice(more, "z\n");
	CHECK(kept && strstr(kept, "\nmine\n") && strstr(kept, "\nz\n") && !strstr(kept, "\ny\n"));
}

int main(void)
{
	subnets();
	numbers_and_back();
	overlaps();
	macs();
	ports();
	hosts();
	return 0;
}
