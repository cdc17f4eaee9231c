// SPDX-License-Identifier: Apache-2.0
/* The memory of a BPF ring buffer, as linux/bpf.h and the kernel's Documentation/bpf/ringbuf.rst
 * lay it out: a page with the reader's position, a page with the writers', then the data. */
#include <bpf/bpf.h>
#include <sys/mman.h>

#include "collect/ringbuf.h"

static unsigned long page_size(void)
{
	return (unsigned long)sysconf(_SC_PAGESIZE);
}

int km_ring_open(int fd, struct km_ring *ret)
{
	struct bpf_map_info info = { 0 };
	uint32_t len = sizeof(info);
	unsigned long page = page_size();
	void *consumer, *rest;

	if (bpf_obj_get_info_by_fd(fd, &info, &len) < 0)
		return -errno;
	if (info.type != BPF_MAP_TYPE_RINGBUF)
		return -EINVAL;
	consumer = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (consumer == MAP_FAILED)
		return -errno;
	rest = mmap(NULL, page + 2UL * info.max_entries, PROT_READ, MAP_SHARED, fd, (off_t)page);
	if (rest == MAP_FAILED) {
		munmap(consumer, page);
		return -errno;
	}
	*ret = (struct km_ring){ .consumer = consumer,
		                 .producer = rest,
		                 .data = (const uint8_t *)rest + page,
		                 .mask = info.max_entries - 1UL };
	ret->pos = ret->end = __atomic_load_n(ret->consumer, __ATOMIC_ACQUIRE);
	return 0;
}

void km_ring_close(struct km_ring *r)
{
	unsigned long page = page_size();

	if (!km_ring_is_open(r))
		return;
	munmap(r->consumer, page);
	munmap((void *)r->producer, page + 2 * (r->mask + 1));
	memset(r, 0, sizeof(*r));
}

void km_ring_look(struct km_ring *r)
{
	r->end = __atomic_load_n(r->producer, __ATOMIC_ACQUIRE);
}

static unsigned long room_of(uint32_t len)
{
	return (len + BPF_RINGBUF_HDR_SZ + 7UL) & ~7UL;
}

const void *km_ring_peek(struct km_ring *r, size_t *len, bool *busy)
{
	*busy = false;
	while (r->pos < r->end) {
		const void *h = r->data + (r->pos & r->mask);
		uint32_t word = __atomic_load_n((const uint32_t *)h, __ATOMIC_ACQUIRE);

		*busy = word & BPF_RINGBUF_BUSY_BIT;
		if (*busy)
			return NULL;
		*len = word & ~(uint32_t)BPF_RINGBUF_DISCARD_BIT;
		if (*len == word)
			return (const uint8_t *)h + BPF_RINGBUF_HDR_SZ;
		km_ring_take(r); /* given up by its writer */
	}
	return NULL;
}

void km_ring_take(struct km_ring *r)
{
	uint32_t word = *(const uint32_t *)(r->data + (r->pos & r->mask));

	r->pos += room_of(word & ~(uint32_t)BPF_RINGBUF_DISCARD_BIT);
	__atomic_store_n(r->consumer, r->pos, __ATOMIC_RELEASE);
}
