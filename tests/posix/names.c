/* Names: making, finding, moving, removing. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1
#define RENAME_EXCHANGE  2
#define RENAME_WHITEOUT  4
#endif
#define rename2(from, to, flags) syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, flags)

static ino_t number(const char *name)
{
	struct stat st;

	SUCCEEDS(lstat(name, &st));
	return st.st_ino;
}

static nlink_t links(const char *name)
{
	struct stat st;

	SUCCEEDS(lstat(name, &st));
	return st.st_nlink;
}

static void creating(void)
{
	umask(027);
	int fd = open("a", O_CREAT | O_EXCL | O_RDWR, 0666);
	SUCCEEDS(fd);
	HOLDS(mode_of("a") == 0640);
	FAILS(EEXIST, open("a", O_CREAT | O_EXCL | O_RDWR, 0666));
	SUCCEEDS(open("a", O_CREAT | O_RDWR, 0600));
	HOLDS(mode_of("a") == 0640);
	FAILS(ENOENT, open("none", O_RDWR));
	FAILS(ENOTDIR, open("a/b", O_RDWR));
	FAILS(ENOTDIR, open("a", O_RDONLY | O_DIRECTORY));
	FAILS(EISDIR, open(".", O_RDWR));
	/* the descriptor is good for writing, whatever the mode says */
	fd = open("read-only", O_CREAT | O_RDWR, 0400);
	SUCCEEDS(fd);
	HOLDS(write(fd, "x", 1) == 1);
}

static void a_name_after_it_was_missed(void)
{
	FAILS(ENOENT, access("late", F_OK));
	put("late", "x");
	SUCCEEDS(access("late", F_OK));
	SUCCEEDS(unlink("late"));
	FAILS(ENOENT, access("late", F_OK));
	FAILS(ENOENT, access("folder", F_OK));
	SUCCEEDS(mkdir("folder", 0755));
	SUCCEEDS(access("folder", F_OK));
}

static void long_names(void)
{
	char name[260];
	char path[PATH_MAX + 10];

	memset(name, 'n', sizeof(name));
	name[255] = '\0';
	put(name, "x");
	HOLDS(strcmp(get(name), "x") == 0);
	SUCCEEDS(mkdir("d", 0755));
	SUCCEEDS(chdir("d"));
	SUCCEEDS(mkdir(name, 0755));
	SUCCEEDS(rmdir(name));
	name[255] = 'n';
	name[256] = '\0';
	FAILS(ENAMETOOLONG, open(name, O_CREAT | O_RDWR, 0600));
	FAILS(ENAMETOOLONG, mkdir(name, 0755));
	memset(path, 'p', sizeof(path));
	path[PATH_MAX + 2] = '\0';
	FAILS(ENAMETOOLONG, open(path, O_RDONLY));
}

static void any_bytes_in_names(void)
{
	static const char *const odd[] = { " ", "\n", "\x01\x7f", "\xff\xfe", "...", "-", "*?[", "\\", "#1",
					   "\xc3\xa4\xe2\x82\xac" };

	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		put(odd[i], odd[i]);
		HOLDS(strcmp(get(odd[i]), odd[i]) == 0);
	}
	DIR *d = opendir(".");
	HOLDS(d != NULL);
	int n = 0;
	while (readdir(d))
		n++;
	HOLDS(n == 12);
}

static void depth(void)
{
	for (int i = 0; i < 300; i++) {
		SUCCEEDS(mkdir("below", 0755));
		SUCCEEDS(chdir("below"));
	}
	put("bottom", "deep");
	HOLDS(strcmp(get("bottom"), "deep") == 0);
	char *here = getcwd(NULL, 0);
	HOLDS(here != NULL && strlen(here) > 300 * 6);
	SUCCEEDS(unlink("bottom"));
	for (int i = 0; i < 300; i++) {
		SUCCEEDS(chdir(".."));
		SUCCEEDS(rmdir("below"));
	}
}

static void folders(void)
{
	SUCCEEDS(mkdir("d", 0700));
	HOLDS(mode_of("d") == 0700);
	FAILS(EEXIST, mkdir("d", 0700));
	FAILS(ENOENT, mkdir("x/y", 0700));
	put("d/f", "");
	FAILS(ENOTEMPTY, rmdir("d"));
	FAILS(EISDIR, unlink("d"));
	FAILS(ENOTDIR, rmdir("d/f"));
	FAILS(EINVAL, rmdir("."));
	SUCCEEDS(unlink("d/f"));
	SUCCEEDS(rmdir("d"));
	FAILS(ENOENT, rmdir("d"));
}

