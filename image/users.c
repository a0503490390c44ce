#include "image/users.h"

#include <string.h>

#include "base/fd.h"
#include "base/text.h"

enum { FILE_MAX = 1 << 20, GROUPS_MAX = 1024 };

struct search {
	struct arena *arena;
	char *passwd, *group; /* "" when they are not there */
};

static error *read_file(const struct lower_dir *roots, bool userxattr, const char *path, char **out)
{
	auto_fd int fd = -1;
	auto_error error *e = lower_open_file(roots, path, userxattr, &fd);

	if (e && error_code(e) == ENOENT) {
		*out = strdup("");
		return *out ? NULL : error_new(ENOMEM, "%s", path);
	}
	if (e)
		return error_wrap(take_ptr(&e), "look for the user");
	try_as(fd_read_all(fd, FILE_MAX, out, NULL), "%s of the image", path);
	return NULL;
}

enum { FIELDS_MAX = 7 };

/* The next line's fields, between colons; at is moved behind it. text is changed in place. */
static size_t take_line(char **at, char **fields)
{
	char *line = strsep(at, "\n");
	size_t n = 0;

	while (line && n < FIELDS_MAX)
		fields[n++] = strsep(&line, ":");
	return n;
}

static bool is_id(const char *text, uint32_t *id)
{
	return text_to_u32(text, id) && *id != UINT32_MAX;
}

/* By name, or by id when name is NULL. */
static error *find_passwd(struct search *s, const char *name, uint32_t id, struct user *out,
			  bool *found)
{
	auto_free char *copy = strdup(s->passwd);
	char *at = copy;
	char *f[FIELDS_MAX];

	*found = false;
	if (!copy)
		return error_new(ENOMEM, "passwd");
	while (at) {
		uint32_t uid;
		uint32_t gid;
		size_t n = take_line(&at, f);
		if (n < 4 || !is_id(f[2], &uid) || !is_id(f[3], &gid))
			continue;
		if (name ? strcmp(f[0], name) != 0 : uid != id)
			continue;
		*found = true;
		out->uid = uid;
		out->gid = gid;
		out->name = arena_strdup(s->arena, f[0]);
		out->home = n > 5 && f[5][0] == '/' ? arena_strdup(s->arena, f[5]) : NULL;
		return out->name ? NULL : arena_exhausted();
	}
	return NULL;
}

static bool lists_member(char *members, const char *name)
{
	for (char *member; (member = strsep(&members, ","));)
		if (strcmp(member, name) == 0)
			return true;
	return false;
}

/* The groups that name the user as a member. Not its own: runtimes add that by themselves, and
 * twice it would survive where it must not (CVE-2022-2989). */
static error *find_more_groups(struct search *s, struct user *user)
{
	auto_free char *copy = strdup(s->group);
	char *at = copy;
	char *f[FIELDS_MAX];

	user->more_gids.v = arena_array_of(s->arena, uint32_t, GROUPS_MAX);
	if (!copy || !user->more_gids.v)
		return error_new(ENOMEM, "group");
	while (at && user->more_gids.n < GROUPS_MAX) {
		uint32_t gid;
		size_t n = take_line(&at, f);
		bool known = n < 4 || !is_id(f[2], &gid) || gid == user->gid ||
			     !lists_member(f[3], user->name);
		for (size_t i = 0; !known && i < user->more_gids.n; i++)
			known = user->more_gids.v[i] == gid;
		if (!known)
			user->more_gids.v[user->more_gids.n++] = gid;
	}
	return NULL;
}

static error *find_group(struct search *s, const char *name, uint32_t *gid)
{
	auto_free char *copy = strdup(s->group);
	char *at = copy;
	char *f[FIELDS_MAX];

	if (is_id(name, gid))
		return NULL;
	while (at)
		if (take_line(&at, f) >= 3 && strcmp(f[0], name) == 0 && is_id(f[2], gid))
			return NULL;
	return error_said(EINVAL, "the image has no group '%s'", name);
}

static error *find(struct search *s, const char *text, struct user *out)
{
	size_t len = strcspn(text, ":");
	const char *group = text[len] ? text + len + 1 : NULL;
	char *user = arena_strndup(s->arena, text, len);
	uint32_t id = 0;
	bool found;

	if (!user)
		return arena_exhausted();
	bool is_number = !*user || is_id(user, &id);
	if (!is_number && strspn(user, "0123456789-") == strlen(user))
		return error_said(EINVAL, "the user %s is not from 0 to 4294967294", user);
	try(find_passwd(s, is_number ? NULL : user, id, out, &found));
	if (!found && !is_number)
		return error_said(EINVAL, "the image has no user '%s'", user);
	if (is_number)
		out->uid = id;
	if (group && *group)
		return find_group(s, group, &out->gid);
	return found && !is_number ? find_more_groups(s, out) : NULL;
}

error *user_find(const struct lower_dir *roots, bool userxattr, const char *text,
		 struct arena *arena, struct user *out)
{
	auto_free char *passwd = NULL;
	auto_free char *group = NULL;
	struct user user = { 0 };

	try(read_file(roots, userxattr, "/etc/passwd", &passwd));
	try(read_file(roots, userxattr, "/etc/group", &group));
	struct search s = { arena, passwd, group };
	try(find(&s, text ? text : "", &user));
	*out = user;
	return NULL;
}
