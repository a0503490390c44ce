/* Options as rows: parsing and --help are both made from them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text.h"

enum option_kind {
	OPT_FLAG,  /* bool; --name, --name=true, --name=false */
	OPT_TEXT,  /* const char * */
	OPT_U32,   /* uint32_t */
	OPT_BYTES, /* int64_t: 512, 64m, 1G; not negative */
	OPT_MANY,  /* struct strings: may be given again and again */
};

struct option_row {
	const char *name; /* without the dashes */
	char letter;      /* 0: none */
	enum option_kind kind;
	size_t offset;   /* in the command's struct of values */
	const char *arg; /* what --help calls its value */
	const char *help;
};

/* Fills values from argv (argv[0] is the command's name) and leaves the other words: *rest points
 * at the first, *n counts them. With in_order the first word that is no option ends the options, so
 * that what follows reaches another program untouched. "--" ends them always. --help sets *help. */
must_use error *options_parse(const struct option_row *rows, size_t n_rows, bool in_order, int argc,
			      char **argv, void *values, char ***rest, int *n, bool *help);
void options_print(const struct option_row *rows, size_t n);
