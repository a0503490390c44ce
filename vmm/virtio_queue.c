#include <string.h>

#include "vmm/virtq.h"

error *virtq_start(struct virtq *q, const struct memory *memory, bool event_idx)
{
	size_t n = q->size;

	if (!n || n & (n - 1))
		return error_said(EPROTO, "a queue of %zu descriptors", n);
	if (q->desc_at % 16 || q->avail_at % 2 || q->used_at % 4)
		return error_said(EPROTO, "a queue whose parts are not aligned");
	q->memory = memory;
	q->desc = memory_at(memory, q->desc_at, 16 * n);
	q->avail = memory_at(memory, q->avail_at, 6 + 2 * n);
	q->used = memory_at(memory, q->used_at, 6 + 8 * n);
	if (!q->desc || !q->avail || !q->used)
		return error_said(EPROTO, "a queue outside of the memory");
	q->event_idx = event_idx;
	q->next_avail = q->next_used = q->told = 0;
	return NULL;
}

/* Follows a chain; each descriptor is copied once, since the driver may change it meanwhile. */
static error *walk(const struct virtq *q, uint16_t head, struct chain *c)
{
	struct vring_desc d = { .next = head, .flags = VRING_DESC_F_NEXT };
	uint64_t out = 0;
	uint64_t in = 0;

	c->head = head;
	c->n_out = c->n_in = 0;
	for (unsigned n = 0; d.flags & VRING_DESC_F_NEXT; n++) {
		if (n == q->size || n == VIRTQ_MAX)
			return error_said(EPROTO, "a chain of descriptors without an end");
		if (d.next >= q->size)
			return error_said(EPROTO, "descriptor %u in a queue of %u", d.next,
					  q->size);
		const volatile struct vring_desc *at = &q->desc[d.next];
		d = (struct vring_desc){ at->addr, at->len, at->flags, at->next };
		if (d.flags & VRING_DESC_F_INDIRECT)
			return error_said(EPROTO, "an indirect descriptor, which was not offered");
		void *data = memory_at(q->memory, d.addr, d.len);
		if (!data || !d.len)
			return error_said(EPROTO, "a buffer outside of the memory: %#llx, %u bytes",
					  (unsigned long long)d.addr, d.len);
		c->iov[n] = (struct iovec){ data, d.len };
		if (d.flags & VRING_DESC_F_WRITE) {
			in += d.len;
			c->n_in++;
		} else if (c->n_in) {
			return error_said(EPROTO, "a buffer to read behind one to write");
		} else {
			out += d.len;
			c->n_out++;
		}
	}
	if (out > INT32_MAX || in > INT32_MAX)
		return error_said(EPROTO, "a request of more than 2 GiB");
	c->out_len = (uint32_t)out;
	c->in_len = (uint32_t)in;
	return NULL;
}

static uint16_t waiting(const struct virtq *q)
{
	return (uint16_t)(__atomic_load_n(&q->avail->idx, __ATOMIC_ACQUIRE) - q->next_avail);
}

/* Asks for a notification of the next request; one that came while we asked is seen at once. */
static uint16_t ask(const struct virtq *q)
{
	if (q->event_idx) {
		uint16_t *avail_event = (uint16_t *)&q->used->ring[q->size];
		__atomic_store_n(avail_event, q->next_avail, __ATOMIC_RELAXED);
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
	}
	return waiting(q);
}

error *virtq_pop(struct virtq *q, struct chain *c, bool *got)
{
	uint16_t n = waiting(q);

	*got = false;
	if (!n)
		n = ask(q);
	if (n > q->size)
		return error_said(EPROTO, "%u requests at once in a queue of %u", n, q->size);
	if (!n)
		return NULL;
	uint16_t head =
		__atomic_load_n(&q->avail->ring[q->next_avail & (q->size - 1)], __ATOMIC_RELAXED);
	try(walk(q, head, c));
	q->next_avail++;
	q->chains++;
	*got = true;
	return NULL;
}

void virtq_unpop(struct virtq *q)
{
	q->next_avail--;
	q->chains--;
}

void virtq_push(struct virtq *q, uint16_t head, uint32_t len)
{
	struct vring_used_elem *e = &q->used->ring[q->next_used & (q->size - 1)];

	e->id = head;
	e->len = len;
	__atomic_store_n(&q->used->idx, ++q->next_used, __ATOMIC_RELEASE);
}

bool virtq_wants_interrupt(struct virtq *q)
{
	uint16_t before = q->told;

	if (before == q->next_used)
		return false;
	q->told = q->next_used;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!q->event_idx)
		return !(__atomic_load_n(&q->avail->flags, __ATOMIC_RELAXED) &
			 VRING_AVAIL_F_NO_INTERRUPT);
	uint16_t used_event = __atomic_load_n(&q->avail->ring[q->size], __ATOMIC_RELAXED);
	return (uint16_t)(q->next_used - used_event - 1) < (uint16_t)(q->next_used - before);
}

unsigned chain_slice(const struct iovec *in, unsigned n, size_t offset, size_t len,
		     struct iovec out[VIRTQ_MAX])
{
	unsigned made = 0;

	for (unsigned i = 0; i < n && len; i++) {
		if (offset >= in[i].iov_len) {
			offset -= in[i].iov_len;
			continue;
		}
		size_t part = in[i].iov_len - offset < len ? in[i].iov_len - offset : len;
		out[made++] = (struct iovec){ (uint8_t *)in[i].iov_base + offset, part };
		len -= part;
		offset = 0;
	}
	return made;
}

size_t chain_read(const struct chain *c, size_t offset, void *data, size_t len)
{
	struct iovec parts[VIRTQ_MAX];
	unsigned n = chain_slice(c->iov, c->n_out, offset, len, parts);
	uint8_t *to = data;

	for (unsigned i = 0; i < n; to += parts[i++].iov_len)
		memcpy(to, parts[i].iov_base, parts[i].iov_len);
	return (size_t)(to - (uint8_t *)data);
}

size_t chain_write(const struct chain *c, size_t offset, const void *data, size_t len)
{
	struct iovec parts[VIRTQ_MAX];
	unsigned n = chain_slice(c->iov + c->n_out, c->n_in, offset, len, parts);
	const uint8_t *from = data;

	for (unsigned i = 0; i < n; from += parts[i++].iov_len)
		memcpy(parts[i].iov_base, from, parts[i].iov_len);
	return (size_t)(from - (const uint8_t *)data);
}
