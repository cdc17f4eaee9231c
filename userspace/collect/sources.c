// SPDX-License-Identifier: Apache-2.0
/* The live side of the catalogue: what each signal needs, and whether it is there. To add one: a
 * row in base/catalogue.c, one here, and what collects it. */
#include <fcntl.h>
#include <stdio.h>

#include "base/fs.h"
#include "collect/internal.h"

#define NO_PROG      (-1)
#define TCP_SYN_SENT 2

enum need {
	NEED_NOTHING,
	NEED_PROG,
	NEED_WINDOW,
	NEED_DEMAND,
	NEED_TASKS,
	NEED_CGROUP,
	NEED_MEMORY,
	NEED_PIDS,
	NEED_CPU,
	NEED_PROC,
	NEED_PSI,
	NEED_EXT4,
	NEED_CONNTRACK,
	NEED_THERMAL,
	NEED_WARNINGS,
};

static const struct how {
	uint16_t type; /* enum kmend_type or km_raw_type it arrives as */
	int prog;      /* enum km_prog_id */
	enum need need;
} hows[KM_SIG_MAX] = {
	[KM_SIG_FORKS] = { KMEND_FORK, KM_PROG_FORK, NEED_PROG },
	[KM_SIG_EXECS] = { KMEND_EXEC, KM_PROG_EXEC, NEED_PROG },
	[KM_SIG_EXITS] = { KMEND_EXIT, KM_PROG_EXIT, NEED_PROG },
	[KM_SIG_SIGNALS] = { KMEND_SIGNAL, KM_PROG_SIGNAL, NEED_PROG },
	[KM_SIG_OOM_KILLS] = { KMEND_OOM, KM_PROG_OOM, NEED_PROG },
	[KM_SIG_THREADS] = { KM_RAW_LEVEL, NO_PROG, NEED_PIDS },
	[KM_SIG_DESCRIPTORS] = { KMEND_TASK, NO_PROG, NEED_TASKS },
	[KM_SIG_MEMORY] = { KM_RAW_LEVEL, NO_PROG, NEED_MEMORY },
	[KM_SIG_MEMORY_ANON] = { KMEND_TASK, NO_PROG, NEED_TASKS },
	[KM_SIG_MEMORY_FILE] = { KMEND_TASK, NO_PROG, NEED_TASKS },
	[KM_SIG_MEMORY_SHMEM] = { KMEND_TASK, NO_PROG, NEED_TASKS },
	[KM_SIG_MEMORY_SWAP] = { KMEND_TASK, NO_PROG, NEED_TASKS },
	[KM_SIG_CONNECT_FAILURES] = { KMEND_TCP_STATE, KM_PROG_TCP_STATE, NEED_PROG },
	[KM_SIG_RETRANSMITS] = { KMEND_RETRANSMIT, KM_PROG_RETRANSMIT, NEED_PROG },
	[KM_SIG_RESETS] = { KMEND_TCP_STATE, KM_PROG_TCP_STATE, NEED_PROG },
	[KM_SIG_PSI_CPU_SOME] = { KM_RAW_HOST, NO_PROG, NEED_PSI },
	[KM_SIG_PSI_MEMORY_SOME] = { KM_RAW_HOST, NO_PROG, NEED_PSI },
	[KM_SIG_PSI_MEMORY_FULL] = { KM_RAW_HOST, NO_PROG, NEED_PSI },
	[KM_SIG_PSI_IO_SOME] = { KM_RAW_HOST, NO_PROG, NEED_PSI },
	[KM_SIG_PSI_IO_FULL] = { KM_RAW_HOST, NO_PROG, NEED_PSI },
	[KM_SIG_HOST_MEMORY] = { KM_RAW_HOST, NO_PROG, NEED_PROC },
	[KM_SIG_HOST_FILES] = { KM_RAW_HOST, NO_PROG, NEED_PROC },
	[KM_SIG_FS_BYTES_FREE] = { KM_RAW_VALUE, NO_PROG, NEED_PROC },
	[KM_SIG_FS_BYTES_USED] = { KM_RAW_VALUE, NO_PROG, NEED_PROC },
	[KM_SIG_FS_INODES_FREE] = { KM_RAW_VALUE, NO_PROG, NEED_PROC },
	[KM_SIG_FS_INODES_USED] = { KM_RAW_VALUE, NO_PROG, NEED_PROC },
	[KM_SIG_FS_READONLY] = { KM_RAW_VALUE, NO_PROG, NEED_PROC },
	[KM_SIG_FS_ERRORS] = { KM_RAW_VALUE, NO_PROG, NEED_EXT4 },
	[KM_SIG_HOST_PIDS] = { KM_RAW_VALUE, NO_PROG, NEED_PROC },
	[KM_SIG_CONNTRACK] = { KM_RAW_VALUE, NO_PROG, NEED_CONNTRACK },
	[KM_SIG_TIMEWAIT] = { KM_RAW_VALUE, NO_PROG, NEED_PROC },
	[KM_SIG_HOST_ZOMBIES] = { KM_RAW_VALUE, NO_PROG, NEED_PROC },
	[KM_SIG_HOST_OOM_KILLS] = { KM_RAW_VALUE, NO_PROG, NEED_PROC },
	[KM_SIG_HOST_RECLAIM] = { KM_RAW_VALUE, NO_PROG, NEED_PROC },
	[KM_SIG_HOST_COMPACTION] = { KM_RAW_VALUE, NO_PROG, NEED_PROC },
	[KM_SIG_HOST_MAJOR_FAULTS] = { KM_RAW_VALUE, NO_PROG, NEED_PROC },
	[KM_SIG_SCHED_THROTTLED] = { KM_RAW_VALUE, NO_PROG, NEED_CPU },
	[KM_SIG_SCHED_FROZEN] = { KM_RAW_VALUE, NO_PROG, NEED_CGROUP },
	[KM_SIG_MEMORY_LIMIT_HITS] = { KM_RAW_VALUE, NO_PROG, NEED_MEMORY },
	[KM_SIG_CLOCK_STEPS] = { KM_RAW_VALUE, NO_PROG, NEED_NOTHING },
	[KM_SIG_SCHED_CPU] = { KMEND_SCHED, KM_PROG_TASKS, NEED_PROG },
	[KM_SIG_SCHED_RUN_DELAY] = { KMEND_SCHED, KM_PROG_TASKS, NEED_PROG },
	[KM_SIG_SCHED_INVOLUNTARY] = { KMEND_SCHED, KM_PROG_TASKS, NEED_PROG },
	[KM_SIG_MAJOR_FAULTS] = { KMEND_SCHED, KM_PROG_TASKS, NEED_PROG },
	[KM_SIG_WRITTEN] = { KMEND_SCHED, KM_PROG_TASKS, NEED_PROG },
	[KM_SIG_SCHED_BLOCKED] = { KMEND_SCHED, KM_PROG_TASKS, NEED_PROG },
	[KM_SIG_SCHED_STOPPED] = { KMEND_SCHED, KM_PROG_TASKS, NEED_PROG },
	[KM_SIG_ZOMBIES] = { KMEND_SCHED, KM_PROG_TASKS, NEED_PROG },
	[KM_SIG_PEER_ATTEMPTS] = { KM_RAW_VALUE, KM_PROG_TCP_STATE, NEED_PROG },
	[KM_SIG_PEER_FAILURES] = { KM_RAW_VALUE, KM_PROG_TCP_STATE, NEED_PROG },
	[KM_SIG_PEER_REFUSED] = { KM_RAW_VALUE, KM_PROG_TCP_STATE, NEED_PROG },
	[KM_SIG_PEER_TIMEOUTS] = { KM_RAW_VALUE, KM_PROG_TCP_STATE, NEED_PROG },
	[KM_SIG_PEER_UNREACHABLE] = { KM_RAW_VALUE, KM_PROG_TCP_STATE, NEED_PROG },
	[KM_SIG_PEER_LATENCY] = { KM_RAW_VALUE, KM_PROG_TCP_STATE, NEED_PROG },
	[KM_SIG_PEER_RETRANSMITS] = { KM_RAW_VALUE, KM_PROG_RETRANSMIT, NEED_PROG },
	[KM_SIG_PEER_RTT] = { KM_RAW_VALUE, KM_PROG_SOCKETS, NEED_PROG },
	[KM_SIG_ACCEPT_QUEUE] = { KM_RAW_VALUE, KM_PROG_SOCKETS, NEED_PROG },
	[KM_SIG_ACCEPT_OVERFLOWS] = { KM_RAW_VALUE, KM_PROG_SOCKETS, NEED_PROG },
	[KM_SIG_PORTS] = { KM_RAW_VALUE, KM_PROG_SOCKETS, NEED_PROG },
	[KM_SIG_RECLAIM] = { KM_RAW_VALUE, KM_PROG_RECLAIM_END, NEED_PROG },
	[KM_SIG_HUNG] = { KM_RAW_VALUE, KM_PROG_HUNG, NEED_PROG },
	[KM_SIG_KERNEL_ERRORS] = { KM_RAW_VALUE, KM_PROG_KERNEL_ERROR, NEED_PROG },
	[KM_SIG_BLOCK_ERRORS] = { KM_RAW_VALUE, KM_PROG_IO_ERROR, NEED_PROG },
	[KM_SIG_SYSCALL_CALLS] = { KM_RAW_VALUE, KM_PROG_CALLS, NEED_WINDOW },
	[KM_SIG_SYSCALL_EMFILE] = { KM_RAW_VALUE, KM_PROG_CALLS, NEED_WINDOW },
	[KM_SIG_SYSCALL_ENFILE] = { KM_RAW_VALUE, KM_PROG_CALLS, NEED_WINDOW },
	[KM_SIG_SYSCALL_ENOMEM] = { KM_RAW_VALUE, KM_PROG_CALLS, NEED_WINDOW },
	[KM_SIG_SYSCALL_ENOSPC] = { KM_RAW_VALUE, KM_PROG_CALLS, NEED_WINDOW },
	[KM_SIG_SYSCALL_EDQUOT] = { KM_RAW_VALUE, KM_PROG_CALLS, NEED_WINDOW },
	[KM_SIG_SYSCALL_FORK_EAGAIN] = { KM_RAW_VALUE, KM_PROG_CALLS, NEED_WINDOW },
	[KM_SIG_SYSCALL_EIO] = { KM_RAW_VALUE, KM_PROG_CALLS, NEED_WINDOW },
	[KM_SIG_SYSCALL_EROFS] = { KM_RAW_VALUE, KM_PROG_CALLS, NEED_WINDOW },
	[KM_SIG_SYSCALL_ECONNREFUSED] = { KM_RAW_VALUE, KM_PROG_CALLS, NEED_WINDOW },
	[KM_SIG_SYSCALL_ETIMEDOUT] = { KM_RAW_VALUE, KM_PROG_CALLS, NEED_WINDOW },
	[KM_SIG_SYSCALL_EACCES] = { KM_RAW_VALUE, KM_PROG_CALLS, NEED_WINDOW },
	[KM_SIG_BLOCK_REQUESTS] = { KM_RAW_VALUE, KM_PROG_IO, NEED_WINDOW },
	[KM_SIG_BLOCK_LATENCY] = { KM_RAW_VALUE, KM_PROG_IO, NEED_WINDOW },
	[KM_SIG_WINDOW_COST] = { KM_RAW_VALUE, KM_PROG_CALLS, NEED_WINDOW },
	[KM_SIG_LATENCY_READ] = { KM_RAW_VALUE, KM_PROG_LEAVE, NEED_DEMAND },
	[KM_SIG_LATENCY_WRITE] = { KM_RAW_VALUE, KM_PROG_LEAVE, NEED_DEMAND },
	[KM_SIG_LATENCY_FSYNC] = { KM_RAW_VALUE, KM_PROG_LEAVE, NEED_DEMAND },
	[KM_SIG_LATENCY_FUTEX] = { KM_RAW_VALUE, KM_PROG_LEAVE, NEED_DEMAND },
	[KM_SIG_LATENCY_CONNECT] = { KM_RAW_VALUE, KM_PROG_LEAVE, NEED_DEMAND },
	[KM_SIG_LATENCY_ACCEPT] = { KM_RAW_VALUE, KM_PROG_LEAVE, NEED_DEMAND },
	[KM_SIG_RUN_QUEUE] = { KM_RAW_VALUE, KM_PROG_SWITCH, NEED_DEMAND },
	[KM_SIG_DNS_QUERIES] = { KM_RAW_VALUE, KM_PROG_DNS_ASK, NEED_DEMAND },
	[KM_SIG_DNS_FAILURES] = { KM_RAW_VALUE, KM_PROG_DNS_HEAR, NEED_DEMAND },
	[KM_SIG_DNS_LATENCY] = { KM_RAW_VALUE, KM_PROG_DNS_HEAR, NEED_DEMAND },
	[KM_SIG_HEALTH_LATENCY] = { KM_RAW_HEALTH, NO_PROG, NEED_NOTHING },
	[KM_SIG_CERTIFICATE_LEFT] = { KM_RAW_HEALTH, NO_PROG, NEED_NOTHING },
	[KM_SIG_DEMAND_COST] = { KM_RAW_VALUE, KM_PROG_SWITCH, NEED_DEMAND },
	[KM_SIG_DROPS_NO_SOCKET] = { KM_RAW_VALUE, KM_PROG_DROP, NEED_WINDOW },
	[KM_SIG_DROPS_FULL] = { KM_RAW_VALUE, KM_PROG_DROP, NEED_WINDOW },
	[KM_SIG_DROPS_FILTERED] = { KM_RAW_VALUE, KM_PROG_DROP, NEED_WINDOW },
	[KM_SIG_DROPS_DAMAGED] = { KM_RAW_VALUE, KM_PROG_DROP, NEED_WINDOW },
	[KM_SIG_DROPS_OTHER] = { KM_RAW_VALUE, KM_PROG_DROP, NEED_WINDOW },
	[KM_SIG_ESTABLISHED] = { KM_RAW_VALUE, NO_PROG, NEED_PROC },
	[KM_SIG_THERMAL] = { KM_RAW_VALUE, NO_PROG, NEED_THERMAL },
	[KM_SIG_KERNEL_WARNINGS] = { KM_RAW_VALUE, NO_PROG, NEED_WARNINGS },
	[KM_SIG_SOFT_LOCKUPS] = { KM_RAW_VALUE, NO_PROG, NEED_PROC },
	[KM_SIG_RETRANSMIT_SHARE] = { KM_RAW_VALUE, KM_PROG_TCP_STATE, NEED_PROG },
	[KM_SIG_CANARY] = { KM_RAW_VALUE, KM_PROG_CANARY, NEED_PROG },
	[KM_SIG_LINKS_LOST] = { KM_RAW_VALUE, KM_PROG_CANARY, NEED_PROG },
	[KM_SIG_RECORDS_LOST] = { KM_RAW_VALUE, KM_PROG_CANARY, NEED_PROG },
};

