// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Block devices: requests that fail, and how long they take. */
#include "lib/sum.bpf.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* 5.17 took the disk out of the request (f3fa33acca9f "block: remove the ->rq_disk field in struct
 * request"). */
struct request___pre_5_17 {
	struct gendisk *rq_disk;
} __attribute__((preserve_access_index));

static __always_inline __u64 device_of(struct request *rq)
{
	struct request___pre_5_17 *old = (void *)rq;
	struct gendisk *disk;

	if (bpf_core_field_exists(old->rq_disk))
		disk = BPF_CORE_READ(old, rq_disk);
	else
		disk = BPF_CORE_READ(rq, q, disk);
	if (!disk)
		return 0;
	return (__u64)BPF_CORE_READ(disk, major) << 32 | (__u32)BPF_CORE_READ(disk, first_minor);
}

/* Attached for short windows: a busy device ends a million requests a second. The time a request
 * was made is kept where iostats are on, which is the default. */
SEC("tp_btf/block_rq_complete")
int BPF_PROG(km_io, struct request *rq)
{
	__u64 made = BPF_CORE_READ(rq, start_time_ns), now = bpf_ktime_get_ns();
	__u64 device = device_of(rq);

	run_add(KMEND_RUN_IO, 1);
	if (device && made && now > made)
		sum_add(device, KMEND_SUM_IO, now - made);
	return 0;
}

/* 5.18 has a tracepoint for failures alone (d5869fdc189f "block: introduce block_rq_error
 * tracepoint"). */
SEC("tp_btf/block_rq_error")
int BPF_PROG(km_io_error, struct request *rq)
{
	__u64 device = device_of(rq);

	if (device)
		sum_add(device, KMEND_SUM_IO_ERROR, 0);
	return 0;
}
