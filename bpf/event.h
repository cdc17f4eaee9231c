/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Records that the kernel side hands to user space: the only header both sides share.
 *
 * Every record starts with struct kmend_hdr. Append only: a type number, once used, is never used
 * for anything else; a record that must grow gets a new type. All times are CLOCK_BOOTTIME
 * nanoseconds (bpf_ktime_get_boot_ns). All PIDs are thread-group ids in the PID namespace of the
 * daemon; a process that is not visible there has 0. With start_ns a tgid says who it is, also
 * after the number is used again: start of the leader, rounded down to the 10 ms that /proc shows
 * (KMEND_START_NS), so that every source names a process alike. Padding is explicit and zeroed: a
 * ring buffer does not clear what it hands out. */
#ifndef KMEND_EVENT_H
#define KMEND_EVENT_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

#define KMEND_COMM_LEN 16
#define KMEND_START_NS 10000000 /* USER_HZ is 100 on every architecture we run on */
#define KMEND_PATH_LEN 128      /* of an executable; longer ones keep their last 127 bytes */

enum kmend_type {
	KMEND_NONE = 0,
	KMEND_FORK = 1,      /* a new thread group */
	KMEND_EXEC = 2,      /* a thread group has a new image */
	KMEND_EXIT = 3,      /* a thread group is gone */
	KMEND_SIGNAL = 4,    /* a signal that ends or stops its receiver was delivered */
	KMEND_OOM = 5,       /* the OOM killer chose a victim */
	KMEND_TCP_STATE = 6, /* a TCP connection failed, was reset or gets no answer (anomalies) */
	KMEND_RETRANSMIT =
		7,        /* TCP retransmits, summed per cgroup by the kernel, read in batches */
	KMEND_TASK = 8,   /* levels of one thread group, from the task iterator or /proc */
	KMEND_CANARY = 9, /* sent by the daemon to itself through the kernel: the path is alive */
	KMEND_SCHED = 10, /* what one thread group of a watched cgroup did and waited for */
	KMEND_LISTENER = 11, /* a TCP listener: how many connections wait to be accepted */
	KMEND_LISTED = 12,   /* the task iterator has been through all tasks */
	KMEND_CONNECTS = 20, /* how connections of a service to a followed address go */
	KMEND_TYPE_MAX = 64, /* size of the loss table; numbers from 256 on belong to user space */
};

struct kmend_hdr {
	__u16 type;
	__u16 size; /* of the whole record, header included */
	__u32 cpu;
	__u64 ktime_ns;
	__u64 cgroup_id; /* cgroup v2 id of the process the record is about, 0 unknown */
};
#define KMEND_HDR_SIZE 24
_Static_assert(sizeof(struct kmend_hdr) == KMEND_HDR_SIZE, "kmend_hdr is an ABI");

/* KMEND_FORK: sched_process_fork, thread groups only. cgroup_id is the child's. */
struct kmend_fork {
	struct kmend_hdr hdr;
	__u32 tgid; /* the child */
	__u32 ppid;
	__u64 start_ns; /* of the child */
	char comm[KMEND_COMM_LEN];
};
_Static_assert(sizeof(struct kmend_fork) == KMEND_HDR_SIZE + 32, "kmend_fork is an ABI");

/* KMEND_EXEC: sched_process_exec. */
struct kmend_exec {
	struct kmend_hdr hdr;
	__u32 tgid;
	__u32 ppid;
	__u64 start_ns;
	__u32 uid;   /* in the initial user namespace */
	__u32 image; /* kmend_image() of what runs, of a script its interpreter; 0 not known */
	char comm[KMEND_COMM_LEN];
	char path[KMEND_PATH_LEN]; /* as given to execve, NUL-terminated */
};
_Static_assert(sizeof(struct kmend_exec) == KMEND_HDR_SIZE + 40 + KMEND_PATH_LEN,
               "kmend_exec is an ABI");

/* Tells two versions of an executable apart by its size and when it was last written, as rsync
 * does. Inode and device are left out: a container's are others at each start. Never 0. */
static inline __attribute__((always_inline)) __u32 kmend_image(__u64 size, __u64 mtime_s,
                                                               __u64 mtime_ns)
{
	__u64 h = size * 0x9e3779b97f4a7c15ULL;

	h = ((h ^ h >> 32) + mtime_s) * 0x9e3779b97f4a7c15ULL;
	h = ((h ^ h >> 32) + mtime_ns) * 0x9e3779b97f4a7c15ULL;
	h ^= h >> 32;
	return (__u32)h ? (__u32)h : 1;
}

