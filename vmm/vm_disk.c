#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/vm.h"

struct disk {
	const char *name, *file, *mode;
	uint64_t fd; /* 0: none */
	struct {
		uint64_t bytes, requests;
	} both, read, write;
};

/* clang-format off */
static const struct {
	const char *key;
	size_t at;
	bool is_number;
} keys[] = {
	{ "name",           offsetof(struct disk, name) },
	{ "file",           offsetof(struct disk, file) },
	{ "mode",           offsetof(struct disk, mode) },
	{ "fd",             offsetof(struct disk, fd), true },
	{ "bytes",          offsetof(struct disk, both.bytes), true },
	{ "requests",       offsetof(struct disk, both.requests), true },
	{ "read-bytes",     offsetof(struct disk, read.bytes), true },
	{ "read-requests",  offsetof(struct disk, read.requests), true },
	{ "write-bytes",    offsetof(struct disk, write.bytes), true },
	{ "write-requests", offsetof(struct disk, write.requests), true },
};
/* clang-format on */

static error *set(struct disk *disk, const char *key, const char *value)
{
	for (size_t i = 0; i < COUNT(keys); i++) {
		char *at = (char *)disk + keys[i].at;
		uint64_t number = 0;
		if (strcmp(keys[i].key, key) != 0)
			continue;
		if (keys[i].is_number && (!text_to_u64(value, &number) || number > INT64_MAX))
			return error_said(EINVAL, "%s: '%s' is no number", key, value);
		if (keys[i].is_number)
			memcpy(at, &number, sizeof(number));
		else
			memcpy(at, &value, sizeof(value));
		return NULL;
	}
	return error_said(EINVAL, "what is '%s'?", key);
}

/* The text is cut into its words. */
static error *parse(char *text, struct disk *disk)
{
	for (char *rest = text, *word; (word = strsep(&rest, ","));) {
		char *value = strchr(word, '=');
		if (!value)
			return error_said(EINVAL, "want KEY=VALUE, not '%s'", word);
		*value++ = '\0';
		try(set(disk, word, value));
	}
	if (!disk->file == !disk->fd)
		return error_said(EINVAL, "want either file or fd");
	return NULL;
}

static error *find_mode(const char *word, enum blk_mode *out)
{
	static const char *const modes[] = {
		[BLK_READ_ONLY] = "read-only", [BLK_COPY] = "copy", [BLK_WRITE] = "write"
	};

	for (size_t i = 0; i < COUNT(modes); i++)
		if (!word || strcmp(modes[i], word) == 0) {
			*out = (enum blk_mode)i;
			return NULL;
		}
	return error_said(EINVAL, "mode: read-only, copy or write");
}

error *disk_make(struct vm *vm, const char *text, struct virtio_device **out)
{
	auto_free char *words = strdup(text);
	struct disk disk = { .name = "" };
	enum blk_mode mode = BLK_READ_ONLY;

	if (!words)
		return error_new(ENOMEM, "a disk");
	try(parse(words, &disk));
	try(find_mode(disk.mode, &mode));
	int fd = (int)disk.fd;
	if (disk.file)
		fd = open(disk.file, (mode == BLK_WRITE ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	if (fd < 0)
		return error_errno("%s", disk.file);
	try(virtio_blk_new(fd, mode, disk.name, &vm->memory, &vm->loop, out));
	try(virtio_limit(*out, &(*out)->limits[0], disk.both.bytes, disk.both.requests));
	try(virtio_blk_limit(*out, false, disk.read.bytes, disk.read.requests));
	return virtio_blk_limit(*out, true, disk.write.bytes, disk.write.requests);
}
