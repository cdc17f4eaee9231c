// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Life cycle of processes: fork, exec, exit of thread groups, and the signals that end them. */
#include "lib/emit.bpf.h"
#include "lib/sum.bpf.h"
#include "lib/task.bpf.h"
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("tp_btf/sched_process_fork")
int BPF_PROG(km_fork, struct task_struct *parent, struct task_struct *child)
{
	__u64 cgroup_id;
	struct kmend_fork *e;
	__u32 tgid, ring;

	if (child->pid != child->tgid)
		return 0;
	tgid = task_tgid(child);
	if (!tgid || is_self(tgid))
		return 0;
	cgroup_id = task_cgroup_id(child);
	ring = ring_of_start(cgroup_id);
	e = emit_begin(ring, KMEND_FORK, sizeof(*e), cgroup_id);
	if (!e)
		return 0;
	e->tgid = tgid;
	e->ppid = task_tgid(child->real_parent);
	e->start_ns = task_start_ns(child);
	task_comm(child, e->comm);
	emit_end_quietly(ring, e);
	return 0;
}

/* The last KMEND_PATH_LEN - 1 bytes of a path: its end says more than its beginning. The length is
 * found piece by piece, in the place of the result, as long as PATH_MAX allows. */
static __always_inline void read_path(char path[KMEND_PATH_LEN], const char *from)
{
	long n, done = 0;
	int i;

	for (i = 0; i < 4096 / (KMEND_PATH_LEN - 1) + 1; i++) {
		n = bpf_probe_read_kernel_str(path, KMEND_PATH_LEN, from + done);
		if (n < KMEND_PATH_LEN)
			break;
		done += KMEND_PATH_LEN - 1;
	}
	if (n > 0 && done > 0)
		bpf_probe_read_kernel_str(path, KMEND_PATH_LEN, from + done + n - KMEND_PATH_LEN);
}

/* 6.11 split the times (3aa63a569c64 "fs: switch timespec64 fields in inode to discrete integers"),
 * 6.7 had renamed them (12cd44023651 "fs: rename inode i_atime and i_mtime fields"). */
struct timespec64___inode {
	__s64 tv_sec;
	long tv_nsec;
} __attribute__((preserve_access_index));

struct inode___pre_6_11 {
	struct timespec64___inode __i_mtime;
} __attribute__((preserve_access_index));

struct inode___pre_6_7 {
	struct timespec64___inode i_mtime;
} __attribute__((preserve_access_index));

static __always_inline __u32 image_of(struct inode *inode)
{
	struct inode___pre_6_11 *split = (void *)inode;
	struct inode___pre_6_7 *old = (void *)inode;
	__u64 size = BPF_CORE_READ(inode, i_size);

	if (bpf_core_field_exists(inode->i_mtime_sec))
		return kmend_image(size, BPF_CORE_READ(inode, i_mtime_sec),
		                   BPF_CORE_READ(inode, i_mtime_nsec));
	if (bpf_core_field_exists(split->__i_mtime))
		return kmend_image(size, BPF_CORE_READ(split, __i_mtime.tv_sec),
		                   BPF_CORE_READ(split, __i_mtime.tv_nsec));
	return kmend_image(size, BPF_CORE_READ(old, i_mtime.tv_sec),
	                   BPF_CORE_READ(old, i_mtime.tv_nsec));
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(km_exec, struct task_struct *t, int old_pid, struct linux_binprm *bprm)
{
	__u64 cgroup_id;
	struct kmend_exec *e;
	__u32 tgid, ring;

	tgid = task_tgid(t);
	if (!tgid || is_self(tgid))
		return 0;
	cgroup_id = task_cgroup_id(t);
	ring = ring_of_start(cgroup_id);
	e = emit_begin(ring, KMEND_EXEC, sizeof(*e), cgroup_id);
	if (!e)
		return 0;
	e->tgid = tgid;
	e->ppid = task_tgid(t->real_parent);
	e->start_ns = task_start_ns(t);
	e->uid = t->real_cred->uid.val;
	e->image = image_of(BPF_CORE_READ(bprm, file, f_inode));
	task_comm(t, e->comm);
	read_path(e->path, bprm->filename);
	emit_end_quietly(ring, e);
	return 0;
}

struct exited {
	__u64 start_ns; /* not rounded */
	__u32 tgid;
	__u32 pad;
};

/* Groups of several threads whose end was said: the count of live threads is 0 before the hook
 * runs, so two threads that end at once may both look like the last. 1024 such ends at the same
 * moment are more than there are CPUs. (6.16 tells the hook which one is the last.) */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct exited);
	__type(value, __u32);
} kmend_exited SEC(".maps");

