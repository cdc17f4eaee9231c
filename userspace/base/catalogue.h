/* SPDX-License-Identifier: Apache-2.0 */
/* The catalogue of signals: what is measured, one row each. `kmend signal list` prints it with the
 * live state, bpf/README.md is made from it, rules and predictors name signals by it. */
#ifndef KM_CATALOGUE_H
#define KM_CATALOGUE_H

#include "base/base.h"
#include "base/resource.h"

/* What a value is about. Others than services are rows of the same tables: see attribute.h. */
enum km_entity {
	KM_ENTITY_SERVICE = 0,
	KM_ENTITY_ENDPOINT,   /* a service's peer: "SERVICE>10.0.0.5:5432" */
	KM_ENTITY_DEVICE,     /* "dev:vda" */
	KM_ENTITY_FILESYSTEM, /* "fs:/var" */
	KM_ENTITY_HOST,       /* "host" */
	KM_ENTITY_MAX
};

extern const char *const km_entity_names[KM_ENTITY_MAX + 1];

enum km_shape {
	KM_SHAPE_EVENT = 0, /* happens; its value is how often, per second */
	KM_SHAPE_COUNTER,   /* an amount in a time; its value is per second */
	KM_SHAPE_LEVEL,     /* is so now */
	KM_SHAPE_HISTOGRAM, /* many durations; its value is the 99th percentile */
	KM_SHAPE_MAX
};

extern const char *const km_shape_names[KM_SHAPE_MAX + 1];

enum km_tier {
	KM_TIER_ALWAYS = 0, /* on all the time */
	KM_TIER_DUTY,       /* attached for a short window in each period, scaled up */
	KM_TIER_DEMAND,     /* only when a predictor or a person asks */
	KM_TIER_MAX
};

extern const char *const km_tier_names[KM_TIER_MAX + 1];

