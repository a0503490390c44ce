/* A disk: a raw image. A request is a header of 16 bytes, data, and a byte for how it went.
 * Requests are served in their order: one that a limit holds holds those behind it. */
#include <fcntl.h>
#include <linux/virtio_blk.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "vmm/virtio.h"

enum { SECTOR = 512, HEADER = 16, PARTS_MAX = 126, ID_LENGTH = 20 };

struct blk {
	struct virtio_device d;
	int fd;
	enum blk_mode mode;
	uint64_t sectors;
	char name[ID_LENGTH + 1];
	struct limit read, write; /* beside that of both */
	int copy;                 /* BLK_COPY: what is changed goes there */
	uint8_t *changed;         /* a bit for each sector */
};

static bool is_changed(const struct blk *blk, uint64_t sector)
{
	return blk->changed && blk->changed[sector / 8] >> sector % 8 & 1;
}

/* From where it is, in runs of sectors of one kind. */
static bool read_sectors(const struct blk *blk, const struct iovec *iov, unsigned n, size_t len,
			 uint64_t sector)
{
	struct iovec parts[VIRTQ_MAX];

	for (size_t done = 0; done < len;) {
		bool changed = is_changed(blk, sector);
		size_t run = SECTOR;
		while (done + run < len && is_changed(blk, sector + run / SECTOR) == changed)
			run += SECTOR;
		unsigned n_parts = chain_slice(iov, n, done, run, parts);
		if (preadv(changed ? blk->copy : blk->fd, parts, (int)n_parts,
			   (off_t)(sector * SECTOR)) != (ssize_t)run)
			return false;
		done += run;
		sector += run / SECTOR;
	}
	return true;
}

static bool write_sectors(const struct blk *blk, const struct iovec *iov, unsigned n, size_t len,
			  uint64_t sector)
{
	if (pwritev(blk->changed ? blk->copy : blk->fd, iov, (int)n, (off_t)(sector * SECTOR)) !=
	    (ssize_t)len)
		return false;
	for (uint64_t i = sector; blk->changed && i < sector + len / SECTOR; i++)
		blk->changed[i / 8] |= (uint8_t)(1 << i % 8);
	return true;
}

static uint8_t move(struct blk *blk, const struct chain *c, bool is_write, uint64_t sector,
		    uint32_t *written)
{
	struct iovec parts[VIRTQ_MAX];
	size_t len = is_write ? c->out_len - HEADER : c->in_len - 1;
	unsigned n = is_write ? chain_slice(c->iov, c->n_out, HEADER, len, parts)
			      : chain_slice(c->iov + c->n_out, c->n_in, 0, len, parts);

	if (len % SECTOR || sector > blk->sectors || len / SECTOR > blk->sectors - sector)
		return VIRTIO_BLK_S_IOERR;
	if (is_write && blk->mode == BLK_READ_ONLY)
		return VIRTIO_BLK_S_IOERR;
	if (!(is_write ? write_sectors : read_sectors)(blk, parts, n, len, sector))
		return VIRTIO_BLK_S_IOERR;
	if (is_write)
		blk->d.count.bytes_out += len;
	else
		blk->d.count.bytes_in += *written = (uint32_t)len;
	return VIRTIO_BLK_S_OK;
}

static uint8_t act(struct blk *blk, const struct chain *c, const struct virtio_blk_outhdr *head,
		   uint32_t *written)
{
	switch (head->type) {
	case VIRTIO_BLK_T_IN:
		return move(blk, c, false, head->sector, written);
	case VIRTIO_BLK_T_OUT:
		return move(blk, c, true, head->sector, written);
	case VIRTIO_BLK_T_FLUSH:
		return blk->mode == BLK_WRITE && fdatasync(blk->fd) < 0 ? VIRTIO_BLK_S_IOERR
									: VIRTIO_BLK_S_OK;
	case VIRTIO_BLK_T_GET_ID:
		if (c->in_len < ID_LENGTH + 1)
			return VIRTIO_BLK_S_IOERR;
		*written = (uint32_t)chain_write(c, 0, blk->name, ID_LENGTH);
		return VIRTIO_BLK_S_OK;
	default:
		return VIRTIO_BLK_S_UNSUPP;
	}
}

