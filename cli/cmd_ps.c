#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/json.h"
#include "cli/command.h"

struct values {
	const char *format;
};

static const struct option_row options[] = {
	{ "format", 'f', OPT_TEXT, offsetof(struct values, format), "FORMAT", "table or json" },
};

static error *print_json(const pid_t *pids, size_t n)
{
	auto_json struct json *j = NULL;
	const char *text;

	try(json_new(JSON_ONE_LINE, &j));
	json_array(j, NULL);
	for (size_t i = 0; i < n; i++)
		json_i64(j, NULL, pids[i]);
	json_end(j);
	try(json_finish(j, &text, NULL));
	puts(text);
	return NULL;
}

static bool is_among(const pid_t *pids, size_t n, long pid)
{
	for (size_t i = 0; i < n; i++)
		if (pids[i] == pid)
			return true;
	return false;
}

/* The number in the column that the header calls PID. */
static long pid_of_line(const char *line, int column)
{
	for (int i = 0; i < column; i++) {
		line += strspn(line, " ");
		line += strcspn(line, " ");
	}
	return strtol(line, NULL, 10);
}

static int pid_column(const char *header)
{
	int column = 0;

	for (const char *at = header + strspn(header, " "); *at; column++) {
		size_t len = strcspn(at, " \n");
		if (len == 3 && strncmp(at, "PID", 3) == 0)
			return column;
		at += len;
		at += strspn(at, " \n");
	}
	return -1;
}

/* ps(1) knows how to show a process; its lines about others are left out. */
static error *print_table(const pid_t *pids, size_t n, char **ps_args)
{
	static char *const usual[] = { "ps", "-ef", NULL };
	int out[2];
	auto_free char *line = NULL;
	size_t size = 0;
	int status;

	if (pipe(out) < 0)
		return error_errno("pipe");
	pid_t child = fork();
	if (child < 0)
		return error_errno("fork");
	if (child == 0) {
		dup2(out[1], 1);
		close(out[0]);
		close(out[1]);
		execvp("ps", ps_args ? ps_args : usual);
		_exit(127);
	}
	close(out[1]);
	FILE *lines = fdopen(out[0], "r");
	int column = -1;
	if (lines && getline(&line, &size, lines) > 0) {
		column = pid_column(line);
		fputs(line, stdout);
	}
	while (lines && column >= 0 && getline(&line, &size, lines) > 0)
		if (is_among(pids, n, pid_of_line(line, column)))
			fputs(line, stdout);
	if (lines)
		fclose(lines);
	waitpid(child, &status, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return error_said(
			ENOENT,
			"the table is made by ps(1), which is not installed (Debian: procps)");
	return column < 0 ? error_said(0, "ps(1) printed no PID column") : NULL;
}

static error *ps(struct runtime *rt, const void *values, int n_words, char **words, int *exit_code)
{
	const struct values *v = values;
	auto_free pid_t *pids = NULL;
	auto_free char *guest = NULL;
	size_t n = 0;
	char program[] = "ps";

	(void)exit_code;
	if (v->format && strcmp(v->format, "table") != 0 && strcmp(v->format, "json") != 0)
		return error_said(EINVAL, "--format: '%s' is neither table nor json", v->format);
	try(container_pids(rt, words[0], &pids, &n, &guest));
	if (v->format && strcmp(v->format, "json") == 0)
		return print_json(pids, n);
	if (guest && n_words > 1)
		return error_said(ENOTSUP,
				  "ps(1) of this host, and so its options, cannot look into "
				  "the container's sandbox");
	if (guest) {
		fputs(guest, stdout);
		return NULL;
	}
	words[0] = program;
	return print_table(pids, n, n_words > 1 ? words : NULL);
}

const struct command command_ps = {
	.name = "ps",
	.args = "ID [PS-OPTION...]",
	.summary = "list the processes of a container",
	COMMAND_OPTIONS(options, struct values),
	.min = 1,
	.max = -1,
	.in_order = true,
	.run = ps,
};
