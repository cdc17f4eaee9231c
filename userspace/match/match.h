/* SPDX-License-Identifier: Apache-2.0 */
/* Phase 6: which rules speak about a service, and why each other one did not. A condition on
 * something that is not measured is neither true nor false; only what is true speaks. */
#ifndef KM_MATCH_H
#define KM_MATCH_H

#include "match/rule.h"

enum km_truth { KM_FALSE = 0, KM_TRUE = 1, KM_NOT_MEASURED = 2 };

struct km_match {
	const struct km_rule *rule;
	uint64_t service_id;
	uint64_t t_ns;
	enum km_truth spoke;
	unsigned int line;                  /* of the condition that decided */
	bool scoped;                        /* false: the service is not in the rule's scope */
	bool expired;                       /* the rule's day has come: it is silent */
	const struct km_forecast *forecast; /* that made it speak, or NULL */
	enum km_event event;                /* that made it speak, or NONE */
	const char *endpoint;               /* that made it speak, or NULL; the configuration's */
};

struct km_match_input {
	uint64_t now_ns;
	const struct km_service *service;
	enum km_event event; /* what just happened, NONE at a tick */
	const struct km_predict *predict;
	const struct km_features *features[KM_RESOURCE_MAX];
	const struct km_ends *ends;
	struct km_measure *measure; /* of signals without a limit, and of the host; may be NULL */
	const struct km_attribute *attribute; /* to know a service's own processes; may be NULL */
	const struct km_service_def *def;     /* NULL: the service is in no configuration */
	uint64_t realtime_s;                  /* wall-clock time at now_ns; 0: not known */
	/* An incident is open: of the service itself one in which another rule than the one that
	 * asks had a part. NULL: not measured. */
	bool (*incident_open)(const struct km_match_input *in, enum km_incident_whose whose);
	const void *userdata; /* of incident_open */
	uint64_t rule_key;    /* of the rule that asks; filled in by km_matcher_rule() */
};

struct km_matcher; /* keeps since when each condition holds, and the events in its windows */

int km_matcher_new(struct km_matcher **ret);
struct km_matcher *km_matcher_free(struct km_matcher *m);
KM_DEFINE_FREEP(struct km_matcher, km_matcher_free)

/* One rule on one service; updates what is kept. *RET is always filled in; its pointers live until
 * the next call of the predictor or the rule's end. 0 or negative errno. Where there is no room to
 * keep what a condition needs, it is not measured (counted). */
int km_matcher_rule(struct km_matcher *m, const struct km_rule *rule,
                    const struct km_match_input *in, struct km_match *ret);

/* All rules in force on one service, in their order: CB is told of each that covers it. It returns
 * 1 if it keeps anything of this rule and service, and so must hear when the rule speaks no more;
 * 0; or negative errno, which ends the round and is returned. Not looked at are rules that cannot
 * speak now, nor begin to remember anything, while nothing is kept of them: all that CB misses is
 * that they are silent. */
typedef int (*km_match_cb)(void *userdata, const struct km_match *match);
int km_matcher_service(struct km_matcher *m, const struct km_match_input *in, km_match_cb cb,
                       void *userdata);

uint64_t km_matcher_full(const struct km_matcher *m);

/* Hears each look at a rule that covers the service, and what every condition of its two trees
 * said. For rule tests; the daemon has none. UNLESS is NULL where the rule has none. While somebody
 * listens every rule is looked at. */
typedef void (*km_match_ear)(void *userdata, const struct km_match *match,
                             const enum km_truth *when, const enum km_truth *unless);
void km_matcher_listen(struct km_matcher *m, km_match_ear ear, void *userdata);

/* R is in force and must outlive M or the next call. What is kept of rules that are no longer in
 * it, or have another text, is dropped. */
void km_matcher_rules_changed(struct km_matcher *m, const struct km_rules *r);

size_t km_matcher_tables(struct km_matcher *m, struct km_table **ret, size_t max);

#endif
