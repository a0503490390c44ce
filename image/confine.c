#include "image/confine.h"

#include <linux/landlock.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"

/* What older headers do not have. */
#define FS_REFER            (1ULL << 13)
#define FS_TRUNCATE         (1ULL << 14)
#define NET_BIND_TCP        (1ULL << 0)
#define NET_CONNECT_TCP     (1ULL << 1)
#define SCOPE_ABSTRACT_UNIX (1ULL << 0)
#define SCOPE_SIGNAL        (1ULL << 1)

/* struct landlock_ruleset_attr as it grew. */
struct ruleset {
	uint64_t fs;
	uint64_t net;    /* since ABI 4 */
	uint64_t scoped; /* since ABI 6 */
};

enum { ABI_REFER = 2, ABI_TRUNCATE = 3, ABI_NET = 4, ABI_SCOPE = 6 };

static const uint64_t writing = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
				LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
				LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
				LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |
				LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM |
				FS_REFER;

static error *limit_files(uint64_t max)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_FSIZE, &limit) < 0)
		return error_errno("the limit of file sizes");
	if (limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur > max)
		limit.rlim_cur = max;
	limit.rlim_max = limit.rlim_cur;
	signal(SIGXFSZ, SIG_IGN); /* an error like others */
	if (setrlimit(RLIMIT_FSIZE, &limit) < 0)
		return error_errno("limit file sizes");
	return NULL;
}

static error *allow(int rules, const struct confine_folder *folder, uint64_t may)
{
	const struct landlock_path_beneath_attr beneath = {
		.allowed_access = folder->only_remove ? LANDLOCK_ACCESS_FS_REMOVE_DIR : may,
		.parent_fd = folder->fd,
	};

	if (folder->fd >= 0 &&
	    syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) < 0)
		return error_errno("confine: a folder");
	return NULL;
}

error *confine(const struct confine_folder *folders, size_t n, uint64_t max_file)
{
	struct ruleset attr = { .fs = writing };

	try(limit_files(max_file));
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	if (abi < ABI_REFER) {
		log_debug("this kernel's Landlock cannot confine what is unpacked");
		return NULL;
	}
	if (abi >= ABI_TRUNCATE)
		attr.fs |= FS_TRUNCATE;
	uint64_t may = attr.fs;
	attr.fs |= LANDLOCK_ACCESS_FS_EXECUTE; /* nowhere */
	if (abi >= ABI_NET)
		attr.net = NET_BIND_TCP | NET_CONNECT_TCP;
	if (abi >= ABI_SCOPE)
		attr.scoped = SCOPE_ABSTRACT_UNIX | SCOPE_SIGNAL;
	size_t size = abi >= ABI_SCOPE ? sizeof(attr)
		      : abi >= ABI_NET ? offsetof(struct ruleset, scoped)
				       : offsetof(struct ruleset, net);
	auto_fd int rules = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
	if (rules < 0)
		return error_errno("confine");
	for (size_t i = 0; i < n; i++)
		try(allow(rules, &folders[i], may));
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    syscall(SYS_landlock_restrict_self, rules, 0) < 0)
		return error_errno("confine");
	return NULL;
}