static size_t index_of(uint16_t type)
{
	if (type < KMEND_TYPE_MAX)
		return type;
	if (type >= KM_RAW_TICK && type < KM_RAW_MAX_TYPE)
		return KMEND_TYPE_MAX + type - KM_RAW_TICK;
	return 0;
}

/* Signals of one type are chained, so that counting a record is no search. */
void km_sources_init(struct km_collect *c)
{
	for (int i = KM_SIG_MAX - 1; i >= 0; i--) {
		const struct km_catalogue_row *row = &km_catalogue[i];
		size_t at = index_of(hows[i].type);

		c->sources[i].name = row->name;
		c->sources[i].what = row;
		c->sources[i].hook = row->hook;
		c->source_next[i] = c->source_of[at];
		c->source_of[at] = (uint8_t)(i + 1);
	}
}

/* One type may deliver several signals, not all of them with each record. */
static bool delivers(const struct kmend_hdr *h, const void *raw, int sig)
{
	const struct kmend_tcp_state *tcp = raw;
	const struct km_raw_level *level = raw;
	const struct km_raw_host *host = raw;

	switch (h->type) {
	case KM_RAW_LEVEL:
		return (uint32_t)km_catalogue[sig].resource == level->resource;
	case KMEND_TCP_STATE:
		return tcp->to != TCP_SYN_SENT &&
		       (tcp->from == TCP_SYN_SENT) == (sig == KM_SIG_CONNECT_FAILURES);
	case KM_RAW_HOST:
		return hows[sig].need != NEED_PSI || host->psi_measured;
	default:
		return true;
	}
}

