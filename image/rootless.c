#include "image/rootless.h"

#include <fcntl.h>
#include <pwd.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/process.h"
#include "base/text.h"

/* The first range of "NAME:FIRST:COUNT" or "UID:FIRST:COUNT" in a file; count 0 when there is none.
 */
static void find_range(const char *file, const char *name, uid_t uid, struct spec_id_map *out)
{
	auto_free char *text = NULL;
	auto_error error *e = file_read(AT_FDCWD, file, 1 << 20, &text, NULL);
	char *at = text;
	char number[16];

	out->size = 0;
	snprintf(number, sizeof(number), "%u", uid);
	while (!e && at && *at) {
		char *line = strsep(&at, "\n");
		const char *who = strsep(&line, ":");
		const char *first = line ? strsep(&line, ":") : NULL;
		if (!first || !line || (strcmp(who, number) != 0 && strcmp(who, name) != 0))
			continue;
		if (text_to_u32(first, &out->host_id) && text_to_u32(line, &out->size))
			return;
	}
	out->size = 0;
}

/* A map as the files and programs of the kernel and shadow want it. */
static void add_words(const struct spec_id_map *maps, size_t n, struct strings *words)
{
	for (size_t i = 0; i < n; i++) {
		const uint32_t numbers[] = { maps[i].container_id, maps[i].host_id, maps[i].size };
		for (size_t k = 0; k < COUNT(numbers); k++) {
			char text[16];
			snprintf(text, sizeof(text), "%u", numbers[k]);
			auto_error error *e = strings_add(words, text);
		}
	}
}

/* newuidmap is setuid: it checks /etc/subuid and writes what the user itself may not. */
static int run_helper(const char *program, pid_t pid, const struct spec_id_map *maps, size_t n)
{
	struct strings words = { 0 };
	char target[16];

	snprintf(target, sizeof(target), "%d", pid);
	error *e = strings_add(&words, program);
	if (!e)
		e = strings_add(&words, target);
	if (e)
		return 1;
	add_words(maps, n, &words);
	pid_t child = fork();
	if (child == 0) {
		execvp(program, words.v);
		_exit(127);
	}
	strings_free(&words);
	int status = -1;
	error_free(child < 0 ? NULL : process_wait(child, &status));
	return status;
}

/* A child that stays outside maps ids for us, once we are inside. */
static error *enter_with_ranges(const struct rootless *r)
{
	int ready[2];
	int status;
	char byte = 0;
	pid_t parent = getpid();

	if (pipe2(ready, O_CLOEXEC) < 0)
		return error_errno("pipe");
	pid_t child = fork();
	if (child < 0)
		return error_errno("fork");
	if (child == 0) {
		close(ready[1]);
		if (read(ready[0], &byte, 1) != 1)
			_exit(1);
		_exit(run_helper("newuidmap", parent, r->uid_maps, r->n_uid_maps) ||
		      run_helper("newgidmap", parent, r->gid_maps, r->n_gid_maps));
	}
	close(ready[0]);
	bool in = unshare(CLONE_NEWUSER) == 0;
	int code = errno;
	if (in && write(ready[1], &byte, 1) != 1)
		code = errno;
	close(ready[1]);
	try(process_wait(child, &status));
	if (!in)
		return error_new(code, "make a user namespace");
	return status == 0 ? NULL : error_said(EPERM, "newuidmap or newgidmap failed");
}

static error *write_single_map(const struct rootless *r)
{
	char map[64];

	try(file_write(AT_FDCWD, "/proc/self/setgroups", "deny"));
	snprintf(map, sizeof(map), "0 %u 1", r->uid_maps[0].host_id);
	try(file_write(AT_FDCWD, "/proc/self/uid_map", map));
	snprintf(map, sizeof(map), "0 %u 1", r->gid_maps[0].host_id);
	return file_write(AT_FDCWD, "/proc/self/gid_map", map);
}

static bool has_program(const char *name)
{
	static const char *const folders[] = { "/usr/bin", "/bin", "/usr/local/bin" };
	char path[64];

	for (size_t i = 0; i < COUNT(folders); i++) {
		snprintf(path, sizeof(path), "%s/%s", folders[i], name);
		if (access(path, X_OK) == 0)
			return true;
	}
	return false;
}

/* Root inside a namespace that somebody else made: all is mapped already. */
static bool is_in_user_namespace(void)
{
	auto_free char *map = NULL;
	auto_error error *e = file_read(AT_FDCWD, "/proc/self/uid_map", 4096, &map, NULL);
	unsigned inside;
	unsigned outside;
	unsigned count;

	return !e && (sscanf(map, "%u %u %u", &inside, &outside, &count) != 3 || inside != 0 ||
		      outside != 0 || count != UINT32_MAX);
}

error *rootless_enter(struct rootless *out)
{
	struct rootless r = { 0 };
	struct spec_id_map uids = { 1, 0, 0 };
	struct spec_id_map gids = { 1, 0, 0 };
	uid_t uid = geteuid();
	const struct passwd *me;

	if (uid == 0) {
		r.is_rootless = is_in_user_namespace();
		*out = r;
		return NULL;
	}
	r.is_rootless = true;
	me = getpwuid(uid);
	r.uid_maps[0] = (struct spec_id_map){ 0, uid, 1 };
	r.gid_maps[0] = (struct spec_id_map){ 0, getegid(), 1 };
	r.n_uid_maps = r.n_gid_maps = 1;
	find_range("/etc/subuid", me ? me->pw_name : "", uid, &uids);
	find_range("/etc/subgid", me ? me->pw_name : "", uid, &gids);
	r.single_id =
		!uids.size || !gids.size || !has_program("newuidmap") || !has_program("newgidmap");
	if (!r.single_id) {
		r.uid_maps[r.n_uid_maps++] = uids;
		r.gid_maps[r.n_gid_maps++] = gids;
		try(enter_with_ranges(&r));
	} else {
		if (unshare(CLONE_NEWUSER) < 0)
			return error_errno("make a user namespace");
		try_as(write_single_map(&r), "map this user");
	}
	if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		return error_errno("become root of the user namespace");
	*out = r;
	return NULL;
}
