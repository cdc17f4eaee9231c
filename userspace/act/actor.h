/* SPDX-License-Identifier: Apache-2.0 */
/* Phase 8, the actor process: the only one that changes the host. Root, smallest code. It trusts
 * nothing that the engine says: own policy, own budgets, own deadlines, journal before act. */
#ifndef KM_ACTOR_H
#define KM_ACTOR_H

#include "act/message.h"
#include "base/config.h"
#include "base/policy.h"
#include "loop/loop.h"

struct km_actor_opts {
	struct km_loop *loop;           /* the caller's */
	const struct km_config *config; /* compiled by the actor itself from root-owned text */
	const struct km_policy *policy;
	int journal_dir_fd;      /* the caller's */
	int engine_sock;         /* the caller's; requests come, outcomes go */
	const char *cgroup_root; /* cgroup v2 directory below which supervised commands live,
				    absolute */
	const char *memory_root; /* v1 memory controller directory, NULL on pure v2 */
	const char *pause_file;  /* while it is there nothing is done, whoever asks; NULL: none */
	const char *pin_dir;     /* on a bpffs, NULL: no failover can outlive the actor */
	const char *notify_path; /* of commands with a watchdog, NULL: none */
	const char *pids_root;   /* v1 pids controller directory, NULL on pure v2 */
	const char *cpu_root;    /* v1 cpu controller directory, NULL on pure v2 */
};

struct km_actor;

/* Opens the journal, recovers intents without an outcome by looking at the world, adopts supervised
 * commands and says all that to the engine, then READY. */
int km_actor_new(const struct km_actor_opts *opts, struct km_actor **ret);
struct km_actor *km_actor_free(struct km_actor *a);
KM_DEFINE_FREEP(struct km_actor, km_actor_free)

/* For the watchdog: boot time of the engine's last KM_ACT_ALIVE. */
uint64_t km_actor_engine_seen_ns(const struct km_actor *a);
/* It wants BPF run-time statistics, as of that message. */
bool km_actor_wants_stats(const struct km_actor *a);
bool km_actor_degraded(const struct km_actor *a);
/* From now on; P must outlive A. */
void km_actor_set_policy(struct km_actor *a, const struct km_policy *p);
/* Stops all supervised commands (tests and the demo's end), waits with their stop time-outs. */
int km_actor_stop_all(struct km_actor *a);

#endif
