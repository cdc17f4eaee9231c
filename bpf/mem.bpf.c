// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Victims of the OOM killer. 6.9 hands the task to the tracepoint, before it was only a PID
 * (72ba14deb40a "mm: update mark_victim tracepoints fields"; stable kernels have it too, so the
 * loader looks at the type in BTF, not at the version, and takes km_oom or the other two). */
#include "lib/emit.bpf.h"
#include "lib/sum.bpf.h"
#include "lib/task.bpf.h"
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct victim {
	__u64 cgroup_id;
	__u64 start_ns;
	__u64 anon_bytes;
	__u32 pid; /* in the initial namespace, of the thread the killer looked at */
	__u32 tgid;
	char comm[KMEND_COMM_LEN];
};

static __always_inline void fill(struct victim *v, struct task_struct *t)
{
	v->cgroup_id = task_cgroup_id(t);
	v->start_ns = task_start_ns(t);
	v->anon_bytes = mm_bytes(t->mm, RSS_ANON);
	v->pid = t->pid;
	v->tgid = task_tgid(t);
	task_comm(t->group_leader, v->comm);
}

static __always_inline void emit(const struct victim *v)
{
	struct kmend_oom *e;

	e = emit_begin(KMEND_MUST, KMEND_OOM, sizeof(*e), v->cgroup_id);
	if (!e)
		return;
	e->tgid = v->tgid;
	e->trigger_tgid = current_tgid((void *)bpf_get_current_task());
	e->start_ns = v->start_ns;
	e->anon_bytes = v->anon_bytes;
	__builtin_memcpy(e->comm, v->comm, sizeof(e->comm));
	emit_end(KMEND_MUST, e);
}

/* Also of processes that the daemon's namespace does not see (tgid 0): that there was an OOM kill
 * matters to the host. */
SEC("tp_btf/mark_victim")
int BPF_PROG(km_oom, struct task_struct *t)
{
	struct victim v = {};

	fill(&v, t);
	emit(&v);
	return 0;
}

/* Before 6.9: the killer sends SIGKILL and then marks, holding the victim's task lock, so the CPU
 * stays the same. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct victim);
} kmend_victim SEC(".maps");

SEC("tp_btf/signal_generate")
int BPF_PROG(km_oom_kill, int sig, struct kernel_siginfo *info, struct task_struct *t)
{
	struct victim *v;
	__u32 key = 0;

	if (sig != 9 || info != (void *)1) /* SEND_SIG_PRIV: from the kernel */
		return 0;
	v = bpf_map_lookup_elem(&kmend_victim, &key);
	if (v)
		fill(v, t);
	return 0;
}

SEC("tp_btf/mark_victim")
int BPF_PROG(km_oom_pid, int pid)
{
	struct victim unknown = {}, *v;
	__u32 key = 0;

	v = bpf_map_lookup_elem(&kmend_victim, &key);
	if (v && v->pid == (__u32)pid) {
		emit(v);
		return 0;
	}
	/* A victim that is ending anyway gets no signal. */
	if (!kmend_setup.pidns_level)
		unknown.tgid = pid;
	emit(&unknown);
	return 0;
}

/* A task that has to free memory itself before it gets any: for the whole host, or within the limit
 * of its cgroup. Neither happens inside the other. */
static __always_inline void reclaim_ends(void)
{
	__u64 ns = start_take(bpf_get_current_pid_tgid());

	if (ns)
		sum_add(current_cgroup_id((void *)bpf_get_current_task()), KMEND_SUM_RECLAIM, ns);
}

SEC("tp_btf/mm_vmscan_direct_reclaim_begin")
int BPF_PROG(km_reclaim)
{
	start_put(bpf_get_current_pid_tgid());
	return 0;
}

SEC("tp_btf/mm_vmscan_direct_reclaim_end")
int BPF_PROG(km_reclaim_end)
{
	reclaim_ends();
	return 0;
}

SEC("tp_btf/mm_vmscan_memcg_reclaim_begin")
int BPF_PROG(km_limit)
{
	start_put(bpf_get_current_pid_tgid());
	return 0;
}

SEC("tp_btf/mm_vmscan_memcg_reclaim_end")
int BPF_PROG(km_limit_end)
{
	reclaim_ends();
	return 0;
}
