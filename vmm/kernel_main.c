/* skiff-kernel: `skiff kernel` executes it. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/path.h"
#include "vmm.h"
#include "vmm/kernel.h"

static error *fetch(const char *store, char **words)
{
	return kernel_fetch(store, words[0]);
}

static error *list(const char *store, char **words)
{
	auto_free char *link = path_join(store, "current");
	char current[256] = "";
	DIR *dir = opendir(store);

	(void)words;
	if (!dir)
		return errno == ENOENT ? NULL : error_errno("%s", store);
	ssize_t n = link ? readlink(link, current, sizeof(current) - 1) : -1;
	current[n > 0 ? n : 0] = '\0';
	for (struct dirent *d; (d = readdir(dir));)
		if (d->d_name[0] != '.' && d->d_type == DT_DIR &&
		    strncmp(d->d_name, "fetch.", 6) != 0 && strcmp(d->d_name, KERNEL_UNPACKED) != 0)
			printf("%s%s\n", d->d_name,
			       strcmp(d->d_name, current) == 0 ? " (current)" : "");
	closedir(dir);
	return NULL;
}

static error *remove_one(const char *store, char **words)
{
	auto_free char *path = NULL;
	struct stat st;

	if (!words[0] || strchr(words[0], '/') || words[0][0] == '.')
		return error_said(EINVAL,
				  "want: skiff kernel rm VERSION, as `skiff kernel ls` prints it");
	path = path_join(store, words[0]);
	if (!path)
		return error_new(ENOMEM, "%s", words[0]);
	if (stat(path, &st) < 0)
		return error_errno("%s", path);
	return path_remove_tree(AT_FDCWD, path);
}

static error *unpack(const char *store, char **words)
{
	auto_free char *path = NULL;

	if (!words[0])
		return error_said(EINVAL, "want: skiff kernel unpack FILE");
	try(kernel_unpack_once(store, words[0], &path));
	puts(path);
	return NULL;
}

static const struct {
	const char *verb;
	const char *help;
	error *(*act)(const char *store, char **words);
} verbs[] = {
	{ "fetch",
	  "fetch [PACKAGE]  download Debian's kernel for virtual machines, without installing it",
	  fetch },
	{ "ls", "ls               list the kernels", list },
	{ "unpack",
	  "unpack FILE      a bzImage: unpack it into the store, once; done by itself when it is "
	  "used",
	  unpack },
	{ "rm", "rm VERSION       remove one", remove_one },
};

static void help(void)
{
	puts("usage: skiff kernel VERB\n\nthe kernels that sandboxes boot\n");
	for (size_t i = 0; i < COUNT(verbs); i++)
		printf("  %s\n", verbs[i].help);
}

static error *act(char **words)
{
	auto_free char *store = NULL;

	try(kernel_store(&store));
	for (size_t i = 0; i < COUNT(verbs); i++)
		if (strcmp(verbs[i].verb, words[0]) == 0)
			return verbs[i].act(store, words + 1);
	return error_said(EINVAL, "'%s' is no verb; see 'skiff kernel --help'", words[0]);
}

int main(int argc, char **argv)
{
	if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		help();
		return argc < 2;
	}
	auto_error error *e = act(argv + 1);
	if (e)
		fprintf(stderr, "skiff: kernel: %s\n", error_message(e));
	return e ? 1 : 0;
}
