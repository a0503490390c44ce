/* Contents: reading, writing, sizes, holes, mappings. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

enum { KIB = 1024, MIB = 1024 * KIB, PAGE = 4096 };

static off_t size_of(int fd)
{
	struct stat st;

	SUCCEEDS(fstat(fd, &st));
	return st.st_size;
}

static int fresh(const char *name)
{
	int fd = open(name, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0644);

	SUCCEEDS(fd);
	return fd;
}

static void reading_and_writing(void)
{
	char text[16] = "";
	int fd = fresh("f");

	HOLDS(write(fd, "0123456789", 10) == 10);
	HOLDS(read(fd, text, 5) == 0);
	HOLDS(lseek(fd, 3, SEEK_SET) == 3);
	HOLDS(read(fd, text, 4) == 4 && memcmp(text, "3456", 4) == 0);
	HOLDS(lseek(fd, -2, SEEK_END) == 8);
	HOLDS(read(fd, text, 16) == 2 && memcmp(text, "89", 2) == 0);
	HOLDS(pwrite(fd, "XY", 2, 4) == 2);
	HOLDS(pread(fd, text, 10, 0) == 10 && memcmp(text, "0123XY6789", 10) == 0);
	FAILS(EINVAL, lseek(fd, -1, SEEK_SET));
	FAILS(EINVAL, pread(fd, text, 1, -1));
	struct iovec parts[] = { { "ab", 2 }, { "cde", 3 } };
	HOLDS(pwritev(fd, parts, 2, 0) == 5);
	HOLDS(pread(fd, text, 5, 0) == 5 && memcmp(text, "abcde", 5) == 0);
	int reader = open("f", O_RDONLY);
	FAILS(EBADF, write(reader, "x", 1));
	int writer = open("f", O_WRONLY);
	FAILS(EBADF, read(writer, text, 1));
	HOLDS(write(fd, text, 0) == 0);
}

static void large_pieces(void)
{
	enum { LEN = 5 * MIB + 123 };
	char *data = malloc(LEN);
	char *again = malloc(LEN);
	int fd = fresh("f");

	for (int i = 0; i < LEN; i++)
		data[i] = (char)(i * 7 + i / PAGE);
	for (int done = 0; done < LEN;) {
		ssize_t n = pwrite(fd, data + done, (size_t)(LEN - done), done);
		HOLDS(n > 0);
		done += (int)n;
	}
	SUCCEEDS(fsync(fd));
	int other = open("f", O_RDONLY);
	posix_fadvise(other, 0, 0, POSIX_FADV_DONTNEED);
	for (int done = 0; done < LEN;) {
		ssize_t n = pread(other, again + done, (size_t)(LEN - done), done);
		HOLDS(n > 0);
		done += (int)n;
	}
	HOLDS(memcmp(data, again, LEN) == 0);
	/* odd places and sizes */
	for (int i = 1; i < 40; i++) {
		off_t at = (off_t)i * 131071 % (LEN - 70000);
		size_t len = (size_t)i * 1733;
		HOLDS(pread(other, again, len, at) == (ssize_t)len);
		HOLDS(memcmp(again, data + at, len) == 0);
	}
}

static void appending(void)
{
	char text[16] = "";
	int fd = fresh("f");
	int a = open("f", O_WRONLY | O_APPEND);
	int b = open("f", O_RDWR | O_APPEND);

	HOLDS(write(fd, "start", 5) == 5);
	HOLDS(write(a, "A", 1) == 1);
	HOLDS(write(b, "B", 1) == 1);
	HOLDS(write(a, "A", 1) == 1);
	HOLDS(strcmp(get("f"), "startABA") == 0);
	/* without the flag, it writes where it is */
	SUCCEEDS(fcntl(b, F_SETFL, 0));
	HOLDS(pwrite(b, "!", 1, 0) == 1);
	HOLDS(strcmp(get("f"), "!tartABA") == 0);
	SUCCEEDS(fcntl(b, F_SETFL, O_APPEND));
	HOLDS(lseek(b, 0, SEEK_SET) == 0);
	HOLDS(write(b, "?", 1) == 1);
	HOLDS(pread(fd, text, 16, 0) == 9 && memcmp(text, "!tartABA?", 9) == 0);
}

