// SPDX-License-Identifier: Apache-2.0
/* From the two rings to the sink. The must ring is emptied first and looked at again after each
 * burst from the bulk ring, so that a fork storm delays it by a millisecond at most. */
#include <bpf/libbpf.h>
#include <sys/epoll.h>

#include "collect/internal.h"

static int deliver(struct km_collect *c, const struct kmend_hdr *h, size_t len)
{
	const struct kmend_exit *e = (const void *)h;

	if (len < sizeof(*h))
		return 0;
	km_honesty_seen(c, h);
	if (h->type == KMEND_EXIT && len >= sizeof(*e) && c->found)
		km_scan_exit_seen(c, e->tgid, e->start_ns);
	return km_emit(c, h, len);
}

/* A negative answer ends the round; the record counts as taken all the same. */
static int on_must(void *ctx, void *data, size_t len)
{
	struct km_collect *c = ctx;

	return deliver(c, data, len) ? -ECANCELED : 0;
}

static int on_bulk(void *ctx, void *data, size_t len)
{
	struct km_collect *c = ctx;

	if (deliver(c, data, len))
		return -ECANCELED;
	return --c->burst ? 0 : -EAGAIN;
}

static int open_pair(struct km_collect *c, const int fds[2], struct ring_buffer *ret[2])
{
	static const ring_buffer_sample_fn on[KMEND_RING_MAX] = { on_must, on_bulk };

	for (int i = 0; i < KMEND_RING_MAX; i++) {
		if (fds[i] < 0)
			continue;
		ret[i] = ring_buffer__new(fds[i], on[i], c, NULL);
		if (!ret[i])
			return -errno;
	}
	return 0;
}

int km_rings_open(struct km_collect *c)
{
	int fds[KMEND_RING_MAX] = { c->bpf.maps[KM_MAP_MUST], c->bpf.maps[KM_MAP_BULK] };
	int r = open_pair(c, fds, c->rings);

	return r < 0 ? r : open_pair(c, c->bpf.old_rings, c->old_rings);
}

static void close_pair(struct ring_buffer *rings[2])
{
	for (int i = 0; i < KMEND_RING_MAX; i++) {
		ring_buffer__free(rings[i]);
		rings[i] = NULL;
	}
}

void km_rings_close(struct km_collect *c)
{
	close_pair(c->rings);
	close_pair(c->old_rings);
}

/* 1: the bulk ring holds more; 0: both were empty; else the sink's answer. */
static int drain_once(struct km_collect *c, struct ring_buffer *rings[2])
{
	int r = 0;

	if (rings[KMEND_MUST])
		ring_buffer__consume(rings[KMEND_MUST]);
	c->burst = KM_BULK_BURST;
	if (rings[KMEND_BULK] && !c->error)
		r = ring_buffer__consume(rings[KMEND_BULK]);
	if (c->error)
		return c->error;
	return r == -EAGAIN;
}

/* Twice the bulk ring's content at most, so that a storm cannot hold the loop here. */
#define BURSTS_MAX (2 * KMEND_BULK_BYTES / (KM_BULK_BURST * sizeof(struct kmend_fork)))

int km_rings_drain(struct km_collect *c)
{
	int r = 1;

	for (size_t i = 0; i < BURSTS_MAX && r == 1; i++)
		r = drain_once(c, c->rings);
	return r == 1 ? 0 : r;
}

int km_rings_drain_old(struct km_collect *c)
{
	int r;

	do
		r = drain_once(c, c->old_rings);
	while (r == 1);
	close_pair(c->old_rings);
	km_close(&c->bpf.old_rings[KMEND_MUST]);
	km_close(&c->bpf.old_rings[KMEND_BULK]);
	return r;
}

static int on_ready(void *userdata, int fd, uint32_t events)
{
	struct km_collect *c = userdata;

	(void)fd;
	(void)events;
	return km_rings_drain(c);
}

/* Where passes are further apart: what lowers trust is said within a second all the same. */
static int on_second(void *userdata, int fd, uint32_t events)
{
	struct km_collect *c = userdata;
	int r = on_ready(userdata, fd, events);

	if (r == 0)
		r = km_clock_emit(c);
	if (r == 0)
		r = km_losses_emit(c);
	return r ? r : km_honesty_step(c);
}

int km_rings_add(struct km_collect *c)
{
	int r;

	if (!c->rings[KMEND_MUST] || !c->rings[KMEND_BULK])
		return 0;
	r = km_loop_add(c->loop, c->bpf.maps[KM_MAP_MUST], EPOLLIN, on_ready, c);
	if (r < 0)
		return r;
	/* Edge-triggered: level-triggered, every record that comes without a wake-up would be one
	 * as soon as the first was. */
	r = km_loop_add(c->loop, c->bpf.maps[KM_MAP_BULK], EPOLLIN | EPOLLET, on_ready, c);
	if (r < 0)
		return r;
	if (c->period_ns <= KM_BULK_PERIOD_NS)
		return 0; /* each pass empties it */
	return km_loop_timer(c->loop, KM_BULK_PERIOD_NS, on_second, c, &c->bulk_timer_fd);
}
