#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "cli/command.h"
#include "spec.h"

struct values {
	const char *bundle;
	const char *file;
	bool rootless;
};

#define AT(member) offsetof(struct values, member)
static const struct option_row options[] = {
	{ "bundle", 'b', OPT_TEXT, AT(bundle), "DIR",
	  "where config.json is written (default: here)" },
	{ "config", 'f', OPT_TEXT, AT(file), "FILE", "write that file; - prints it" },
	{ "rootless", 0, OPT_FLAG, AT(rootless), NULL,
	  "for an ordinary user: with a user namespace" },
};
#undef AT

static error *spec(struct runtime *rt, const void *values, int n, char **words, int *exit_code)
{
	const struct values *v = values;
	auto_arena struct arena *arena = NULL;
	auto_json struct json *j = NULL;
	auto_free char *path =
		path_join(v->bundle ? v->bundle : ".", v->file ? v->file : "config.json");
	struct spec *s;
	const char *text;
	size_t len;

	(void)rt, (void)n, (void)words, (void)exit_code;
	if (!path)
		return error_new(ENOMEM, "spec");
	try(arena_new(&arena));
	try(spec_example(v->rootless, geteuid(), getegid(), arena, &s));
	try(json_new(JSON_INDENTED, &j));
	spec_write(s, j);
	try(json_finish(j, &text, &len));
	if (v->file && strcmp(v->file, "-") == 0) {
		fputs(text, stdout);
		return NULL;
	}
	/* one that is there may be somebody's work */
	auto_error error *e = file_create(AT_FDCWD, path, 0644, text, len);
	if (e && error_code(e) == EEXIST)
		return error_said(EEXIST, "%s exists already: remove it first", path);
	return take_ptr(&e);
}

const struct command command_spec = {
	.name = "spec",
	.args = "",
	.summary = "write a config.json to begin with",
	COMMAND_OPTIONS(options, struct values),
	.run = spec,
};
