// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Levels of every thread group in one pass: read by user space as a file of struct kmend_task.
 * The kernel limits it to the PID namespace of the reader. */
#include "lib/emit.bpf.h"
#include "lib/peer.bpf.h"
#include "lib/task.bpf.h"
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define FDS_WORDS    64 /* of the bitmap at a time: 4096 descriptors, one word of the fuller map */
#define FDS_PIECES   64 /* so 262144 descriptors are counted */
#define THREADS_MAX  64
#define RLIMIT_FILES 7 /* RLIMIT_NOFILE */

struct words {
	__u64 w[FDS_WORDS];
};

/* Space for a piece of a bitmap, too large for the stack. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct words);
} kmend_words SEC(".maps");

static __always_inline __u32 bits(__u64 w)
{
	w -= w >> 1 & 0x5555555555555555ULL;
	w = (w & 0x3333333333333333ULL) + (w >> 2 & 0x3333333333333333ULL);
	w = (w + (w >> 4)) & 0x0f0f0f0f0f0f0f0fULL;
	return w * 0x0101010101010101ULL >> 56;
}

/* The next two are global functions, which the verifier checks once each instead of once on every
 * path that leads to them (5.6, be8704ff07d2 "bpf: Introduce function-by-function verification");
 * so they take numbers only. */
__noinline __u32 count_words(__u64 from, __u32 words)
{
	__u32 key = 0, i, n = 0;
	struct words *buf = bpf_map_lookup_elem(&kmend_words, &key);

	if (!buf)
		return 0;
	if (words > FDS_WORDS)
		words = FDS_WORDS;
	if (bpf_probe_read_kernel(buf->w, words * sizeof(__u64), (void *)from))
		return 0;
	for (i = 0; i < FDS_WORDS; i++) {
		if (i >= words)
			break;
		n += bits(buf->w[i]);
	}
	return n;
}

__noinline __u32 count_fds(__u64 table)
{
	struct fdtable *fdt = (void *)table;
	unsigned long *open = BPF_CORE_READ(fdt, open_fds);
	unsigned long *full = BPF_CORE_READ(fdt, full_fds_bits);
	__u32 words = BPF_CORE_READ(fdt, max_fds) / 64;
	__u32 i, n = 0;

	for (i = 0; i < FDS_PIECES; i++) {
		__u64 full_word = 0;

		if (i * FDS_WORDS >= words)
			break;
		if (words > FDS_WORDS) /* else the read would cost more than it saves */
			bpf_probe_read_kernel(&full_word, sizeof(full_word), full + i);
		if (full_word == ~0ULL)
			n += FDS_WORDS * 64;
		else
			n += count_words((__u64)(open + i * FDS_WORDS), words - i * FDS_WORDS);
	}
	return n;
}

static __always_inline void add_fds(struct kmend_task *e, struct task_struct *t)
{
	struct files_struct *files = t->files;

	if (!files)
		return;
	e->fds = count_fds((__u64)BPF_CORE_READ(files, fdt));
	if (t->files == files) /* else it ended meanwhile and what was counted is not its own */
		e->has |= KMEND_HAS_FDS;
}

/* Threads alive, and those that ended: the scheduler's own sums, finer than utime and stime. */
static __always_inline void add_cpu(struct kmend_task *e, struct task_struct *t)
{
	struct signal_struct *signal = t->signal;
	struct list_head *head, *at;
	__u64 sum;
	int i;

	sum = signal->sum_sched_runtime;
	head = (void *)signal + bpf_core_field_offset(struct signal_struct, thread_head);
	at = BPF_CORE_READ(head, next);
	for (i = 0; i < THREADS_MAX; i++) {
		struct task_struct *thread;

		if (at == head || !at)
			break;
		thread = (void *)at - bpf_core_field_offset(struct task_struct, thread_node);
		sum += BPF_CORE_READ(thread, se.sum_exec_runtime);
		at = BPF_CORE_READ(at, next);
	}
	e->cpu_ns = sum;
	if (at == head)
		e->has |= KMEND_HAS_CPU;
}

static __always_inline void add_memory(struct kmend_task *e, struct mm_struct *mm)
{
	if (!mm)
		return;
	e->anon_bytes = mm_bytes(mm, RSS_ANON);
	e->file_bytes = mm_bytes(mm, RSS_FILE);
	e->shmem_bytes = mm_bytes(mm, RSS_SHMEM);
	e->swap_bytes = mm_bytes(mm, RSS_SWAP);
	e->has |= KMEND_HAS_RSS;
}

/* The letter /proc shows. Bits of TASK_REPORT as in linux/sched.h; 0x400 with 2 is an idle kernel
 * thread, which is not listed here. */
