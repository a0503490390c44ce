/* INIT: the container's terminal. Its master end goes to whoever asked for it, by the console
 * socket. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/vfs.h>
#include <termios.h>

#include "base/fd.h"
#include "base/kernel.h"
#include "base/path.h"
#include "runtime/steps.h"

enum { DEVPTS_MAGIC = 0x1cd1 };

#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif

/* The other end comes from the master itself: a name such as /dev/pts/0 could be anything by now
 * (CVE-2025-52565). */
static error *open_pair(int root, int *master, int *slave)
{
	static const int unlocked = 0;
	struct statfs fs;
	auto_fd int multiplexer = -1;

	try_as(root_open(root, "/dev/pts/ptmx", O_RDWR | O_NOCTTY, &multiplexer),
	       "a terminal needs a devpts at /dev/pts among the mounts");
	if (fstatfs(multiplexer, &fs) < 0 || fs.f_type != DEVPTS_MAGIC)
		return error_new(0, "/dev/pts in the container is not a devpts");
	if (ioctl(multiplexer, TIOCSPTLCK, &unlocked) < 0)
		return error_errno("unlock the terminal");
	*slave = ioctl(multiplexer, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (*slave < 0)
		return error_errno("open the terminal's other end");
	*master = take_fd(&multiplexer);
	return NULL;
}

static error *mount_console(int root, int slave)
{
	auto_fd int target = -1;
	auto_fd int tree = sys_open_tree(slave, "", AT_EMPTY_PATH | OPEN_TREE_CLONE);

	if (tree < 0)
		return error_errno("open_tree of the terminal");
	try(root_ensure(root, "/dev/console", true, &target));
	if (sys_move_mount(tree, "", target, "",
			   MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
		return error_errno("mount the terminal at /dev/console");
	return NULL;
}

error *init_open_terminal(struct life *l)
{
	auto_fd int here = -1;
	auto_fd int master = -1;
	auto_fd int slave = -1;
	int root = l->fd[FD_ROOT];

	if (root < 0) /* exec: this process is in the container already */
		root = here = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	try(open_pair(root, &master, &slave));
	if (l->process->console_size) {
		struct winsize size = { .ws_row = (unsigned short)l->process->console_size->height,
					.ws_col = (unsigned short)l->process->console_size->width };
		if (ioctl(slave, TIOCSWINSZ, &size) < 0)
			return error_errno("set the size of the terminal");
	}
	if (fchown(slave, l->process->user->uid, (gid_t)-1) < 0 && errno != EPERM &&
	    errno != EINVAL)
		return error_errno("give the terminal to the user");
	if (!l->is_exec)
		try(mount_console(root, slave));
	try_as(message_send(l->fd[FD_CONSOLE], "/dev/console", strlen("/dev/console"), &master, 1),
	       "send the terminal to the console socket");
	close(take_fd(&l->fd[FD_CONSOLE]));
	if (ioctl(slave, TIOCSCTTY, 0) < 0)
		return error_errno("make it the controlling terminal");
	for (int fd = 0; fd < 3; fd++)
		if (dup2(slave, fd) < 0)
			return error_errno("dup2");
	if (slave < 3)
		take_fd(&slave);
	return NULL;
}
