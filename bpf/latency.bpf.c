// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* How long system calls that may block take, of services that somebody looks at closely. Attached
 * only meanwhile; what is under way is kept with the task, so that nothing is searched for. */
#include "lib/call.bpf.h"
#include "lib/lease.bpf.h"
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* By number; the reader knows the numbers of its architecture. */
struct kmend_families kmend_families SEC(".data.kmend_families");

/* What a task has under way, and whose it is: to find that out costs more than all the rest. */
struct under_way {
	__u64 since_ns; /* 0: nothing */
	__u64 asked_ns; /* kmend_families.renewed_ns when the lease was asked for */
	__u32 lease;
	__u32 family;
};

/* Storage of tasks is from 5.11 on (4cf1bc1f1045 "bpf: Implement task local storage"). */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct under_way);
} kmend_calls SEC(".maps");

static __always_inline __u32 family_of(int number)
{
	return kmend_families.of[number & (KMEND_SYSCALLS_MAX - 1)];
}

static __always_inline struct under_way *find(__u64 flags)
{
	return bpf_task_storage_get(&kmend_calls, bpf_get_current_task_btf(), 0, flags);
}

/* Of tasks of which nobody wants to know nothing is kept, unless somebody did before. */
static __always_inline struct under_way *ask(struct under_way *u)
{
	__u32 lease = lease_of(bpf_get_current_cgroup_id());

	if (!u && lease)
		u = find(BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!u)
		return 0;
	u->lease = lease;
	u->asked_ns = kmend_families.renewed_ns;
	return u;
}

SEC("tp_btf/sys_enter")
int BPF_PROG(km_enter, struct pt_regs *regs, long number)
{
	__u32 family = family_of(number);
	struct under_way *u;

	run_add(KMEND_RUN_DEMAND, 2); /* km_leave's as well */
	if (!family)
		return 0;
	u = find(0);
	if (!u || u->asked_ns != kmend_families.renewed_ns)
		u = ask(u);
	if (!u || !u->lease)
		return 0;
	u->family = family;
	u->since_ns = bpf_ktime_get_ns();
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(km_leave, struct pt_regs *regs, long ret)
{
	struct under_way *u;
	__u64 ns;

	if (!family_of(call_number(regs)))
		return 0;
	u = find(0);
	if (!u || !u->since_ns)
		return 0;
	ns = bpf_ktime_get_ns() - u->since_ns;
	u->since_ns = 0;
	hist_add(u->lease, u->family, ns);
	return 0;
}
