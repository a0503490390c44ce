#include "runtime/notify.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/fd.h"
#include "base/text.h"
#include "runtime/state.h"

static const char *callers_socket(void)
{
	const char *path = getenv("NOTIFY_SOCKET");

	return path && (path[0] == '/' || path[0] == '@') && path[1] ? path : NULL;
}

bool notify_is_wanted(void)
{
	return callers_socket() != NULL;
}

error *notify_bind(const struct life *l, int *out)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	auto_fd int dir = openat(l->state->dir, "notify", O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_fd int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (dir < 0 || fd < 0)
		return error_errno("open the folder for NOTIFY_SOCKET");
	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/notify", dir);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return error_errno("make a socket for NOTIFY_SOCKET");
	/* whoever the program is: the folder is seen by this container alone */
	if (fchmodat(dir, "notify", 0777, 0) < 0)
		return error_errno("open the socket to the container");
	*out = take_fd(&fd);
	return NULL;
}

/* "@name" is an abstract socket. */
static error *send_to_caller(const char *text)
{
	const char *path = callers_socket();
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	auto_fd int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	size_t len = strlen(path);

	if (fd < 0)
		return error_errno("socket");
	if (len >= sizeof(address.sun_path))
		return error_new(ENAMETOOLONG, "NOTIFY_SOCKET");
	memcpy(address.sun_path, path, len);
	if (path[0] == '@')
		address.sun_path[0] = '\0';
	if (sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&address,
		   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) < 0)
		return error_errno("tell NOTIFY_SOCKET %s", path);
	return NULL;
}

error *notify_relay(int from, pid_t pid, bool *ready)
{
	char text[4096];
	char told[64];
	ssize_t n = recv(from, text, sizeof(text) - 1, MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR
			       ? NULL
			       : error_errno("receive what the program notifies");
	text[n] = '\0';
	for (char *rest = text, *line; (line = strsep(&rest, "\n"));)
		if (strcmp(line, "READY=1") == 0)
			*ready = true;
	if (!*ready)
		return NULL;
	/* only this: other fields could claim things about processes of the host */
	snprintf(told, sizeof(told), "MAINPID=%d\nREADY=1\n", pid);
	return send_to_caller(told);
}

error *notify_wait_ready(int from, pid_t pid, int pidfd)
{
	struct pollfd polls[] = { { .fd = from, .events = POLLIN },
				  { .fd = pidfd, .events = POLLIN } };
	bool ready = false;

	while (!ready) {
		if (poll(polls, COUNT(polls), -1) < 0 && errno != EINTR)
			return error_errno("poll");
		if (polls[0].revents & POLLIN)
			try(notify_relay(from, pid, &ready));
		else if (polls[1].revents)
			return NULL;
	}
	return NULL;
}
