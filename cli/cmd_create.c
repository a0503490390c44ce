/* create, run and explain: what takes a bundle. */
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/path.h"
#include "cli/command.h"

struct values {
	struct container_options o;
	const char *bundle;
	const char *name;
	bool no_subreaper;
};

#define AT(member) offsetof(struct values, member)
#define BUNDLE                                                                                     \
	{                                                                                          \
		"bundle", 'b', OPT_TEXT, AT(bundle), "DIR", "the bundle's folder (default: here)"  \
	}
#define CONFIG                                                                                     \
	{                                                                                          \
		"config", 'f', OPT_TEXT, AT(o.config), "FILE",                                     \
			"instead of the bundle's config.json"                                      \
	}
#define NAME                                                                                       \
	{                                                                                          \
		"name", 0, OPT_TEXT, AT(name), "ID",                                               \
			"the container's id, where the bundle is the argument"                     \
	}
/* clang-format off */
#define COMMON \
	BUNDLE, CONFIG, NAME, \
	{ "console-socket", 0, OPT_TEXT, AT(o.console_socket), "SOCKET", "takes the terminal's master end" }, \
	{ "pid-file",       0, OPT_TEXT, AT(o.pid_file),       "FILE",   "takes the first process's id" }, \
	{ "pidfd-socket",   0, OPT_TEXT, AT(o.pidfd_socket),   "SOCKET", "takes a pidfd of the first process" }, \
	{ "preserve-fds",   0, OPT_U32,  AT(o.preserve_fds),   "N",      "keep descriptors 3 to 3+N-1 open" }, \
	{ "no-pivot",       0, OPT_FLAG, AT(o.no_pivot),       NULL,     "do without pivot_root: for an initial ramfs" }, \
	{ "no-new-keyring", 0, OPT_FLAG, AT(o.no_new_keyring), NULL,     "keep the caller's session keyring" }

static const struct option_row create_options[] = { COMMON };
static const struct option_row run_options[] = {
	COMMON,
	{ "detach",       'd', OPT_FLAG, AT(o.detach),     NULL, "do not wait for the container to end" },
	{ "keep",         0,   OPT_FLAG, AT(o.keep),       NULL, "do not delete it when it has ended" },
	{ "no-subreaper", 0,   OPT_FLAG, AT(no_subreaper), NULL, "accepted; orphans are always reaped" },
};
static const struct option_row explain_options[] = { BUNDLE, CONFIG };
/* clang-format on */
#undef AT

static error *made_up_id(char *out, size_t size)
{
	unsigned char random[6];

	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return error_errno("getrandom");
	snprintf(out, size, "%02x%02x%02x%02x%02x%02x", random[0], random[1], random[2], random[3],
		 random[4], random[5]);
	return NULL;
}

/* An argument with a slash, or ".", is a bundle: ids never hold a slash. Otherwise it is the id. */
static error *settle(struct values *v, int n, char **words, char *made_up, size_t size)
{
	const char *word = n ? words[0] : NULL;
	bool is_bundle = word && (strchr(word, '/') || strcmp(word, ".") == 0);

	if (is_bundle && v->bundle)
		return error_said(EINVAL, "the bundle is given twice: %s and %s", v->bundle, word);
	if (is_bundle)
		v->bundle = word;
	else if (word && v->name)
		return error_said(EINVAL, "the id is given twice: %s and %s", v->name, word);
	v->o.bundle = v->bundle ? v->bundle : ".";
	v->o.id = is_bundle || !word ? v->name : word;
	if (v->o.id)
		return NULL;
	if (!is_bundle)
		return error_said(EINVAL,
				  "want a bundle's folder (with a slash) or a container id");
	v->o.id = made_up;
	return made_up_id(made_up, size);
}

static error *create(struct runtime *rt, const void *values, int n, char **words, int *exit_code)
{
	struct values v = *(const struct values *)values;
	char made_up[16];

	(void)exit_code;
	try(settle(&v, n, words, made_up, sizeof(made_up)));
	return container_create(rt, &v.o);
}

static error *run(struct runtime *rt, const void *values, int n, char **words, int *exit_code)
{
	struct values v = *(const struct values *)values;
	char made_up[16];

	try(settle(&v, n, words, made_up, sizeof(made_up)));
	try(container_run(rt, &v.o, exit_code));
	if (v.o.detach && v.o.id == made_up)
		puts(made_up);
	return NULL;
}

static error *explain(struct runtime *rt, const void *values, int n, char **words, int *exit_code)
{
	struct values v = *(const struct values *)values;

	(void)exit_code;
	v.o.bundle = n ? words[0] : v.bundle ? v.bundle : ".";
	v.o.id = "explained";
	return container_explain(rt, &v.o);
}

const struct command command_create = {
	.name = "create",
	.args = "ID | BUNDLE/",
	.summary = "make a container that waits for start",
	COMMAND_OPTIONS(create_options, struct values),
	.max = 1,
	.needs_root_dir = true,
	.run = create,
};
const struct command command_run = {
	.name = "run",
	.args = "BUNDLE/ | ID",
	.summary = "make a container, start it and wait for its end",
	COMMAND_OPTIONS(run_options, struct values),
	.max = 1,
	.needs_root_dir = true,
	.run = run,
};
const struct command command_explain = {
	.name = "explain",
	.args = "BUNDLE/",
	.summary = "print the steps that a bundle would take",
	COMMAND_OPTIONS(explain_options, struct values),
	.max = 1,
	.run = explain,
};
