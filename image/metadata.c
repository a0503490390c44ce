#include "image/metadata.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

#include "base/text.h"

enum { VERDICT_DROP, VERDICT_TRUSTED };

/* Names that are not taken from an archive. A layer that sets overlayfs' own could show any folder
 * of the host as its own (redirect) or hide others; labels of the host's policy would be wrong on
 * any other host; the last are what this program writes down. */
static const struct {
	const char *start;
	int verdict;
} held_back[] = {
	{ "trusted.overlay.", VERDICT_DROP }, { "user.overlay.", VERDICT_DROP },
	{ "security.selinux", VERDICT_DROP }, { "security.ima", VERDICT_DROP },
	{ "security.evm", VERDICT_DROP },     { "system.nfs4_acl", VERDICT_DROP },
	{ "user.skiff.", VERDICT_DROP },      { "trusted.", VERDICT_TRUSTED },
};

bool metadata_takes_xattr(const char *name, const struct metadata_policy *policy)
{
	for (size_t i = 0; i < COUNT(held_back); i++)
		if (text_starts(name, held_back[i].start))
			return held_back[i].verdict == VERDICT_TRUSTED && policy->trusted_xattrs;
	return true;
}

/* File systems without xattrs of a kind, and what a user may not set, are no reason to refuse an
 * image; too large or too many are. */
static bool may_be_lost(const struct metadata_policy *policy)
{
	return errno == EOPNOTSUPP || (policy->rootless && (errno == EPERM || errno == EINVAL));
}

static error *set_xattrs(int fd, const char *path, const struct entry *e,
			 const struct metadata_policy *policy, struct metadata_losses *losses)
{
	for (size_t i = 0; i < e->n_xattrs; i++) {
		const struct xattr *x = &e->xattrs[i];
		if (!metadata_takes_xattr(x->name, policy))
			continue;
		int r = path ? lsetxattr(path, x->name, x->value, x->len, 0)
			     : fsetxattr(fd, x->name, x->value, x->len, 0);
		if (r == 0)
			continue;
		if (!may_be_lost(policy))
			return error_errno("set xattr %s", x->name);
		losses->xattrs++;
	}
	return NULL;
}

static bool needs_owner(const struct entry *e, const struct metadata_policy *policy)
{
	return !policy->single_id || (e->uid == 0 && e->gid == 0);
}

static void keep_owner(int fd, const struct entry *e, struct metadata_losses *losses)
{
	char text[32];
	int n = snprintf(text, sizeof(text), "%u:%u", e->uid, e->gid);

	/* best effort: only files and folders can have it */
	if (fd < 0 || fsetxattr(fd, "user.skiff.owner", text, (size_t)n, 0) < 0)
		losses->owners++;
}

error *metadata_set(int fd, const struct entry *e, const struct metadata_policy *policy,
		    bool has_inherited_acl, struct metadata_losses *losses)
{
	const struct timespec times[] = { { .tv_nsec = UTIME_OMIT }, e->mtime };

	if (has_inherited_acl) {
		fremovexattr(fd, "system.posix_acl_access");
		fremovexattr(fd, "system.posix_acl_default");
	}
	/* in this order: chown takes the setuid bit and file capabilities away */
	if (!needs_owner(e, policy))
		keep_owner(fd, e, losses);
	else if (fchown(fd, e->uid, e->gid) < 0)
		return error_errno("set the owner %u:%u", e->uid, e->gid);
	if (fchmod(fd, e->mode) < 0)
		return error_errno("set the mode");
	try(set_xattrs(fd, NULL, e, policy, losses));
	if (e->type != ENTRY_DIR && futimens(fd, times) < 0)
		return error_errno("set the time");
	return NULL;
}

error *metadata_set_at(int dir, const char *name, const struct entry *e,
		       const struct metadata_policy *policy, struct metadata_losses *losses)
{
	const struct timespec times[] = { { .tv_nsec = UTIME_OMIT }, e->mtime };
	char path[32 + 256];

	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", dir, name);
	if (!needs_owner(e, policy))
		keep_owner(-1, e, losses);
	else if (fchownat(dir, name, e->uid, e->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return error_errno("set the owner %u:%u", e->uid, e->gid);
	if (e->type != ENTRY_SYMLINK) {
		/* chmod follows links: through a descriptor of the thing itself it cannot */
		auto_fd int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		char self[32];
		snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
		if (fd < 0 || chmod(self, e->mode) < 0)
			return error_errno("set the mode");
	}
	try(set_xattrs(-1, path, e, policy, losses));
	if (utimensat(dir, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return error_errno("set the time");
	return NULL;
}

static bool is_own(const char *name)
{
	return text_starts(name, "trusted.overlay.") || text_starts(name, "user.overlay.") ||
	       text_starts(name, "user.skiff.");
}

error *metadata_each_xattr(int fd, error *(*take)(void *context, const struct xattr *x),
			   void *context)
{
	char self[32];
	/* by path: an O_PATH descriptor, the only one that links and devices have, is not enough */
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	ssize_t size = listxattr(self, NULL, 0);

	if (size < 0)
		return errno == EOPNOTSUPP ? NULL : error_errno("list xattrs");
	if (size == 0)
		return NULL;
	auto_free char *names = malloc((size_t)size);
	auto_free char *value = malloc(TAR_XATTR_MAX);
	if (!names || !value)
		return error_new(ENOMEM, "xattrs");
	size = listxattr(self, names, (size_t)size);
	if (size < 0)
		return error_errno("list xattrs");
	for (const char *name = names; name < names + size; name += strlen(name) + 1) {
		if (is_own(name))
			continue;
		ssize_t len = getxattr(self, name, value, TAR_XATTR_MAX);
		if (len < 0 && errno == ENODATA)
			continue;
		if (len < 0)
			return error_errno("read xattr %s", name);
		try(take(context, &(struct xattr){ name, value, (size_t)len }));
	}
	return NULL;
}

static error *copy_xattr(void *context, const struct xattr *x)
{
	if (fsetxattr(*(int *)context, x->name, x->value, x->len, 0) < 0 && errno != EOPNOTSUPP)
		return error_errno("set xattr %s", x->name);
	return NULL;
}

error *metadata_copy_folder(int from, int to)
{
	struct stat st;

	if (fstat(from, &st) < 0)
		return error_errno("look at a folder");
	if (fchown(to, st.st_uid, st.st_gid) < 0 || fchmod(to, st.st_mode & 07777) < 0)
		return error_errno("set the owner and mode");
	return metadata_each_xattr(from, copy_xattr, &to);
}
