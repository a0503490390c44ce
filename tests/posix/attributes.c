/* Attributes: modes, owners, times, extended ones, ACLs; and who may do what. */
#define _GNU_SOURCE
#include <endian.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

static struct stat look(const char *name)
{
	struct stat st;

	SUCCEEDS(lstat(name, &st));
	return st;
}

static void modes(void)
{
	put("f", "");
	static const mode_t all[] = { 0, 0777, 0640, 04755, 02755, 01777, 06711 };
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		SUCCEEDS(chmod("f", all[i]));
		HOLDS(mode_of("f") == all[i]);
	}
	SUCCEEDS(symlink("f", "s"));
	SUCCEEDS(chmod("s", 0600));
	HOLDS(mode_of("f") == 0600);
	FAILS(ENOENT, chmod("none", 0600));
}

static void owners(void)
{
	put("f", "");
	SUCCEEDS(chown("f", 1234, 5678));
	HOLDS(look("f").st_uid == 1234 && look("f").st_gid == 5678);
	SUCCEEDS(chown("f", (uid_t)-1, 99));
	HOLDS(look("f").st_uid == 1234 && look("f").st_gid == 99);
	SUCCEEDS(symlink("f", "s"));
	SUCCEEDS(lchown("s", 7, 8));
	HOLDS(look("s").st_uid == 7 && look("f").st_uid == 1234);
	SUCCEEDS(chown("s", 3, 4));
	HOLDS(look("f").st_uid == 3 && look("s").st_uid == 7);
}

static void make_things(void)
{
	put("file", "");
	SUCCEEDS(mkdir("folder", 0755));
	SUCCEEDS(symlink("x", "link"));
	SUCCEEDS(mkfifo("fifo", 0600));
	SUCCEEDS(open(".", O_TMPFILE | O_RDWR, 0600));
}

static void owners_of_what_is_made(void)
{
	static const char *const made[] = { "file", "folder", "link", "fifo" };

	SUCCEEDS(chmod(".", 0777));
	as(1001, 1002, make_things);
	for (size_t i = 0; i < 4; i++)
		HOLDS(look(made[i]).st_uid == 1001 && look(made[i]).st_gid == 1002);
	put("mine", "");
	HOLDS(look("mine").st_uid == 0 && look("mine").st_gid == 0);
}

static void the_folders_group(void)
{
	SUCCEEDS(mkdir("d", 0755));
	SUCCEEDS(chown("d", 0, 4321));
	SUCCEEDS(chmod("d", 02777));
	SUCCEEDS(chdir("d"));
	as(1001, 1002, make_things);
	HOLDS(look("file").st_gid == 4321 && look("file").st_uid == 1001);
	HOLDS(look("folder").st_gid == 4321 && mode_of("folder") == 02755);
	HOLDS(look("link").st_gid == 4321);
}

static void a_stranger(void)
{
	FAILS(EACCES, open("secret", O_RDONLY));
	FAILS(EACCES, open("visible", O_WRONLY));
	SUCCEEDS(open("visible", O_RDONLY));
	FAILS(EACCES, open("closed/f", O_RDONLY));
	FAILS(EACCES, open("new", O_CREAT | O_RDWR, 0600));
	FAILS(EACCES, unlink("visible"));
	FAILS(EACCES, mkdir("d", 0700));
	FAILS(EACCES, rename("visible", "other"));
	FAILS(EPERM, chmod("visible", 0777));
	FAILS(EPERM, chown("visible", 1001, 1002));
	FAILS(EACCES, truncate("visible", 0));
	FAILS(EACCES, access("secret", R_OK));
	FAILS(EPERM, utimensat(AT_FDCWD, "visible", (struct timespec[2]){ { 1, 0 }, { 1, 0 } }, 0));
	FAILS(EACCES, utimensat(AT_FDCWD, "visible", NULL, 0));
	/* a sticky folder: anybody may put something there and remove only that */
	FAILS(EPERM, unlink("sticky/roots"));
	FAILS(EPERM, rename("sticky/roots", "sticky/mine"));
	put("sticky/own", "x");
	SUCCEEDS(unlink("sticky/own"));
	SUCCEEDS(access("through/inside", R_OK));
	FAILS(EACCES, open("through", O_RDONLY));
}

static void permissions(void)
{
	put("secret", "");
	SUCCEEDS(chmod("secret", 0600));
	put("visible", "x");
	SUCCEEDS(mkdir("closed", 0700));
	put("closed/f", "");
	SUCCEEDS(mkdir("sticky", 0755));
	SUCCEEDS(chmod("sticky", 01777));
	put("sticky/roots", "");
	SUCCEEDS(mkdir("through", 0711));
	put("through/inside", "");
	as(1001, 1002, a_stranger);
	/* root may everything */
	SUCCEEDS(chmod("secret", 0));
	SUCCEEDS(open("secret", O_RDWR));
}

static void write_to_it(void)
{
	int fd = open("suid", O_WRONLY);

	HOLDS(write(fd, "x", 1) == 1);
	SUCCEEDS(truncate("cut", 0));
	SUCCEEDS(close(open("emptied", O_WRONLY | O_TRUNC)));
}

