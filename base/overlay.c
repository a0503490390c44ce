#include "base/overlay.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/kernel.h"
#include "base/text.h"

enum { VALUE_MAX = 255, LAYERS_MAX = 500, PAGE = 4096 };

/* Folders that are named by descriptor, until the mount is made. */
struct held {
	int fds[LAYERS_MAX + 2];
	size_t n;
};

static void held_release(struct held *h)
{
	for (size_t i = 0; i < h->n; i++)
		close(h->fds[i]);
}

#define auto_held __attribute__((cleanup(held_release)))

static error *hold(struct held *h, const char *path, int *out)
{
	if (h->n == COUNT(h->fds))
		return error_new(E2BIG, "overlay: more than %d layers", LAYERS_MAX);
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return error_errno("overlay: open %s", path);
	h->fds[h->n++] = *out = fd;
	return NULL;
}

char *overlay_layers(char *const *layers, size_t n)
{
	size_t size = sizeof("lowerdir=");

	for (size_t i = 0; i < n; i++)
		size += 2 * strlen(layers[i]) + 1;
	char *all = malloc(size);
	if (!all)
		return NULL;
	char *to = stpcpy(all, "lowerdir=");
	for (size_t i = 0; i < n; i++) {
		if (i)
			*to++ = ':';
		for (const char *from = layers[i]; *from; *to++ = *from++)
			if (*from == ':' || *from == '\\')
				*to++ = '\\';
	}
	*to = '\0';
	return all;
}

char *overlay_next_layer(char **rest)
{
	char *layer = *rest;
	char *to = layer;
	char *from = layer;

	if (!layer)
		return NULL;
	for (; *from && *from != ':'; from++) {
		if (*from == '\\' && from[1])
			from++;
		*to++ = *from;
	}
	*rest = *from ? from + 1 : NULL;
	*to = '\0';
	return layer;
}

/* --- fsconfig(2) --- */

static error *set(int context, struct held *h, const char *key, const char *value)
{
	char name[32];
	int fd = -1;

	if (strlen(value) > VALUE_MAX) {
		try(hold(h, value, &fd));
		snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
		value = name;
	}
	if (sys_fsconfig(context, FSCONFIG_SET_STRING, key, value, 0) < 0)
		return error_errno("overlay: %s %s", key, value);
	return NULL;
}

/* Before Linux 6.5 the file system gets its options at the end as one text: until then any word is
 * taken. */
static bool takes_all_at_once(void)
{
	auto_fd int context = sys_fsopen("overlay");

	return sys_fsconfig(context, FSCONFIG_SET_FLAG, "any-word", NULL, 0) == 0;
}

/* *unknown: this kernel has no "lowerdir+", or the list has what it cannot say (data layers). */
static error *set_layers(int context, struct held *h, const char *list, bool *unknown)
{
	auto_free char *copy = strdup(list);
	bool is_first = true;

	if (!copy)
		return error_new(ENOMEM, "overlay");
	for (char *rest = copy, *layer; (layer = overlay_next_layer(&rest)); is_first = false) {
		auto_error error *e = NULL;
		if (*layer)
			e = set(context, h, "lowerdir+", layer);
		*unknown = !*layer ||
			   (e && error_code(e) == EINVAL && (is_first || takes_all_at_once()));
		if (e || *unknown)
			return *unknown ? NULL : take_ptr(&e);
	}
	return NULL;
}

static error *set_option(int context, struct held *h, const char *option, bool *unknown)
{
	char key[64];
	const char *value = strchr(option, '=');

	if (text_starts(option, "lowerdir="))
		return set_layers(context, h, option + strlen("lowerdir="), unknown);
	if (value && (size_t)(value - option) < sizeof(key)) {
		snprintf(key, sizeof(key), "%.*s", (int)(value - option), option);
		return set(context, h, key, value + 1);
	}
	if (sys_fsconfig(context, FSCONFIG_SET_FLAG, option, NULL, 0) < 0)
		return error_errno("overlay: %s", option);
	return NULL;
}