void km_sources_count(struct km_collect *c, const struct kmend_hdr *h, const void *raw)
{
	if (h->type == KM_RAW_VALUE) {
		c->sources[((const struct km_raw_value *)raw)->signal].records++;
		return;
	}
	for (uint8_t row = c->source_of[index_of(h->type)]; row; row = c->source_next[row - 1])
		c->sources[row - 1].records += delivers(h, raw, row - 1);
}

static const char *prog_reason(const struct km_collect *c, int prog)
{
	const struct km_bpf *b = &c->bpf;

	if (!c->bpf_used)
		return "switched off (no BPF)";
	if (prog == KM_PROG_OOM && b->progs[prog].state == KM_PROG_UNUSED)
		prog = KM_PROG_OOM_PID;
	if (km_bpf_works(b, prog))
		return NULL;
	return b->progs[prog].reason[0] ? b->progs[prog].reason : b->reason;
}

static void update_tasks(const struct km_collect *c, struct km_source *s)
{
	const char *why = prog_reason(c, KM_PROG_TASKS);

	s->available = c->proc_fd >= 0 || !why;
	s->hook = why ? "/proc" : "iter/task";
	if (why)
		snprintf(s->reason, sizeof(s->reason), "by /proc, 70 times as costly: %.200s", why);
}