static void a_folder_that_is_gone(void)
{
	char here[64];

	SUCCEEDS(mkdir("d", 0755));
	SUCCEEDS(chdir("d"));
	SUCCEEDS(rmdir("../d"));
	FAILS(ENOENT, open("f", O_CREAT | O_RDWR, 0600));
	FAILS(ENOENT, mkdir("f", 0700));
	HOLDS(!getcwd(here, sizeof(here)) && errno == ENOENT);
	struct stat st;
	SUCCEEDS(stat(".", &st));
	HOLDS(st.st_nlink == 0);
}

static void hard_links(void)
{
	put("a", "one");
	SUCCEEDS(mkdir("d", 0755));
	SUCCEEDS(link("a", "b"));
	SUCCEEDS(link("b", "d/c"));
	HOLDS(links("a") == 3 && links("d/c") == 3);
	HOLDS(number("a") == number("b") && number("a") == number("d/c"));
	put("b", "two");
	HOLDS(strcmp(get("d/c"), "two") == 0);
	FAILS(EEXIST, link("a", "b"));
	FAILS(EPERM, link("d", "e"));
	FAILS(ENOENT, link("none", "e"));
	SUCCEEDS(unlink("a"));
	HOLDS(links("b") == 2);
	HOLDS(strcmp(get("b"), "two") == 0);
	SUCCEEDS(unlink("b"));
	HOLDS(strcmp(get("d/c"), "two") == 0 && links("d/c") == 1);
	SUCCEEDS(symlink("nowhere", "s"));
	SUCCEEDS(link("s", "t"));
	HOLDS(number("s") == number("t"));
}

static void symbolic_links(void)
{
	char target[PATH_MAX];
	char text[PATH_MAX];

	SUCCEEDS(symlink("f", "s"));
	FAILS(ENOENT, open("s", O_RDONLY));
	put("f", "through");
	HOLDS(strcmp(get("s"), "through") == 0);
	FAILS(ELOOP, open("s", O_RDONLY | O_NOFOLLOW));
	HOLDS(readlink("s", text, sizeof(text)) == 1 && text[0] == 'f');
	FAILS(EINVAL, readlink("f", text, sizeof(text)));
	SUCCEEDS(symlink("loop2", "loop1"));
	SUCCEEDS(symlink("loop1", "loop2"));
	FAILS(ELOOP, open("loop1", O_RDONLY));
	memset(target, 't', sizeof(target));
	target[sizeof(target) - 1] = '\0';
	SUCCEEDS(symlink(target, "long"));
	HOLDS(readlink("long", text, sizeof(text)) == PATH_MAX - 1 && memcmp(text, target, PATH_MAX - 1) == 0);
	FAILS(EEXIST, symlink("x", "f"));
	SUCCEEDS(unlink("s"));
	HOLDS(strcmp(get("f"), "through") == 0);
	/* one that is made anew leads elsewhere at once */
	put("g", "elsewhere");
	SUCCEEDS(symlink("g", "s"));
	HOLDS(strcmp(get("s"), "elsewhere") == 0);
	struct stat st;
	SUCCEEDS(lstat("s", &st));
	HOLDS(S_ISLNK(st.st_mode) && st.st_size == 1);
}

static void renaming_files(void)
{
	put("a", "A");
	put("b", "B");
	SUCCEEDS(rename("a", "b"));
	FAILS(ENOENT, access("a", F_OK));
	HOLDS(strcmp(get("b"), "A") == 0);
	SUCCEEDS(mkdir("d", 0755));
	FAILS(EISDIR, rename("b", "d"));
	FAILS(ENOTDIR, rename("d", "b"));
	FAILS(ENOENT, rename("none", "b"));
	SUCCEEDS(rename("b", "d/b"));
	HOLDS(strcmp(get("d/b"), "A") == 0);
	SUCCEEDS(link("d/b", "same"));
	SUCCEEDS(rename("d/b", "same"));
	SUCCEEDS(access("d/b", F_OK));
	SUCCEEDS(access("same", F_OK));
	SUCCEEDS(rename("same", "same"));
}

static void renaming_folders(void)
{
	SUCCEEDS(mkdir("a", 0755));
	SUCCEEDS(mkdir("a/b", 0755));
	SUCCEEDS(mkdir("empty", 0755));
	put("a/b/f", "inside");
	int fd = open("a/b", O_RDONLY | O_DIRECTORY);
	SUCCEEDS(fd);
	FAILS(EINVAL, rename("a", "a/b/c"));
	SUCCEEDS(rename("a", "empty"));
	HOLDS(strcmp(get("empty/b/f"), "inside") == 0);
	SUCCEEDS(mkdir("full", 0755));
	put("full/x", "");
	FAILS(ENOTEMPTY, rename("empty", "full"));
	SUCCEEDS(rename("empty/b", "b"));
	/* who had it open is still there */
	SUCCEEDS(faccessat(fd, "f", F_OK, 0));
	SUCCEEDS(openat(fd, "new", O_CREAT | O_RDWR, 0600));
	SUCCEEDS(access("b/new", F_OK));
	SUCCEEDS(fchdir(fd));
	char *here = getcwd(NULL, 0);
	HOLDS(here && strcmp(here + strlen(here) - 2, "/b") == 0);
	SUCCEEDS(chdir(".."));
	HOLDS(number(".") != number("b"));
}

