/* exec: the container's own process section, changed by the options, or one read from a file. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "cli/command.h"
#include "spec.h"

struct values {
	struct exec_options o;
	const char *process;
	const char *cwd;
	const char *user;
	const char *process_label;
	const char *apparmor;
	struct strings env;
	struct strings caps;
	struct strings groups;
	bool tty;
	bool no_new_privs;
	bool ignore_paused;
};

#define AT(member) offsetof(struct values, member)
/* clang-format off */
static const struct option_row options[] = {
	{ "process",         'p', OPT_TEXT, AT(process),          "FILE",      "the process as JSON; - reads standard input" },
	{ "cwd",             0,   OPT_TEXT, AT(cwd),              "DIR",       "its working directory" },
	{ "env",             'e', OPT_MANY, AT(env),              "NAME=VAL",  "one more variable" },
	{ "user",            'u', OPT_TEXT, AT(user),             "UID[:GID]", "who it is" },
	{ "additional-gids", 'g', OPT_MANY, AT(groups),           "GID",       "one more group" },
	{ "tty",             't', OPT_FLAG, AT(tty),              NULL,        "with a terminal" },
	{ "detach",          'd', OPT_FLAG, AT(o.detach),         NULL,        "do not wait for its end" },
	{ "pid-file",        0,   OPT_TEXT, AT(o.pid_file),       "FILE",      "takes its process id" },
	{ "console-socket",  0,   OPT_TEXT, AT(o.console_socket), "SOCKET",    "takes the terminal's master end" },
	{ "pidfd-socket",    0,   OPT_TEXT, AT(o.pidfd_socket),   "SOCKET",    "takes a pidfd of it" },
	{ "no-new-privs",    0,   OPT_FLAG, AT(no_new_privs),     NULL,        "it can never gain privileges" },
	{ "process-label",   0,   OPT_TEXT, AT(process_label),    "LABEL",     "its SELinux label" },
	{ "apparmor",        0,   OPT_TEXT, AT(apparmor),         "PROFILE",   "its AppArmor profile" },
	{ "cap",             'c', OPT_MANY, AT(caps),             "CAP",       "one more capability" },
	{ "preserve-fds",    0,   OPT_U32,  AT(o.preserve_fds),   "N",         "keep descriptors 3 to 3+N-1 open" },
	{ "cgroup",          0,   OPT_TEXT, AT(o.cgroup),         "PATH",      "a cgroup below the container's" },
	{ "ignore-paused",   0,   OPT_FLAG, AT(ignore_paused),    NULL,        "also in a paused container, where it waits" },
};
/* clang-format on */
#undef AT

static error *read_process(struct exec *x, const char *file)
{
	auto_free char *text = NULL;
	struct spec_process *process;
	size_t len;

	if (strcmp(file, "-") == 0)
		try_as(fd_read_all(0, (size_t)16 << 20, &text, &len), "standard input");
	else
		try_as(file_read(AT_FDCWD, file, (size_t)16 << 20, &text, &len), "--process");
	try_as(spec_read_process(text, len, exec_arena(x), &process), "--process");
	exec_set_process(x, process);
	return NULL;
}

/* A copy of list in the arena with room for the words that are added. */
static error *append_texts(struct arena *arena, struct texts *list, const struct strings *more,
			   int n_words, char **words)
{
	char **v = arena_array_of(arena, char *, list->n + more->n + (size_t)n_words + 1);
	size_t n = 0;

	if (!v)
		return arena_exhausted();
	for (size_t i = 0; i < list->n; i++)
		v[n++] = list->v[i];
	for (size_t i = 0; i < more->n; i++)
		v[n++] = arena_strdup(arena, more->v[i]);
	for (int i = 0; i < n_words; i++)
		v[n++] = arena_strdup(arena, words[i]);
	if (n && !v[n - 1])
		return arena_exhausted();
	*list = (struct texts){ v, n };
	return NULL;
}