static void many_append(void)
{
	enum { PROCESSES = 4, LINES = 100 };
	int status;

	SUCCEEDS(close(fresh("log")));
	for (int p = 0; p < PROCESSES; p++)
		if (fork() == 0) {
			int fd = open("log", O_WRONLY | O_APPEND);
			for (int i = 0; i < LINES; i++)
				HOLDS(write(fd, "12345678\n", 9) == 9);
			_exit(0);
		}
	for (int p = 0; p < PROCESSES; p++)
		HOLDS(wait(&status) > 0 && status == 0);
	struct stat st;
	SUCCEEDS(stat("log", &st));
	HOLDS(st.st_size == PROCESSES * LINES * 9);
}

static void truncating(void)
{
	char text[PAGE * 3];
	int fd = fresh("f");

	memset(text, 'x', sizeof(text));
	HOLDS(write(fd, text, sizeof(text)) == sizeof(text));
	SUCCEEDS(truncate("f", 5000));
	HOLDS(size_of(fd) == 5000);
	SUCCEEDS(ftruncate(fd, 10000));
	HOLDS(pread(fd, text, sizeof(text), 0) == 10000);
	HOLDS(text[4999] == 'x' && text[5000] == 0 && text[9999] == 0);
	HOLDS(pwrite(fd, "e", 1, 20000) == 1);
	HOLDS(size_of(fd) == 20001);
	HOLDS(pread(fd, text, 1, 15000) == 1 && text[0] == 0);
	FAILS(EINVAL, ftruncate(fd, -1));
	SUCCEEDS(close(open("f", O_WRONLY | O_TRUNC)));
	HOLDS(size_of(fd) == 0);
	HOLDS(pread(fd, text, 1, 0) == 0);
	SUCCEEDS(mkdir("d", 0755));
	FAILS(EISDIR, truncate("d", 0));
}

static void far_away(void)
{
	const off_t far = (off_t)8 << 30;
	char text[4] = "";
	struct stat st;
	int fd = fresh("f");

	HOLDS(pwrite(fd, "far", 3, far) == 3);
	HOLDS(size_of(fd) == far + 3);
	HOLDS(pread(fd, text, 3, far) == 3 && strcmp(text, "far") == 0);
	SUCCEEDS(fstat(fd, &st));
	HOLDS(st.st_blocks < 2048);
}

static void holes(void)
{
	char data[PAGE];
	int fd = fresh("f");

	memset(data, 'd', sizeof(data));
	HOLDS(pwrite(fd, data, PAGE, MIB) == PAGE);
	SUCCEEDS(ftruncate(fd, 2 * MIB));
	SUCCEEDS(fsync(fd));
	HOLDS(lseek(fd, 0, SEEK_DATA) == MIB);
	HOLDS(lseek(fd, MIB, SEEK_HOLE) == MIB + PAGE);
	HOLDS(lseek(fd, 0, SEEK_HOLE) == 0);
	FAILS(ENXIO, lseek(fd, 2 * MIB, SEEK_DATA));
}

static void allocating(void)
{
	char data[4 * PAGE];
	struct stat st;
	int fd = fresh("f");

	SUCCEEDS(fallocate(fd, 0, 0, 64 * KIB));
	HOLDS(size_of(fd) == 64 * KIB);
	SUCCEEDS(fstat(fd, &st));
	HOLDS(st.st_blocks * 512 >= 64 * KIB);
	SUCCEEDS(fallocate(fd, FALLOC_FL_KEEP_SIZE, 64 * KIB, 64 * KIB));
	HOLDS(size_of(fd) == 64 * KIB);
	memset(data, 'd', sizeof(data));
	HOLDS(pwrite(fd, data, sizeof(data), 0) == sizeof(data));
	SUCCEEDS(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, PAGE, PAGE));
	HOLDS(pread(fd, data, sizeof(data), 0) == sizeof(data));
	HOLDS(data[PAGE - 1] == 'd' && data[PAGE] == 0 && data[2 * PAGE - 1] == 0 && data[2 * PAGE] == 'd');
	int zeroed = fallocate(fd, FALLOC_FL_ZERO_RANGE, 2 * PAGE, PAGE);
	HOLDS(zeroed == 0 || zeroed == -1);
	HOLDS(pread(fd, data, sizeof(data), 0) == sizeof(data) && data[3 * PAGE] == 'd');
	HOLDS(zeroed || data[2 * PAGE] == 0);
	int reader = open("f", O_RDONLY);
	FAILS(EBADF, fallocate(reader, 0, 0, PAGE));
}

