#include "netns/netlink.h"

#include <fcntl.h>
#include <sched.h>

/* libnl has numbers of its own; these are what callers ask for. */
error *netlink_failed(int code, const char *what, const char *name)
{
	static const struct {
		int nl, number;
	} numbers[] = { { NLE_NODEV, ENODEV },
			{ NLE_OBJ_NOTFOUND, ENODEV },
			{ NLE_EXIST, EEXIST },
			{ NLE_PERM, EPERM } };

	for (size_t i = 0; i < COUNT(numbers); i++)
		if (code == -numbers[i].nl)
			return error_new(numbers[i].number, "%s %s", what, name);
	return error_new(0, "%s %s: %s", what, name, nl_geterror(code));
}

error *netlink_open(struct nl_sock **out)
{
	struct nl_sock *socket = nl_socket_alloc();
	int e = socket ? nl_connect(socket, NETLINK_ROUTE) : -NLE_NOMEM;

	if (e < 0) {
		nl_socket_free(socket);
		return error_new(0, "netlink: %s", nl_geterror(e));
	}
	*out = socket;
	return NULL;
}

error *namespace_open(const char *path, int *out)
{
	*out = open(path, O_RDONLY | O_CLOEXEC);
	return *out < 0 ? error_errno("open %s", path) : NULL;
}

error *netlink_open_in(int ns, struct nl_sock **out)
{
	auto_fd int home = -1;

	try(namespace_open("/proc/self/ns/net", &home));
	if (setns(ns, CLONE_NEWNET) < 0)
		return error_errno("enter the network namespace");
	error *e = netlink_open(out);
	if (setns(home, CLONE_NEWNET) < 0) {
		error_free(e);
		return error_errno("return to the network namespace");
	}
	return e;
}
