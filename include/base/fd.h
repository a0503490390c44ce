/* Files by descriptor: whole reads and writes, descriptors over sockets. Every descriptor is
 * close-on-exec from birth. dir is AT_FDCWD or a directory. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"

/* The whole file, with a NUL byte behind it; more than max bytes are an error. len may be NULL. */
must_use error *file_read(int dir, const char *path, size_t max, char **out, size_t *len);
must_use error *fd_read_all(int fd, size_t max, char **out, size_t *len);
must_use error *fd_write_all(int fd, const void *data, size_t len);
/* Writes to a file that exists (procfs, cgroupfs): one write(2), since those files take a value
 * whole. */
must_use error *file_write(int dir, const char *path, const char *text);
/* Makes a new file; EEXIST when there is one. */
must_use error *file_create(int dir, const char *path, mode_t mode, const void *data, size_t len);
/* Replaces a file at once: readers see the old or the new content, never a part. */
must_use error *file_replace(int dir, const char *path, mode_t mode, const void *data, size_t len);

/* One message with up to FDS_MAX descriptors, on an AF_UNIX socket. */
enum { FDS_MAX = 8 };
must_use error *message_send(int socket, const void *data, size_t len, const int *fds, size_t n);
/* *len is 0 at the end of the stream; *n is what arrived, at most FDS_MAX. The caller owns the fds.
 */
must_use error *message_receive(int socket, void *data, size_t size, size_t *len, int *fds,
				size_t *n);

/* len bytes of a stream; EPIPE when it ends before. */
must_use error *socket_read(int socket, void *data, size_t len);

/* Connects to / listens on a socket file of any path length; type is SOCK_STREAM or SOCK_SEQPACKET.
 */
must_use error *socket_connect(int dir, const char *path, int type, int *out);
must_use error *socket_listen(int dir, const char *name, int type, int *out);
