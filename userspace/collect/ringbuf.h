/* SPDX-License-Identifier: Apache-2.0 */
/* One BPF ring buffer as its only reader sees it: the oldest record can be looked at before it is
 * taken, so that several rings can be read in the order of their records. */
#ifndef KM_COLLECT_RINGBUF_H
#define KM_COLLECT_RINGBUF_H

#include "base/base.h"

/* Mapped; goes with fork(). All zero: closed. */
struct km_ring {
	unsigned long *consumer;
	const unsigned long *producer;
	const uint8_t *data; /* twice in a row, so that no record is cut in two */
	unsigned long mask;
	unsigned long pos; /* of the oldest record that was not taken */
	unsigned long end; /* up to here are records, when it was last looked at */
};

/* FD stays the caller's. -EINVAL: it is no ring buffer. */
int km_ring_open(int fd, struct km_ring *ret);
void km_ring_close(struct km_ring *r);
static inline bool km_ring_is_open(const struct km_ring *r)
{
	return r->consumer;
}

/* Looks how far records go now. */
void km_ring_look(struct km_ring *r);
/* The oldest record before R->end; it stays valid until it is taken. NULL with *BUSY: the kernel
 * still writes it; else there is none. */
const void *km_ring_peek(struct km_ring *r, size_t *len, bool *busy);
/* Takes what km_ring_peek() returned: its room is free again. */
void km_ring_take(struct km_ring *r);

#endif
