/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Counts that user space reads in batches: a map update instead of a record. */
#ifndef KMEND_SUM_BPF_H
#define KMEND_SUM_BPF_H

#include "lib/setup.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, KMEND_SUMS_MAX);
	__type(key, struct kmend_sum_key);
	__type(value, struct kmend_sum);
} kmend_sums SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, KMEND_RUN_MAX);
	__type(key, __u32);
	__type(value, __u64);
} kmend_runs SEC(".maps");

static __always_inline void run_add(__u32 run, __u64 times)
{
	__u64 *runs = bpf_map_lookup_elem(&kmend_runs, &run);

	if (runs)
		*runs += times;
}

/* When something began: by the address of a socket or by thread. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, KMEND_STARTS_MAX);
	__type(key, __u64);
	__type(value, __u64);
} kmend_starts SEC(".maps");

static __always_inline void sum_add_many(__u64 id, __u32 what, __u64 count, __u64 amount)
{
	struct kmend_sum_key key = { .id = id, .what = what };
	struct kmend_sum zero = {}, *sum;

	sum = bpf_map_lookup_elem(&kmend_sums, &key);
	if (!sum) {
		bpf_map_update_elem(&kmend_sums, &key, &zero, BPF_NOEXIST);
		sum = bpf_map_lookup_elem(&kmend_sums, &key);
	}
	if (!sum)
		return;
	__sync_fetch_and_add(&sum->count, count);
	/* To add a constant 0 becomes an atomic OR, which is from 5.12 on (981f94c3e921 "bpf: Add
	 * bitwise atomic instructions"). */
	if (amount)
		__sync_fetch_and_add(&sum->amount, amount);
}

static __always_inline void sum_add(__u64 id, __u32 what, __u64 amount)
{
	sum_add_many(id, what, 1, amount);
}

static __always_inline void start_put(__u64 key)
{
	__u64 now = bpf_ktime_get_ns();

	bpf_map_update_elem(&kmend_starts, &key, &now, BPF_ANY);
}

/* How long ago it began, which is forgotten; 0: nobody knows. */
static __always_inline __u64 start_take(__u64 key)
{
	__u64 *then = bpf_map_lookup_elem(&kmend_starts, &key), ns;

	if (!then)
		return 0;
	ns = bpf_ktime_get_ns() - *then;
	bpf_map_delete_elem(&kmend_starts, &key);
	return ns ? ns : 1;
}

#endif
