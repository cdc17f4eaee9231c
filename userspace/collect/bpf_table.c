// SPDX-License-Identifier: Apache-2.0
/* What is loaded: one row a program, one row a shared map. */
#include <bpf/bpf.h>

#include "collect/bpf.h"
#include "bpf/block.skel.h"
#include "bpf/demand.skel.h"
#include "bpf/latency.skel.h"
#include "bpf/mem.skel.h"
#include "bpf/net.skel.h"
#include "bpf/probe.skel.h"
#include "bpf/proc.skel.h"
#include "bpf/snapshot.skel.h"
#include "bpf/syscall.skel.h"

#define TRACE(name) "tp_btf/" name

/* clang-format off */
const struct km_prog_def km_prog_defs[KM_PROG_MAX] = {
	[KM_PROG_FORK]       = { "km_fork",       KM_FAMILY_PROC,     KM_ATTACH_TRACE,
		TRACE("sched_process_fork"), KMEND_FORK },
	[KM_PROG_EXEC]       = { "km_exec",       KM_FAMILY_PROC,     KM_ATTACH_TRACE,
		TRACE("sched_process_exec"), KMEND_EXEC },
	[KM_PROG_EXIT]       = { "km_exit",       KM_FAMILY_PROC,     KM_ATTACH_TRACE,
		TRACE("sched_process_exit"), KMEND_EXIT },
	[KM_PROG_SIGNAL]     = { "km_signal",     KM_FAMILY_PROC,     KM_ATTACH_TRACE,
		TRACE("signal_generate"), KMEND_SIGNAL },
	[KM_PROG_OOM]        = { "km_oom",        KM_FAMILY_MEM,      KM_ATTACH_TRACE,
		TRACE("mark_victim"), KMEND_OOM },
	[KM_PROG_OOM_KILL]   = { "km_oom_kill",   KM_FAMILY_MEM,      KM_ATTACH_TRACE,
		TRACE("signal_generate"), KMEND_NONE },
	[KM_PROG_OOM_PID]    = { "km_oom_pid",    KM_FAMILY_MEM,      KM_ATTACH_TRACE,
		TRACE("mark_victim"), KMEND_OOM },
	[KM_PROG_TCP_STATE]  = { "km_tcp_state",  KM_FAMILY_NET,      KM_ATTACH_TRACE,
		TRACE("inet_sock_set_state"), KMEND_TCP_STATE },
	[KM_PROG_RETRANSMIT] = { "km_retransmit", KM_FAMILY_NET,      KM_ATTACH_TRACE,
		TRACE("tcp_retransmit_skb"), KMEND_RETRANSMIT },
	[KM_PROG_TASKS]      = { "km_tasks",      KM_FAMILY_SNAPSHOT, KM_ATTACH_ITER,
		"iter/task", KMEND_TASK },
	[KM_PROG_SOCKETS]    = { "km_sockets",    KM_FAMILY_SNAPSHOT, KM_ATTACH_ITER,
		"iter/tcp", KMEND_LISTENER },
	[KM_PROG_RECLAIM]    = { "km_reclaim",    KM_FAMILY_MEM,      KM_ATTACH_TRACE,
		TRACE("mm_vmscan_direct_reclaim_begin"), KMEND_NONE },
	[KM_PROG_RECLAIM_END] = { "km_reclaim_end", KM_FAMILY_MEM,    KM_ATTACH_TRACE,
		TRACE("mm_vmscan_direct_reclaim_end"), KMEND_NONE },
	[KM_PROG_LIMIT]      = { "km_limit",      KM_FAMILY_MEM,      KM_ATTACH_TRACE,
		TRACE("mm_vmscan_memcg_reclaim_begin"), KMEND_NONE },
	[KM_PROG_LIMIT_END]  = { "km_limit_end",  KM_FAMILY_MEM,      KM_ATTACH_TRACE,
		TRACE("mm_vmscan_memcg_reclaim_end"), KMEND_NONE },
	[KM_PROG_HUNG]       = { "km_hung",       KM_FAMILY_PROC,     KM_ATTACH_TRACE,
		TRACE("sched_process_hang"), KMEND_NONE },
	[KM_PROG_KERNEL_ERROR] = { "km_kernel_error", KM_FAMILY_PROC, KM_ATTACH_TRACE,
		TRACE("error_report_end"), KMEND_NONE },
	[KM_PROG_IO_ERROR]   = { "km_io_error",   KM_FAMILY_BLOCK,    KM_ATTACH_TRACE,
		TRACE("block_rq_error"), KMEND_NONE },
	[KM_PROG_CALLS]      = { "km_calls",      KM_FAMILY_SYSCALL,  KM_ATTACH_WINDOW,
		TRACE("sys_exit"), KMEND_NONE },
	[KM_PROG_IO]         = { "km_io",         KM_FAMILY_BLOCK,    KM_ATTACH_WINDOW,
		TRACE("block_rq_complete"), KMEND_NONE },
	[KM_PROG_DROP]       = { "km_drop",       KM_FAMILY_NET,      KM_ATTACH_WINDOW,
		TRACE("kfree_skb"), KMEND_NONE },
	[KM_PROG_ENTER]      = { "km_enter",      KM_FAMILY_LATENCY,  KM_ATTACH_WINDOW,
		TRACE("sys_enter"), KMEND_NONE },
	[KM_PROG_LEAVE]      = { "km_leave",      KM_FAMILY_LATENCY,  KM_ATTACH_WINDOW,
		TRACE("sys_exit"), KMEND_NONE },
	[KM_PROG_SWITCH]     = { "km_switch",     KM_FAMILY_DEMAND,   KM_ATTACH_WINDOW,
		TRACE("sched_switch"), KMEND_NONE },
	[KM_PROG_DNS_ASK]    = { "km_dns_ask",    KM_FAMILY_DEMAND,   KM_ATTACH_WINDOW,
		TRACE("net_dev_queue"), KMEND_NONE },
	[KM_PROG_DNS_HEAR]   = { "km_dns_hear",   KM_FAMILY_DEMAND,   KM_ATTACH_WINDOW,
		TRACE("netif_receive_skb"), KMEND_NONE },
	[KM_PROG_WHERE]      = { "km_where",      KM_FAMILY_PROBE,    KM_ATTACH_NONE,
		"run once", KMEND_NONE },
	[KM_PROG_CANARY]     = { "km_canary",     KM_FAMILY_PROBE,    KM_ATTACH_NONE,
		"run on demand", KMEND_CANARY },
};

