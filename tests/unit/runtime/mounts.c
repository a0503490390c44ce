/* config.json's mounts as rows: data in, data out. */
#include "runtime/mounts.h"

#include "base/kernel.h"

#include "../check.h"

static struct arena *arena;

static error *plan(const char *mounts, struct mount_rows *rows)
{
	struct mounts_facts facts = { .bundle = "/the/bundle", .cgroup_root = "/sys/fs/cgroup" };
	const struct spec *spec;
	char *json;

	CHECK(asprintf(&json,
		       "{'ociVersion':'1.0.2','root':{'path':'r'},'linux':{'namespaces':[{'type':'"
		       "mount'}]},"
		       "'mounts':[%s]}",
		       mounts) > 0);
	for (char *c = json; *c; c++)
		*c = *c == '\'' ? '"' : *c;
	CHECK_FINE(spec_read(json, strlen(json), arena, &spec));
	free(json);
	return mounts_plan(spec, &facts, arena, rows);
}

/* One mount with these options, as its row. */
static const struct mount_row *row_with(const char *type, const char *options)
{
	static struct mount_rows rows;
	char text[512];

	snprintf(text, sizeof(text),
		 "{'destination':'/x','type':'%s','source':'/s','options':[%s]}", type, options);
	CHECK_FINE(plan(text, &rows));
	CHECK(rows.n == 2); /* and the devices */
	return &rows.v[0];
}

static void options(void)
{
	const struct mount_row *r =
		row_with("bind", "'rbind','ro','nosuid','nosymfollow','rprivate'");

	CHECK(r->op == MOUNT_BIND && r->flags & MOUNT_RECURSIVE && r->fd == -1);
	CHECK(r->attr_set == (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | 0x200000));
	CHECK(r->propagation == MS_PRIVATE && r->tree_propagation);
	r = row_with("none", "'bind','ro','rw'"); /* the last word wins */
	CHECK(!(r->attr_set & MOUNT_ATTR_RDONLY) && r->attr_clear & MOUNT_ATTR_RDONLY &&
	      !(r->flags & MOUNT_RECURSIVE));
	r = row_with("none", "'bind','rro','rnoatime'");
	CHECK(r->tree_attr_set == (MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOATIME) &&
	      r->tree_attr_clear == MOUNT_ATTR__ATIME);
	r = row_with("tmpfs", "'noexec','size=64k','mode=755','silent','lazytime','huge'");
	CHECK(r->op == MOUNT_FS && r->attr_set == MOUNT_ATTR_NOEXEC &&
	      r->super_flags == MS_LAZYTIME);
	CHECK(r->data.n == 3);
	CHECK_TEXT(r->data.v[0], "size=64k");
	CHECK_TEXT(r->data.v[2], "huge");
	r = row_with("tmpfs", "'strictatime'");
	CHECK(r->attr_set == MOUNT_ATTR_STRICTATIME);
	r = row_with("ext4", "'ro'");
	CHECK(r->super_flags == MS_RDONLY && r->attr_set == MOUNT_ATTR_RDONLY);
	r = row_with("tmpfs", "'ro'");
	CHECK(!r->super_flags && r->attr_set == MOUNT_ATTR_RDONLY);
	r = row_with("tmpfs", "'iversion'");
	CHECK(r->flags & MOUNT_OLD_API);
	r = row_with("cgroup", "'ro','nosuid'");
	CHECK(r->op == MOUNT_CGROUP);
	CHECK_TEXT(r->type, "cgroup2");
	r = row_with("proc", "");
	CHECK(r->flags & MOUNT_KERNEL_FS);
}

static void where_the_devices_come(void)
{
	struct mount_rows rows;

	CHECK_FINE(plan("", &rows));
	CHECK(rows.n == 1 && rows.v[0].op == MOUNT_DEVICES);
	CHECK_FINE(plan(
		"{'destination':'/dev/','type':'tmpfs'},{'destination':'/dev/pts','type':'devpts'}",
		&rows));
	CHECK(rows.n == 3 && rows.v[1].op == MOUNT_DEVICES && rows.v[2].op == MOUNT_FS);
	/* the host's /dev brings its own */
	CHECK_FINE(plan("{'destination':'/dev','type':'bind','source':'/dev','options':['rbind']}",
			&rows));
	CHECK(rows.n == 1 && rows.v[0].op == MOUNT_BIND);
}

static void what_is_refused(void)
{
	struct mount_rows rows;

	CHECK_FAILS(plan("{'destination':'/x'}", &rows), EINVAL, ".mounts[0].type: is required");
	CHECK_FAILS(plan("{'destination':'/x','options':['bind']}", &rows), EINVAL,
		    ".mounts[0].source");
	CHECK_FAILS(plan("{'destination':'/x','source':'/','options':['bind','size=1']}", &rows),
		    EINVAL, "'size=1'");
	CHECK_FAILS(plan("{'destination':'/x','type':'proc','options':['tmpcopyup']}", &rows),
		    EINVAL, "tmpcopyup");
}

static void relative_sources_are_the_bundles(void)
{
	struct mount_rows rows;

	CHECK_FINE(plan("{'destination':'/x','source':'data','options':['bind']}", &rows));
	CHECK_TEXT(rows.v[0].source, "/the/bundle/data");
}

int main(void)
{
	CHECK_FINE(arena_new(&arena));
	options();
	where_the_devices_come();
	what_is_refused();
	relative_sources_are_the_bundles();
	arena_free(arena);
	return 0;
}