error *overlay_new(char *const *options, size_t n, uint64_t attributes, int *out)
{
	auto_held struct held held = { .n = 0 };
	auto_fd int context = sys_fsopen("overlay");
	bool unknown = false;

	if (context < 0)
		return error_errno("overlay");
	for (size_t i = 0; i < n && !unknown; i++)
		try(set_option(context, &held, options[i], &unknown));
	if (unknown) {
		*out = -1;
		return NULL;
	}
	if (sys_fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0) {
		int code = errno;
		*out = -1;
		return code == EINVAL && takes_all_at_once()
			       ? NULL
			       : error_new(code, "overlay: make it of its layers");
	}
	int mount = sys_fsmount(context, (unsigned)attributes);
	if (mount < 0)
		return error_errno("overlay: mount");
	*out = mount;
	return NULL;
}

/* --- mount(2) --- */

struct page {
	char text[PAGE];
	size_t used;
};

static error *add(struct page *p, const char *text)
{
	size_t n = strlen(text);

	if (n >= sizeof(p->text) - p->used)
		return error_new(E2BIG, "overlay: options of more than a page");
	memcpy(p->text + p->used, text, n + 1);
	p->used += n;
	return NULL;
}

/* The folder's number: the process stands in /proc/self/fd meanwhile. */
static error *add_folder(struct page *p, struct held *h, const char *path)
{
	char name[16];
	int fd = -1;

	try(hold(h, path, &fd));
	snprintf(name, sizeof(name), "%d", fd);
	return add(p, name);
}

static error *add_layers(struct page *p, struct held *h, const char *list)
{
	auto_free char *copy = strdup(list);

	if (!copy)
		return error_new(ENOMEM, "overlay");
	for (char *rest = copy, *layer; (layer = overlay_next_layer(&rest));) {
		if (*layer)
			try(add_folder(p, h, layer));
		if (rest)
			try(add(p, ":"));
	}
	return NULL;
}

static error *add_option(struct page *p, struct held *h, const char *option)
{
	static const char *const folders[] = { "upperdir=", "workdir=" };

	if (p->used)
		try(add(p, ","));
	if (text_starts(option, "lowerdir=")) {
		try(add(p, "lowerdir="));
		return add_layers(p, h, option + strlen("lowerdir="));
	}
	for (size_t i = 0; i < COUNT(folders); i++)
		if (text_starts(option, folders[i])) {
			try(add(p, folders[i]));
			return add_folder(p, h, option + strlen(folders[i]));
		}
	return add(p, option);
}

error *mounted_on(int target, int *out)
{
	char link[40];
	char path[PAGE];
	char again[PAGE + 4];
	struct stat covered;
	struct stat found;

	/* down from the folder above: only a step by name goes on to what is mounted there */
	snprintf(link, sizeof(link), "/proc/self/fd/%d", target);
	ssize_t n = readlink(link, path, sizeof(path) - 1);
	if (n < 0)
		return error_errno("read %s", link);
	path[n] = '\0';
	const char *slash = strrchr(path, '/');
	snprintf(again, sizeof(again), "../%s", slash ? slash + 1 : path);
	auto_fd int fd = openat(target, again, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return error_errno("open what is mounted at %s", path);
	if (fstat(target, &covered) < 0 || fstat(fd, &found) < 0)
		return error_errno("look at what is mounted at %s", path);
	if (found.st_dev == covered.st_dev) /* somebody moves folders about */
		return error_new(ESTALE, "what is mounted at %s", path);
	*out = take_fd(&fd);
	return NULL;
}

error *overlay_mount_on(char *const *options, size_t n, unsigned long flags, int target, int *out)
{
	auto_held struct held held = { .n = 0 };
	struct page page = { .used = 0 };
	auto_fd int here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char path[40];

	for (size_t i = 0; i < n; i++)
		try(add_option(&page, &held, options[i]));
	snprintf(path, sizeof(path), "%d", target);
	if (here < 0 || chdir("/proc/self/fd") < 0)
		return error_errno("overlay: stand in /proc/self/fd");
	int failed = sys_mount("overlay", path, "overlay", flags, page.text) < 0 ? errno : 0;
	if (fchdir(here) < 0)
		return error_errno("overlay: go back");
	if (failed)
		return error_new(failed, "overlay: mount");
	return mounted_on(target, out);
}
