/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Durations, for those cgroups of which somebody wants to know them now. */
#ifndef KMEND_LEASE_BPF_H
#define KMEND_LEASE_BPF_H

#include "lib/emit.bpf.h"
#include "lib/sum.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, KMEND_LEASES_MAX *KMEND_HIST_MAX);
	__type(key, __u32);
	__type(value, struct kmend_hist);
} kmend_hists SEC(".maps");

/* Number of the lease + 1; 0: nobody wants to know. */
static __always_inline __u32 lease_of(__u64 cgroup_id)
{
	__u32 *watch = bpf_map_lookup_elem(&kmend_watch, &cgroup_id);

	return watch ? *watch >> KMEND_LEASE_SHIFT : 0;
}

static __always_inline __u32 log_two(__u64 v)
{
	__u32 n = 0, w = v >> 32;

	if (w)
		n = 32;
	else
		w = v;
	if (w >= 1 << 16) {
		n += 16;
		w >>= 16;
	}
	if (w >= 1 << 8) {
		n += 8;
		w >>= 8;
	}
	if (w >= 1 << 4) {
		n += 4;
		w >>= 4;
	}
	if (w >= 1 << 2) {
		n += 2;
		w >>= 2;
	}
	return n + (w >> 1);
}

static __always_inline __u32 bucket_of(__u64 ns)
{
	__u32 octave = log_two(ns), n;

	if (octave < KMEND_BUCKET_FIRST)
		return 0;
	n = 1 + 4 * (octave - KMEND_BUCKET_FIRST) + (ns >> ((octave - 2) & 63) & 3);
	return n < KMEND_BUCKETS ? n : KMEND_BUCKETS - 1;
}

static __always_inline void hist_add(__u32 lease, __u32 what, __u64 ns)
{
	__u32 key = (lease - 1) * KMEND_HIST_MAX + what, n = bucket_of(ns);
	struct kmend_hist *h;

	if (!lease)
		return; /* it was asked for, but is not any more */
	h = bpf_map_lookup_elem(&kmend_hists, &key);
	if (h && n < KMEND_BUCKETS)
		__sync_fetch_and_add(&h->bucket[n], 1);
}

#endif