static void privileges_go_with_changes(void)
{
	static const char *const files[] = { "suid", "cut", "emptied" };

	for (size_t i = 0; i < 3; i++) {
		put(files[i], "text");
		SUCCEEDS(chmod(files[i], 06777));
	}
	as(1001, 1002, write_to_it);
	for (size_t i = 0; i < 3; i++)
		HOLDS(mode_of(files[i]) == 0777);
	/* root's writing does not take them away */
	SUCCEEDS(chmod("suid", 06777));
	int fd = open("suid", O_WRONLY);
	HOLDS(write(fd, "x", 1) == 1);
	HOLDS(mode_of("suid") == 06777);
	/* another owner does */
	SUCCEEDS(chown("suid", 5, 5));
	HOLDS(mode_of("suid") == 0777);
}

static void times(void)
{
	const struct timespec set[] = { { 1000000000, 123456789 }, { 2000000000, 987654321 } };
	const struct timespec only_second[] = { { .tv_nsec = UTIME_OMIT }, { 5, 6 } };
	const struct timespec before_1970[] = { { -5, 0 }, { -6, 0 } };
	struct stat st;

	put("f", "");
	SUCCEEDS(utimensat(AT_FDCWD, "f", set, 0));
	st = look("f");
	HOLDS(st.st_atim.tv_sec == 1000000000 && st.st_atim.tv_nsec == 123456789);
	HOLDS(st.st_mtim.tv_sec == 2000000000 && st.st_mtim.tv_nsec == 987654321);
	SUCCEEDS(utimensat(AT_FDCWD, "f", only_second, 0));
	st = look("f");
	HOLDS(st.st_atim.tv_sec == 1000000000 && st.st_mtim.tv_sec == 5 && st.st_mtim.tv_nsec == 6);
	SUCCEEDS(utimensat(AT_FDCWD, "f", before_1970, 0));
	HOLDS(look("f").st_mtim.tv_sec == -6);
	SUCCEEDS(utimensat(AT_FDCWD, "f", NULL, 0));
	HOLDS(look("f").st_mtim.tv_sec > 1700000000);
	SUCCEEDS(symlink("f", "s"));
	SUCCEEDS(utimensat(AT_FDCWD, "s", set, AT_SYMLINK_NOFOLLOW));
	HOLDS(look("s").st_mtim.tv_sec == 2000000000 && look("f").st_mtim.tv_sec != 2000000000);
}

static bool later(struct timespec a, struct timespec b)
{
	return a.tv_sec > b.tv_sec || (a.tv_sec == b.tv_sec && a.tv_nsec > b.tv_nsec);
}

static void a_moment(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 30000000 }, NULL);
}

static void times_that_follow(void)
{
	put("f", "1");
	struct stat before = look("f");
	a_moment();
	int fd = open("f", O_WRONLY);
	HOLDS(write(fd, "2", 1) == 1);
	SUCCEEDS(close(fd));
	struct stat written = look("f");
	HOLDS(later(written.st_mtim, before.st_mtim) && later(written.st_ctim, before.st_ctim));
	a_moment();
	SUCCEEDS(chmod("f", 0600));
	struct stat changed = look("f");
	HOLDS(!later(changed.st_mtim, written.st_mtim) && later(changed.st_ctim, written.st_ctim));
	struct stat folder = look(".");
	a_moment();
	SUCCEEDS(rename("f", "g"));
	HOLDS(later(look(".").st_mtim, folder.st_mtim));
}

static void extended(void)
{
	char value[64];
	char large[3000];
	char list[256];

	put("f", "");
	SUCCEEDS(setxattr("f", "user.a", "one", 3, 0));
	HOLDS(getxattr("f", "user.a", value, sizeof(value)) == 3 && memcmp(value, "one", 3) == 0);
	HOLDS(getxattr("f", "user.a", NULL, 0) == 3);
	FAILS(ERANGE, getxattr("f", "user.a", value, 2));
	FAILS(EEXIST, setxattr("f", "user.a", "x", 1, XATTR_CREATE));
	FAILS(ENODATA, setxattr("f", "user.b", "x", 1, XATTR_REPLACE));
	SUCCEEDS(setxattr("f", "user.a", "", 0, XATTR_REPLACE));
	HOLDS(getxattr("f", "user.a", value, sizeof(value)) == 0);
	memset(large, 'v', sizeof(large));
	SUCCEEDS(setxattr("f", "user.large", large, sizeof(large), 0));
	HOLDS(getxattr("f", "user.large", large, sizeof(large)) == sizeof(large));
	ssize_t n = listxattr("f", list, sizeof(list));
	HOLDS(n >= 7 + 11 && memmem(list, (size_t)n, "user.a", 7) && memmem(list, (size_t)n, "user.large", 11));
	HOLDS(listxattr("f", NULL, 0) == n);
	SUCCEEDS(removexattr("f", "user.a"));
	FAILS(ENODATA, getxattr("f", "user.a", value, sizeof(value)));
	FAILS(ENODATA, removexattr("f", "user.a"));
	SUCCEEDS(mkdir("d", 0755));
	SUCCEEDS(setxattr("d", "user.on.a.folder", "x", 1, 0));
	HOLDS(getxattr("d", "user.on.a.folder", value, sizeof(value)) == 1);
	SUCCEEDS(symlink("f", "s"));
	FAILS(EPERM, lsetxattr("s", "user.a", "x", 1, 0));
	SUCCEEDS(setxattr("s", "user.through", "x", 1, 0));
	HOLDS(getxattr("f", "user.through", value, sizeof(value)) == 1);
	FAILS(EOPNOTSUPP, setxattr("f", "nonsense.a", "x", 1, 0));
}

