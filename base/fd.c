#include "base/fd.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

/* Room for at least one byte and the NUL behind it; never for more than max and a byte that shows
 * it is more. */
static error *grow(char **data, size_t *size, size_t used, size_t max)
{
	size_t wanted = *data ? *size * 2 : *size;

	if (*data && used + 1 < *size)
		return NULL;
	if (wanted > max + 2)
		wanted = max + 2;
	char *more = used + 1 < wanted ? realloc(*data, wanted) : NULL;
	if (!more)
		return used > max ? error_new(EFBIG, "more than %zu bytes", max)
				  : error_new(ENOMEM, "read");
	*data = more;
	*size = wanted;
	return NULL;
}

error *fd_read_all(int fd, size_t max, char **out, size_t *len)
{
	struct stat st;
	size_t used = 0;
	size_t size = fstat(fd, &st) == 0 && st.st_size > 0 ? (size_t)st.st_size + 2 : 4096;
	auto_free char *data = NULL;
	ssize_t n = 1;

	while (n != 0) {
		try(grow(&data, &size, used, max));
		n = read(fd, data + used, size - used - 1);
		if (n < 0 && errno != EINTR)
			return error_errno("read");
		used += n > 0 ? (size_t)n : 0;
	}
	if (used > max)
		return error_new(EFBIG, "more than %zu bytes", max);
	data[used] = '\0';
	if (len)
		*len = used;
	*out = take_ptr(&data);
	return NULL;
}

error *file_read(int dir, const char *path, size_t max, char **out, size_t *len)
{
	auto_fd int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return error_errno("open %s", path);
	try_as(fd_read_all(fd, max, out, len), "%s", path);
	return NULL;
}

error *fd_write_all(int fd, const void *data, size_t len)
{
	const char *at = data;

	while (len > 0) {
		ssize_t n = write(fd, at, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno("write");
		at += n;
		len -= (size_t)n;
	}
	return NULL;
}

error *file_write(int dir, const char *path, const char *text)
{
	auto_fd int fd = openat(dir, path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return error_errno("open %s", path);
	if (write(fd, text, strlen(text)) < 0)
		return error_errno("write '%s' to %s", text, path);
	return NULL;
}

error *file_create(int dir, const char *path, mode_t mode, const void *data, size_t len)
{
	auto_fd int fd = openat(dir, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);

	if (fd < 0)
		return error_errno("create %s", path);
	try_as(fd_write_all(fd, data, len), "%s", path);
	return NULL;
}

error *file_replace(int dir, const char *path, mode_t mode, const void *data, size_t len)
{
	auto_free char *temporary = NULL;

	if (asprintf(&temporary, "%s.%d.new", path, getpid()) < 0)
		return error_new(ENOMEM, "replace %s", path);
	error *e = file_create(dir, temporary, mode, data, len);
	if (!e && renameat(dir, temporary, dir, path) < 0)
		e = error_errno("rename %s to %s", temporary, path);
	if (e)
		unlinkat(dir, temporary, 0);
	return e;
}

error *message_send(int socket, const void *data, size_t len, const int *fds, size_t n)
{
	struct iovec iov = { (void *)data, len };
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int) * FDS_MAX)];
	} control = { 0 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (n > 0) {
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * n);
		struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * n);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * n);
	}
	while (sendmsg(socket, &msg, MSG_NOSIGNAL) < 0)
		if (errno != EINTR)
			return error_errno("send");
	return NULL;
}

error *message_receive(int socket, void *data, size_t size, size_t *len, int *fds, size_t *n)
{
	struct iovec iov = { data, size };
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int) * FDS_MAX)];
	} control = { 0 };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	ssize_t got;

	*n = 0;
	while ((got = recvmsg(socket, &msg, MSG_CMSG_CLOEXEC)) < 0)
		if (errno != EINTR)
			return error_errno("receive");
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
			*n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
			memcpy(fds, CMSG_DATA(c), *n * sizeof(int));
		}
	*len = (size_t)got;
	return NULL;
}

error *socket_read(int socket, void *data, size_t len)
{
	while (len) {
		ssize_t n = recv(socket, data, len, MSG_WAITALL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? error_errno("read")
				 : error_said(EPIPE, "the other end has hung up");
		data = (uint8_t *)data + n;
		len -= (size_t)n;
	}
	return NULL;
}

/* sun_path holds 107 bytes; a path through a descriptor of the parent directory always fits. */
static error *socket_address(int dir, const char *path, struct sockaddr_un *address, int *parent)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	auto_free char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");

	if (!folder)
		return error_new(ENOMEM, "socket %s", path);
	*parent = openat(dir, folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (*parent < 0)
		return error_errno("open %s", folder);
	address->sun_family = AF_UNIX;
	if (snprintf(address->sun_path, sizeof(address->sun_path), "/proc/self/fd/%d/%s", *parent,
		     name) >= (int)sizeof(address->sun_path))
		return error_new(ENAMETOOLONG, "socket %s", path);
	return NULL;
}

error *socket_connect(int dir, const char *path, int type, int *out)
{
	struct sockaddr_un address = { 0 };
	auto_fd int parent = -1;
	auto_fd int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	try(socket_address(dir, path, &address, &parent));
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return error_errno("connect to %s", path);
	*out = take_fd(&fd);
	return NULL;
}

error *socket_listen(int dir, const char *name, int type, int *out)
{
	struct sockaddr_un address = { 0 };
	auto_fd int parent = -1;
	auto_fd int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	try(socket_address(dir, name, &address, &parent));
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(fd, 8) < 0)
		return error_errno("listen on %s", name);
	*out = take_fd(&fd);
	return NULL;
}
