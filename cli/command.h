/* A command is a row: its name, its options, what it does. */
#pragma once

#include "base/arena.h"
#include "base/options.h"
#include "runtime.h"

struct command {
	const char *name;
	const char *args;    /* what follows, for --help */
	const char *summary; /* one line */
	const struct option_row *options;
	size_t n_options;
	size_t values_size;
	int min, max;        /* how many words; max -1: any */
	bool in_order;       /* options end at the first word */
	bool needs_root_dir; /* the folder of states is made when it is missing */
	/* exit_code is 0 before; a failure exits with 1, or with what error_exit_code says */
	error *(*run)(struct runtime *rt, const void *values, int n, char **words, int *exit_code);
	int failure; /* exit code of a failure, 0: 1 */
};

#define COMMAND_OPTIONS(rows, type)                                                                \
	.options = (rows), .n_options = COUNT(rows), .values_size = sizeof(type)

extern const struct command command_create, command_start, command_run, command_state, command_kill,
	command_delete, command_exec, command_list, command_ps, command_pause, command_resume,
	command_update, command_events, command_spec, command_features, command_explain,
	command_diff, command_image, command_kernel, command_net, command_help, command_version;
extern const struct command *const commands[];
extern const size_t n_commands;
extern const struct option_row global_options[];
extern const size_t n_global_options;

void command_print_help(const struct command *c);
