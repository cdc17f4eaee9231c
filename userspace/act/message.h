/* SPDX-License-Identifier: Apache-2.0 */
/* What engine and actor say to each other, over base/message.h. Exact sizes, one version. */
#ifndef KM_ACT_MESSAGE_H
#define KM_ACT_MESSAGE_H

#include "base/message.h"
#include "collect/raw.h"

#define KM_ACT_VERSION 2

enum km_act_type {
	KM_ACT_REQUEST = 1, /* engine to actor: do this */
	KM_ACT_OUTCOME = 2, /* actor to engine: km_act_outcome */
	KM_ACT_CHILD = 3, /* actor to engine: km_act_child, a supervised main process ended (pidfd,
			     waitpid) */
	KM_ACT_READY =
		4, /* actor to engine: recovery is over, all adopted and absent ones were said */
	KM_ACT_ALIVE = 5,    /* engine to actor, each second: the watchdog's food */
	KM_ACT_ENDPOINT = 6, /* actor to engine: km_act_endpoint, where connections go now */
	KM_ACT_FOLLOW = 7, /* engine to actor: km_act_request, whose service was started anew: what
			      was done to its endpoints goes with it. Not journalled: it goes on
			      with an intent that was */
	KM_ACT_TYPE_MAX
};

struct km_act_request {
	struct km_message_hdr hdr;
	uint64_t intent_id;  /* the decision's; must rise */
	uint64_t timeout_ns; /* at most KM_ACT_TIMEOUT_MAX_NS */
	struct km_verb_args args;
	uint64_t start_ns; /* with tgid: who must still be there (signal, raise_limit, stop,
			      restart); 0: whoever is */
	uint32_t tgid;
	uint32_t verb;
	int32_t signal;
	uint32_t pad;
	char service[KM_NAME_MAX];
	char rule[KM_NAME_MAX];
	char reason[KM_NAME_MAX];
};

#define KM_ACT_TIMEOUT_MAX_NS (300 * KM_NS_PER_S)

struct km_act_outcome {
	struct km_message_hdr hdr;
	struct km_raw_outcome outcome; /* goes into the pipeline as it is */
};

struct km_act_child {
	struct km_message_hdr hdr;
	struct km_raw_process process; /* source KM_FROM_EXIT_WATCH */
};

struct km_act_endpoint {
	struct km_message_hdr hdr;
	struct km_raw_endpoint endpoint; /* goes into the pipeline as it is */
};

struct km_act_plain { /* READY, ALIVE */
	struct km_message_hdr hdr;
	uint64_t t_ns;
	uint64_t intent_id; /* READY: the highest in the journal, new ones must be above it */
	uint64_t stats; /* ALIVE: 1 if BPF run-time statistics are wanted (root's to switch on) */
};

#endif
