/* A network device: packets between the rings and a tap, whose header is virtio's own, so that the
 * work of checksums and large packets is left to who can do it best. */
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "vmm/virtio.h"

enum queue { TO_GUEST, FROM_GUEST, QUEUES };
enum { HEADER = 12, PACKET_MAX = 65535 + HEADER + 18 };
#define BIT(n) (1ULL << (n))

/* What we take from the guest unfinished, the tap takes too; and the other way round. */
static const struct {
	uint64_t feature;
	unsigned offload; /* of the tap, when the driver takes such packets */
} offloads[] = {
	{ BIT(VIRTIO_NET_F_GUEST_CSUM), TUN_F_CSUM },
	{ BIT(VIRTIO_NET_F_GUEST_TSO4), TUN_F_TSO4 },
	{ BIT(VIRTIO_NET_F_GUEST_TSO6), TUN_F_TSO6 },
	{ BIT(VIRTIO_NET_F_GUEST_ECN), TUN_F_TSO_ECN },
};

struct net {
	struct virtio_device d;
	struct watch tap;
};

static error *send_packets(struct net *net)
{
	struct virtq *q = &net->d.queues[FROM_GUEST];
	struct chain c;
	bool got;

	for (unsigned n = 0;;) {
		try(virtio_next(&net->d, FROM_GUEST, &n, &c, &got));
		if (!got)
			break;
		/* too short or long: lost, as is what the tap has no room for or does not like */
		if (c.out_len > HEADER && c.out_len <= PACKET_MAX) {
			ssize_t sent = writev(net->tap.fd, c.iov, (int)c.n_out);
			net->d.count.bytes_out += sent > 0 ? (size_t)sent - HEADER : 0;
			virtio_spent(&net->d, FROM_GUEST, c.out_len - HEADER);
		}
		virtq_push(q, c.head, 0);
	}
	virtio_told(&net->d, FROM_GUEST);
	return NULL;
}

static error *receive_packets(struct net *net)
{
	struct virtq *q = &net->d.queues[TO_GUEST];
	struct chain c;
	bool got;

	net->tap.events = POLLIN;
	for (unsigned n = 0;;) {
		try(virtio_next(&net->d, TO_GUEST, &n, &c, &got));
		if (!got) { /* until the guest gives us more room */
			net->d.count.stalls++;
			net->tap.events = 0;
			break;
		}
		if (c.in_len < HEADER)
			return error_said(EPROTO, "a buffer for packets of %u bytes", c.in_len);
		ssize_t len = readv(net->tap.fd, c.iov + c.n_out, (int)c.n_in);
		if (len <= 0) {
			virtq_unpop(q);
			break;
		}
		/* one buffer for each packet; the tap leaves the field to us */
		static const uint16_t one = 1;
		chain_write(&c, offsetof(struct virtio_net_hdr_v1, num_buffers), &one, sizeof(one));
		net->d.count.bytes_in += (size_t)len;
		virtio_spent(&net->d, TO_GUEST, (uint64_t)len);
		virtq_push(q, c.head, (uint32_t)len);
	}
	virtio_told(&net->d, TO_GUEST);
	return NULL;
}

static error *serve(struct virtio_device *d, unsigned queue)
{
	struct net *net = (struct net *)d;

	return queue == TO_GUEST ? receive_packets(net) : send_packets(net);
}

static error *tap_ready(struct watch *w, short events)
{
	struct net *net = w->context;
	error *e = NULL;

	pthread_mutex_lock(&net->d.lock);
	w->events = 0;
	if (events & (POLLERR | POLLHUP))
		w->fd = -1; /* its network is gone, and the machine's goes on without */
	else if (net->d.running && net->d.queues[TO_GUEST].ready)
		e = receive_packets(net);
	pthread_mutex_unlock(&net->d.lock);
	return e ? error_wrap(e, "the guest's driver of net") : NULL;
}

static error *start(struct virtio_device *d)
{
	struct net *net = (struct net *)d;
	unsigned wanted = 0;

	for (size_t i = 0; i < COUNT(offloads); i++)
		if (d->accepted & offloads[i].feature)
			wanted |= offloads[i].offload;
	return ioctl(net->tap.fd, TUNSETOFFLOAD, wanted) < 0 ? error_errno("the tap's offloads")
							     : NULL;
}

static void end(struct virtio_device *d)
{
	struct net *net = (struct net *)d;

	loop_forget(d->loop, &net->tap);
	if (net->tap.fd >= 0)
		close(net->tap.fd);
}

static const struct virtio_class class = {
	.name = "net",
	.id = VIRTIO_NET,
	.queues = QUEUES,
	.queue_size = VIRTQ_MAX,
	.features = VIRTIO_EVENT_IDX | BIT(VIRTIO_NET_F_MAC) | BIT(VIRTIO_NET_F_CSUM) |
		    BIT(VIRTIO_NET_F_HOST_TSO4) | BIT(VIRTIO_NET_F_HOST_TSO6) |
		    BIT(VIRTIO_NET_F_HOST_ECN) | BIT(VIRTIO_NET_F_GUEST_CSUM) |
		    BIT(VIRTIO_NET_F_GUEST_TSO4) | BIT(VIRTIO_NET_F_GUEST_TSO6) |
		    BIT(VIRTIO_NET_F_GUEST_ECN),
	.start = start,
	.serve = serve,
	.end = end,
};

error *virtio_net_new(int tap, const uint8_t mac[6], const struct memory *memory, struct loop *loop,
		      struct virtio_device **out)
{
	static const int header = HEADER;
	struct net *net = calloc(1, sizeof(*net));

	if (!net)
		return error_new(ENOMEM, "a device");
	*out = &net->d;
	memcpy(net->d.config, mac, 6);
	net->d.config_size = 6;
	net->tap = (struct watch){ .fd = tap, .ready = tap_ready, .context = net };
	if (ioctl(tap, TUNSETVNETHDRSZ, &header) < 0 ||
	    fcntl(tap, F_SETFL, O_RDWR | O_NONBLOCK) < 0)
		return error_errno("a tap");
	try(loop_watch(loop, &net->tap));
	return virtio_init(&net->d, &class, memory, loop);
}
