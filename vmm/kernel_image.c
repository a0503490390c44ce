#include <archive.h>
#include <archive_entry.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "vmm/kernel.h"

/* Offsets in the setup header. */
enum { SETUP_SECTORS = 0x1f1, MAGIC = 0x202, PROTOCOL = 0x206, PAYLOAD = 0x248, LENGTH = 0x24c };

enum { IMAGE_MAX = 256 << 20, SECTOR = 512 };

static uint32_t u32_at(const char *data, size_t at)
{
	uint32_t value;

	memcpy(&value, data + at, sizeof(value));
	return value;
}

static error *find_payload(const char *data, size_t len, const char **payload, size_t *size)
{
	if (len < 1024 || memcmp(data + MAGIC, "HdrS", 4) != 0)
		return error_said(EINVAL, "not a kernel of the bzImage format");
	uint16_t version;
	memcpy(&version, data + PROTOCOL, sizeof(version));
	if (version < 0x208)
		return error_said(EINVAL, "its boot protocol %u.%02u is too old", version >> 8,
				  version & 0xffU);
	uint64_t sectors = (uint8_t)data[SETUP_SECTORS];
	uint64_t at = ((sectors ? sectors : 4) + 1) * SECTOR + u32_at(data, PAYLOAD);
	uint64_t n = u32_at(data, LENGTH);
	if (at > len || n > len - at || n < 4)
		return error_said(EINVAL, "its payload lies outside of the file");
	*payload = data + at;
	*size = n;
	return NULL;
}

static error *failed(struct archive *a)
{
	return error_new(0, "%s", archive_error_string(a));
}

static error *copy_out(struct archive *a, int fd)
{
	const void *block;
	size_t len;
	la_int64_t offset;
	la_int64_t written = 0;
	int status;

	while ((status = archive_read_data_block(a, &block, &len, &offset)) == ARCHIVE_OK) {
		written += (la_int64_t)len;
		if (written > 4LL * IMAGE_MAX)
			return error_said(E2BIG, "longer than a kernel can be");
		try(fd_write_all(fd, block, len));
	}
	/* behind the packed kernel stands its size, which is no part of the packing: a complaint
	 * about it comes when all is unpacked */
	return written > 0 && (status == ARCHIVE_EOF || status == ARCHIVE_FATAL) ? NULL : failed(a);
}

static error *unpack(const char *payload, size_t len, int fd)
{
	struct archive *a = archive_read_new();
	struct archive_entry *entry;
	error *e = NULL;

	if (!a)
		return error_new(ENOMEM, "libarchive");
	archive_read_support_filter_all(a);
	archive_read_support_format_raw(a);
	if (archive_read_open_memory(a, payload, len) != ARCHIVE_OK ||
	    archive_read_next_header(a, &entry) != ARCHIVE_OK)
		e = failed(a);
	if (!e)
		e = copy_out(a, fd);
	archive_read_free(a);
	return e;
}

error *kernel_unpack(int bzimage, const char *name, int vmlinux)
{
	auto_free char *data = NULL;
	const char *payload = NULL;
	char magic[4];
	size_t size = 0;
	size_t len;

	try_as(fd_read_all(bzimage, IMAGE_MAX, &data, &len), "%s", name);
	try_as(find_payload(data, len, &payload, &size), "%s", name);
	/* the last four bytes are the unpacked size; gzip alone has them as a part of itself */
	bool is_gzip = (uint8_t)payload[0] == 0x1f && (uint8_t)payload[1] == 0x8b;
	try_as(unpack(payload, is_gzip ? size : size - 4, vmlinux), "%s", name);
	if (pread(vmlinux, magic, 4, 0) != 4 || memcmp(magic, "\177ELF", 4) != 0)
		return error_said(EINVAL, "%s: what it packs is no ELF file", name);
	return NULL;
}
