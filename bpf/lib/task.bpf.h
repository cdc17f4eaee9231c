/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Who a task is: number in the daemon's PID namespace, start, cgroup; and the flavours that reading
 * a task needs. Members are read directly where the verifier knows the pointer (a load each), with
 * BPF_CORE_READ where it does not (a helper call each). */
#ifndef KMEND_TASK_BPF_H
#define KMEND_TASK_BPF_H

#include "lib/setup.bpf.h"
#include <bpf/bpf_core_read.h>

/* linux/mm_types_task.h; part of no ABI, unchanged since 4.5. */
enum { RSS_FILE = 0, RSS_ANON = 1, RSS_SWAP = 2, RSS_SHMEM = 3 };

/* 5.14 renamed task_struct::state (2f064a59a11f "sched: Change task_struct::state"). */
struct task_struct___pre_5_14 {
	long state;
} __attribute__((preserve_access_index));

/* 6.2 made the RSS counters per CPU (f1a7941243c1 "mm: convert mm's rss stats into
 * percpu_counter"). */
struct mm_rss_stat___pre_6_2 {
	atomic_long_t count[4];
} __attribute__((preserve_access_index));

struct mm_struct___pre_6_2 {
	struct mm_rss_stat___pre_6_2 rss_stat;
} __attribute__((preserve_access_index));

static __always_inline __u32 task_state(struct task_struct *t)
{
	struct task_struct___pre_5_14 *old = (void *)t;

	if (bpf_core_field_exists(t->__state))
		return BPF_CORE_READ(t, __state);
	return BPF_CORE_READ(old, state);
}

/* Bytes of one kind. From 6.2 on without what each CPU has not folded in yet: too low or too high
 * by at most (32 pages or 2 pages a CPU, the larger) a CPU. */
static __always_inline __u64 mm_bytes(struct mm_struct *mm, int kind)
{
	struct mm_struct___pre_6_2 *old = (void *)mm;
	struct percpu_counter *counter;
	__s64 pages = 0;

	if (bpf_core_field_exists(old->rss_stat.count)) {
		bpf_core_read(&pages, sizeof(long), &old->rss_stat.count[kind].counter);
	} else {
		/* By hand: the compiler would step by the size that the struct has here. */
		counter = (void *)mm + bpf_core_field_offset(struct mm_struct, rss_stat) +
		          kind * bpf_core_type_size(struct percpu_counter);
		pages = BPF_CORE_READ(counter, count);
	}
	return pages > 0 ? (__u64)pages << (kmend_setup.page_shift & 31) : 0;
}

static __always_inline __u64 round_start(__u64 ns)
{
	return ns - ns % KMEND_START_NS;
}

/* The number that the daemon's namespace has for PID, 0 if none: nested namespaces number a process
 * once a level, outermost first. */
static __always_inline __u32 pid_number(struct pid *pid)
{
	__u32 level = kmend_setup.pidns_level & 31; /* the kernel stops at 32 levels */
	struct upid *u;

	if (BPF_CORE_READ(pid, level) < level)
		return 0;
	u = (void *)pid + bpf_core_field_offset(struct pid, numbers) +
	    level * bpf_core_type_size(struct upid);
	if (BPF_CORE_READ(u, ns, ns.inum) != kmend_setup.pidns_inum)
		return 0;
	return BPF_CORE_READ(u, nr);
}

/* Of a trusted task pointer, as a tracepoint hands it out. */
static __always_inline __u32 task_tgid(struct task_struct *t)
{
	if (!kmend_setup.pidns_level)
		return t->tgid;
	return pid_number(t->group_leader->thread_pid);
}

static __always_inline __u64 task_start_ns(struct task_struct *t)
{
	return round_start(t->group_leader->start_boottime);
}

static __always_inline __u64 task_cgroup_id(struct task_struct *t)
{
	return t->cgroups->dfl_cgrp->kn->id;
}

static __always_inline void task_comm(struct task_struct *t, char comm[KMEND_COMM_LEN])
{
	bpf_probe_read_kernel_str(comm, KMEND_COMM_LEN, t->comm);
}

/* Of the running task: bpf_get_current_task_btf() is from 5.11 on (3ca1032ab7ab "bpf: Implement
 * get_current_task_btf and RET_PTR_TO_BTF_ID"), so its members are read by helper. */
static __always_inline __u32 current_tgid(struct task_struct *t)
{
	if (!kmend_setup.pidns_level)
		return bpf_get_current_pid_tgid() >> 32;
	return pid_number(BPF_CORE_READ(t, group_leader, thread_pid));
}

static __always_inline __u64 current_start_ns(struct task_struct *t)
{
	return round_start(BPF_CORE_READ(t, group_leader, start_boottime));
}

static __always_inline __u64 current_cgroup_id(struct task_struct *t)
{
	return BPF_CORE_READ(t, cgroups, dfl_cgrp, kn, id);
}

#endif
