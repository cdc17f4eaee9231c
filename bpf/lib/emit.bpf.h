/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* From a program into the must ring or this CPU's bulk ring, counted exactly: every record offered
 * is seen, every one refused is lost, the rest was delivered. All objects share these maps; the
 * loader makes them once. */
#ifndef KMEND_EMIT_BPF_H
#define KMEND_EMIT_BPF_H

#include "lib/setup.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, KMEND_MUST_BYTES);
} kmend_must SEC(".maps");

struct kmend_bulk_ring {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, KMEND_BULK_BYTES_MIN);
};

/* By CPU, as many as the loader made. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, KMEND_BULK_RINGS_MAX);
	__type(key, __u32);
	__array(values, struct kmend_bulk_ring);
} kmend_bulk SEC(".maps");

/* One row a CPU, [ring][type] in it, and one more that user space writes. Mapped by user space, so
 * reading costs no system call and needs no privilege; a row a CPU keeps the lines apart, atomic
 * because an interrupt may emit too. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, KMEND_COUNTS_PER_CPU);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct kmend_count);
} kmend_counts SEC(".maps");

/* Cgroups whose processes wake the daemon at once: KMEND_WATCHED and whose durations are wanted. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, KMEND_WATCH_MAX);
	__uint(map_flags, BPF_F_NO_PREALLOC); /* only user space makes rows */
	__type(key, __u64);
	__type(value, __u32);
} kmend_watch SEC(".maps");

/* The daemon's own processes: nothing is said about them. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, KMEND_SELF_MAX);
	__type(key, __u32);
	__type(value, __u32);
} kmend_self SEC(".maps");

static __always_inline bool is_watched(__u64 cgroup_id)
{
	return bpf_map_lookup_elem(&kmend_watch, &cgroup_id) != 0;
}

static __always_inline bool is_self(__u32 tgid)
{
	__u32 i;

#pragma unroll
	for (i = 0; i < KMEND_SELF_MAX; i++) {
		__u32 key = i;
		__u32 *self = bpf_map_lookup_elem(&kmend_self, &key);

		if (self && *self == tgid)
			return true;
	}
	return false;
}

static __always_inline struct kmend_count *count_of(__u32 cpu, __u32 ring, __u32 type)
{
	__u32 key = cpu * KMEND_COUNTS_PER_CPU + ring * KMEND_TYPE_MAX + type;

	return bpf_map_lookup_elem(&kmend_counts, &key);
}

static __always_inline void *bulk_ring(__u32 cpu)
{
	__u32 key = cpu & (kmend_setup.bulk_rings - 1);

	return bpf_map_lookup_elem(&kmend_bulk, &key);
}

static __always_inline void *reserve(__u32 cpu, __u32 ring, __u16 size)
{
	void *bulk;

	if (ring == KMEND_MUST)
		return bpf_ringbuf_reserve(&kmend_must, size, 0);
	bulk = bulk_ring(cpu);
	return bulk ? bpf_ringbuf_reserve(bulk, size, 0) : 0;
}

/* A zeroed record with its header filled in, or NULL: counted as lost. */
static __always_inline void *emit_begin(__u32 ring, __u16 type, __u16 size, __u64 cgroup_id)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct kmend_count *count = count_of(cpu, ring, type);
	struct kmend_hdr *h;

	if (count)
		__sync_fetch_and_add(&count->seen, 1);
	h = reserve(cpu, ring, size);
	if (!h) {
		if (count)
			__sync_fetch_and_add(&count->lost, 1);
		return 0;
	}
	__builtin_memset(h, 0, size);
	h->type = type;
	h->size = size;
	h->cpu = cpu;
	h->ktime_ns = bpf_ktime_get_boot_ns(); /* behind the reservation: ring.c relies on it */
	h->cgroup_id = cgroup_id;
	return h;
}

/* Bulk rings are drained by a timer; a wake-up costs 6.6 us. Only when one is more than half full,
 * and then at each further eighth, the reader is called. */
static __always_inline __u64 bulk_wakeup(const struct kmend_hdr *h)
{
	__u64 eighth = kmend_setup.bulk_bytes / 8, now;
	void *bulk = bulk_ring(h->cpu);

	if (!bulk)
		return BPF_RB_NO_WAKEUP;
	now = bpf_ringbuf_query(bulk, BPF_RB_AVAIL_DATA);
	if (now < kmend_setup.bulk_bytes / 2 || (now & (eighth - 1)) >= h->size + 8U)
		return BPF_RB_NO_WAKEUP;
	return BPF_RB_FORCE_WAKEUP;
}

static __always_inline void emit_end(__u32 ring, void *record)
{
	bpf_ringbuf_submit(record, ring == KMEND_MUST ? BPF_RB_FORCE_WAKEUP : bulk_wakeup(record));
}

/* What comes before the end of a watched process (fork, exec) goes the same way, so that their
 * order holds, but without a wake-up and only while half of the ring is free: that half is for
 * ends. */
static __always_inline __u32 ring_of_start(__u64 cgroup_id)
{
	if (is_watched(cgroup_id) &&
	    bpf_ringbuf_query(&kmend_must, BPF_RB_AVAIL_DATA) < kmend_setup.must_bytes / 2)
		return KMEND_MUST;
	return KMEND_BULK;
}

static __always_inline void emit_end_quietly(__u32 ring, void *record)
{
	bpf_ringbuf_submit(record, ring == KMEND_MUST ? BPF_RB_NO_WAKEUP : bulk_wakeup(record));
}

static __always_inline __u32 ring_of_end(__u64 cgroup_id)
{
	return is_watched(cgroup_id) ? KMEND_MUST : KMEND_BULK;
}

#endif
