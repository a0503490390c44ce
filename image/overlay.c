#include "image/overlay.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/kernel.h"
#include "base/overlay.h"

error *image_show(const struct texts *lowers, bool userxattr, const char *target)
{
	static char user_marks[] = "userxattr";
	auto_free char *layers = overlay_layers(lowers->v, lowers->n);
	char *options[] = { layers, user_marks };
	size_t n = userxattr ? 2 : 1;
	auto_fd int dir = open(target, O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_fd int mount = -1;

	if (!layers)
		return error_new(ENOMEM, "overlay");
	if (dir < 0)
		return error_errno("open %s", target);
	try(overlay_new(options, n, MOUNT_ATTR_RDONLY, &mount));
	if (mount < 0)
		return overlay_mount_on(options, n, MS_RDONLY, dir, &mount);
	if (sys_move_mount(mount, "", dir, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) <
	    0)
		return error_errno("mount at %s", target);
	return NULL;
}
