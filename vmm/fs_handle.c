#include <stdlib.h>
#include <unistd.h>

#include "vmm/fs.h"

int fs_handle_new(struct fs_handles *h, int fd, uint64_t *out)
{
	if (!h->free) {
		uint32_t room = h->n ? 2 * h->n : 64;
		void *grown = realloc(h->slots, room * sizeof(h->slots[0]));
		if (!grown) {
			close(fd);
			return ENOMEM;
		}
		h->slots = grown;
		/* number 0 is nobody's */
		for (uint32_t i = room; i-- > (h->n ? h->n : 1);) {
			h->slots[i] = (struct fs_handle){ .fd = -1, .next_free = h->free };
			h->free = i;
		}
		if (!h->n)
			h->slots[0] = (struct fs_handle){ .fd = -1 };
		h->n = room;
	}
	uint32_t i = h->free;
	h->free = h->slots[i].next_free;
	h->slots[i].fd = fd;
	h->slots[i].position = 0;
	*out = (uint64_t)++h->slots[i].generation << 32 | i;
	return 0;
}

struct fs_handle *fs_handle_find(const struct fs_handles *h, uint64_t id)
{
	uint32_t i = (uint32_t)id;

	if (i >= h->n || h->slots[i].fd < 0 || h->slots[i].generation != id >> 32)
		return NULL;
	return &h->slots[i];
}

void fs_handle_close(struct fs_handles *h, uint64_t id)
{
	struct fs_handle *handle = fs_handle_find(h, id);

	if (!handle)
		return;
	close(take_fd(&handle->fd));
	handle->next_free = h->free;
	h->free = (uint32_t)id;
}

void fs_handles_free(struct fs_handles *h)
{
	for (uint32_t i = 0; i < h->n; i++)
		if (h->slots[i].fd >= 0)
			close(h->slots[i].fd);
	free(h->slots);
	*h = (struct fs_handles){ 0 };
}
