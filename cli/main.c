/* skiff: the command table, the global options, and the one place where errors are printed. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/kernel.h"
#include "base/log.h"
#include "cli/command.h"
#include "runtime/state.h"

const struct command *const commands[] = {
	&command_run,      &command_create,  &command_start,  &command_exec,   &command_state,
	&command_list,     &command_ps,      &command_kill,   &command_delete, &command_pause,
	&command_resume,   &command_update,  &command_events, &command_spec,   &command_explain,
	&command_features, &command_diff,    &command_image,  &command_kernel, &command_net,
	&command_help,     &command_version,
};
const size_t n_commands = COUNT(commands);

struct globals {
	const char *root;
	const char *log;
	const char *log_format;
	const char *log_level;
	const char *cgroup_manager;
	const char *rootless;
	bool systemd_cgroup;
	bool debug;
	bool version;
};

#define AT(member) offsetof(struct globals, member)
/* clang-format off */
const struct option_row global_options[] = {
	{ "root",           0,   OPT_TEXT, AT(root),           "DIR",    "where states are kept (/run/skiff; $XDG_RUNTIME_DIR/skiff)" },
	{ "log",            0,   OPT_TEXT, AT(log),            "DEST",   "errors go there too: PATH, file:PATH, syslog:ID, journald:ID" },
	{ "log-format",     0,   OPT_TEXT, AT(log_format),     "FORMAT", "text or json" },
	{ "log-level",      0,   OPT_TEXT, AT(log_level),      "LEVEL",  "error, warning or debug" },
	{ "debug",          0,   OPT_FLAG, AT(debug),          NULL,     "the same as --log-level debug: each step with its time" },
	{ "cgroup-manager", 0,   OPT_TEXT, AT(cgroup_manager), "NAME",   "cgroupfs, systemd or disabled" },
	{ "systemd-cgroup", 's', OPT_FLAG, AT(systemd_cgroup), NULL,     "the same as --cgroup-manager systemd" },
	{ "rootless",       0,   OPT_TEXT, AT(rootless),       "WHEN",   "true, false or auto" },
	{ "version",        'v', OPT_FLAG, AT(version),        NULL,     "print the version" },
	{ "version",        'V', OPT_FLAG, AT(version),        NULL,     "the same" },
};
/* clang-format on */
#undef AT
const size_t n_global_options = COUNT(global_options);

/* A word out of a list of words; its place is the value. */
static error *pick(const char *option, const char *word, const char *const *words, size_t n,
		   int *out)
{
	for (size_t i = 0; word && i < n; i++)
		if (strcmp(words[i], word) == 0) {
			*out = (int)i;
			return NULL;
		}
	return word ? error_said(EINVAL, "--%s: '%s' is none of its values", option, word) : NULL;
}

static error *apply_globals(const struct globals *g, struct runtime *rt)
{
	static const char *const formats[] = { "text", "json" };
	static const char *const levels[] = { "error", "warning", "debug", "warn", "info" };
	static const char *const managers[] = { "cgroupfs", "systemd", "disabled" };
	static const char *const whens[] = { "auto", "true", "false" };
	int format = LOG_TEXT;
	int level = LOG_LEVEL_ERROR;
	int manager = g->systemd_cgroup ? CGROUP_SYSTEMD : CGROUP_FS;
	int when = 0;

	try(pick("log-format", g->log_format, formats, COUNT(formats), &format));
	try(pick("log-level", g->log_level, levels, COUNT(levels), &level));
	try(pick("cgroup-manager", g->cgroup_manager, managers, COUNT(managers), &manager));
	try(pick("rootless", g->rootless, whens, COUNT(whens), &when));
	if (level > LOG_LEVEL_DEBUG)
		level = LOG_LEVEL_WARNING;
	if (g->debug)
		level = LOG_LEVEL_DEBUG;
	try(log_open(g->log, (enum log_format)format, (enum log_level)level));
	rt->debug = level == LOG_LEVEL_DEBUG;
	rt->cgroup_manager = (enum cgroup_manager)manager;
	rt->rootless = when ? when == 1 : geteuid() != 0;
	return NULL;
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < n_commands; i++)
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	return NULL;
}

static error *run_command(const struct command *c, const struct globals *g, struct runtime *rt,
			  int argc, char **argv, int *exit_code)
{
	auto_free void *values = calloc(1, c->values_size + 1);
	auto_free char *root = NULL;
	char **words;
	int n;
	bool help = false;

	if (!values)
		return error_new(ENOMEM, "options");
	try(options_parse(c->options, c->n_options, c->in_order, argc, argv, values, &words, &n,
			  &help));
	if (help) {
		command_print_help(c);
		return NULL;
	}
	if (n < c->min || (c->max >= 0 && n > c->max))
		return error_said(EINVAL, "want: skiff %s %s", c->name, c->args);
	try(state_root(g->root, c->needs_root_dir, &root));
	rt->root = root;
	return c->run(rt, values, n, words, exit_code);
}

/* A closed 0, 1 or 2 would be taken by the next file that is opened. */
static void fill_standard_descriptors(void)
{
	for (int fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0)
			_exit(1);
}

int main(int argc, char **argv)
{
	struct globals globals = { 0 };
	struct runtime rt = { 0 };
	char **words = NULL;
	int n = 0;
	int exit_code = 0;
	bool help = false;

	fill_standard_descriptors();
	auto_error error *e = options_parse(global_options, n_global_options, true, argc, argv,
					    &globals, &words, &n, &help);
	if (!e)
		e = apply_globals(&globals, &rt);
	const struct command *c = &command_help;
	if (!e && globals.version)
		c = &command_version;
	else if (!e && !help && n > 0)
		c = find_command(words[0]);
	if (!e && !c)
		e = error_said(EINVAL, "unknown command '%s': see skiff help", words[0]);
	if (e) {
		log_error(NULL, e);
		return 1;
	}
	char *alone[] = { (char *)c->name, NULL };
	bool given = n > 0 && strcmp(words[0], c->name) == 0;
	e = run_command(c, &globals, &rt, given ? n : 1, given ? words : alone, &exit_code);
	if (!e && fflush(stdout) != 0)
		e = error_errno("write to standard output");
	if (!e)
		return exit_code;
	e = error_wrap(e, "%s", c->name);
	log_error(c->name, e);
	return error_exit_code(e, c->failure ? c->failure : 1);
}
