/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* From a program into one of the two rings, counted exactly: every record offered is seen, every
 * one refused is lost, the rest was delivered. All objects share these maps; the loader makes them
 * once. */
#ifndef KMEND_EMIT_BPF_H
#define KMEND_EMIT_BPF_H

#include "lib/setup.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, KMEND_MUST_BYTES);
} kmend_must SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, KMEND_BULK_BYTES);
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

static __always_inline struct kmend_count *count_of(__u32 ring, __u32 type)
{
	__u32 key =
		bpf_get_smp_processor_id() * KMEND_COUNTS_PER_CPU + ring * KMEND_TYPE_MAX + type;

	return bpf_map_lookup_elem(&kmend_counts, &key);
}

/* A zeroed record with its header filled in, or NULL: counted as lost. */
static __always_inline void *emit_begin(__u32 ring, __u16 type, __u16 size, __u64 cgroup_id)
{
	struct kmend_count *count = count_of(ring, type);
	struct kmend_hdr *h;

	if (count)
		__sync_fetch_and_add(&count->seen, 1);
	if (ring == KMEND_MUST)
		h = bpf_ringbuf_reserve(&kmend_must, size, 0);
	else
		h = bpf_ringbuf_reserve(&kmend_bulk, size, 0);
	if (!h) {
		if (count)
			__sync_fetch_and_add(&count->lost, 1);
		return 0;
	}
	__builtin_memset(h, 0, size);
	h->type = type;
	h->size = size;
	h->cpu = bpf_get_smp_processor_id();
	h->ktime_ns = bpf_ktime_get_boot_ns();
	h->cgroup_id = cgroup_id;
	return h;
}

/* The bulk ring is drained by a timer; a wake-up costs 6.6 us. Only when it is more than half full,
 * and then at each further eighth, the reader is called. */
static __always_inline __u64 bulk_wakeup(__u32 size)
{
	__u64 now = bpf_ringbuf_query(&kmend_bulk, BPF_RB_AVAIL_DATA);
	__u64 eighth = kmend_setup.bulk_bytes / 8;

	if (now < kmend_setup.bulk_bytes / 2 || now % eighth >= size + 8)
		return BPF_RB_NO_WAKEUP;
	return BPF_RB_FORCE_WAKEUP;
}

static __always_inline void emit_end(__u32 ring, void *record, __u32 size)
{
	bpf_ringbuf_submit(record, ring == KMEND_MUST ? BPF_RB_FORCE_WAKEUP : bulk_wakeup(size));
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

static __always_inline void emit_end_quietly(__u32 ring, void *record, __u32 size)
{
	bpf_ringbuf_submit(record, ring == KMEND_MUST ? BPF_RB_NO_WAKEUP : bulk_wakeup(size));
}

static __always_inline __u32 ring_of_end(__u64 cgroup_id)
{
	return is_watched(cgroup_id) ? KMEND_MUST : KMEND_BULK;
}

#endif
