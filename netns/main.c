/* skiff-net: what skiff has done to network devices. One line on standard error when it fails. */
#include <stdio.h>
#include <string.h>

#include "netns.h"

static error *act(int argc, char **argv)
{
	if (argc != 5)
		return error_said(EINVAL, "want: skiff-net move|return NAMESPACE NAME NEW-NAME");
	if (strcmp(argv[1], "move") == 0)
		return netns_move_device(argv[2], argv[3], argv[4]);
	if (strcmp(argv[1], "return") == 0)
		return netns_return_device(argv[2], argv[3], argv[4]);
	return error_said(EINVAL, "unknown verb '%s'", argv[1]);
}

int main(int argc, char **argv)
{
	auto_error error *e = act(argc, argv);

	if (e)
		fprintf(stderr, "%s\n", error_message(e));
	return e ? 1 : 0;
}
