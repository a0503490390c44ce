#include "image/overlay.h"

#include <fcntl.h>
#include <string.h>

#include "base/kernel.h"

static error *set(int fs, const char *key, const char *value)
{
	if (sys_fsconfig(fs, value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, key, value, 0) < 0)
		return error_errno("overlay: %s", key);
	return NULL;
}

/* Kernels before 6.5 take all lowers as one string of at most 255 bytes. */
static error *set_lowers_at_once(int fs, const struct texts *lowers)
{
	size_t size = 1;

	for (size_t i = 0; i < lowers->n; i++)
		size += strlen(lowers->v[i]) + 1;
	auto_free char *all = calloc(1, size);
	if (!all)
		return error_new(ENOMEM, "overlay");
	for (size_t i = 0; i < lowers->n; i++) {
		strcat(all, i ? ":" : "");
		strcat(all, lowers->v[i]);
	}
	return set(fs, "lowerdir", all);
}

static error *set_lowers(int fs, const struct texts *lowers)
{
	for (size_t i = 0; i < lowers->n; i++) {
		auto_error error *e = set(fs, "lowerdir+", lowers->v[i]);
		if (e && i == 0 && error_code(e) == EINVAL)
			return set_lowers_at_once(fs, lowers);
		if (e)
			return take_ptr(&e);
	}
	return NULL;
}

error *overlay_mount(const struct texts *lowers, const char *upper, const char *work,
		     bool userxattr, const char *target)
{
	auto_fd int fs = sys_fsopen("overlay");

	if (fs < 0)
		return error_errno("overlay");
	try(set_lowers(fs, lowers));
	if (upper)
		try(set(fs, "upperdir", upper));
	if (work)
		try(set(fs, "workdir", work));
	if (userxattr)
		try(set(fs, "userxattr", NULL));
	if (sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return error_errno("overlay: make it");
	auto_fd int mount = sys_fsmount(fs, upper ? 0 : MOUNT_ATTR_RDONLY);
	if (mount < 0)
		return error_errno("overlay: mount");
	if (sys_move_mount(mount, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return error_errno("overlay: mount at %s", target);
	return NULL;
}

void overlay_unmount(const char *target)
{
	sys_umount2(target, MNT_DETACH);
}