static void mappings(void)
{
	char text[8] = "";
	int fd = fresh("f");

	SUCCEEDS(ftruncate(fd, 2 * PAGE));
	char *shared = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	char *private = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	HOLDS(shared != MAP_FAILED && private != MAP_FAILED);
	memcpy(shared + 100, "mapped", 6);
	HOLDS(pread(fd, text, 6, 100) == 6 && memcmp(text, "mapped", 6) == 0);
	HOLDS(pwrite(fd, "written", 7, PAGE) == 7);
	HOLDS(memcmp(shared + PAGE, "written", 7) == 0);
	private[100] = 'M';
	HOLDS(shared[100] == 'm');
	SUCCEEDS(msync(shared, 2 * PAGE, MS_SYNC));
	SUCCEEDS(munmap(shared, 2 * PAGE));
	SUCCEEDS(close(fd));
	fd = open("f", O_RDONLY);
	HOLDS(pread(fd, text, 6, 100) == 6 && memcmp(text, "mapped", 6) == 0);
}

static void mapped_by_two(void)
{
	int status;
	int fd = fresh("f");

	SUCCEEDS(ftruncate(fd, PAGE));
	volatile char *map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	HOLDS(map != MAP_FAILED);
	if (fork() == 0) {
		map[1] = 'c';
		_exit(0);
	}
	HOLDS(wait(&status) > 0 && status == 0);
	HOLDS(map[1] == 'c');
	SUCCEEDS(unlink("f"));
	map[2] = 'x';
	HOLDS(map[2] == 'x');
}

static void copying_in_the_kernel(void)
{
	enum { LEN = 300 * KIB };
	char *data = malloc(LEN);
	char *again = malloc(LEN);
	int from = fresh("from");
	int to = fresh("to");
	loff_t at = 0;
	loff_t into = 100;

	for (int i = 0; i < LEN; i++)
		data[i] = (char)(i * 13);
	HOLDS(write(from, data, LEN) == LEN);
	for (ssize_t left = LEN; left > 0;) {
		ssize_t n = copy_file_range(from, &at, to, &into, (size_t)left, 0);
		HOLDS(n > 0);
		left -= n;
	}
	HOLDS(size_of(to) == LEN + 100);
	HOLDS(pread(to, again, LEN, 100) == LEN && memcmp(data, again, LEN) == 0);
	int third = fresh("third");
	off_t start = 0;
	for (ssize_t left = LEN; left > 0;) {
		ssize_t n = sendfile(third, from, &start, (size_t)left);
		HOLDS(n > 0);
		left -= n;
	}
	HOLDS(pread(third, again, LEN, 0) == LEN && memcmp(data, again, LEN) == 0);
	int pipe[2];
	SUCCEEDS(pipe2(pipe, 0));
	at = 0;
	HOLDS(splice(from, &at, pipe[1], NULL, PAGE, 0) == PAGE);
	HOLDS(read(pipe[0], again, PAGE) == PAGE && memcmp(data, again, PAGE) == 0);
}

static void past_the_cache(void)
{
	void *buffer;
	int fd = open("f", O_CREAT | O_RDWR | O_DIRECT, 0644);

	if (fd < 0 && errno == EINVAL)
		return; /* not every file system has it */
	SUCCEEDS(fd);
	HOLDS(posix_memalign(&buffer, PAGE, 16 * PAGE) == 0);
	memset(buffer, 'q', 16 * PAGE);
	HOLDS(pwrite(fd, buffer, 16 * PAGE, 0) == 16 * PAGE);
	memset(buffer, 0, 16 * PAGE);
	HOLDS(pread(fd, buffer, 16 * PAGE, 0) == 16 * PAGE);
	for (int i = 0; i < 16 * PAGE; i++)
		HOLDS(((char *)buffer)[i] == 'q');
	int cached = open("f", O_RDWR);
	HOLDS(pwrite(cached, "cached", 6, 0) == 6);
	HOLDS(pread(fd, buffer, PAGE, 0) == PAGE && memcmp(buffer, "cached", 6) == 0);
}

