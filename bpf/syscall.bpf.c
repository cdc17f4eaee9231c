// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* System calls of watched cgroups: how many, and how many failed for want of something. Attached
 * for short windows only: any hook there costs each call of each process about 100 ns. */
#include "lib/emit.bpf.h"
#include "lib/sum.bpf.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

enum {
	EPERM = 1,
	EIO = 5,
	EAGAIN = 11,
	ENOMEM = 12,
	EACCES = 13,
	ENFILE = 23,
	EMFILE = 24,
	ENOSPC = 28,
	EROFS = 30,
	ETIMEDOUT = 110,
	ECONNREFUSED = 111,
	EDQUOT = 122,
};

#if defined(__TARGET_ARCH_x86)
enum { NR_CLONE = 56, NR_FORK = 57, NR_VFORK = 58, NR_CLONE3 = 435 };
#define SYSCALL_NUMBER(regs) BPF_CORE_READ(regs, orig_ax)
#elif defined(__TARGET_ARCH_arm64)
enum { NR_CLONE = 220, NR_FORK = 220, NR_VFORK = 220, NR_CLONE3 = 435 };
struct pt_regs___number {
	int syscallno;
} __attribute__((preserve_access_index));
#define SYSCALL_NUMBER(regs) BPF_CORE_READ((struct pt_regs___number *)(regs), syscallno)
#endif

/* EAGAIN is everyday for who does not block; from fork it means no more tasks. */
static __always_inline __u32 of_again(struct pt_regs *regs)
{
	int nr = SYSCALL_NUMBER(regs);

	if (nr == NR_CLONE || nr == NR_FORK || nr == NR_VFORK || nr == NR_CLONE3)
		return KMEND_SUM_FORK_EAGAIN;
	return 0;
}

static __always_inline __u32 class_of(long error, struct pt_regs *regs)
{
	switch (error) {
	case EMFILE:
		return KMEND_SUM_EMFILE;
	case ENFILE:
		return KMEND_SUM_ENFILE;
	case ENOMEM:
		return KMEND_SUM_ENOMEM;
	case ENOSPC:
		return KMEND_SUM_ENOSPC;
	case EDQUOT:
		return KMEND_SUM_EDQUOT;
	case EIO:
		return KMEND_SUM_EIO;
	case EROFS:
		return KMEND_SUM_EROFS;
	case ECONNREFUSED:
		return KMEND_SUM_ECONNREFUSED;
	case ETIMEDOUT:
		return KMEND_SUM_ETIMEDOUT;
	case EPERM:
	case EACCES:
		return KMEND_SUM_EACCES;
	case EAGAIN:
		return of_again(regs);
	default:
		return 0;
	}
}

#define CALLS_KEPT \
	64 /* on a CPU until they go into the sums; what is left waits for the next window */

/* Calls in a row are nearly always of one cgroup: counting one is a compare and an addition, the
 * maps are for when it changes. */
static __always_inline void count_call(__u64 cgroup_id)
{
	__u32 key = KMEND_RUN_CALLS;
	struct kmend_runs *r = bpf_map_lookup_elem(&kmend_runs, &key);

	if (!r)
		return;
	r->runs++;
	if (r->cgroup_id != cgroup_id || r->calls >= CALLS_KEPT) {
		if (r->calls && is_watched(r->cgroup_id))
			sum_add_many(r->cgroup_id, KMEND_SUM_CALLS, r->calls, 0);
		r->cgroup_id = cgroup_id;
		r->calls = 0;
	}
	r->calls++;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(km_calls, struct pt_regs *regs, long ret)
{
	__u64 cgroup_id = bpf_get_current_cgroup_id();
	__u32 what;

	count_call(cgroup_id);
	if (ret >= 0 || ret < -4095)
		return 0;
	what = class_of(-ret, regs);
	if (what && is_watched(cgroup_id))
		sum_add(cgroup_id, what, 0);
	return 0;
}