/* Append only: numbers stand in traces and checkpoints. */
enum km_sig {
	KM_SIG_FORKS = 0,
	KM_SIG_EXECS = 1,
	KM_SIG_EXITS = 2,
	KM_SIG_SIGNALS = 3,
	KM_SIG_OOM_KILLS = 4,
	KM_SIG_THREADS = 5,
	KM_SIG_DESCRIPTORS = 6,
	KM_SIG_MEMORY = 7,
	KM_SIG_MEMORY_ANON = 8,
	KM_SIG_MEMORY_FILE = 9,
	KM_SIG_MEMORY_SHMEM = 10,
	KM_SIG_MEMORY_SWAP = 11,
	KM_SIG_CONNECT_FAILURES = 12,
	KM_SIG_RETRANSMITS = 13,
	KM_SIG_RESETS = 14,
	KM_SIG_PSI_CPU_SOME = 15,
	KM_SIG_PSI_MEMORY_SOME = 16,
	KM_SIG_PSI_MEMORY_FULL = 17,
	KM_SIG_PSI_IO_SOME = 18,
	KM_SIG_PSI_IO_FULL = 19,
	KM_SIG_HOST_MEMORY = 20,
	KM_SIG_HOST_FILES = 21,
	KM_SIG_FS_BYTES_FREE = 22,
	KM_SIG_FS_BYTES_USED = 23,
	KM_SIG_FS_INODES_FREE = 24,
	KM_SIG_FS_INODES_USED = 25,
	KM_SIG_FS_READONLY = 26,
	KM_SIG_FS_ERRORS = 27,
	KM_SIG_HOST_PIDS = 28,
	KM_SIG_CONNTRACK = 29,
	KM_SIG_TIMEWAIT = 30,
	KM_SIG_HOST_ZOMBIES = 31,
	KM_SIG_HOST_OOM_KILLS = 32,
	KM_SIG_HOST_RECLAIM = 33,
	KM_SIG_HOST_COMPACTION = 34,
	KM_SIG_HOST_MAJOR_FAULTS = 35,
	KM_SIG_SCHED_THROTTLED = 36,
	KM_SIG_SCHED_FROZEN = 37,
	KM_SIG_MEMORY_LIMIT_HITS = 38,
	KM_SIG_CLOCK_STEPS = 39,
	KM_SIG_SCHED_CPU = 40,
	KM_SIG_SCHED_RUN_DELAY = 41,
	KM_SIG_SCHED_INVOLUNTARY = 42,
	KM_SIG_MAJOR_FAULTS = 43,
	KM_SIG_WRITTEN = 44,
	KM_SIG_SCHED_BLOCKED = 45,
	KM_SIG_SCHED_STOPPED = 46,
	KM_SIG_ZOMBIES = 47,
	KM_SIG_PEER_ATTEMPTS = 48,
	KM_SIG_PEER_FAILURES = 49,
	KM_SIG_PEER_REFUSED = 50,
	KM_SIG_PEER_TIMEOUTS = 51,
	KM_SIG_PEER_UNREACHABLE = 52,
	KM_SIG_PEER_LATENCY = 53,
	KM_SIG_PEER_RETRANSMITS = 54,
	KM_SIG_PEER_RTT = 55,
	KM_SIG_ACCEPT_QUEUE = 56,
	KM_SIG_ACCEPT_OVERFLOWS = 57,
	KM_SIG_PORTS = 58,
	KM_SIG_RECLAIM = 59,
	KM_SIG_HUNG = 60,
	KM_SIG_KERNEL_ERRORS = 61,
	KM_SIG_BLOCK_ERRORS = 62,
	KM_SIG_SYSCALL_CALLS = 63,
	KM_SIG_SYSCALL_EMFILE = 64,
	KM_SIG_SYSCALL_ENFILE = 65,
	KM_SIG_SYSCALL_ENOMEM = 66,
	KM_SIG_SYSCALL_ENOSPC = 67,
	KM_SIG_SYSCALL_EDQUOT = 68,
	KM_SIG_SYSCALL_FORK_EAGAIN = 69,
	KM_SIG_SYSCALL_EIO = 70,
	KM_SIG_SYSCALL_EROFS = 71,
	KM_SIG_SYSCALL_ECONNREFUSED = 72,
	KM_SIG_SYSCALL_ETIMEDOUT = 73,
	KM_SIG_SYSCALL_EACCES = 74,
	KM_SIG_BLOCK_REQUESTS = 75,
	KM_SIG_BLOCK_LATENCY = 76,
	KM_SIG_WINDOW_COST = 77,
	KM_SIG_CANARY = 78,
	KM_SIG_LINKS_LOST = 79,
	KM_SIG_RECORDS_LOST = 80,
	KM_SIG_LATENCY_READ = 81,
	KM_SIG_LATENCY_WRITE = 82,
	KM_SIG_LATENCY_FSYNC = 83,
	KM_SIG_LATENCY_FUTEX = 84,
	KM_SIG_LATENCY_CONNECT = 85,
	KM_SIG_LATENCY_ACCEPT = 86,
	KM_SIG_RUN_QUEUE = 87,
	KM_SIG_DNS_QUERIES = 88,
	KM_SIG_DNS_FAILURES = 89,
	KM_SIG_DNS_LATENCY = 90,
	KM_SIG_DEMAND_COST = 91,
	KM_SIG_HEALTH_LATENCY = 92,
	KM_SIG_CERTIFICATE_LEFT = 93,
	KM_SIG_DROPS_NO_SOCKET = 94,
	KM_SIG_DROPS_FULL = 95,
	KM_SIG_DROPS_FILTERED = 96,
	KM_SIG_DROPS_DAMAGED = 97,
	KM_SIG_DROPS_OTHER = 98,
	KM_SIG_ESTABLISHED = 99,
	KM_SIG_THERMAL = 100,
	KM_SIG_KERNEL_WARNINGS = 101,
	KM_SIG_SOFT_LOCKUPS = 102,
	KM_SIG_RETRANSMIT_SHARE = 103,
	KM_SIG_MAX
};

/* What is looked at together, of one service, when somebody asks. */
enum km_depth {
	KM_DEPTH_CALLS = 1 << 0,     /* its system calls and their errors, each of them */
	KM_DEPTH_LATENCY = 1 << 1,   /* how long those take that may block */
	KM_DEPTH_RUN_QUEUE = 1 << 2, /* how long it waits for a CPU, each time */
	KM_DEPTH_DNS = 1 << 3,       /* name resolution */
};
#define KM_DEPTHS    4
#define KM_DEPTH_ALL ((1U << KM_DEPTHS) - 1)

extern const char *const km_depth_names[KM_DEPTHS + 1]; /* by bit */

#define KM_RESOURCE_NONE KM_RESOURCE_MAX

struct km_catalogue_row {
	const char *name;  /* "memory.anon" */
	const char *unit;  /* of the value */
	uint32_t entities; /* bits 1 << enum km_entity */
	enum km_shape shape;
	enum km_tier tier;
	enum km_resource resource; /* it has a limit and can run out; KM_RESOURCE_NONE */
	const char *hook;
	const char *cost;
	const char *since;   /* first kernel */
	const char *meaning; /* for failure */
};

extern const struct km_catalogue_row km_catalogue[KM_SIG_MAX];

/* By the name people write; KM_SIG_MAX: there is none. */
enum km_sig km_catalogue_find(const char *name);
/* What must be looked at for it, an enum km_depth; 0: that is no matter of asking. */
uint32_t km_catalogue_depth(enum km_sig sig);
/* The signal that feeds resource R. */
enum km_sig km_catalogue_of(enum km_resource r);

#endif
