// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Block devices: requests that fail. */
#include "lib/sum.bpf.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* 5.18 has a tracepoint for failures alone (d5869fdc189f "block: introduce block_rq_error
 * tracepoint"); the queue knows its disk since 5.14. */
SEC("tp_btf/block_rq_error")
int BPF_PROG(km_io_error, struct request *rq)
{
	struct gendisk *disk = BPF_CORE_READ(rq, q, disk);

	if (disk)
		sum_add((__u64)BPF_CORE_READ(disk, major) << 32 | BPF_CORE_READ(disk, first_minor),
		        KMEND_SUM_IO_ERROR, 0);
	return 0;
}
