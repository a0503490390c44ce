#include "runtime/baton.h"

#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fd.h"
#include "base/log.h"

error *baton_pair(int ends[2])
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return error_errno("make a socket pair");
	return NULL;
}

error *baton_pass(int end, enum baton_kind kind, int code, const char *text, int fd)
{
	struct baton b = { .kind = kind, .code = code };
	size_t len = text ? strlen(text) : 0;

	if (len >= sizeof(b.text))
		len = sizeof(b.text) - 1;
	if (text)
		memcpy(b.text, text, len);
	return message_send(end, &b, offsetof(struct baton, text) + len + 1, &fd, fd >= 0);
}

error *baton_wait(int end, struct baton *out, bool *ended, int *fd)
{
	int fds[FDS_MAX];
	size_t len;
	size_t n;

	*fd = -1;
	do {
		memset(out, 0, sizeof(*out));
		error *e = message_receive(end, out, sizeof(*out), &len, fds, &n);
		if (e && error_code(e) == ECONNRESET) { /* it died with our message unread */
			error_free(e);
			len = n = 0;
			e = NULL;
		}
		try(e);
		for (size_t i = 1; i < n; i++)
			close(fds[i]);
		if (n > 0)
			*fd = fds[0];
		out->text[sizeof(out->text) - 1] = '\0';
#ifndef SKIFF_INIT
		if (len > 0 && out->kind == BATON_LOG)
			log_debug("%s", out->text);
#endif
	} while (len > 0 && out->kind == BATON_LOG);
	*ended = len == 0;
	return NULL;
}
