/* SPDX-License-Identifier: Apache-2.0 */
/* The most that a rule can do in a time if it is raised to auto and is wrong all the time: what its
 * own pace and budget leave, within the policy's. */
#ifndef KM_HARM_H
#define KM_HARM_H

#include "base/policy.h"
#include "match/rule.h"

struct km_harm_in {
	const struct km_rule *rule;
	const struct km_policy *policy;
	const char *service; /* one service; NULL: all of the host that it covers */
	uint64_t services;   /* how many these are; 0: not known */
	uint64_t span_ns;
};

struct km_harm {
	bool allowed;            /* the policy lets it do anything at all */
	uint64_t acts_a_service; /* on one */
	uint64_t acts;           /* on all together */
	uint64_t services; /* that can be hit; as many as acts where their number is not known */
	uint64_t down_a_service_ns;
	uint64_t down_ns;  /* of all services together */
	const char *bound; /* what ends it: "the rule's cooldown", ... */
	bool for_good;     /* a service may stay down until people come */
};

void km_harm_of(const struct km_harm_in *in, struct km_harm *ret);
/* At most so many acts of a budget begin within SPAN_NS. */
uint64_t km_harm_budget(const struct km_budget *b, uint64_t span_ns);

#endif
