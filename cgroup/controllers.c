/* A controller works in a cgroup when every cgroup above hands it on (cgroup.subtree_control). */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "cgroup/hierarchy.h"
#include "cgroup/limits.h"

/* What `events` reports on; the other runtimes turn them on for every container, too. */
static const char *const with_figures[] = { "cpu", "io", "memory", "pids" };

enum { WANTED_MAX = 32 };

struct wanted {
	const char *names[WANTED_MAX];
	const char *for_what[WANTED_MAX]; /* JSON path; NULL: nice to have */
	size_t n;
};

static void want(struct wanted *w, const char *name, const char *for_what)
{
	for (size_t i = 0; i < w->n; i++)
		if (strcmp(w->names[i], name) == 0)
			return;
	if (w->n < WANTED_MAX) {
		w->names[w->n] = name;
		w->for_what[w->n++] = for_what;
	}
}

static error *cannot(const struct wanted *w, size_t i, const char *above, int code)
{
	auto_free char *why = NULL;

	switch (code) {
	case EBUSY:
		return error_said(
			EBUSY,
			"%s: the %s controller cannot be handed on by the cgroup %s, which "
			"holds processes itself",
			w->for_what[i], w->names[i], above);
	case ENOENT:
		why = hierarchy_why_missing(w->names[i]);
		return error_said(ENOTSUP, "%s: %s", w->for_what[i], why ? why : w->names[i]);
	default:
		return error_new(code, "%s: enable the %s controller below the cgroup %s",
				 w->for_what[i], w->names[i], above);
	}
}

/* Inside a container our own cgroup is the top, and holds processes, so that it can hand on
 * nothing: these move into a cgroup of their own, as a container's init does elsewhere. The
 * kernel's own top, which has no cgroup.type, may hold processes and hand on alike. What cannot be
 * moved stays. */
static void make_room(int mount)
{
	auto_free char *list = NULL;
	auto_error error *e = file_read(mount, "cgroup.procs", 1 << 20, &list, NULL);

	if (e || !*list || faccessat(mount, "cgroup.type", F_OK, 0) < 0 ||
	    (mkdirat(mount, "init", 0755) < 0 && errno != EEXIST))
		return;
	for (char *rest = list, *pid; (pid = strsep(&rest, "\n"));) {
		auto_error error *gone = *pid ? file_write(mount, "init/cgroup.procs", pid) : NULL;
		if (gone)
			log_debug("%s", error_message(gone));
	}
}

/* above: a cgroup as hierarchy_below() says it. All in one write, or, since that is all or nothing,
 * one by one. */
static error *hand_on(int mount, const char *above, const char *enabled, const struct wanted *w)
{
	auto_free char *file = NULL;
	char all[WANTED_MAX * 18] = "";
	size_t len = 0;

	if (asprintf(&file, "%s/cgroup.subtree_control", above) < 0)
		return error_new(ENOMEM, "cgroup");
	for (size_t i = 0; i < w->n; i++)
		if (!has_word(enabled, w->names[i]) && len + strlen(w->names[i]) + 2 < sizeof(all))
			len += (size_t)snprintf(all + len, sizeof(all) - len, "+%s ", w->names[i]);
	if (!len)
		return NULL;
	auto_error error *together = file_write(mount, file, all);
	if (!together)
		return NULL;
	for (size_t i = 0; i < w->n; i++) {
		char one[32];
		if (has_word(enabled, w->names[i]))
			continue;
		snprintf(one, sizeof(one), "+%s", w->names[i]);
		auto_error error *alone = file_write(mount, file, one);
		if (alone && w->for_what[i])
			return cannot(w, i, above, error_code(alone));
	}
	return NULL;
}

/* What a cgroup hands on; *done when nothing that is wanted is missing. */
static error *look(int mount, const char *above, const struct wanted *w, char **enabled, bool *done)
{
	auto_free char *file = NULL;

	if (asprintf(&file, "%s/cgroup.subtree_control", above) < 0)
		return error_new(ENOMEM, "cgroup");
	try(file_read(mount, file, 4096, enabled, NULL));
	*done = true;
	for (size_t i = 0; i < w->n; i++)
		*done &= has_word(*enabled, w->names[i]);
	return NULL;
}

static error *controllers_exist(int mount, const struct wanted *w)
{
	auto_free char *here = NULL;

	try(file_read(mount, "cgroup.controllers", 4096, &here, NULL));
	for (size_t i = 0; i < w->n; i++)
		if (w->for_what[i] && !has_word(here, w->names[i]))
			return cannot(w, i, "/", ENOENT);
	return NULL;
}

/* From the top down to above, since a cgroup can hand on only what it was given. */
static error *hand_down(int mount, char *above, const struct wanted *w)
{
	char *cut = above;

	for (const char *level = ".";; level = above) {
		auto_free char *enabled = NULL;
		bool done;
		try(look(mount, level, w, &enabled, &done));
		if (!done && level != above)
			make_room(mount);
		if (!done)
			try(hand_on(mount, level, enabled, w));
		if (level == above)
			*cut++ = '/';
		cut = strchr(cut, '/');
		if (!cut)
			return NULL;
		*cut = '\0';
	}
}

/* What the parent hands on, all above it hand on: mostly this one look is enough. */
static error *look_at_parent(int mount, char *above, const struct wanted *w, bool *done)
{
	auto_free char *enabled = NULL;
	char *end = strrchr(above, '/');
	error *e;

	if (end)
		*end = '\0';
	e = look(mount, end ? above : ".", w, &enabled, done);
	if (end)
		*end = '/';
	return e;
}

error *controllers_enable(const struct cgroup *c, const struct limits *limits, bool figures)
{
	struct wanted w = { 0 };
	auto_free char *path = NULL;
	bool done = false;

	for (size_t i = 0; i < limits->n; i++)
		if (limits->v[i].controller && !limit_is_unlimited(&limits->v[i]))
			want(&w, limits->v[i].controller, limits->v[i].json);
	for (size_t i = 0; figures && i < COUNT(with_figures); i++)
		want(&w, with_figures[i], NULL);
	if (!w.n)
		return NULL;
	path = strdup(hierarchy_below(c->path));
	if (!path)
		return error_new(ENOMEM, "cgroup");
	try(look_at_parent(c->mount, path, &w, &done));
	if (done)
		return NULL;
	try(controllers_exist(c->mount, &w));
	return hand_down(c->mount, path, &w);
}