/* KMEND_EXIT: sched_process_exit of the last thread. Runs early in do_exit(): ports and files are
 * still taken; whoever needs them waits for the pidfd. */
struct kmend_exit {
	struct kmend_hdr hdr;
	__u32 tgid;
	__u32 ppid;
	__u64 start_ns;
	__u32 exit_code; /* as wait(2) packs it: code << 8 | core << 7 | signal */
	__u32 pad;
	char comm[KMEND_COMM_LEN];
};
_Static_assert(sizeof(struct kmend_exit) == KMEND_HDR_SIZE + 40, "kmend_exit is an ABI");

/* KMEND_SIGNAL: signal_generate for SIGKILL, SIGTERM, SIGSTOP, SIGQUIT, SIGABRT, SIGSEGV, SIGBUS,
 * SIGILL, SIGFPE, SIGINT sent to a thread group. cgroup_id is the receiver's. */
struct kmend_signal {
	struct kmend_hdr hdr;
	__u32 signal;
	__s32 code;        /* si_code: 0 kill(2), 0x80 the kernel, ... */
	__u32 tgid;        /* receiver */
	__u32 sender_tgid; /* 0: the kernel itself, or outside this PID namespace */
	__u64 start_ns;    /* of the receiver */
	__u64 sender_start_ns;
	__u64 sender_cgroup_id;
	__u32 sender_uid;
	__u32 result; /* TRACE_SIGNAL_*: 0 delivered */
	char comm[KMEND_COMM_LEN];
	char sender_comm[KMEND_COMM_LEN];
};
_Static_assert(sizeof(struct kmend_signal) == KMEND_HDR_SIZE + 80, "kmend_signal is an ABI");

/* KMEND_OOM: oom:mark_victim. cgroup_id is the victim's. */
struct kmend_oom {
	struct kmend_hdr hdr;
	__u32 tgid;
	__u32 trigger_tgid; /* whose allocation could not be served */
	__u64 start_ns;
	__u64 anon_bytes;
	char comm[KMEND_COMM_LEN];
};
_Static_assert(sizeof(struct kmend_oom) == KMEND_HDR_SIZE + 40, "kmend_oom is an ABI");

/* KMEND_TCP_STATE: inet_sock_set_state, only a connect that failed (SYN_SENT to CLOSE) or a
 * connection that was reset (ESTABLISHED to CLOSE). */
struct kmend_tcp_state {
	struct kmend_hdr hdr;
	__u16 family; /* AF_INET or AF_INET6 */
	__u16 lport;  /* host order */
	__u16 rport;
	__u8 from; /* TCP_* states of include/net/tcp_states.h */
	__u8 to;
	__s32 error; /* sk_err: ECONNREFUSED, ETIMEDOUT, ... */
	/* From SYN_SENT: connects of this cgroup to this peer that failed or were left without an
	 * answer for a second, since one was answered; 0: not known. To SYN_SENT: not answered. */
	__u32 in_a_row;
	__u8 laddr[16]; /* IPv4 in the first four bytes */
	__u8 raddr[16];
};
_Static_assert(sizeof(struct kmend_tcp_state) == KMEND_HDR_SIZE + 48, "kmend_tcp_state is an ABI");

/* KMEND_RETRANSMIT: count since the last record of the same cgroup. */
struct kmend_retransmit {
	struct kmend_hdr hdr;
	__u64 count;
};
_Static_assert(sizeof(struct kmend_retransmit) == KMEND_HDR_SIZE + 8, "kmend_retransmit is an ABI");

/* Which members of kmend_task were measured; a member whose bit is clear is "not measured". */
enum kmend_task_has {
	KMEND_HAS_RSS = 1 << 0,
	KMEND_HAS_FDS = 1 << 1, /* up to 262144 are counted, more show as 262144 */
	KMEND_HAS_CPU = 1 << 2, /* not above 64 threads, where the iterator stops adding up */
	KMEND_HAS_RUN_DELAY = 1 << 3,
	KMEND_HAS_THREADS = 1 << 4,
	KMEND_HAS_LIMITS = 1 << 5,
};

