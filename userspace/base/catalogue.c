// SPDX-License-Identifier: Apache-2.0
#include "base/catalogue.h"

const char *const km_entity_names[KM_ENTITY_MAX + 1] = {
	[KM_ENTITY_SERVICE] = "service", [KM_ENTITY_ENDPOINT] = "endpoint",
	[KM_ENTITY_DEVICE] = "device",   [KM_ENTITY_FILESYSTEM] = "filesystem",
	[KM_ENTITY_HOST] = "host",
};

const char *const km_shape_names[KM_SHAPE_MAX + 1] = {
	[KM_SHAPE_EVENT] = "event",
	[KM_SHAPE_COUNTER] = "counter",
	[KM_SHAPE_LEVEL] = "level",
	[KM_SHAPE_HISTOGRAM] = "histogram",
};

const char *const km_tier_names[KM_TIER_MAX + 1] = {
	[KM_TIER_ALWAYS] = "always",
	[KM_TIER_DUTY] = "duty",
	[KM_TIER_DEMAND] = "on demand",
};

const char *const km_depth_names[KM_DEPTHS + 1] = { "calls", "latency", "run_queue", "dns" };

#define SERVICE      (1U << KM_ENTITY_SERVICE)
#define ENDPOINT     (1U << KM_ENTITY_ENDPOINT)
#define DEVICE       (1U << KM_ENTITY_DEVICE)
#define FILESYSTEM   (1U << KM_ENTITY_FILESYSTEM)
#define HOST         (1U << KM_ENTITY_HOST)

#define ALWAYS       KM_TIER_ALWAYS
#define DUTY         KM_TIER_DUTY
#define DEMAND       KM_TIER_DEMAND
#define NONE         KM_RESOURCE_NONE

#define EVENT        KM_SHAPE_EVENT
#define COUNTER      KM_SHAPE_COUNTER
#define LEVEL        KM_SHAPE_LEVEL
#define HISTOGRAM    KM_SHAPE_HISTOGRAM

#define TRACE(name)  "tp_btf/" name
#define TASK_COST    "0.4 us a process with all of its kind, 1.7 us with cold caches"
#define SCHED_COST   "0.3 us a process of a watched service with all of its kind"
#define CGROUP_COST  "3 us a file"
#define CALLS_COST   "0.1 us each system call of the host, in a window"
#define HOST_COST    "a file a pass"
#define PSI_COST     "a file a pass; 3 us a cgroup in four passes while the host has some"
#define FS_COST      "1 us a filesystem"
#define VMSTAT_COST  "40 us in four passes"
#define LATENCY_COST "0.25 us each system call of the host, while asked for"
#define DNS_COST     "0.1 us each packet of the host, while asked for"