const struct km_map_def km_map_defs[KM_MAP_MAX] = {
	[KM_MAP_MUST]    = { "kmend_must",    "ringbuf", BPF_MAP_TYPE_RINGBUF, 0, 0, 0, 0 },
	[KM_MAP_BULK]    = { "kmend_bulk",    "array_of_maps", BPF_MAP_TYPE_ARRAY_OF_MAPS,
		4, 4, 0, 0 },
	[KM_MAP_COUNTS]  = { "kmend_counts",  "array",   BPF_MAP_TYPE_ARRAY,
		4, sizeof(struct kmend_count), 0, BPF_F_MMAPABLE },
	[KM_MAP_WATCH]   = { "kmend_watch",   "hash",    BPF_MAP_TYPE_HASH,
		8, 4, KMEND_WATCH_MAX, BPF_F_NO_PREALLOC },
	[KM_MAP_SELF]    = { "kmend_self",    "array",   BPF_MAP_TYPE_ARRAY,
		4, 4, KMEND_SELF_MAX, 0 },
	[KM_MAP_RETRANS] = { "kmend_retrans", "hash",    BPF_MAP_TYPE_HASH,
		8, 8, KMEND_WATCH_MAX, 0 },
	[KM_MAP_WHERE]   = { "kmend_where",   "array",   BPF_MAP_TYPE_ARRAY,
		4, sizeof(struct kmend_probe), 1, 0 },
	[KM_MAP_SUMS]    = { "kmend_sums",    "lru_hash", BPF_MAP_TYPE_LRU_HASH,
		sizeof(struct kmend_sum_key), sizeof(struct kmend_sum), KMEND_SUMS_MAX, 0 },
	[KM_MAP_PEERS]   = { "kmend_peers",   "lru_hash", BPF_MAP_TYPE_LRU_HASH,
		sizeof(struct kmend_peer_key), sizeof(struct kmend_peer), KMEND_PEERS_MAX, 0 },
	[KM_MAP_STARTS]  = { "kmend_starts",  "lru_hash", BPF_MAP_TYPE_LRU_HASH,
		8, 8, KMEND_STARTS_MAX, 0 },
	[KM_MAP_PORTS]   = { "kmend_ports",   "array",   BPF_MAP_TYPE_ARRAY,
		4, 8 * KMEND_PORT_WORDS, 1, 0 },
	[KM_MAP_FOLLOWED] = { "kmend_followed", "hash",   BPF_MAP_TYPE_HASH,
		sizeof(struct kmend_peer_key), 4, KMEND_FOLLOWED_MAX, BPF_F_NO_PREALLOC },
	[KM_MAP_UNTOLD]  = { "kmend_untold",  "lru_hash", BPF_MAP_TYPE_LRU_HASH,
		sizeof(struct kmend_peer_key), sizeof(struct kmend_untold), KMEND_UNTOLD_MAX, 0 },
	[KM_MAP_RUNS]    = { "kmend_runs",    "percpu_array", BPF_MAP_TYPE_PERCPU_ARRAY,
		sizeof(uint32_t), sizeof(uint64_t), KMEND_RUN_MAX, 0 },
	[KM_MAP_TURNS]   = { "kmend_turns",   "array",   BPF_MAP_TYPE_ARRAY,
		4, sizeof(struct kmend_turn) * KMEND_TURNS_MAX, 1, 0 },
	[KM_MAP_PASS]    = { "kmend_pass",    "array",   BPF_MAP_TYPE_ARRAY,
		4, sizeof(struct kmend_pass), 1, 0 },
	[KM_MAP_DROPS]   = { "kmend_drops",   "percpu_array", BPF_MAP_TYPE_PERCPU_ARRAY,
		4, 8, KMEND_DROP_REASONS, 0 },
	[KM_MAP_HISTS]   = { "kmend_hists",   "array",   BPF_MAP_TYPE_ARRAY,
		4, sizeof(struct kmend_hist), KMEND_LEASES_MAX * KMEND_HIST_MAX, 0 },
	[KM_MAP_FAMILIES] = { "kmend_families", "array", BPF_MAP_TYPE_ARRAY,
		4, sizeof(struct kmend_families), 1, 0 },
	[KM_MAP_ASKED]   = { "kmend_asked",   "lru_hash", BPF_MAP_TYPE_LRU_HASH,
		4, 16, 0, 0 },
	[KM_MAP_STINTS]  = { "kmend_stints",  "lru_hash", BPF_MAP_TYPE_LRU_HASH,
		4, 16, 0, 0 },
};
/* clang-format on */