static void capabilities_of_files(void)
{
	/* as setcap(8) writes cap_net_raw=ep, version 2 */
	static const uint32_t net_raw[] = { 0x02000001, 1 << 13, 0, 0, 0 };
	uint32_t value[8];

	put("f", "text");
	SUCCEEDS(setxattr("f", "security.capability", net_raw, sizeof(net_raw), 0));
	HOLDS(getxattr("f", "security.capability", value, sizeof(value)) == sizeof(net_raw));
	HOLDS(memcmp(value, net_raw, sizeof(net_raw)) == 0);
	/* they do not outlive a change */
	int fd = open("f", O_WRONLY);
	HOLDS(write(fd, "T", 1) == 1);
	FAILS(ENODATA, getxattr("f", "security.capability", value, sizeof(value)));
}

struct acl {
	uint32_t version;
	struct {
		uint16_t tag, perm;
		uint32_t id;
	} entries[5];
};

static struct acl acl_for(uint32_t uid, uint16_t others)
{
	return (struct acl){ 2,
			     { { 1, 7, ~0U }, { 2, 6, uid }, { 4, 4, ~0U }, { 16, 6, ~0U }, { 32, others, ~0U } } };
}

static void by_acl(void)
{
	SUCCEEDS(open("f", O_RDWR));
}

static void not_by_acl(void)
{
	FAILS(EACCES, open("f", O_RDONLY));
}

static void acls(void)
{
	const struct acl allowed = acl_for(1001, 0);
	struct acl seen;

	put("f", "");
	SUCCEEDS(setxattr("f", "system.posix_acl_access", &allowed, sizeof(allowed), 0));
	HOLDS(getxattr("f", "system.posix_acl_access", &seen, sizeof(seen)) == sizeof(seen));
	HOLDS(memcmp(&seen, &allowed, sizeof(seen)) == 0);
	HOLDS(mode_of("f") == 0760);
	as(1001, 1001, by_acl);
	as(1003, 1003, not_by_acl);
	/* the mask is the group's part of the mode */
	SUCCEEDS(chmod("f", 0700));
	as(1001, 1001, not_by_acl);
}

static void acls_that_are_inherited(void)
{
	const struct acl inherited = acl_for(1001, 0);
	struct acl seen;

	SUCCEEDS(mkdir("d", 0755));
	SUCCEEDS(setxattr("d", "system.posix_acl_default", &inherited, sizeof(inherited), 0));
	SUCCEEDS(chdir("d"));
	umask(077); /* which does not count then */
	SUCCEEDS(close(open("f", O_CREAT | O_RDWR, 0666)));
	HOLDS(getxattr("f", "system.posix_acl_access", &seen, sizeof(seen)) == sizeof(seen));
	HOLDS(mode_of("f") == 0660);
	as(1001, 1001, by_acl);
	SUCCEEDS(mkdir("below", 0777));
	HOLDS(getxattr("below", "system.posix_acl_default", &seen, sizeof(seen)) == sizeof(seen));
}

static void the_file_system(void)
{
	struct statvfs s;

	SUCCEEDS(statvfs(".", &s));
	HOLDS(s.f_bsize >= 512 && s.f_blocks > 0 && s.f_bfree <= s.f_blocks && s.f_namemax == 255);
}

static void device_nodes(void)
{
	struct stat st;

	/* "removed", in overlayfs's words */
	SUCCEEDS(mknod("whiteout", S_IFCHR | 0600, makedev(0, 0)));
	SUCCEEDS(stat("whiteout", &st));
	HOLDS(S_ISCHR(st.st_mode) && st.st_rdev == 0);
}

const struct test attributes[] = {
	{ "modes", modes },
	{ "owners, of links too", owners },
	{ "what is made belongs to who made it", owners_of_what_is_made },
	{ "what is made in a set-group-id folder has its group", the_folders_group },
	{ "strangers may only what they may", permissions },
	{ "a change by a stranger takes set-user-id away", privileges_go_with_changes },
	{ "times to the nanosecond, before 1970 too", times },
	{ "times follow what happens", times_that_follow },
	{ "extended attributes", extended },
	{ "capabilities of files", capabilities_of_files },
	{ "ACLs", acls },
	{ "ACLs that are inherited", acls_that_are_inherited },
	{ "the file system has a size", the_file_system },
	{ "a whiteout is made", device_nodes },
	{ 0 },
};