/* clang-format off */
const struct km_catalogue_row km_catalogue[KM_SIG_MAX] = {
	[KM_SIG_FORKS] = { "process.forks", "1/s", SERVICE, EVENT, ALWAYS, NONE,
		TRACE("sched_process_fork"), "0.28 us a process", "5.10",
		"a storm of new processes starves its host" },
	[KM_SIG_EXECS] = { "process.execs", "1/s", SERVICE, EVENT, ALWAYS, NONE,
		TRACE("sched_process_exec"), "0.50 us", "5.10",
		"which program a process is" },
	[KM_SIG_EXITS] = { "process.exits", "1/s", SERVICE, EVENT, ALWAYS, NONE,
		TRACE("sched_process_exit"), "0.45 us, with the last thread", "5.10",
		"a service ended, with code and signal" },
	[KM_SIG_SIGNALS] = { "process.signals", "1/s", SERVICE, EVENT, ALWAYS, NONE,
		TRACE("signal_generate"), "0.29 us for ten signals, a compare for others", "5.10",
		"who ended it" },
	[KM_SIG_OOM_KILLS] = { "process.oom_kills", "1/s", SERVICE, EVENT, ALWAYS, NONE,
		TRACE("mark_victim"), "rare", "5.10",
		"memory ran out and the kernel chose a victim" },
	[KM_SIG_THREADS] = { "process.threads", "tasks", SERVICE, LEVEL, ALWAYS, KM_THREADS,
		"cgroup pids controller", CGROUP_COST, "5.10",
		"at the limit no thread can be started" },
	[KM_SIG_DESCRIPTORS] = { "process.descriptors", "descriptors", SERVICE, LEVEL, ALWAYS,
		KM_DESCRIPTORS, "iter/task", TASK_COST, "5.10",
		"at the limit no file, socket or pipe can be opened" },
	[KM_SIG_MEMORY] = { "memory.used", "bytes", SERVICE, LEVEL, ALWAYS, KM_MEMORY,
		"cgroup memory controller", CGROUP_COST, "5.10",
		"growth towards the limit ends in an OOM kill" },
	[KM_SIG_MEMORY_ANON] = { "memory.anon", "bytes", SERVICE, LEVEL, ALWAYS, NONE,
		"iter/task", TASK_COST, "5.10",
		"heap: what a leak grows" },
	[KM_SIG_MEMORY_FILE] = { "memory.file", "bytes", SERVICE, LEVEL, ALWAYS, NONE,
		"iter/task", TASK_COST, "5.10",
		"mapped files: falling while it works means thrashing" },
	[KM_SIG_MEMORY_SHMEM] = { "memory.shmem", "bytes", SERVICE, LEVEL, ALWAYS, NONE,
		"iter/task", TASK_COST, "5.10",
		"shared memory outlives the process that made it" },
	[KM_SIG_MEMORY_SWAP] = { "memory.swap", "bytes", SERVICE, LEVEL, ALWAYS, NONE,
		"iter/task", TASK_COST, "5.10",
		"what is swapped out answers late" },
	[KM_SIG_CONNECT_FAILURES] = { "net.connect.failures", "1/s", SERVICE, EVENT, ALWAYS, NONE,
		TRACE("inet_sock_set_state"), "0.26 us a failure, a compare for others", "5.10",
		"a dependency refuses or does not answer" },
	[KM_SIG_RETRANSMITS] = { "net.retransmits", "segments/s", SERVICE, COUNTER, ALWAYS, NONE,
		TRACE("tcp_retransmit_skb"), "a map update", "5.10",
		"the network loses packets or a peer does not answer" },
	[KM_SIG_RESETS] = { "net.resets", "1/s", SERVICE, EVENT, ALWAYS, NONE,
		TRACE("inet_sock_set_state"), "0.26 us a reset, a compare for others", "5.10",
		"peers break connections off" },
	[KM_SIG_PSI_CPU_SOME] = { "psi.cpu.some", "ppm", SERVICE | HOST, LEVEL, ALWAYS, NONE,
		"/proc/pressure/cpu, cpu.pressure", PSI_COST, "5.10",
		"tasks wait for a CPU" },
	[KM_SIG_PSI_MEMORY_SOME] = { "psi.memory.some", "ppm", SERVICE | HOST, LEVEL, ALWAYS, NONE,
		"/proc/pressure/memory, memory.pressure", PSI_COST, "5.10",
		"tasks wait for memory to be reclaimed" },
	[KM_SIG_PSI_MEMORY_FULL] = { "psi.memory.full", "ppm", SERVICE | HOST, LEVEL, ALWAYS, NONE,
		"/proc/pressure/memory, memory.pressure", PSI_COST, "5.10",
		"nothing runs but reclaim: the OOM killer is near" },
	[KM_SIG_PSI_IO_SOME] = { "psi.io.some", "ppm", SERVICE | HOST, LEVEL, ALWAYS, NONE,
		"/proc/pressure/io, io.pressure", PSI_COST, "5.10",
		"tasks wait for storage" },
	[KM_SIG_PSI_IO_FULL] = { "psi.io.full", "ppm", SERVICE | HOST, LEVEL, ALWAYS, NONE,
		"/proc/pressure/io, io.pressure", PSI_COST, "5.10",
		"all that could run wait for storage" },
	[KM_SIG_HOST_MEMORY] = { "host.memory.used", "bytes", HOST, LEVEL, ALWAYS, KM_HOST_MEMORY,
		"/proc/meminfo", HOST_COST, "5.10",
		"without available memory the kernel kills what it likes" },
	[KM_SIG_HOST_FILES] = { "host.files.used", "files", HOST, LEVEL, ALWAYS, KM_HOST_FILES,
		"/proc/sys/fs/file-nr", HOST_COST, "5.10",
		"at file-max no process can open anything" },
	[KM_SIG_FS_BYTES_FREE] = { "fs.bytes_free", "bytes", FILESYSTEM, LEVEL, ALWAYS, NONE,
		"statvfs", FS_COST, "5.10",
		"room for users without privilege: at zero writes fail with ENOSPC" },
	[KM_SIG_FS_BYTES_USED] = { "fs.bytes_used", "bytes", FILESYSTEM, LEVEL, ALWAYS, KM_DISK,
		"statvfs", FS_COST, "5.10",
		"growth towards the limit ends in ENOSPC" },
	[KM_SIG_FS_INODES_FREE] = { "fs.inodes_free", "inodes", FILESYSTEM, LEVEL, ALWAYS, NONE,
		"statvfs", FS_COST, "5.10",
		"at zero no file can be made, however much room there is" },
	[KM_SIG_FS_INODES_USED] = { "fs.inodes_used", "inodes", FILESYSTEM, LEVEL, ALWAYS, KM_INODES,
		"statvfs", FS_COST, "5.10",
		"many small files use up inodes before room" },
	[KM_SIG_FS_READONLY] = { "fs.readonly", "0 or 1", FILESYSTEM, LEVEL, ALWAYS, NONE,
		"/proc/self/mountinfo", "a poll a pass", "5.10",
		"the superblock is read-only: after an error ext4 and btrfs turn to that" },
	[KM_SIG_FS_ERRORS] = { "fs.errors", "1/s", FILESYSTEM, COUNTER, ALWAYS, NONE,
		"/sys/fs/ext4/DEVICE/errors_count", "a file in four passes", "5.10",
		"ext4 found its own metadata damaged" },
	[KM_SIG_HOST_PIDS] = { "host.pids.used", "tasks", HOST, LEVEL, ALWAYS, KM_HOST_PIDS,
		"/proc/loadavg", HOST_COST, "5.10",
		"at pid_max or threads-max nothing can be started" },
	[KM_SIG_CONNTRACK] = { "net.conntrack.used", "connections", HOST, LEVEL, ALWAYS, KM_CONNTRACK,
		"nf_conntrack_count", HOST_COST, "5.10",
		"a full table drops packets of new connections" },
	[KM_SIG_TIMEWAIT] = { "net.timewait", "connections", HOST, LEVEL, ALWAYS, NONE,
		"/proc/net/sockstat", "a file in four passes", "5.10",
		"connections that hold a port after their end" },
	[KM_SIG_HOST_ZOMBIES] = { "host.zombies", "processes", HOST, LEVEL, ALWAYS, NONE,
		"iter/task", TASK_COST, "5.10",
		"parents that do not wait use up process numbers" },
	[KM_SIG_HOST_OOM_KILLS] = { "host.oom_kills", "1/s", HOST, COUNTER, ALWAYS, NONE,
		"/proc/vmstat", VMSTAT_COST, "5.10",
		"kills by the OOM killer, also of what no service owns" },
	[KM_SIG_HOST_RECLAIM] = { "host.reclaim_stalls", "1/s", HOST, COUNTER, ALWAYS, NONE,
		"/proc/vmstat", VMSTAT_COST, "5.10",
		"allocations that had to free memory themselves first" },
	[KM_SIG_HOST_COMPACTION] = { "host.compaction_stalls", "1/s", HOST, COUNTER, ALWAYS, NONE,
		"/proc/vmstat", VMSTAT_COST, "5.10",
		"allocations that had to wait for memory to be moved together" },
	[KM_SIG_HOST_MAJOR_FAULTS] = { "host.major_faults", "1/s", HOST, COUNTER, ALWAYS, NONE,
		"/proc/vmstat", VMSTAT_COST, "5.10",
		"pages that had to be read from storage: thrashing, if it lasts" },
	[KM_SIG_SCHED_THROTTLED] = { "sched.throttled", "us/s", SERVICE, COUNTER, ALWAYS, NONE,
		"cgroup cpu.stat", CGROUP_COST ", where there is a quota", "5.10",
		"its own CPU quota holds it up: slow, not ill" },
	[KM_SIG_SCHED_FROZEN] = { "sched.frozen", "0 or 1", SERVICE, LEVEL, ALWAYS, NONE,
		"cgroup.events", CGROUP_COST ", in 16 passes", "5.10",
		"somebody froze it: it cannot answer, and must not be restarted for that" },
	[KM_SIG_MEMORY_LIMIT_HITS] = { "memory.limit_hits", "1/s", SERVICE, COUNTER, ALWAYS, NONE,
		"memory.events, memory.failcnt", CGROUP_COST ", in 16 passes", "5.10",
		"allocations that met the cgroup's limit: reclaim, then the OOM killer" },
	[KM_SIG_CLOCK_STEPS] = { "host.clock.steps", "1/s", HOST, EVENT, ALWAYS, NONE,
		"CLOCK_REALTIME against CLOCK_BOOTTIME", "a clock read a pass", "5.10",
		"somebody set the clock: time-outs, certificates and leases are off" },
	[KM_SIG_SCHED_CPU] = { "sched.cpu", "us/s", SERVICE, COUNTER, ALWAYS, NONE,
		"iter/task", SCHED_COST, "5.10",
		"time on a CPU: none at all while it should work means that it hangs" },
	[KM_SIG_SCHED_RUN_DELAY] = { "sched.run_delay", "us/s", SERVICE, COUNTER, ALWAYS, NONE,
		"iter/task", SCHED_COST, "5.10",
		"ready to run without a CPU: starved by others, not ill itself" },
	[KM_SIG_SCHED_INVOLUNTARY] = { "sched.involuntary", "1/s", SERVICE, COUNTER, ALWAYS, NONE,
		"iter/task", SCHED_COST, "5.10",
		"taken off a CPU before it was done" },
	[KM_SIG_MAJOR_FAULTS] = { "memory.faults.major", "1/s", SERVICE, COUNTER, ALWAYS, NONE,
		"iter/task", SCHED_COST, "5.10",
		"waits for storage to get its own pages back: thrashing, if it lasts" },
	[KM_SIG_WRITTEN] = { "io.written", "bytes/s", SERVICE, COUNTER, ALWAYS, NONE,
		"iter/task", SCHED_COST, "5.10",
		"who fills the disk" },
	[KM_SIG_SCHED_BLOCKED] = { "sched.blocked", "threads", SERVICE, LEVEL, ALWAYS, NONE,
		"iter/task", SCHED_COST, "5.10",
		"waits for storage or the kernel and cannot even be killed" },
	[KM_SIG_SCHED_STOPPED] = { "sched.stopped", "threads", SERVICE, LEVEL, ALWAYS, NONE,
		"iter/task", SCHED_COST, "5.10",
		"stopped by a signal or a debugger: it cannot answer" },
	[KM_SIG_ZOMBIES] = { "process.zombies", "processes", SERVICE, LEVEL, ALWAYS, NONE,
		"iter/task", SCHED_COST, "5.10",
		"children it does not wait for use up its pids.max" },
	[KM_SIG_PEER_ATTEMPTS] = { "net.peer.attempts", "1/s", ENDPOINT, COUNTER, ALWAYS, NONE,
		TRACE("inet_sock_set_state"), "0.4 us a connect of a watched service", "5.10",
		"how often a service connects to what it needs" },
	[KM_SIG_PEER_FAILURES] = { "net.peer.failures", "1/s", ENDPOINT, COUNTER, ALWAYS, NONE,
		TRACE("inet_sock_set_state"), "0.4 us a connect of a watched service", "5.10",
		"a dependency fails: it, not the service, is to be mended" },
	[KM_SIG_PEER_REFUSED] = { "net.peer.refused", "1/s", ENDPOINT, COUNTER, ALWAYS, NONE,
		TRACE("inet_sock_set_state"), "0.4 us a connect of a watched service", "5.10",
		"the dependency is down: nobody listens there" },
	[KM_SIG_PEER_TIMEOUTS] = { "net.peer.timeouts", "1/s", ENDPOINT, COUNTER, ALWAYS, NONE,
		TRACE("inet_sock_set_state"), "0.4 us a connect of a watched service", "5.10",
		"the dependency or the way to it is dead, or given up as too slow" },
	[KM_SIG_PEER_UNREACHABLE] = { "net.peer.unreachable", "1/s", ENDPOINT, COUNTER, ALWAYS, NONE,
		TRACE("inet_sock_set_state"), "0.4 us a connect of a watched service", "5.10",
		"no way leads to the dependency" },
	[KM_SIG_PEER_LATENCY] = { "net.peer.latency", "us", ENDPOINT, LEVEL, ALWAYS, NONE,
		TRACE("inet_sock_set_state"), "0.4 us a connect of a watched service", "5.10",
		"mean time to connect: a SYN that is dropped costs a second" },
	[KM_SIG_PEER_RETRANSMITS] = { "net.peer.retransmits", "segments/s", ENDPOINT, COUNTER, ALWAYS, NONE,
		TRACE("tcp_retransmit_skb"), "0.1 us a segment", "5.10",
		"the way to this peer loses packets" },
	[KM_SIG_PEER_RTT] = { "net.peer.rtt", "us", ENDPOINT, LEVEL, ALWAYS, NONE,
		"iter/tcp", "0.1 us a connection", "5.10",
		"smoothed round trip of a connection: rising means queues or a far peer" },
	[KM_SIG_ACCEPT_QUEUE] = { "net.accept.queue", "connections", SERVICE, LEVEL, ALWAYS,
		KM_ACCEPT_QUEUE, "iter/tcp", "0.1 us a connection", "5.10",
		"waiting to be accepted: a service that hangs lets them queue" },
	[KM_SIG_ACCEPT_OVERFLOWS] = { "net.accept.overflows", "1/s", SERVICE, COUNTER, ALWAYS, NONE,
		"iter/tcp", "0.1 us a connection", "5.10",
		"connections dropped because the queue was full" },
	[KM_SIG_PORTS] = { "net.ports.used", "ports", HOST, LEVEL, ALWAYS, KM_PORTS,
		"iter/tcp", "0.1 us a connection", "5.10",
		"without a free local port no connection can be made" },
	[KM_SIG_RECLAIM] = { "memory.reclaim", "us/s", SERVICE, COUNTER, ALWAYS, NONE,
		TRACE("mm_vmscan_direct_reclaim_end"), "0.3 us a reclaim", "5.10",
		"time its tasks spend freeing memory instead of working" },
	[KM_SIG_HUNG] = { "sched.hung", "1/s", SERVICE, COUNTER, ALWAYS, NONE,
		TRACE("sched_process_hang"), "rare", "5.10",
		"stuck in the kernel for minutes: no signal helps" },
	[KM_SIG_KERNEL_ERRORS] = { "host.kernel_errors", "1/s", HOST, COUNTER, ALWAYS, NONE,
		TRACE("error_report_end"), "rare", "5.12",
		"the kernel found itself at fault: trust nothing on this host" },
	[KM_SIG_BLOCK_ERRORS] = { "block.errors", "1/s", DEVICE, COUNTER, ALWAYS, NONE,
		TRACE("block_rq_error"), "rare", "5.18",
		"the device fails requests: data is at risk" },
	[KM_SIG_SYSCALL_CALLS] = { "syscall.calls", "1/s", SERVICE, COUNTER, DUTY, NONE,
		TRACE("sys_exit"), CALLS_COST, "5.10",
		"a service that makes none while it should work hangs" },
	[KM_SIG_SYSCALL_EMFILE] = { "syscall.errors.emfile", "1/s", SERVICE, COUNTER, DUTY, NONE,
		TRACE("sys_exit"), CALLS_COST, "5.10",
		"its own limit of descriptors is reached" },
	[KM_SIG_SYSCALL_ENFILE] = { "syscall.errors.enfile", "1/s", SERVICE, COUNTER, DUTY, NONE,
		TRACE("sys_exit"), CALLS_COST, "5.10",
		"the host's limit of open files is reached" },
	[KM_SIG_SYSCALL_ENOMEM] = { "syscall.errors.enomem", "1/s", SERVICE, COUNTER, DUTY, NONE,
		TRACE("sys_exit"), CALLS_COST, "5.10",
		"the kernel had no memory for it" },
	[KM_SIG_SYSCALL_ENOSPC] = { "syscall.errors.enospc", "1/s", SERVICE, COUNTER, DUTY, NONE,
		TRACE("sys_exit"), CALLS_COST, "5.10",
		"a filesystem is full, or out of inodes" },
	[KM_SIG_SYSCALL_EDQUOT] = { "syscall.errors.edquot", "1/s", SERVICE, COUNTER, DUTY, NONE,
		TRACE("sys_exit"), CALLS_COST, "5.10",
		"a disk quota is used up" },
	[KM_SIG_SYSCALL_FORK_EAGAIN] = { "syscall.errors.fork_eagain", "1/s", SERVICE, COUNTER, DUTY, NONE,
		TRACE("sys_exit"), CALLS_COST, "5.10",
		"no more tasks: pids.max, RLIMIT_NPROC or pid_max" },
	[KM_SIG_SYSCALL_EIO] = { "syscall.errors.eio", "1/s", SERVICE, COUNTER, DUTY, NONE,
		TRACE("sys_exit"), CALLS_COST, "5.10",
		"storage lost its data" },
	[KM_SIG_SYSCALL_EROFS] = { "syscall.errors.erofs", "1/s", SERVICE, COUNTER, DUTY, NONE,
		TRACE("sys_exit"), CALLS_COST, "5.10",
		"it writes to what turned read-only" },
	[KM_SIG_SYSCALL_ECONNREFUSED] = { "syscall.errors.econnrefused", "1/s", SERVICE, COUNTER, DUTY, NONE,
		TRACE("sys_exit"), CALLS_COST, "5.10",
		"a dependency is down" },
	[KM_SIG_SYSCALL_ETIMEDOUT] = { "syscall.errors.etimedout", "1/s", SERVICE, COUNTER, DUTY, NONE,
		TRACE("sys_exit"), CALLS_COST, "5.10",
		"a dependency does not answer; from futex it is everyday" },
	[KM_SIG_SYSCALL_EACCES] = { "syscall.errors.eacces", "1/s", SERVICE, COUNTER, DUTY, NONE,
		TRACE("sys_exit"), CALLS_COST, "5.10",
		"permissions changed under it (EACCES and EPERM)" },
	[KM_SIG_BLOCK_REQUESTS] = { "block.requests", "1/s", DEVICE, COUNTER, DUTY, NONE,
		TRACE("block_rq_complete"), "0.3 us a request in a window", "5.10",
		"load of the device" },
	[KM_SIG_BLOCK_LATENCY] = { "block.latency", "us", DEVICE, LEVEL, DUTY, NONE,
		TRACE("block_rq_complete"), "0.3 us a request in a window", "5.10",
		"mean time of a request: a dying or overloaded device answers late" },
	[KM_SIG_WINDOW_COST] = { "kmend.window_cost", "ppm", HOST, LEVEL, DUTY, NONE,
		"counts of runs, calibrated", "none", "5.10",
		"what the signals in windows cost of all CPUs" },
	[KM_SIG_CANARY] = { "kmend.canary", "0 or 1", HOST, LEVEL, ALWAYS, NONE,
		"raw_tp, run by hand", "a record in 5 s", "5.10",
		"0: kmend sees nothing any more of what the kernel records" },
	[KM_SIG_LINKS_LOST] = { "kmend.links_lost", "1/s", HOST, EVENT, ALWAYS, NONE,
		"bpf()", "a system call a program in 5 s", "5.10",
		"somebody took programs of kmend off their hooks; they are attached again" },
	[KM_SIG_RECORDS_LOST] = { "kmend.records_lost", "1/s", HOST, EVENT, ALWAYS, NONE,
		"counts beside the rings", "none", "5.10",
		"a ring was full: what is known has holes" },
	[KM_SIG_LATENCY_READ] = { "syscall.latency.read", "us", SERVICE, HISTOGRAM, DEMAND, NONE,
		TRACE("sys_enter, sys_exit"), LATENCY_COST, "5.11",
		"read, pread, recv and the like: storage or peers that are slow" },
	[KM_SIG_LATENCY_WRITE] = { "syscall.latency.write", "us", SERVICE, HISTOGRAM, DEMAND, NONE,
		TRACE("sys_enter, sys_exit"), LATENCY_COST, "5.11",
		"write, pwrite, send and the like: a full pipe, a slow disk, a peer that does not read" },
	[KM_SIG_LATENCY_FSYNC] = { "syscall.latency.fsync", "us", SERVICE, HISTOGRAM, DEMAND, NONE,
		TRACE("sys_enter, sys_exit"), LATENCY_COST, "5.11",
		"fsync and the like: the device is overloaded or dying" },
	[KM_SIG_LATENCY_FUTEX] = { "syscall.latency.futex", "us", SERVICE, HISTOGRAM, DEMAND, NONE,
		TRACE("sys_enter, sys_exit"), LATENCY_COST, "5.11",
		"waits for locks, and of threads without work" },
	[KM_SIG_LATENCY_CONNECT] = { "syscall.latency.connect", "us", SERVICE, HISTOGRAM, DEMAND, NONE,
		TRACE("sys_enter, sys_exit"), LATENCY_COST, "5.11",
		"waits for a dependency to take a connection" },
	[KM_SIG_LATENCY_ACCEPT] = { "syscall.latency.accept", "us", SERVICE, HISTOGRAM, DEMAND, NONE,
		TRACE("sys_enter, sys_exit"), LATENCY_COST, "5.11",
		"waits for callers: long is idle" },
	[KM_SIG_RUN_QUEUE] = { "sched.run_queue", "us", SERVICE, HISTOGRAM, DEMAND, NONE,
		TRACE("sched_switch"), "0.15 us each switch of the host, while asked for", "5.10",
		"how long it is ready without a CPU, each time: starved in bursts" },
	[KM_SIG_DNS_QUERIES] = { "dns.queries", "1/s", SERVICE, COUNTER, DEMAND, NONE,
		TRACE("net_dev_queue"), DNS_COST, "5.10",
		"names asked for over UDP: many are no cache, or a loop" },
	[KM_SIG_DNS_FAILURES] = { "dns.failures", "1/s", SERVICE, COUNTER, DEMAND, NONE,
		TRACE("net_dev_queue, netif_receive_skb"), DNS_COST, "5.10",
		"name servers that answer with an error, or not at all" },
	[KM_SIG_DNS_LATENCY] = { "dns.latency", "us", SERVICE, HISTOGRAM, DEMAND, NONE,
		TRACE("net_dev_queue, netif_receive_skb"), DNS_COST, "5.10",
		"from the question to the answer: every connection by name waits for it" },
	[KM_SIG_DEMAND_COST] = { "kmend.demand_cost", "ppm", HOST, LEVEL, DEMAND, NONE,
		"counts of runs, calibrated", "none", "5.10",
		"what is looked at because somebody asked costs of all CPUs" },
	[KM_SIG_HEALTH_LATENCY] = { "health.latency", "us", SERVICE, LEVEL, ALWAYS, NONE,
		"health checks", "a check each time it is due", "5.10",
		"its slowest check's newest answer: slower and slower ends in time-outs" },
	[KM_SIG_CERTIFICATE_LEFT] = { "health.certificate_left", "s", SERVICE, LEVEL, ALWAYS, NONE,
		"health checks", "with each check of https", "5.10",
		"behind the end of its certificate nobody connects any more" },
};
/* clang-format on */

