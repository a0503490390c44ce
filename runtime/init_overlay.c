/* INIT: overlay mounts. fsconfig(2) takes at most 255 bytes at a time, mount(2) a page: many layers
 * go in one by one
 * ("lowerdir+", Linux 6.8), or, on older kernels, all at once as long as they fit. */
#include <stdio.h>
#include <string.h>

#include "base/kernel.h"
#include "base/text.h"
#include "runtime/init_mounts.h"

/* "lowerdir=a:b:c" as single layers, top first. */
static error *add_layers(int context, const char *list)
{
	auto_free char *copy = strdup(list);

	if (!copy)
		return error_new(ENOMEM, "overlay");
	for (char *rest = copy, *layer; (layer = strsep(&rest, ":"));)
		if (sys_fsconfig(context, FSCONFIG_SET_STRING, "lowerdir+", layer, 0) < 0)
			return error_errno("overlay layer %s", layer);
	return NULL;
}

static error *add_option(int context, const char *option)
{
	char key[64];
	const char *value = strchr(option, '=');

	if (text_starts(option, "lowerdir="))
		return add_layers(context, option + strlen("lowerdir="));
	if (!value || (size_t)(value - option) >= sizeof(key))
		return sys_fsconfig(context, FSCONFIG_SET_FLAG, option, NULL, 0) < 0
			       ? error_errno("%s", option)
			       : NULL;
	snprintf(key, sizeof(key), "%.*s", (int)(value - option), option);
	if (sys_fsconfig(context, FSCONFIG_SET_STRING, key, value + 1, 0) < 0)
		return error_errno("%s", option);
	return NULL;
}

error *overlay_new(const struct mount_row *row, int *out)
{
	auto_fd int context = sys_fsopen("overlay");

	if (context < 0)
		return error_errno("fsopen overlay");
	for (size_t i = 0; i < row->data.n; i++)
		try(add_option(context, row->data.v[i]));
	if (sys_fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return error_errno("overlay");
	int mount = sys_fsmount(context, (unsigned)row->attr_set);
	if (mount < 0)
		return error_errno("fsmount");
	*out = mount;
	return NULL;
}
