// SPDX-License-Identifier: Apache-2.0
/* From the rings to the sink. The must ring is emptied first and looked at again after each burst
 * from the bulk rings, so that a fork storm delays it by a millisecond at most. Bulk rings are read
 * side by side, oldest record first: a process may be born, execute and end on three CPUs. */
#include <sys/epoll.h>

#include "collect/internal.h"

static int open_rings(int must, const int bulk[KMEND_BULK_RINGS_MAX], struct km_rings *ret)
{
	int r = must >= 0 ? km_ring_open(must, &ret->must) : 0;

	for (int i = 0; i < KMEND_BULK_RINGS_MAX && r == 0; i++) {
		if (bulk[i] < 0)
			continue;
		r = km_ring_open(bulk[i], &ret->bulk[ret->count]);
		ret->count += r == 0;
	}
	return r;
}

static void close_rings(struct km_rings *rings)
{
	km_ring_close(&rings->must);
	while (rings->count)
		km_ring_close(&rings->bulk[--rings->count]);
}

int km_rings_open(struct km_collect *c)
{
	/* What an earlier build left may be anything: no reason not to begin. */
	open_rings(c->bpf.old_must, c->bpf.old_bulk, &c->old_rings);
	return open_rings(c->bpf.maps[KM_MAP_MUST], c->bpf.bulk, &c->rings);
}

void km_rings_close(struct km_collect *c)
{
	close_rings(&c->rings);
	close_rings(&c->old_rings);
}

static void deliver(struct km_collect *c, const struct kmend_hdr *h, size_t len)
{
	const struct kmend_exit *e = (const void *)h;

	if (len < sizeof(*h))
		return;
	km_honesty_seen(c, h);
	if (h->type == KMEND_EXIT && len >= sizeof(*e) && c->found)
		km_scan_exit_seen(c, e->tgid, e->start_ns);
	km_emit(c, h, len);
}

/* Up to LEFT records of R that are at most UNTIL_NS old; how many are left. A record that the sink
 * answers with an error counts as taken all the same. */
static uint32_t take(struct km_collect *c, struct km_ring *r, uint64_t until_ns, uint32_t left)
{
	const struct kmend_hdr *h;
	size_t len;
	bool busy;

	while (left && !c->error && (h = km_ring_peek(r, &len, &busy)) && h->ktime_ns <= until_ns) {
		deliver(c, h, len);
		km_ring_take(r);
		left--;
	}
	return left;
}

static void drain_must(struct km_collect *c, struct km_ring *r)
{
	unsigned long from;

	do {
		from = r->pos;
		km_ring_look(r);
		take(c, r, UINT64_MAX, UINT32_MAX);
	} while (r->pos != from && !c->error);
}

/* Whose oldest record is the oldest of all, and not younger than UNTIL_NS, which becomes the time
 * of the oldest one of the others. NULL: none, or one that is still written may be older. */
static struct km_ring *oldest(struct km_rings *rings, uint64_t *until_ns)
{
	uint64_t first_ns = UINT64_MAX, next_ns = *until_ns;
	struct km_ring *first = NULL;

	for (uint32_t i = 0; i < rings->count; i++) {
		const struct kmend_hdr *h;
		size_t len;
		bool busy;

		h = km_ring_peek(&rings->bulk[i], &len, &busy);
		if (busy)
			return NULL;
		if (!h || h->ktime_ns > next_ns)
			continue;
		if (h->ktime_ns >= first_ns) {
			next_ns = h->ktime_ns;
			continue;
		}
		if (first)
			next_ns = first_ns;
		first = &rings->bulk[i];
		first_ns = h->ktime_ns;
	}
	*until_ns = next_ns;
	return first;
}

/* A burst of what is not younger than UNTIL_NS; false: that was all. */
static bool drain_bulk(struct km_collect *c, struct km_rings *rings, uint64_t until_ns)
{
	uint32_t left = KM_BULK_BURST;

	while (left && !c->error) {
		uint64_t next_ns = until_ns;
		struct km_ring *r = oldest(rings, &next_ns);

		if (!r)
			return false;
		left = take(c, r, next_ns, left);
	}
	return !c->error;
}

/* What is there now and no more, so that a storm cannot hold the loop here. Room is reserved before
 * the clock is read for a record: those that are older than this look at the clock are all there,
 * while a younger one may be seen before an older one of another CPU. */
static int drain(struct km_collect *c, struct km_rings *rings)
{
	uint64_t now = km_now_ns();

	for (uint32_t i = 0; i < rings->count; i++)
		km_ring_look(&rings->bulk[i]);
	do {
		if (km_ring_is_open(&rings->must))
			drain_must(c, &rings->must);
	} while (drain_bulk(c, rings, now));
	return c->error;
}

int km_rings_drain(struct km_collect *c)
{
	return drain(c, &c->rings);
}

int km_rings_drain_old(struct km_collect *c)
{
	int r = drain(c, &c->old_rings);

	close_rings(&c->old_rings);
	km_close(&c->bpf.old_must);
	for (int i = 0; i < KMEND_BULK_RINGS_MAX; i++)
		km_close(&c->bpf.old_bulk[i]);
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

	if (!km_ring_is_open(&c->rings.must))
		return 0;
	r = km_loop_add(c->loop, c->bpf.maps[KM_MAP_MUST], EPOLLIN, on_ready, c);
	/* Edge-triggered: level-triggered, every record that comes without a wake-up would be one
	 * as soon as the first was. */
	for (uint32_t i = 0; i < c->rings.count && r == 0; i++)
		r = km_loop_add(c->loop, c->bpf.bulk[i], EPOLLIN | EPOLLET, on_ready, c);
	if (r < 0)
		return r;
	if (c->period_ns <= KM_BULK_PERIOD_NS)
		return 0; /* each pass empties it */
	return km_loop_timer(c->loop, KM_BULK_PERIOD_NS, on_second, c, &c->bulk_timer_fd);
}

void km_rings_remove(struct km_collect *c)
{
	if (!km_ring_is_open(&c->rings.must))
		return;
	km_loop_remove(c->loop, c->bpf.maps[KM_MAP_MUST]);
	for (uint32_t i = 0; i < c->rings.count; i++)
		km_loop_remove(c->loop, c->bpf.bulk[i]);
}
