#include "base/names.h"

#include <string.h>

const struct name *name_find(const struct names *names, const char *text)
{
	for (size_t i = 0; i < names->n; i++)
		if (strcmp(names->list[i].text, text) == 0)
			return &names->list[i];
	return NULL;
}

const char *name_of(const struct names *names, int64_t value)
{
	for (size_t i = 0; i < names->n; i++)
		if (names->list[i].value == value)
			return names->list[i].text;
	return NULL;
}
