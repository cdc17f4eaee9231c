/* SPDX-License-Identifier: Apache-2.0 */
/* How many acts were there lately: sliding windows of the host and of each service. */
#ifndef KM_BUDGET_H
#define KM_BUDGET_H

#include "base/policy.h"

/* A host with so many acts in one window is in a storm whatever the policy says. */
#define KM_BUDGET_ACTS_MAX 4096
/* Refusals and notices are journalled too, and must not push the acts out of it. */
#define KM_SAID_MAX    60
#define KM_SAID_PER_NS (60 * KM_NS_PER_S)

struct km_budgets {
	struct {
		uint64_t service; /* km_hash of the name; two that collide share a budget */
		int64_t t_ns;     /* boot time; negative: in an earlier boot */
	} act[KM_BUDGET_ACTS_MAX];
	uint32_t next, count;
};

/* NULL, or which budget has no room at NOW_NS. */
const char *km_budget_refuses(const struct km_budgets *b, const struct km_policy *p,
                              const char *service, int64_t now_ns);
void km_budget_charge(struct km_budgets *b, const char *service, int64_t t_ns);
/* One more refusal or notice (KIND) in its window of fixed size; false: it is full. */
bool km_budget_said(struct km_budgets *b, const char *kind, int64_t now_ns);

#endif
