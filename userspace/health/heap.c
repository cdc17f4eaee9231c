// SPDX-License-Identifier: Apache-2.0
/* Which check is due next: a binary heap, in which each check knows its place. */
#include "health/internal.h"

static bool before(const struct km_check *a, const struct km_check *b)
{
	return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a < b;
}

static void place(struct km_prober *p, size_t i, struct km_check *c)
{
	p->heap[i] = c;
	c->heap = i;
}

static void rise(struct km_prober *p, size_t i)
{
	struct km_check *c = p->heap[i];

	while (i > 0 && before(c, p->heap[(i - 1) / 2])) {
		place(p, i, p->heap[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	place(p, i, c);
}

static void sink(struct km_prober *p, size_t i)
{
	struct km_check *c = p->heap[i];

	for (;;) {
		size_t child = 2 * i + 1;

		if (child + 1 < p->heap_count && before(p->heap[child + 1], p->heap[child]))
			child++;
		if (child >= p->heap_count || before(c, p->heap[child]))
			break;
		place(p, i, p->heap[child]);
		i = child;
	}
	place(p, i, c);
}

void km_heap_put(struct km_prober *p, struct km_check *c)
{
	place(p, p->heap_count++, c);
	rise(p, c->heap);
}

void km_heap_drop(struct km_prober *p, struct km_check *c)
{
	struct km_check *last = p->heap[--p->heap_count];
	size_t i = c->heap;

	if (last == c)
		return;
	place(p, i, last);
	km_heap_move(p, last);
}

void km_heap_move(struct km_prober *p, struct km_check *c)
{
	rise(p, c->heap);
	sink(p, c->heap);
}