static void renaming_with_flags(void)
{
	put("a", "A");
	put("b", "B");
	FAILS(EEXIST, rename2("a", "b", RENAME_NOREPLACE));
	SUCCEEDS(rename2("a", "c", RENAME_NOREPLACE));
	SUCCEEDS(rename2("c", "b", RENAME_EXCHANGE));
	HOLDS(strcmp(get("b"), "A") == 0);
	HOLDS(strcmp(get("c"), "B") == 0);
	SUCCEEDS(mkdir("d", 0755));
	put("d/x", "in d");
	SUCCEEDS(rename2("d", "b", RENAME_EXCHANGE));
	HOLDS(strcmp(get("b/x"), "in d") == 0);
	HOLDS(strcmp(get("d"), "A") == 0);
	FAILS(ENOENT, rename2("b", "none", RENAME_EXCHANGE));
	FAILS(EINVAL, rename2("b", "d", RENAME_EXCHANGE | RENAME_NOREPLACE));
}

static void removed_while_open(void)
{
	char text[8] = "";
	struct stat st;
	int fd = open("f", O_CREAT | O_RDWR, 0600);

	HOLDS(write(fd, "before", 6) == 6);
	SUCCEEDS(unlink("f"));
	HOLDS(pwrite(fd, "after!", 6, 0) == 6);
	HOLDS(pread(fd, text, 6, 0) == 6 && strcmp(text, "after!") == 0);
	SUCCEEDS(fstat(fd, &st));
	HOLDS(st.st_nlink == 0 && st.st_size == 6);
	SUCCEEDS(fchmod(fd, 0640));
	SUCCEEDS(ftruncate(fd, 3));
	SUCCEEDS(fstat(fd, &st));
	HOLDS((st.st_mode & 0777) == 0640 && st.st_size == 3);
	put("f", "another");
	HOLDS(pread(fd, text, 6, 0) == 3);
	HOLDS(strcmp(get("f"), "another") == 0);
}

static void replaced_while_open(void)
{
	char text[8] = "";

	put("old", "old");
	put("new", "new");
	int fd = open("old", O_RDONLY);
	SUCCEEDS(rename("new", "old"));
	HOLDS(read(fd, text, sizeof(text)) == 3 && strcmp(text, "old") == 0);
	HOLDS(strcmp(get("old"), "new") == 0);
}

static void many_entries(void)
{
	enum { N = 3000 };
	static char seen[N];
	char name[64];
	DIR *d;
	struct dirent *e;

	for (int i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "entry-%d", i);
		SUCCEEDS(close(open(name, O_CREAT | O_WRONLY, 0600)));
	}
	for (int round = 0; round < 2; round++) {
		memset(seen, 0, sizeof(seen));
		d = opendir(".");
		while ((e = readdir(d)))
			if (strncmp(e->d_name, "entry-", 6) == 0) {
				seen[atoi(e->d_name + 6)]++;
				HOLDS(e->d_type == DT_REG);
			}
		for (int i = 0; i < N; i++)
			HOLDS(seen[i] == 1);
		closedir(d);
	}
	/* each is removed when it comes by: none is left out */
	d = opendir(".");
	while ((e = readdir(d)))
		if (strncmp(e->d_name, "entry-", 6) == 0)
			SUCCEEDS(unlink(e->d_name));
	rewinddir(d);
	int left = 0;
	while (readdir(d))
		left++;
	HOLDS(left == 2);
	put("new", "");
	rewinddir(d);
	for (left = 0; readdir(d); left++) {
	}
	HOLDS(left == 3);
}

static void places_in_folders(void)
{
	char name[32];
	char at_place[256];

	for (int i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "%d", i);
		put(name, "");
	}
	DIR *d = opendir(".");
	for (int i = 0; i < 100; i++)
		HOLDS(readdir(d) != NULL);
	long place = telldir(d);
	struct dirent *e = readdir(d);
	HOLDS(e != NULL);
	strcpy(at_place, e->d_name);
	while (readdir(d)) {
	}
	seekdir(d, place);
	e = readdir(d);
	HOLDS(e && strcmp(e->d_name, at_place) == 0);
}

