#include "base/options.h"

#include <stdio.h>
#include <string.h>

static const struct option_row *by_name(const struct option_row *rows, size_t n, const char *text,
					size_t len)
{
	for (size_t i = 0; i < n; i++)
		if (strncmp(rows[i].name, text, len) == 0 && !rows[i].name[len])
			return &rows[i];
	return NULL;
}

static const struct option_row *by_letter(const struct option_row *rows, size_t n, char letter)
{
	for (size_t i = 0; i < n; i++)
		if (rows[i].letter == letter)
			return &rows[i];
	return NULL;
}

static error *store(const struct option_row *o, const char *value, void *values)
{
	void *at = (char *)values + o->offset;
	int64_t bytes;

	switch (o->kind) {
	case OPT_FLAG:
		if (value && strcmp(value, "true") != 0 && strcmp(value, "false") != 0)
			return error_said(EINVAL, "--%s: want true or false", o->name);
		*(bool *)at = !value || strcmp(value, "true") == 0;
		return NULL;
	case OPT_TEXT:
		*(const char **)at = value;
		return NULL;
	case OPT_U32:
		return text_to_u32(value, at)
			       ? NULL
			       : error_said(EINVAL, "--%s: '%s' is not a number", o->name, value);
	case OPT_BYTES:
		if (text_to_bytes(value, &bytes) && bytes >= 0) {
			*(int64_t *)at = bytes;
			return NULL;
		}
		return error_said(EINVAL, "--%s: '%s' is not a size such as 512, 64m or 1G",
				  o->name, value);
	case OPT_MANY:
		return strings_add(at, value);
	}
	return NULL;
}

/* "--name", "--name=value", "--name value" */
static error *long_option(const struct option_row *rows, size_t n, char ***word, void *values)
{
	char *text = **word + 2;
	size_t len = strcspn(text, "=");
	const struct option_row *o = by_name(rows, n, text, len);
	const char *value = text[len] ? text + len + 1 : NULL;

	if (!o)
		return error_said(EINVAL, "unknown option --%.*s", (int)len, text);
	if (!value && o->kind != OPT_FLAG) {
		value = *++*word;
		if (!value)
			return error_said(EINVAL, "--%s needs a value", o->name);
	}
	return store(o, value, values);
}

/* "-d", "-dt", "-e VALUE", "-eVALUE", "-t=false" */
static error *short_options(const struct option_row *rows, size_t n, char ***word, void *values)
{
	for (char *c = **word + 1; *c; c++) {
		const struct option_row *o = by_letter(rows, n, *c);
		if (!o)
			return error_said(EINVAL, "unknown option -%c", *c);
		if (o->kind == OPT_FLAG && c[1] == '=')
			return store(o, c + 2, values);
		if (o->kind == OPT_FLAG) {
			try(store(o, NULL, values));
			continue;
		}
		const char *value = c[1] == '=' ? c + 2 : c[1] ? c + 1 : *++*word;
		if (!value)
			return error_said(EINVAL, "-%c needs a value", o->letter);
		return store(o, value, values);
	}
	return NULL;
}

error *options_parse(const struct option_row *rows, size_t n_rows, bool in_order, int argc,
		     char **argv, void *values, char ***rest, int *n, bool *help)
{
	char **words = argv + 1; /* kept words move to the front, in their order */
	int kept = 0;
	bool options_end = false;

	for (char **word = argv + 1; word < argv + argc && *word; word++) {
		char *w = *word;
		if (options_end || w[0] != '-' || !w[1]) {
			words[kept++] = w;
			options_end |= in_order;
		} else if (strcmp(w, "--") == 0) {
			options_end = true;
		} else if (strcmp(w, "--help") == 0 || strcmp(w, "--usage") == 0 ||
			   (strcmp(w, "-h") == 0 && !by_letter(rows, n_rows, 'h'))) {
			*help = true;
		} else if (w[1] == '-') {
			try(long_option(rows, n_rows, &word, values));
		} else {
			try(short_options(rows, n_rows, &word, values));
		}
	}
	words[kept] = NULL;
	*rest = words;
	*n = kept;
	return NULL;
}

void options_print(const struct option_row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char left[48];
		char letter[8] = "    ";
		if (rows[i].letter)
			snprintf(letter, sizeof(letter), "-%c, ", rows[i].letter);
		snprintf(left, sizeof(left), "%s--%s%s%s", letter, rows[i].name,
			 rows[i].arg ? " " : "", rows[i].arg ? rows[i].arg : "");
		printf("  %-34s %s\n", left, rows[i].help);
	}
}
