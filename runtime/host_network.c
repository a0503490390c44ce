/* HOST: --net. skiff-net does the work: neither netlink nor rules are of use to any other
 * container.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/json.h"
#include "base/log.h"
#include "base/process.h"
#include "netns.h"
#include "runtime/network.h"
#include "runtime/state.h"
#include "runtime/steps.h"

/* The container's root may edit them. */
static error *write_name_file(const struct life *l, const char *name, const char *text)
{
	auto_free char *path = NULL;
	const struct spec_linux *x = l->spec->linux_;
	uid_t uid = x->uid_mappings.n ? x->uid_mappings.v[0].host_id : geteuid();
	gid_t gid = x->gid_mappings.n ? x->gid_mappings.v[0].host_id : getegid();

	if (asprintf(&path, "%s/%s", l->network->names, name) < 0)
		return error_new(ENOMEM, "%s", name);
	try(file_create(AT_FDCWD, path, 0644, text, strlen(text)));
	if (chmod(path, 0644) < 0 || /* whatever the umask */
	    ((uid != geteuid() || gid != getegid()) && !l->rootless && chown(path, uid, gid) < 0))
		return error_errno("give %s to the container", path);
	return NULL;
}

static error *write_request(const struct life *l)
{
	auto_json struct json *j = NULL;
	const char *text;
	size_t len;

	try(json_new(JSON_ONE_LINE, &j));
	rows_write(&net_request_shape, l->network->request, NULL, j);
	try(json_finish(j, &text, &len));
	return file_create(l->state->dir, "network.json", 0600, text, len);
}

error *host_write_names(struct life *l)
{
	const struct life_network *n = l->network;
	auto_free char *line = NULL;

	if (asprintf(&line, "%s\n", n->hostname) < 0)
		return error_new(ENOMEM, "hostname");
	try(write_name_file(l, "hosts", n->hosts));
	try(write_name_file(l, "resolv.conf", n->resolv));
	try(write_name_file(l, "hostname", line));
	return n->is_bridge || n->is_user ? write_request(l) : NULL;
}

static error *open_own_namespace(struct life *l)
{
	char path[32];

	if (l->fd[FD_NETNS] >= 0)
		return NULL;
	snprintf(path, sizeof(path), "/proc/%d/ns/net", l->init);
	l->fd[FD_NETNS] = open(path, O_RDONLY | O_CLOEXEC);
	return l->fd[FD_NETNS] < 0 ? error_errno("open %s", path) : NULL;
}

error *host_connect(struct life *l)
{
	char namespace[48];

	try(open_own_namespace(l));
	snprintf(namespace, sizeof(namespace), "/proc/%d/fd/%d", getpid(), l->fd[FD_NETNS]);
	return network_run((char *[]){ "--root", (char *)l->state_root, "attach", (char *)l->id,
				       namespace, NULL });
}

void host_disconnect(struct life *l)
{
	auto_error error *e = network_run(
		(char *[]){ "--root", (char *)l->state_root, "detach", (char *)l->id, NULL });

	if (e)
		log_warning("leave the network: %s", error_message(e));
}

error *host_start_user_network(struct life *l)
{
	char pid[16];
	char start[24];

	snprintf(pid, sizeof(pid), "%d", l->init);
	snprintf(start, sizeof(start), "%llu", (unsigned long long)process_start_time(l->init));
	return network_run((char *[]){ "--root", (char *)l->state_root, "user", (char *)l->id, pid,
				       start, NULL });
}
