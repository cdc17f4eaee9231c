/* SPDX-License-Identifier: Apache-2.0 */
/* The main process: keeps root, runs the actor, watches engine and front, ends them in order. */
#ifndef KM_GUARDIAN_H
#define KM_GUARDIAN_H

#include "act/actor.h"
#include "daemon/setup.h"

struct km_guardian {
	struct km_daemon *d;
	struct km_loop *loop;
	struct km_actor *actor;   /* NULL: observe only */
	struct km_policy *paused; /* the policy where nothing may be acted on */
	int engine_pid, front_pid, prober_pid;
	int engine_sock;
	int check_fd;            /* the timer of what is looked at now and then */
	uint64_t engine_seen_ns; /* where there is no actor */
	int stats_fd;            /* BPF run-time statistics are on while it is open, 0: off */
	bool ready;              /* the engine was heard; the supervisor was told */
	bool stopping;           /* asked to end: what ends now is no failure */
	int status;
};

/* Until the daemon ends; exit status. */
int km_guardian_run(struct km_guardian *g);
/* Ends whoever of the others still runs and waits for them. */
void km_guardian_end(struct km_guardian *g);

#endif
