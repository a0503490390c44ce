/* Leases: one file each, numbers in turn, none twice. */
#include "netns/lease.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/fd.h"
#include "base/path.h"
#include "tests/unit/check.h"

static char root[] = "/tmp/skiff-unit-XXXXXX";

static struct network *small_network(struct store *s)
{
	static char *const subnets[] = { "10.250.250.0/28", "fd00:250::/64", NULL };
	struct network *n = NULL;
	const struct network_wishes w = { .name = "small", .subnets = { (char **)subnets, 2 } };

	CHECK(!network_create(s, &w, &n));
	return n;
}

static uint64_t take(struct store *s, const struct network *n, uint64_t asked)
{
	struct lease l = { .id = (char *)"someone" };
	auto_error error *e = lease_take(s, n, asked, &l);

	return e ? 0 : l.number;
}

static void in_turn(void)
{
	auto_store struct store *s = NULL;
	struct leases all;

	CHECK(!store_open(root, &s));
	struct network *n = small_network(s);
	CHECK(n->four.gateway == 1 && subnet_last(&n->four.subnet) == 14);
	for (uint64_t i = 2; i <= 14; i++)
		CHECK(take(s, n, 0) == i);
	CHECK(take(s, n, 0) == 0);
	CHECK(take(s, n, 5) == 0);
	CHECK(!lease_list(s, "small", &all) && all.n == 13);
	struct ip four = lease_ip(&all.v[0], &n->four);
	struct ip six = lease_ip(&all.v[0], &n->six);
	uint64_t a = 0;
	uint64_t b = 0;
	CHECK(subnet_number(&n->four.subnet, &four, &a) && subnet_number(&n->six.subnet, &six, &b));
	CHECK(a == b && a == all.v[0].number);
	CHECK(strlen(all.v[0].device) <= 15);
	struct lease gone = { .id = (char *)"x", .network = (char *)"small", .number = 5 };
	CHECK(!lease_drop(s, &gone) && !lease_drop(s, &gone));
	CHECK(take(s, n, 5) == 5);
	CHECK(take(s, n, 15) == 0 && take(s, n, 1) == 0);
}

/* A write that was cut off has left its scrap: it is nobody's lease. */
static void scraps_do_not_count(void)
{
	auto_store struct store *s = NULL;
	auto_free char *path = NULL;
	struct leases all;

	CHECK(!store_open(root, &s));
	CHECK(asprintf(&path, "%s/.net/leases/small/7.99.new", root) > 0);
	CHECK(!file_create(AT_FDCWD, path, 0600, "{", 1));
	CHECK(!lease_list(s, NULL, &all) && all.n == 13);
}

static void many_at_once(void)
{
	static char *const subnets[] = { "10.250.0.0/22", NULL };
	const struct network_wishes w = { .name = "many", .subnets = { (char **)subnets, 1 } };
	struct network *n = NULL;
	struct leases all;
	int status;

	for (int i = 0; i < 8; i++) {
		if (fork() != 0)
			continue;
		for (int k = 0; k < 20; k++) {
			auto_store struct store *s = NULL;
			CHECK(!store_open(root, &s));
			auto_error error *made = network_create(s, &w, &n);
			auto_error error *there = network_read(s, "many", &n);
			CHECK(!there && take(s, n, 0) > 1);
		}
		_exit(0);
	}
	for (int i = 0; i < 8; i++)
		CHECK(wait(&status) > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0);
	auto_store struct store *s = NULL;
	CHECK(!store_open(root, &s));
	CHECK(!lease_list(s, "many", &all) && all.n == 160);
}

int main(void)
{
	if (!mkdtemp(root))
		return 1;
	in_turn();
	scraps_do_not_count();
	many_at_once();
	auto_error error *left = path_remove_tree(AT_FDCWD, root);
	return 0;
}
