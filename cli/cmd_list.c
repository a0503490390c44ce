#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/json.h"
#include "cli/command.h"

struct values {
	bool quiet;
	const char *format;
};

static const struct option_row options[] = {
	{ "quiet", 'q', OPT_FLAG, offsetof(struct values, quiet), NULL, "ids only" },
	{ "format", 'f', OPT_TEXT, offsetof(struct values, format), "FORMAT", "table or json" },
};

static error *print_json(const struct container_row *rows, size_t n)
{
	auto_json struct json *j = NULL;
	const char *text;

	try(json_new(JSON_INDENTED, &j));
	json_array(j, NULL);
	for (size_t i = 0; i < n; i++) {
		json_object(j, NULL);
		json_text(j, "ociVersion", rows[i].oci_version);
		json_text(j, "id", rows[i].id);
		json_i64(j, "pid", rows[i].pid);
		json_text(j, "status", rows[i].status);
		json_text(j, "bundle", rows[i].bundle);
		json_text(j, "rootfs", rows[i].rootfs);
		json_text(j, "created", rows[i].created);
		json_pairs(j, "annotations", rows[i].annotations.v, rows[i].annotations.n);
		json_text(j, "owner", rows[i].owner);
		json_end(j);
	}
	json_end(j);
	try(json_finish(j, &text, NULL));
	fputs(text, stdout);
	return NULL;
}

static void print_table(const struct container_row *rows, size_t n)
{
	int id = 2;
	int bundle = 6;

	for (size_t i = 0; i < n; i++) {
		id = (int)strlen(rows[i].id) > id ? (int)strlen(rows[i].id) : id;
		bundle =
			(int)strlen(rows[i].bundle) > bundle ? (int)strlen(rows[i].bundle) : bundle;
	}
	printf("%-*s  %-8s %-8s %-*s  %-30s  %s\n", id, "ID", "PID", "STATUS", bundle, "BUNDLE",
	       "CREATED", "OWNER");
	for (size_t i = 0; i < n; i++)
		printf("%-*s  %-8d %-8s %-*s  %-30s  %s\n", id, rows[i].id, rows[i].pid,
		       rows[i].status, bundle, rows[i].bundle, rows[i].created, rows[i].owner);
}

static error *list(struct runtime *rt, const void *values, int n_words, char **words,
		   int *exit_code)
{
	const struct values *v = values;
	auto_arena struct arena *arena = NULL;
	struct container_row *rows;
	size_t n;

	(void)n_words, (void)words, (void)exit_code;
	if (v->format && strcmp(v->format, "table") != 0 && strcmp(v->format, "json") != 0)
		return error_said(EINVAL, "--format: '%s' is neither table nor json", v->format);
	try(arena_new(&arena));
	try(container_list(rt, arena, &rows, &n));
	if (v->format && strcmp(v->format, "json") == 0)
		return print_json(rows, n);
	if (!v->quiet)
		print_table(rows, n);
	for (size_t i = 0; v->quiet && i < n; i++)
		puts(rows[i].id);
	return NULL;
}

const struct command command_list = {
	.name = "list",
	.args = "",
	.summary = "list containers",
	COMMAND_OPTIONS(options, struct values),
	.run = list,
};