static void counts_of_folders(void)
{
	nlink_t before = links(".");

	SUCCEEDS(mkdir("a", 0755));
	/* btrfs and overlayfs count no folders */
	HOLDS(links(".") == before + 1 || links(".") == before);
	HOLDS(links("a") == 2 || links("a") == 1);
	SUCCEEDS(rmdir("a"));
	HOLDS(links(".") == before);
}

static void fifos_and_sockets(void)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = "socket" };
	char text[8] = "";
	struct stat st;

	SUCCEEDS(mkfifo("fifo", 0600));
	SUCCEEDS(stat("fifo", &st));
	HOLDS(S_ISFIFO(st.st_mode));
	if (fork() == 0) {
		int fd = open("fifo", O_WRONLY);
		_exit(write(fd, "hello", 5) != 5);
	}
	int fd = open("fifo", O_RDONLY);
	HOLDS(read(fd, text, 5) == 5 && strcmp(text, "hello") == 0);
	int server = socket(AF_UNIX, SOCK_STREAM, 0);
	SUCCEEDS(bind(server, (struct sockaddr *)&name, sizeof(name)));
	SUCCEEDS(listen(server, 1));
	SUCCEEDS(stat("socket", &st));
	HOLDS(S_ISSOCK(st.st_mode));
	int client = socket(AF_UNIX, SOCK_STREAM, 0);
	SUCCEEDS(connect(client, (struct sockaddr *)&name, sizeof(name)));
	FAILS(ENXIO, open("socket", O_RDWR));
}

static void files_without_a_name(void)
{
	char path[64];
	struct stat st;
	int fd = open(".", O_TMPFILE | O_RDWR, 0640);

	SUCCEEDS(fd);
	HOLDS(write(fd, "data", 4) == 4);
	SUCCEEDS(fstat(fd, &st));
	HOLDS(st.st_nlink == 0 && st.st_size == 4);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	SUCCEEDS(linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
	HOLDS(strcmp(get("named"), "data") == 0);
	HOLDS(links("named") == 1);
	SUCCEEDS(fchmod(fd, 0600));
	HOLDS(mode_of("named") == 0600);
}

static void many_at_once(void)
{
	enum { PROCESSES = 4, FILES = 150 };
	char name[64];
	int status;

	SUCCEEDS(mkdir("shared", 0755));
	for (int p = 0; p < PROCESSES; p++)
		if (fork() == 0) {
			for (int i = 0; i < FILES; i++) {
				snprintf(name, sizeof(name), "shared/%d-%d", p, i);
				put(name, name);
				HOLDS(strcmp(get(name), name) == 0);
				if (i % 3 == 0)
					SUCCEEDS(unlink(name));
				else if (i % 3 == 1)
					SUCCEEDS(rename(name, "shared/all-the-same"));
			}
			_exit(0);
		}
	for (int p = 0; p < PROCESSES; p++) {
		HOLDS(wait(&status) > 0);
		HOLDS(status == 0);
	}
	DIR *d = opendir("shared");
	int n = 0;
	while (readdir(d))
		n++;
	HOLDS(n == PROCESSES * FILES / 3 + 1 + 2);
}

static void many_open_and_removed(void)
{
	enum { N = 700 };
	static int fds[N];
	char name[32];
	char text[32];

	for (int i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "%d", i);
		fds[i] = open(name, O_CREAT | O_RDWR, 0600);
		SUCCEEDS(fds[i]);
		HOLDS(write(fds[i], name, strlen(name) + 1) > 0);
		SUCCEEDS(unlink(name));
	}
	for (int i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "%d", i);
		HOLDS(pread(fds[i], text, sizeof(text), 0) > 0 && strcmp(text, name) == 0);
	}
}

const struct test names[] = {
	{ "files are made with their modes", creating },
	{ "a name that was missed is there once it is made", a_name_after_it_was_missed },
	{ "names of 255 bytes, and no more", long_names },
	{ "any bytes are a name", any_bytes_in_names },
	{ "300 folders deep", depth },
	{ "folders are made and removed", folders },
	{ "a folder that is gone is empty for ever", a_folder_that_is_gone },
	{ "hard links are one file", hard_links },
	{ "symbolic links", symbolic_links },
	{ "files are renamed", renaming_files },
	{ "folders are renamed, whoever is in them", renaming_folders },
	{ "names are exchanged, or not replaced", renaming_with_flags },
	{ "what is removed lives on while it is open", removed_while_open },
	{ "what is replaced lives on while it is open", replaced_while_open },
	{ "3,000 entries, each once, also while they are removed", many_entries },
	{ "a place in a folder is found again", places_in_folders },
	{ "folders count the folders in them", counts_of_folders },
	{ "FIFOs and sockets", fifos_and_sockets },
	{ "files without a name get one", files_without_a_name },
	{ "four processes in one folder", many_at_once },
	{ "700 files that are open and have no name", many_open_and_removed },
	{ 0 },
};