/* KMEND_TASK: one thread group as the sampling pass saw it. */
struct kmend_task {
	struct kmend_hdr hdr;
	__u32 tgid;
	__u32 ppid;
	__u64 start_ns;
	__u64 anon_bytes;
	__u64 file_bytes;
	__u64 shmem_bytes;
	__u64 swap_bytes;
	__u64 cpu_ns;       /* time on a CPU of the whole thread group, ended threads included */
	__u64 run_delay_ns; /* of the leader */
	__u64 fds_limit;    /* soft RLIMIT_NOFILE, ~0 unlimited */
	__u32 fds;
	__u32 threads;
	__u32 has;   /* kmend_task_has bits */
	__u32 state; /* the letter /proc shows: R S D T Z ... */
	__u32 uid;
	__u32 pad;
	char comm[KMEND_COMM_LEN];
};
_Static_assert(sizeof(struct kmend_task) == KMEND_HDR_SIZE + 112, "kmend_task is an ABI");

/* KMEND_SCHED: a thread group of a watched cgroup, by the task iterator, behind its kmend_task.
 * Amounts are sums since its start over its threads, those that ended included where the kernel
 * keeps them; without more than 64 live ones. */
struct kmend_sched {
	struct kmend_hdr hdr;
	__u32 tgid;
	__u32 zombie; /* 1: it ended and nobody waited for it: nothing below means anything */
	__u64 start_ns;
	__u64 cpu_ns;
	__u64 run_delay_ns;  /* ready to run, without a CPU; of live threads */
	__u64 involuntary;   /* switches away from a CPU that were not asked for */
	__u64 major_faults;  /* pages read from storage */
	__u64 written_bytes; /* dirtied for storage, without what was taken back */
	__u32 threads;       /* that were looked at, all of them alive */
	__u32 blocked;       /* in uninterruptible sleep now */
	__u32 stopped;       /* by a signal or a debugger */
	__u32 pad;
};
_Static_assert(sizeof(struct kmend_sched) == KMEND_HDR_SIZE + 72, "kmend_sched is an ABI");

/* KMEND_LISTED: behind the kmend_task records of a pass. */
struct kmend_listed {
	struct kmend_hdr hdr;
	__u32 processes; /* thread groups, kernel threads left out */
	__u32 zombies;
	__u32 partial; /* 1: who did not run since the pass before is not listed: unchanged */
	__u32 pad;
};
_Static_assert(sizeof(struct kmend_listed) == KMEND_HDR_SIZE + 16, "kmend_listed is an ABI");

/* Between two passes of the task iterator. */
struct kmend_pass {
	__u64 since_ns; /* the scheduler's clock when the last one began; 0: none */
	__u64 began_ns; /* ... and this one */
	__u32 running;
	__u32 whole; /* 1: all are to be listed; cleared at the end */
	__u32 processes;
	__u32 zombies;
};

/* KMEND_LISTENER: a listening TCP socket of the daemon's network namespace, by the TCP iterator. */
struct kmend_listener {
	struct kmend_hdr hdr;
	__u32 waiting; /* established, nobody has accepted them yet */
	__u32 limit;   /* from here on connections are dropped */
	__u64 drops;   /* so far */
	__u16 port;
	__u16 family;
	__u32 pad;
};
_Static_assert(sizeof(struct kmend_listener) == KMEND_HDR_SIZE + 24, "kmend_listener is an ABI");

/* KMEND_CONNECTS: of one cgroup to one address in KM_MAP_FOLLOWED, since the record before. */
struct kmend_connects {
	struct kmend_hdr hdr;
	__u8 addr[16]; /* IPv4 in the first four bytes */
	__u16 port;
	__u16 family;
	__u32 established;
	__u32 failed;      /* refused, unreachable, or given up by the caller */
	__u32 unanswered;  /* SYNs that were sent again */
	__u32 reset;       /* established ones that ended with an error */
	__u32 retransmits; /* of established ones */
	__u64 latency_ns;  /* of those established, together */
};
_Static_assert(sizeof(struct kmend_connects) == KMEND_HDR_SIZE + 48, "kmend_connects is an ABI");

/* Per type and ring, exact: what was offered and what the ring refused. Seen = delivered + lost. */
struct kmend_count {
	__u64 seen;
	__u64 lost;
};

/* Not records, but what both sides must agree on to pass them. */
enum kmend_ring {
	KMEND_MUST = 0, /* must not be lost: the watched services' and the OOM killer's */
	KMEND_BULK = 1, /* the rest */
	KMEND_RING_MAX = 2,
};

/* Powers of two, multiples of a page of up to 64 KiB. 256 KiB hold 3,600 exits, which is more than
 * a service of 2,000 processes leaves behind when it is killed at once. Bulk records go into a ring
 * of the CPU that they come from: two CPUs that write into one hinder each other. 512 KiB, shared
 * out among up to four CPUs, hold what a fork storm on two makes in 100 ms or more; where there are
 * more CPUs, each has the least that holds its own for 50 ms. Beyond so many rings CPUs share
 * them. */