static void syncing(void)
{
	int fd = fresh("f");

	HOLDS(write(fd, "x", 1) == 1);
	SUCCEEDS(fsync(fd));
	SUCCEEDS(fdatasync(fd));
	SUCCEEDS(syncfs(fd));
	int folder = open(".", O_RDONLY | O_DIRECTORY);
	SUCCEEDS(fsync(folder));
	int synced = open("g", O_CREAT | O_RDWR | O_SYNC, 0644);
	SUCCEEDS(synced);
	HOLDS(write(synced, "y", 1) == 1);
}

static void at_random(void)
{
	enum { LEN = 256 * KIB, STEPS = 400 };
	char *model = calloc(1, LEN);
	char *seen = malloc(LEN);
	unsigned seed = 12345;
	off_t size = 0;
	int fd = fresh("f");

	for (int step = 0; step < STEPS; step++) {
		seed = seed * 1103515245 + 12345;
		off_t at = seed / 7 % (LEN - 20000);
		size_t len = 1 + seed / 11 % 20000;
		switch (seed >> 16 & 3) {
		case 0:
			memset(model + at, 'a' + step % 26, len);
			HOLDS(pwrite(fd, model + at, len, at) == (ssize_t)len);
			size = at + (off_t)len > size ? at + (off_t)len : size;
			break;
		case 1:
			SUCCEEDS(ftruncate(fd, at));
			if (at < size)
				memset(model + at, 0, (size_t)(size - at));
			size = at;
			break;
		case 2: {
			if (!size)
				break;
			char *map = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
			HOLDS(map != MAP_FAILED);
			off_t place = at % size;
			map[place] = model[place] = 'M';
			SUCCEEDS(munmap(map, (size_t)size));
			break;
		}
		default:
			SUCCEEDS(close(fd));
			fd = open("f", O_RDWR);
			SUCCEEDS(fd);
		}
		if (step % 10 == 0) {
			HOLDS(size_of(fd) == size);
			for (off_t done = 0; done < size;) {
				ssize_t n = pread(fd, seen + done, (size_t)(size - done), done);
				HOLDS(n > 0);
				done += n;
			}
			HOLDS(memcmp(model, seen, (size_t)size) == 0);
		}
	}
}

static void running(void)
{
	int status;
	char data[256 * KIB];
	int self = open("/proc/self/exe", O_RDONLY);
	int fd = open("program", O_CREAT | O_WRONLY, 0755);
	ssize_t n;

	while ((n = read(self, data, sizeof(data))) > 0)
		HOLDS(write(fd, data, (size_t)n) == n);
	SUCCEEDS(close(fd));
	if (fork() == 0) {
		execl("./program", "program", (char *)NULL);
		_exit(99);
	}
	HOLDS(wait(&status) > 0);
	HOLDS(WIFEXITED(status) && WEXITSTATUS(status) == 2); /* what it says without a folder */
	SUCCEEDS(chmod("program", 0644));
	FAILS(EACCES, execl("./program", "program", (char *)NULL));
}

const struct test contents[] = {
	{ "reading and writing anywhere", reading_and_writing },
	{ "megabytes in one piece, and odd ones", large_pieces },
	{ "what is appended goes to the end", appending },
	{ "four processes append without loss", many_append },
	{ "files get shorter and longer", truncating },
	{ "a byte at 8 GiB takes no room before it", far_away },
	{ "holes and data are found", holes },
	{ "room is allocated, punched and zeroed", allocating },
	{ "mappings are the file", mappings },
	{ "two processes share a mapping, also of a removed file", mapped_by_two },
	{ "copy_file_range, sendfile and splice", copying_in_the_kernel },
	{ "O_DIRECT and the cache agree", past_the_cache },
	{ "everything can be synced", syncing },
	{ "400 random steps against a model", at_random },
	{ "programs run, if they may", running },
	{ 0 },
};