static __always_inline __u32 state_letter(struct task_struct *t)
{
	__u32 state = (task_state(t) | t->exit_state) & 0x7f;

	if (state & 0x40)
		return 'P';
	if (state & 0x20)
		return 'Z';
	if (state & 0x10)
		return 'X';
	if (state & 0x08)
		return 't';
	if (state & 0x04)
		return 'T';
	if (state & 0x02)
		return 'D';
	return state & 0x01 ? 'S' : 'R';
}

static __always_inline void add_limits(struct kmend_task *e, struct task_struct *t)
{
	e->fds_limit = t->signal->rlim[RLIMIT_FILES].rlim_cur;
	e->threads = t->signal->nr_threads;
	e->has |= KMEND_HAS_LIMITS | KMEND_HAS_THREADS;
	if (bpf_core_field_exists(t->sched_info.run_delay)) {
		e->run_delay_ns = t->sched_info.run_delay;
		e->has |= KMEND_HAS_RUN_DELAY;
	}
}

/* Not there without CONFIG_TASK_IO_ACCOUNTING. */
static __always_inline __u64 written(struct task_io_accounting *io)
{
	__u64 all = BPF_CORE_READ(io, write_bytes), back = BPF_CORE_READ(io, cancelled_write_bytes);

	return all > back ? all - back : 0;
}

static __always_inline void add_thread(struct kmend_sched *s, struct task_struct *t)
{
	__u32 state = task_state(t);

	s->cpu_ns += BPF_CORE_READ(t, se.sum_exec_runtime);
	if (bpf_core_field_exists(t->sched_info.run_delay))
		s->run_delay_ns += BPF_CORE_READ(t, sched_info.run_delay);
	s->involuntary += BPF_CORE_READ(t, nivcsw);
	s->major_faults += BPF_CORE_READ(t, maj_flt);
	if (bpf_core_field_exists(t->ioac.write_bytes))
		s->written_bytes += written(&t->ioac);
	/* TASK_UNINTERRUPTIBLE without TASK_NOLOAD; TASK_STOPPED and TASK_TRACED. */
	s->blocked += (state & 0x402) == 0x2;
	s->stopped += (state & 0xc) != 0;
	s->threads++;
}

static __always_inline void add_threads(struct kmend_sched *s, struct task_struct *t)
{
	struct signal_struct *signal = t->signal;
	struct list_head *head, *at;
	int i;

	s->cpu_ns = signal->sum_sched_runtime;
	s->involuntary = signal->nivcsw;
	s->major_faults = signal->maj_flt;
	if (bpf_core_field_exists(signal->ioac.write_bytes))
		s->written_bytes = written(&signal->ioac);
	head = (void *)signal + bpf_core_field_offset(struct signal_struct, thread_head);
	at = BPF_CORE_READ(head, next);
	for (i = 0; i < THREADS_MAX; i++) {
		if (at == head || !at)
			break;
		add_thread(s, (void *)at - bpf_core_field_offset(struct task_struct, thread_node));
		at = BPF_CORE_READ(at, next);
	}
}

static __always_inline void write_sched(struct seq_file *seq, const struct kmend_task *e,
                                        struct task_struct *t)
{
	struct kmend_sched s = {};

	s.hdr = e->hdr;
	s.hdr.type = KMEND_SCHED;
	s.hdr.size = sizeof(s);
	s.tgid = e->tgid;
	s.start_ns = e->start_ns;
	s.zombie = e->state == 'Z' || e->state == 'X';
	if (!s.zombie)
		add_threads(&s, t);
	bpf_seq_write(seq, &s, sizeof(s));
}

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct kmend_pass);
} kmend_pass SEC(".maps");

/* Clocks of two CPUs may differ by a tick or two where they are not synchronised in hardware. */
#define CLOCKS_NS 20000000ULL

/* The reader's own arrival on its CPU is on the clock that stamps all others', and earlier than
 * anything that happens in this pass. */
static __always_inline void pass_begin(struct kmend_pass *p)
{
	struct task_struct *reader = (void *)bpf_get_current_task();

	p->began_ns = 0;
	if (bpf_core_field_exists(reader->sched_info.last_arrival))
		p->began_ns = BPF_CORE_READ(reader, sched_info.last_arrival);
	p->began_ns -= p->began_ns > CLOCKS_NS ? CLOCKS_NS : p->began_ns;
	p->running = 1;
	p->processes = 0;
	p->zombies = 0;
}

/* Called again if the record finds no room. */
static __always_inline void pass_end(struct seq_file *seq, struct kmend_pass *p)
{
	struct kmend_listed l = {};

	l.hdr.type = KMEND_LISTED;
	l.hdr.size = sizeof(l);
	l.hdr.cpu = bpf_get_smp_processor_id();
	l.hdr.ktime_ns = bpf_ktime_get_boot_ns();
	l.processes = p->processes;
	l.zombies = p->zombies;
	l.partial = !p->whole && p->since_ns;
	if (bpf_seq_write(seq, &l, sizeof(l)))
		return;
	p->since_ns = p->began_ns;
	p->running = 0;
	p->whole = 0;
}