#define KMEND_MUST_BYTES     (256 * 1024)
#define KMEND_BULK_BYTES     (512 * 1024)
#define KMEND_BULK_BYTES_MIN (128 * 1024)
#define KMEND_BULK_RINGS_MAX 64
#define KMEND_WATCH_MAX      4096 /* watched cgroups: twice the services one daemon follows */
#define KMEND_SELF_MAX       3    /* engine, actor, front */

/* Index into the table of counts, which user space maps: [cpu][ring][type]. */
#define KMEND_COUNTS_PER_CPU (KMEND_RING_MAX * KMEND_TYPE_MAX)

/* Set once before the programs are loaded, constant for the verifier. */
struct kmend_setup {
	__u32 pidns_level; /* of the daemon's PID namespace; 0 is the initial one */
	__u32 pidns_inum;
	__u32 page_shift;
	__u32 cpus;       /* possible ones: rows of the table of counts */
	__u32 must_bytes; /* sizes of the rings as made (a test makes them small) */
	__u32 bulk_bytes; /* of each */
	__u32 bulk_rings; /* a power of two */
};
_Static_assert(sizeof(struct kmend_setup) == 28, "kmend_setup is shared with the loader");

/* What is only counted, since the start of the programs. A key that is not used for long makes room
 * for others (LRU), so a count may begin anew. */
enum kmend_sum_what {
	KMEND_SUM_RECLAIM = 1,      /* per cgroup; amount: ns that tasks freed memory themselves */
	KMEND_SUM_HUNG = 2,         /* per cgroup: found stuck by the kernel's watchdog */
	KMEND_SUM_KERNEL_ERROR = 3, /* id 0: reports of KASAN, KFENCE and warnings */
	KMEND_SUM_IO_ERROR = 4,     /* per device: requests that failed */
	KMEND_SUM_IO = 5,           /* per device: requests done; amount: ns since they were made */
	KMEND_SUM_SEGMENTS = 6,     /* per cgroup, of TCP connections that ended: segments with data
	                               that were sent; amount: sent again */
	/* per cgroup, system calls: */
	KMEND_SUM_CALLS = 16,
	KMEND_SUM_EMFILE = 17,
	KMEND_SUM_ENFILE = 18,
	KMEND_SUM_ENOMEM = 19,
	KMEND_SUM_ENOSPC = 20,
	KMEND_SUM_EDQUOT = 21,
	KMEND_SUM_FORK_EAGAIN = 22,
	KMEND_SUM_EIO = 23,
	KMEND_SUM_EROFS = 24,
	KMEND_SUM_ECONNREFUSED = 25,
	KMEND_SUM_ETIMEDOUT = 26,
	KMEND_SUM_EACCES = 27, /* EPERM too */
	/* per cgroup, while somebody wants to know: */
	KMEND_SUM_DNS_QUERIES = 32,
	KMEND_SUM_DNS_FAILURES = 33, /* asked again without an answer, or answered with an error */
	KMEND_SUM_MAX = 64,
};

/* Runs of what is not attached all the time: the reader knows from them what it cost. Those of
 * system calls are told by their turns. */
enum kmend_run {
	KMEND_RUN_IO = 1,
	KMEND_RUN_DROPS = 2,
	KMEND_RUN_DEMAND = 3,
	KMEND_RUN_MAX = 4,
};

/* System calls of one task in a row on one CPU: they go into the sums together, when another task
 * has its turn or after so many. */
#define KMEND_TURN_CALLS 64
#define KMEND_TURNS_MAX  256 /* CPUs, a power of two; where there are more, two share a row */

struct kmend_turn {
	__u64 stack; /* whose turn: a task's registers lie at one place of its stack; 0: nobody's */
	__u64 cgroup_id;
	__u64 runs;   /* of earlier turns */
	__u32 left;   /* of KMEND_TURN_CALLS */
	__u32 pad[9]; /* a cache line a CPU */
};
_Static_assert(sizeof(struct kmend_turn) == 64, "kmend_turn is shared with the reader");

/* Depth: durations of a few services for as long as somebody wants to know. A cgroup's row
 * in kmend_watch holds whose they are: 0 nobody's, else number + 1. */