enum km_sig km_catalogue_find(const char *name)
{
	int i = 0;

	while (i < KM_SIG_MAX && strcmp(km_catalogue[i].name, name) != 0)
		i++;
	return i;
}

uint32_t km_catalogue_depth(enum km_sig sig)
{
	static const struct {
		enum km_sig from, to;
		enum km_depth depth;
	} rows[] = {
		{ KM_SIG_SYSCALL_CALLS, KM_SIG_SYSCALL_EACCES, KM_DEPTH_CALLS },
		{ KM_SIG_LATENCY_READ, KM_SIG_LATENCY_ACCEPT, KM_DEPTH_LATENCY },
		{ KM_SIG_RUN_QUEUE, KM_SIG_RUN_QUEUE, KM_DEPTH_RUN_QUEUE },
		{ KM_SIG_DNS_QUERIES, KM_SIG_DNS_LATENCY, KM_DEPTH_DNS },
	};

	for (size_t i = 0; i < KM_ARRAY_SIZE(rows); i++)
		if (sig >= rows[i].from && sig <= rows[i].to)
			return rows[i].depth;
	return 0;
}

enum km_sig km_catalogue_of(enum km_resource r)
{
	int i = 0;

	while (i < KM_SIG_MAX && km_catalogue[i].resource != r)
		i++;
	return i;
}
