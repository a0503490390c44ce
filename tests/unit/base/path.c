/* Paths inside a root that is hostile: whatever links it holds, nothing outside is opened, made or
 * removed. */
#include "base/path.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "../check.h"
#include "base/fd.h"

static void cleaning(void)
{
	static const char *const cases[][2] = {
		{ "", "/" },         { "/", "/" },
		{ "a", "/a" },       { "/a//b/./c/", "/a/b/c" },
		{ "/a/../b", "/b" }, { "/../..", "/" },
		{ "../x", "/x" },    { "/a/b/../../..", "/" },
		{ "/...", "/..." },  { "/.a/..b", "/.a/..b" },
		{ "//", "/" },       { "/a/..", "/" },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		char *clean = path_clean(cases[i][0]);
		CHECK_TEXT(clean, cases[i][1]);
		free(clean);
	}
}

static char top[] = "/tmp/skiff-unit-path.XXXXXX";

/* root/ with links out of it, beside a folder that must stay as it is */
static int make_root(void)
{
	CHECK(mkdtemp(top));
	int dir = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK(dir >= 0);
	CHECK(mkdirat(dir, "root", 0755) == 0 && mkdirat(dir, "outside", 0755) == 0);
	CHECK_FINE(file_create(dir, "outside/secret", 0600, "x", 1));
	char absolute[128];
	snprintf(absolute, sizeof(absolute), "%s/outside", top);
	CHECK(symlinkat(absolute, dir, "root/absolute") == 0);
	CHECK(symlinkat("../outside", dir, "root/up") == 0);
	CHECK(symlinkat("../../../../../../../../tmp", dir, "root/far") == 0);
	CHECK(symlinkat("loop", dir, "root/loop") == 0);
	CHECK(symlinkat("/inside", dir, "root/in") == 0);
	CHECK(mkdirat(dir, "root/inside", 0755) == 0);
	return dir;
}

static void opening(int root)
{
	int fd;

	CHECK_FAILS(root_open(root, "absolute/secret", O_PATH, &fd), ENOENT, "absolute/secret");
	CHECK_FAILS(root_open(root, "up/secret", O_PATH, &fd), ENOENT, "");
	CHECK_FAILS(root_open(root, "../outside/secret", O_PATH, &fd), ENOENT, "");
	CHECK_FAILS(root_open(root, "loop", O_PATH, &fd), ELOOP, "");
	CHECK_FAILS(root_open(root, "/proc/self/fd/0", O_PATH, &fd), ENOENT, "");
	CHECK_FINE(root_open(root, "/in", O_PATH | O_DIRECTORY, &fd));
	close(fd);
}

static void making(int dir, int root)
{
	struct stat st;
	int fd;

	/* a link that leads out leads, seen from inside, to a place inside that does not exist:
	 * nothing is made there */
	error *e = root_ensure(root, "/absolute/new/folder", false, &fd);
	if (!e)
		close(fd);
	error_free(e);
	CHECK(fstatat(dir, "outside/new", &st, 0) < 0);
	CHECK_FINE(root_ensure(root, "/in/a/b/file", true, &fd));
	close(fd);
	CHECK(fstatat(dir, "root/inside/a/b/file", &st, 0) == 0 && S_ISREG(st.st_mode));
	CHECK_FINE(root_ensure(root, "x/y", false, &fd));
	CHECK(fstat(fd, &st) == 0 && S_ISDIR(st.st_mode));
	close(fd);
	CHECK_FAILS(root_ensure(root, "/in/a/b/file/below", false, &fd), ENOTDIR, "");
}

static void removing(int dir)
{
	struct stat st;

	CHECK_FINE(path_remove_tree(dir, "root"));
	CHECK(fstatat(dir, "root", &st, 0) < 0);
	CHECK(fstatat(dir, "outside/secret", &st, 0) == 0);
	CHECK_FINE(path_remove_tree(dir, "root")); /* gone already */
}

int main(void)
{
	cleaning();
	int dir = make_root();
	int root = openat(dir, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	CHECK(root >= 0);
	opening(root);
	making(dir, root);
	close(root);
	removing(dir);
	close(dir);
	CHECK_FINE(path_remove_tree(AT_FDCWD, top));
	return 0;
}
