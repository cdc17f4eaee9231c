// SPDX-License-Identifier: Apache-2.0
/* What doing nothing brings: a share of the repairs that would be begun by themselves is looked at
 * and not done, until verification says that it does not go away alone. Which ones: by a hash of
 * incident and rule, so that a replay picks the same, and nobody can. */
#include "base/text.h"
#include "decide/internal.h"

/* Of a repair at its very first act; people who agreed to it want it done. */
static bool is_eligible(const struct km_move *m)
{
	const struct km_step *step = km_plan_step(m);

	return m->rule && m->r->rule_key && step && step->verb != KM_NOTIFY && !m->approved &&
	       !m->r->shadow && !m->r->acts && !m->r->step && !m->rule->verify.none;
}

bool km_shadow_is(struct km_move *m)
{
	uint32_t share = m->d->policy ? m->d->policy->shadow_ppm : 0;
	uint64_t of[2];

	if (!share || !is_eligible(m))
		return false;
	of[0] = km_decide_incident(m);
	of[1] = m->r->rule_key;
	return km_hash(of, sizeof(of)) % 1000000 < share;
}
