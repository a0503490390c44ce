/* What several programs do with one file: locks, and being told. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

static int in_child(bool (*run)(void))
{
	int status = -1;

	if (fork() == 0)
		_exit(run() ? 0 : 1);
	HOLDS(wait(&status) > 0);
	return status == 0;
}

static bool try_record(short type, off_t start)
{
	struct flock lock = { .l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = 10 };
	int fd = open("f", O_RDWR);

	return fcntl(fd, F_SETLK, &lock) == 0;
}

static bool write_lock_there(void)
{
	return try_record(F_WRLCK, 0);
}

static bool write_lock_beside(void)
{
	return try_record(F_WRLCK, 10);
}

static bool read_lock_there(void)
{
	return try_record(F_RDLCK, 0);
}

static void record_locks(void)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 10 };

	put("f", "0123456789012345678901234567890");
	int fd = open("f", O_RDWR);
	SUCCEEDS(fcntl(fd, F_SETLK, &lock));
	HOLDS(!in_child(write_lock_there) && !in_child(read_lock_there));
	HOLDS(in_child(write_lock_beside));
	lock.l_type = F_RDLCK;
	SUCCEEDS(fcntl(fd, F_SETLK, &lock));
	HOLDS(in_child(read_lock_there) && !in_child(write_lock_there));
	lock.l_type = F_UNLCK;
	SUCCEEDS(fcntl(fd, F_SETLK, &lock));
	HOLDS(in_child(write_lock_there));
	lock.l_type = F_WRLCK;
	SUCCEEDS(fcntl(fd, F_SETLK, &lock));
	/* any descriptor's end is the locks' end */
	SUCCEEDS(close(open("f", O_RDONLY)));
	HOLDS(in_child(write_lock_there));
}

static void waiting_for_a_lock(void)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int ready[2];
	char byte;
	int status;

	put("f", "");
	SUCCEEDS(pipe(ready));
	if (fork() == 0) {
		int fd = open("f", O_RDWR);
		HOLDS(fcntl(fd, F_SETLK, &lock) == 0 && write(ready[1], "x", 1) == 1);
		usleep(100000);
		put("done", "");
		_exit(0);
	}
	HOLDS(read(ready[0], &byte, 1) == 1);
	int fd = open("f", O_RDWR);
	SUCCEEDS(fcntl(fd, F_SETLKW, &lock));
	SUCCEEDS(access("done", F_OK));
	HOLDS(wait(&status) > 0 && status == 0);
}

static bool flock_now(void)
{
	int fd = open("f", O_RDWR);

	return flock(fd, LOCK_EX | LOCK_NB) == 0;
}

static void whole_locks(void)
{
	put("f", "");
	int fd = open("f", O_RDWR);
	SUCCEEDS(flock(fd, LOCK_EX));
	HOLDS(!in_child(flock_now));
	int again = dup(fd);
	SUCCEEDS(close(fd));
	HOLDS(!in_child(flock_now));
	SUCCEEDS(close(again));
	HOLDS(in_child(flock_now));
}

static void being_told(void)
{
	char events[4096];
	int fd = inotify_init1(IN_NONBLOCK);

	SUCCEEDS(inotify_add_watch(fd, ".", IN_CREATE | IN_DELETE | IN_MOVED_TO));
	put("a", "");
	SUCCEEDS(rename("a", "b"));
	SUCCEEDS(unlink("b"));
	ssize_t n = read(fd, events, sizeof(events));
	HOLDS(n > 0);
	uint32_t seen = 0;
	for (char *at = events; at < events + n;) {
		struct inotify_event *e = (struct inotify_event *)at;
		seen |= e->mask;
		at += sizeof(*e) + e->len;
	}
	HOLDS(seen == (IN_CREATE | IN_DELETE | IN_MOVED_TO));
}

const struct test sharing[] = {
	{ "record locks", record_locks },
	{ "who waits for a lock gets it", waiting_for_a_lock },
	{ "locks of whole files", whole_locks },
	{ "watchers are told", being_told },
	{ 0 },
};