const char *const km_family_names[KM_FAMILY_MAX] = { "proc",   "mem",      "net",
	                                             "block",  "syscall",  "latency",
	                                             "demand", "snapshot", "probe" };

const char *const km_prog_state_names[KM_PROG_STATE_MAX + 1] = { "absent", "failed",   "unused",
	                                                         "ready",  "attached", NULL };

struct km_span km_family_elf(enum km_family family)
{
	static const void *(*const elf[KM_FAMILY_MAX])(size_t *) = {
		[KM_FAMILY_PROC] = proc_bpf__elf_bytes,
		[KM_FAMILY_MEM] = mem_bpf__elf_bytes,
		[KM_FAMILY_NET] = net_bpf__elf_bytes,
		[KM_FAMILY_BLOCK] = block_bpf__elf_bytes,
		[KM_FAMILY_SYSCALL] = syscall_bpf__elf_bytes,
		[KM_FAMILY_LATENCY] = latency_bpf__elf_bytes,
		[KM_FAMILY_DEMAND] = demand_bpf__elf_bytes,
		[KM_FAMILY_SNAPSHOT] = snapshot_bpf__elf_bytes,
		[KM_FAMILY_PROBE] = probe_bpf__elf_bytes,
	};
	struct km_span s;

	s.data = elf[family](&s.len);
	return s;
}
