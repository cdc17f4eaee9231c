/* SPDX-License-Identifier: Apache-2.0 */
/* A rule built by hand, for tests of the phases that take compiled ones. */
#ifndef KM_TEST_RULE_H
#define KM_TEST_RULE_H

#include "base/text.h"
#include "match/rule.h"

/* RULE is first: km_rule_free() frees it all. */
struct built_rule {
	struct km_rule rule;
	struct km_cond when[2], unless[1];
	struct km_step plan[KM_STEPS_MAX];
};

static inline struct km_rule *build_rule(const char *id)
{
	struct built_rule *b = calloc(1, sizeof(*b));

	if (!b)
		abort();
	b->rule.id = id;
	b->rule.file = b->rule.summary = b->rule.why = b->rule.owner = b->rule.rule_class = "";
	b->rule.key = km_hash(id, strlen(id));
	b->rule.when = b->when;
	b->rule.unless = b->unless;
	b->rule.plan = b->plan;
	b->rule.verify.below_resource = KM_RESOURCE_MAX;
	return &b->rule;
}

/* The parts of what build_rule() made, to be filled in. */
#define when_of(r) (((struct built_rule *)(r))->when)
#define plan_of(r) (((struct built_rule *)(r))->plan)

#endif
