// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* System calls of watched cgroups: how many, and how many failed for want of something. Attached
 * for short windows only: any hook there costs each call of each process about 100 ns. */
#include "lib/call.bpf.h"
#include "lib/emit.bpf.h"
#include "lib/sum.bpf.h"
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
#elif defined(__TARGET_ARCH_arm64)
enum { NR_CLONE = 220, NR_FORK = 220, NR_VFORK = 220, NR_CLONE3 = 435 };
#endif

/* EAGAIN is everyday for who does not block; from fork it means no more tasks. */
static __always_inline __u32 of_again(struct pt_regs *regs)
{
	int nr = call_number(regs);

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

/* Reached without a helper call: it is on the way of each system call of the host. */
struct kmend_turn kmend_turns[KMEND_TURNS_MAX] SEC(".data.kmend_turns");

/* Not inline: what is rare shall not cost registers where it is not. */
static __noinline int next_turn(struct kmend_turn *t, __u64 stack)
{
	__u32 calls = KMEND_TURN_CALLS - t->left;

	if (t->stack) {
		t->runs += calls;
		if (is_watched(t->cgroup_id))
			sum_add_many(t->cgroup_id, KMEND_SUM_CALLS, calls, 0);
	}
	/* The call that found the turn of another is the first of its own. */
	t->left = KMEND_TURN_CALLS - (t->stack != stack);
	t->stack = stack;
	t->cgroup_id = bpf_get_current_cgroup_id();
	return 0;
}

static __noinline int count_error(struct pt_regs *regs, long error)
{
	__u64 cgroup_id = bpf_get_current_cgroup_id();
	__u32 what = class_of(error, regs);

	if (what && is_watched(cgroup_id))
		sum_add(cgroup_id, what, 0);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(km_calls, struct pt_regs *regs, long ret)
{
	struct kmend_turn *t = &kmend_turns[bpf_get_smp_processor_id() & (KMEND_TURNS_MAX - 1)];

	if (t->stack != (__u64)regs || !--t->left)
		next_turn(t, (__u64)regs);
	if (ret < 0)
		count_error(regs, -ret);
	return 0;
}