static struct limit *limit_of(struct blk *blk, uint32_t type)
{
	return type == VIRTIO_BLK_T_IN ? &blk->read : type == VIRTIO_BLK_T_OUT ? &blk->write : NULL;
}

static error *serve(struct virtio_device *d, unsigned queue)
{
	struct blk *blk = (struct blk *)d;
	struct chain c;
	bool got;

	for (unsigned n = 0;;) {
		struct virtio_blk_outhdr head;
		uint32_t written = 0;
		try(virtio_next(d, queue, &n, &c, &got));
		if (!got)
			break;
		if (c.in_len < 1 || chain_read(&c, 0, &head, sizeof(head)) != HEADER)
			return error_said(EPROTO, "a request of %u and %u bytes", c.out_len,
					  c.in_len);
		struct limit *own = limit_of(blk, head.type);
		if (own && virtio_must_wait(d, queue, own)) {
			virtq_unpop(&d->queues[queue]);
			break;
		}
		uint8_t how = act(blk, &c, &head, &written);
		chain_write(&c, c.in_len - 1, &how, 1);
		virtio_spent(d, queue, c.out_len + c.in_len);
		if (own)
			limit_spend(own, c.out_len + c.in_len);
		virtq_push(&d->queues[queue], c.head, written + 1);
	}
	virtio_told(d, queue);
	return NULL;
}

static void end(struct virtio_device *d)
{
	struct blk *blk = (struct blk *)d;

	close(blk->fd);
	if (blk->changed)
		close(blk->copy);
	free(blk->changed);
}

static const struct virtio_class class = {
	.name = "blk",
	.id = VIRTIO_BLOCK,
	.queues = 1,
	.queue_size = 128,
	.features = VIRTIO_EVENT_IDX | 1ULL << VIRTIO_BLK_F_SEG_MAX | 1ULL << VIRTIO_BLK_F_FLUSH,
	.serve = serve,
	.end = end,
};

/* What the guest changes lies in memory, and is gone with it. */
static error *make_copy(struct blk *blk)
{
	blk->copy = memfd_create("disk", MFD_CLOEXEC);
	if (blk->copy < 0 || ftruncate(blk->copy, (off_t)(blk->sectors * SECTOR)) < 0)
		return error_errno("memory for what is written");
	blk->changed = calloc(1, blk->sectors / 8 + 1);
	return blk->changed ? NULL : error_new(ENOMEM, "memory for what is written");
}

error *virtio_blk_limit(struct virtio_device *d, bool writes, uint64_t bytes, uint64_t requests)
{
	struct blk *blk = (struct blk *)d;

	return virtio_limit(d, writes ? &blk->write : &blk->read, bytes, requests);
}

error *virtio_blk_new(int fd, enum blk_mode mode, const char *name, const struct memory *memory,
		      struct loop *loop, struct virtio_device **out)
{
	static const uint32_t parts = PARTS_MAX;
	struct blk *blk = calloc(1, sizeof(*blk));
	struct stat st;

	if (!blk)
		return error_new(ENOMEM, "a device");
	*out = &blk->d;
	blk->mode = mode;
	blk->fd = fd;
	if (strlen(name) > ID_LENGTH)
		return error_said(ENAMETOOLONG, "the disk's name '%s'", name);
	strcpy(blk->name, name);
	if (fstat(blk->fd, &st) < 0)
		return error_errno("the disk %s", name);
	off_t size = S_ISBLK(st.st_mode) ? lseek(blk->fd, 0, SEEK_END) : st.st_size;
	blk->sectors = size > 0 ? (uint64_t)size / SECTOR : 0;
	if (mode == BLK_COPY)
		try(make_copy(blk));
	struct virtio_blk_config config = { .capacity = blk->sectors, .seg_max = parts };
	memcpy(blk->d.config, &config,
	       sizeof(blk->d.config) < sizeof(config) ? sizeof(blk->d.config) : sizeof(config));
	blk->d.config_size = sizeof(blk->d.config);
	try(virtio_init(&blk->d, &class, memory, loop));
	if (mode == BLK_READ_ONLY)
		blk->d.offered |= 1ULL << VIRTIO_BLK_F_RO;
	return NULL;
}