static void need(struct km_source *s, bool is, const char *reason)
{
	s->available = is;
	km_copy(s->reason, sizeof(s->reason), is ? "" : reason);
}

/* A v2 controller shows in the root's list; else it is mounted as v1. */
static bool has_controller(const struct km_collect *c, const char *v1, const char *name)
{
	char file[2 * KM_PATH_MAX], text[512];

	if (v1[0])
		return true;
	snprintf(file, sizeof(file), "%s/cgroup.controllers", c->mounts.unified);
	return c->mounts.unified[0] && km_fs_read_small(AT_FDCWD, file, text, sizeof(text)) > 0 &&
	       strstr(text, name);
}

static void update(const struct km_collect *c, int sig, struct km_source *s)
{
	const char *why;

	switch (hows[sig].need) {
	case NEED_PROG:
		why = prog_reason(c, hows[sig].prog);
		need(s, !why, why);
		break;
	case NEED_WINDOW:
	case NEED_DEMAND:
		why = km_duty_why_not(c);
		s->off = why != NULL;
		why = why ? why : prog_reason(c, hows[sig].prog);
		need(s, !why, why);
		break;
	case NEED_TASKS:
		return update_tasks(c, s);
	case NEED_MEMORY:
		need(s, c->cgroups && has_controller(c, c->mounts.memory, "memory"),
		     "no memory controller: boot with cgroup_enable=memory or mount it");
		break;
	case NEED_PIDS:
		need(s, c->cgroups && has_controller(c, c->mounts.pids, "pids"),
		     "no pids controller in this kernel, or it is not mounted");
		break;
	case NEED_CPU:
		need(s, c->cgroups && has_controller(c, c->mounts.cpu, "cpu"),
		     "no cpu controller in this kernel, or it is not mounted");
		break;
	case NEED_CGROUP:
		need(s, c->cgroups, "cgroup v2 is not mounted: mount it (unified or hybrid)");
		break;
	case NEED_NOTHING:
		need(s, true, "");
		break;
	case NEED_EXT4:
		need(s, access("/sys/fs/ext4", R_OK) == 0, "no ext4 filesystem is mounted");
		break;
	case NEED_CONNTRACK:
		need(s, access("/proc/sys/net/netfilter/nf_conntrack_count", R_OK) == 0,
		     "nothing tracks connections here: nf_conntrack is not loaded");
		break;
	case NEED_THERMAL:
		need(s, access(KM_THERMAL_FILE, R_OK) == 0,
		     "this processor, or virtual machine, does not count how often it was too hot");
		break;
	case NEED_WARNINGS:
		need(s, access(KM_WARNINGS_FILE, R_OK) == 0,
		     "this kernel does not count its warnings: it does from 6.2 on");
		break;
	case NEED_PROC:
		need(s, c->proc_fd >= 0, "/proc is not mounted");
		break;
	case NEED_PSI:
		need(s, access("/proc/pressure/memory", R_OK) == 0,
		     "PSI is off: boot with psi=1 (CONFIG_PSI)");
		break;
	}
}

void km_sources_update(struct km_collect *c)
{
	for (int i = 0; i < KM_SIG_MAX; i++)
		update(c, i, &c->sources[i]);
}

const struct km_source *km_collect_sources(const struct km_collect *c)
{
	return c->sources;
}

/* One record a type. */
int km_probes_emit(struct km_collect *c)
{
	uint64_t told = 0;
	int r = 0;

	_Static_assert(KMEND_TYPE_MAX <= 64, "a bit each");
	for (int i = 0; i < KM_SIG_MAX && r == 0; i++) {
		uint16_t type = hows[i].type;
		struct km_raw_probe raw;

		if (type >= KMEND_TYPE_MAX || told & 1ULL << type)
			continue;
		told |= 1ULL << type;
		km_raw_init(&raw, KM_RAW_PROBE, sizeof(raw), 0);
		raw.type = type;
		raw.available = c->sources[i].available;
		km_copy(raw.reason, sizeof(raw.reason), c->sources[i].reason);
		r = km_emit(c, &raw, sizeof(raw));
	}
	return r;
}
