// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Records of 64 bytes by the way of all others, as many as asked for: see ring.c. */
#include "lib/emit.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define RECORD 64

static long one(__u32 i, void *arg)
{
	struct kmend_hdr *e = emit_begin(KMEND_BULK, KMEND_TYPE_MAX - 1, RECORD, 0);

	if (e)
		emit_end(KMEND_BULK, e);
	return 0;
}

/* Run by hand on a CPU; the only argument says how many. */
SEC("raw_tp/sched_switch")
int bench_emit(__u64 *args)
{
	bpf_loop(args[0], one, 0, 0);
	return 0;
}