static __always_inline bool is_last(struct task_struct *t)
{
	struct exited who = {};
	__u32 one = 1;

	if (t->signal->live.counter != 0)
		return false;
	if (t->signal->nr_threads <= 1)
		return true;
	who.start_ns = t->group_leader->start_boottime;
	who.tgid = t->tgid;
	return bpf_map_update_elem(&kmend_exited, &who, &one, BPF_NOEXIST) == 0;
}

/* As wait(2) reports it: of the group where the group was ended, else of the leader. */
static __always_inline __u32 exit_code(struct task_struct *t)
{
	const __u32 signal_group_exit = 4;

	if (t->signal->flags & signal_group_exit)
		return t->signal->group_exit_code;
	return t->group_leader->exit_code;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(km_exit, struct task_struct *t)
{
	__u64 cgroup_id;
	struct kmend_exit *e;
	__u32 tgid, ring;

	if (!is_last(t))
		return 0;
	tgid = task_tgid(t);
	if (!tgid || is_self(tgid))
		return 0;
	cgroup_id = task_cgroup_id(t);
	ring = ring_of_end(cgroup_id);
	e = emit_begin(ring, KMEND_EXIT, sizeof(*e), cgroup_id);
	if (!e)
		return 0;
	e->tgid = tgid;
	e->ppid = task_tgid(t->real_parent);
	e->start_ns = task_start_ns(t);
	e->exit_code = exit_code(t);
	task_comm(t->group_leader, e->comm);
	emit_end(ring, e);
	return 0;
}

/* INT QUIT ILL ABRT BUS FPE KILL SEGV TERM STOP, as numbered on x86 and arm64. */
#define SIGNALS                                                                           \
	(1u << 2 | 1u << 3 | 1u << 4 | 1u << 6 | 1u << 7 | 1u << 8 | 1u << 9 | 1u << 11 | \
	 1u << 15 | 1u << 19)

/* Besides a pointer INFO may be 0 (from a user) or 1 (from the kernel), see SEND_SIG_PRIV. */
static __always_inline int signal_code(struct kernel_siginfo *info)
{
	if (info == (void *)0)
		return 0;
	if (info == (void *)1)
		return 0x80;
	return BPF_CORE_READ(info, si_code);
}

static __always_inline void add_sender(struct kmend_signal *e)
{
	struct task_struct *me = (void *)bpf_get_current_task();

	if (e->code > 0) /* SI_KERNEL, a fault, a timer: whoever runs is not the sender */
		return;
	e->sender_tgid = current_tgid(me);
	e->sender_start_ns = current_start_ns(me);
	e->sender_cgroup_id = current_cgroup_id(me);
	e->sender_uid = bpf_get_current_uid_gid();
	bpf_get_current_comm(e->sender_comm, sizeof(e->sender_comm));
}

SEC("tp_btf/signal_generate")
int BPF_PROG(km_signal, int sig, struct kernel_siginfo *info, struct task_struct *t, int group,
             int result)
{
	__u64 cgroup_id;
	struct kmend_signal *e;
	__u32 tgid, ring;

	if (sig < 0 || sig > 31 || !(SIGNALS & 1u << (sig & 31)))
		return 0;
	tgid = task_tgid(t);
	if (!tgid || is_self(tgid))
		return 0;
	cgroup_id = task_cgroup_id(t);
	ring = ring_of_end(cgroup_id);
	e = emit_begin(ring, KMEND_SIGNAL, sizeof(*e), cgroup_id);
	if (!e)
		return 0;
	e->signal = sig;
	e->code = signal_code(info);
	e->tgid = tgid;
	e->start_ns = task_start_ns(t);
	e->result = result;
	task_comm(t->group_leader, e->comm);
	add_sender(e);
	emit_end(ring, e);
	return 0;
}

/* The kernel's own watchdog: in uninterruptible sleep for kernel.hung_task_timeout_secs. */
SEC("tp_btf/sched_process_hang")
int BPF_PROG(km_hung, struct task_struct *t)
{
	sum_add(task_cgroup_id(t), KMEND_SUM_HUNG, 0);
	return 0;
}

/* 5.12 (9c0dee54eb91 "tracing: add error_report_end trace point"). */
SEC("tp_btf/error_report_end")
int BPF_PROG(km_kernel_error)
{
	sum_add(0, KMEND_SUM_KERNEL_ERROR, 0);
	return 0;
}