/* Without a turn on a CPU nothing of a process changes but by others' hands, which the next whole
 * pass sees: not its memory, descriptors, state or time. With several threads any may have had one.
 */
static __always_inline bool has_slept(struct task_struct *t, const struct kmend_pass *p)
{
	__u64 arrival;

	if (!bpf_core_field_exists(t->sched_info.last_arrival) || !p->since_ns || p->whole)
		return false;
	arrival = t->sched_info.last_arrival;
	return arrival && arrival < p->since_ns && !t->exit_state && task_state(t) != 0 &&
	       t->signal->nr_threads == 1;
}

SEC("iter/task")
int km_tasks(struct bpf_iter__task *ctx)
{
	const __u32 kernel_thread = 0x00200000; /* PF_KTHREAD */
	struct task_struct *t = ctx->task;
	struct kmend_pass *p;
	struct kmend_task e = {};
	__u32 key = 0;

	if (t && (t->pid != t->tgid || t->flags & kernel_thread))
		return 0;
	p = bpf_map_lookup_elem(&kmend_pass, &key);
	if (!p)
		return 0;
	if (!p->running)
		pass_begin(p);
	if (!t) {
		pass_end(ctx->meta->seq, p);
		return 0;
	}
	p->processes++;
	p->zombies += t->exit_state != 0;
	if (has_slept(t, p))
		return 0;
	e.tgid = task_tgid(t);
	if (!e.tgid)
		return 0;
	e.hdr.type = KMEND_TASK;
	e.hdr.size = sizeof(e);
	e.hdr.cpu = bpf_get_smp_processor_id();
	e.hdr.ktime_ns = bpf_ktime_get_boot_ns();
	e.hdr.cgroup_id = task_cgroup_id(t);
	e.ppid = task_tgid(t->real_parent);
	e.start_ns = task_start_ns(t);
	e.state = state_letter(t);
	e.uid = t->real_cred->uid.val;
	task_comm(t, e.comm);
	add_memory(&e, t->mm);
	add_fds(&e, t);
	add_cpu(&e, t);
	add_limits(&e, t);
	bpf_seq_write(ctx->meta->seq, &e, sizeof(e));
	if (is_watched(e.hdr.cgroup_id))
		write_sched(ctx->meta->seq, &e, t);
	return 0;
}

struct port_words {
	__u64 w[KMEND_PORT_WORDS];
};

/* Local ports in use: set by a pass, cleared by the reader before it. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct port_words);
} kmend_ports SEC(".maps");

static __always_inline void note_port(__u16 port)
{
	__u32 key = 0;
	struct port_words *p = bpf_map_lookup_elem(&kmend_ports, &key);

	if (p)
		p->w[port >> 6 & (KMEND_PORT_WORDS - 1)] |= 1ULL << (port & 63);
}

static __always_inline void write_listener(struct seq_file *seq, struct sock *sk)
{
	struct kmend_listener l = {};

	l.hdr.type = KMEND_LISTENER;
	l.hdr.size = sizeof(l);
	l.hdr.cpu = bpf_get_smp_processor_id();
	l.hdr.ktime_ns = bpf_ktime_get_boot_ns();
	l.hdr.cgroup_id = sock_cgroup_id(sk);
	l.waiting = BPF_CORE_READ(sk, sk_ack_backlog);
	l.limit = BPF_CORE_READ(sk, sk_max_ack_backlog);
	l.drops = (__u32)BPF_CORE_READ(sk, sk_drops.counter);
	l.port = BPF_CORE_READ(sk, __sk_common.skc_num);
	l.family = BPF_CORE_READ(sk, __sk_common.skc_family);
	bpf_seq_write(seq, &l, sizeof(l));
}

/* Smoothed round trip, in eighths of a microsecond there. */
static __always_inline void note_rtt(struct sock *sk)
{
	struct kmend_peer *p = peer_find(sk, sock_cgroup_id(sk));

	if (p)
		p->rtt_us = BPF_CORE_READ((struct tcp_sock *)sk, srtt_us) >> 3;
}

SEC("iter/tcp")
int km_sockets(struct bpf_iter__tcp *ctx)
{
	struct sock_common *c = ctx->sk_common;
	__u8 state;

	if (!c)
		return 0;
	state = c->skc_state;
	if (state == TCP_LISTEN) {
		write_listener(ctx->meta->seq, (struct sock *)c);
		return 0;
	}
	note_port(c->skc_num);
	if (state == TCP_ESTABLISHED)
		note_rtt((struct sock *)c);
	return 0;
}
