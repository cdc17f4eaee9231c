// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What this kernel offers. Nothing here is attached: the loader runs the programs once
 * (BPF_PROG_TEST_RUN), or only sees whether they load. */
#include "lib/emit.bpf.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct kmend_probe);
} kmend_where SEC(".maps");

/* Level and number of the PID namespace of the process that runs this: no file shows the level. */
SEC("raw_tp/sched_switch")
int km_where(void *ctx)
{
	struct task_struct *me = (void *)bpf_get_current_task();
	struct pid *pid = BPF_CORE_READ(me, thread_pid);
	struct kmend_probe *p;
	struct upid *u;
	__u32 key = 0;

	p = bpf_map_lookup_elem(&kmend_where, &key);
	if (!p)
		return 0;
	p->pidns_level = BPF_CORE_READ(pid, level);
	u = (void *)pid + bpf_core_field_offset(struct pid, numbers) +
	    (p->pidns_level & 31) * bpf_core_type_size(struct upid);
	p->pidns_inum = BPF_CORE_READ(u, ns, ns.inum);
	return 0;
}

/* Through the kernel and the must ring to the daemon itself: the way is open. */
SEC("raw_tp/sched_switch")
int km_canary(void *ctx)
{
	struct kmend_hdr *e;

	e = emit_begin(KMEND_MUST, KMEND_CANARY, sizeof(*e), 0);
	if (e)
		emit_end(KMEND_MUST, e);
	return 0;
}
