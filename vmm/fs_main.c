/* skiff-fs: serves one folder to one sandbox. */
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/options.h"
#include "vmm/fs.h"

struct wishes {
	const char *folder;
	uint32_t socket, open, counts;
	bool devices;
};

static const struct option_row rows[] = {
	{ "folder", 'f', OPT_TEXT, offsetof(struct wishes, folder), "DIR", "what is served" },
	{ "socket", 's', OPT_U32, offsetof(struct wishes, socket), "FD",
	  "a socket on which a vhost-user engine calls, once" },
	{ "counts", 0, OPT_U32, offsetof(struct wishes, counts), "FD",
	  "memory to count in, for whoever shares it" },
	{ "devices", 0, OPT_FLAG, offsetof(struct wishes, devices), "",
	  "the guest may make device nodes, if the host may" },
	{ "open", 0, OPT_U32, offsetof(struct wishes, open), "N",
	  "of what the guest knows, what may be open at a time; half of what RLIMIT_NOFILE "
	  "allows" },
};

enum { OPEN_MIN = 16, OPEN_MAX = 1 << 20 };

/* As many descriptors as may be, half of them for what the guest knows of. */
static error *raise_limits(uint32_t *open)
{
	struct rlimit files;
	const struct rlimit none = { 0 };

	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		return error_errno("the limit of descriptors");
	files.rlim_cur = files.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &files) < 0 || setrlimit(RLIMIT_CORE, &none) < 0)
		return error_errno("raise the limit of descriptors");
	if (!*open)
		*open = (uint32_t)(files.rlim_cur < 2 * OPEN_MAX ? files.rlim_cur / 2 : OPEN_MAX);
	if (*open < OPEN_MIN)
		*open = OPEN_MIN;
	return NULL;
}

static error *map_counts(int fd, struct file_counts **out)
{
	void *at = mmap(NULL, sizeof(**out), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (at == MAP_FAILED)
		return error_errno("--counts");
	close(fd);
	*out = at;
	return NULL;
}

static error *run(int argc, char **argv)
{
	struct wishes w = { 0 };
	static struct fs fs;
	struct file_counts *counts = NULL;
	char **rest;
	bool help = false;
	int root;
	int n;

	try(options_parse(rows, COUNT(rows), true, argc, argv, &w, &rest, &n, &help));
	if (help) {
		options_print(rows, COUNT(rows));
		return NULL;
	}
	if (n > 0 || !w.folder || !w.socket)
		return error_said(EINVAL, "--folder and --socket, and nothing else");
	signal(SIGPIPE, SIG_IGN);
	int engine = accept4((int)w.socket, NULL, NULL, SOCK_CLOEXEC);
	if (engine < 0)
		return error_errno("wait for the engine");
	close((int)w.socket);
	if (w.counts)
		try(map_counts((int)w.counts, &counts));
	try(raise_limits(&w.open));
	try_as(fs_jail(w.folder, w.devices, &root), "jail");
	try(fs_make(&fs, root, w.open));
	fs.makes_devices = w.devices;
	if (counts)
		fs.counts = counts;
	return vhost_serve(engine, &fs);
}

int main(int argc, char **argv)
{
	error *e = run(argc, argv);

	if (e)
		dprintf(2, "skiff-fs: %s\n", error_message(e));
	_exit(e ? 1 : 0);
}