#define KMEND_LEASES_MAX  8 /* services at a time: more is no suspicion any more, but a survey */
#define KMEND_WATCHED     1U
#define KMEND_LEASE_SHIFT 8

enum kmend_hist_what {
	KMEND_HIST_NONE = 0,
	KMEND_HIST_READ = 1, /* families of system calls that may block */
	KMEND_HIST_WRITE = 2,
	KMEND_HIST_FSYNC = 3,
	KMEND_HIST_FUTEX = 4,
	KMEND_HIST_CONNECT = 5,
	KMEND_HIST_ACCEPT = 6,
	KMEND_HIST_RUN_QUEUE = 7, /* ready to run, until on a CPU */
	KMEND_HIST_DNS = 8,       /* asked, until the answer is read */
	KMEND_HIST_MAX = 9,
};

/* Four buckets for each doubling from 128 ns to 34 s: a fifth of a value wide. The first holds all
 * that is shorter, the last all that is longer. */
#define KMEND_BUCKET_FIRST 7
#define KMEND_BUCKETS      (4 * 28 + 2)

struct kmend_hist {
	__u32 bucket[KMEND_BUCKETS];
};

#define KMEND_SYSCALLS_MAX 512 /* numbers, a power of two; a byte each says the family */

struct kmend_families {
	__u8 of[KMEND_SYSCALLS_MAX];
	__u64 renewed_ns; /* what a task keeps of its cgroup's lease from before is asked anew */
};

struct kmend_sum_key {
	__u64 id; /* cgroup; (major << 32 | minor) */
	__u32 what;
	__u32 pad;
};

struct kmend_sum {
	__u64 count;
	__u64 amount;
};

/* Whom a watched cgroup connects to. */
struct kmend_peer_key {
	__u64 cgroup_id;
	__u8 addr[16]; /* IPv4 in the first four bytes */
	__u16 port;
	__u16 family;
	__u32 pad;
};

struct kmend_peer {
	__u64 attempts;
	__u64 established;
	__u64 latency_ns; /* of those established, together */
	__u64 failures;
	__u64 refused;
	__u64 timeouts; /* or given up by the caller, which had waited long enough */
	__u64 unreachable;
	__u64 retransmits;
	__u64 rtt_us;   /* smoothed, of the connection that was looked at last */
	__u64 in_a_row; /* connects without an answer since one was answered */
};

/* What is not told yet of connections to a followed address; a row a cgroup and address. */
struct kmend_untold {
	__u64 told_ns;
	__u64 latency_ns;
	__u32 established;
	__u32 failed;
	__u32 unanswered;
	__u32 reset;
	__u32 retransmits;
	__u32 burst;   /* records close behind one another */
	__u32 trouble; /* 1: the last record told of some */
	__u32 pad;
};

#define KMEND_FOLLOWED_MAX 2048 /* addresses of endpoints: one a service that may be followed */
#define KMEND_UNTOLD_MAX   512  /* that are connected to lately */
#define KMEND_DROP_REASONS 256  /* there are about 120; what is beyond shares the last */

#define KMEND_SUMS_MAX     8192 /* four counts for each service one daemon may follow */
#define KMEND_PEERS_MAX    4096
#define KMEND_STARTS_MAX   4096 /* connects and reclaims under way at a time */
/* Threads and questions of the services that are looked at closely: as many as a CPU can keep
 * busy. */
#define KMEND_CLOSE_MAX     4096
#define KMEND_CLOSE_PER_CPU 512
#define KMEND_PORT_WORDS    1024 /* a bit a port */

/* What the probe program tells about the process that runs it. */
struct kmend_probe {
	__u32 pidns_level;
	__u32 pidns_inum;
};

/* Of bpf/reroute.bpf.c: an address in network byte order, IPv4 as ::ffff:a.b.c.d. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define KMEND_MAPPED 0xffff0000U
#else
#define KMEND_MAPPED 0x0000ffffU
#endif

struct kmend_address {
	__u32 addr[4];
	__u32 port; /* network byte order in the lower half */
};
_Static_assert(sizeof(struct kmend_address) == 20, "kmend_address is a key: no padding");

/* Of 256 connections asked for at an address, SHARE go to TO instead. */
#define KMEND_SHARE_ALL  256
#define KMEND_ROUTES_MAX 16 /* addresses of one service's dependencies: primaries and standbys */

struct kmend_route {
	struct kmend_address to;
	__u32 share;
	__u64 rerouted;
};
_Static_assert(sizeof(struct kmend_route) == 32, "kmend_route is shared with the loader");

#endif