/* "1000" or "1000:100": numbers alone; names are for those who read the container's files. */
static error *set_user(struct spec_user *user, const char *text)
{
	char uid[16];
	size_t len = strcspn(text, ":");

	if (len >= sizeof(uid))
		return error_said(EINVAL, "--user: '%s' is not UID[:GID]", text);
	memcpy(uid, text, len);
	uid[len] = '\0';
	if (!text_to_u32(uid, &user->uid) ||
	    (text[len] && !text_to_u32(text + len + 1, &user->gid)))
		return error_said(EINVAL, "--user: '%s' is not UID[:GID]", text);
	return NULL;
}

static error *set_groups(struct arena *arena, struct spec_user *user, const struct strings *groups)
{
	uint32_t *v = arena_array_of(arena, uint32_t, user->additional_gids.n + groups->n + 1);

	if (!v)
		return arena_exhausted();
	for (size_t i = 0; i < user->additional_gids.n; i++)
		v[i] = user->additional_gids.v[i];
	for (size_t i = 0; i < groups->n; i++)
		if (!text_to_u32(groups->v[i], &v[user->additional_gids.n + i]))
			return error_said(EINVAL, "--additional-gids: '%s' is not a group number",
					  groups->v[i]);
	user->additional_gids.v = v;
	user->additional_gids.n += groups->n;
	return NULL;
}

/* To the bounding, effective and permitted sets; never inheritable (CVE-2022-29162). */
static error *add_capabilities(struct arena *arena, struct spec_process *p,
			       const struct strings *caps)
{
	struct spec_capabilities *c = arena_new_of(arena, struct spec_capabilities);

	if (!c)
		return arena_exhausted();
	if (p->capabilities)
		*c = *p->capabilities;
	for (size_t i = 0; i < caps->n; i++) {
		const struct name *name = name_find(&capability_names, caps->v[i]);
		if (!name)
			return error_said(EINVAL, "--cap: '%s' is not a capability", caps->v[i]);
		c->bounding.bits |= 1ULL << name->value;
		c->effective.bits |= 1ULL << name->value;
		c->permitted.bits |= 1ULL << name->value;
	}
	p->capabilities = c;
	return NULL;
}

static error *change_process(struct exec *x, const struct values *v, int n_words, char **words)
{
	struct arena *arena = exec_arena(x);
	struct spec_process *p = exec_process(x);
	struct strings none = { 0 };
	struct spec_user *user = arena_new_of(arena, struct spec_user);

	if (!user)
		return arena_exhausted();
	if (p->user)
		*user = *p->user;
	p->user = user;
	if (n_words) {
		p->args = (struct texts){ 0 };
		try(append_texts(arena, &p->args, &none, n_words, words));
	}
	try(append_texts(arena, &p->env, &v->env, 0, NULL));
	if (v->user)
		try(set_user(user, v->user));
	if (v->groups.n)
		try(set_groups(arena, user, &v->groups));
	if (v->caps.n)
		try(add_capabilities(arena, p, &v->caps));
	if (v->cwd)
		p->cwd = arena_strdup(arena, v->cwd);
	if (v->process_label)
		p->selinux_label = arena_strdup(arena, v->process_label);
	if (v->apparmor)
		p->apparmor_profile = arena_strdup(arena, v->apparmor);
	p->no_new_privileges |= v->no_new_privs;
	p->terminal |= v->tty;
	if (!p->cwd)
		p->cwd = arena_strdup(arena, "/");
	return p->cwd ? spec_check_process(p) : arena_exhausted();
}

static error *exec(struct runtime *rt, const void *values, int n, char **words, int *exit_code)
{
	const struct values *v = values;
	auto_exec struct exec *x = NULL;

	if (v->process && n > 1)
		return error_said(EINVAL, "a command and --process exclude each other");
	if (!v->process && n < 2)
		return error_said(EINVAL, "want a command, or --process");
	try(exec_open(rt, words[0], v->ignore_paused, &x));
	if (v->process)
		try(read_process(x, v->process));
	try(change_process(x, v, n - 1, words + 1));
	return exec_run(x, &v->o, exit_code);
}

const struct command command_exec = {
	.name = "exec",
	.args = "ID COMMAND [ARG...]",
	.summary = "run one more process in a container",
	COMMAND_OPTIONS(options, struct values),
	.min = 1,
	.max = -1,
	.in_order = true,
	.run = exec,
	.failure = 255,
};
