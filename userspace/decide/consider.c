/* SPDX-License-Identifier: Apache-2.0 */
/* From what the guards say to an event of the repair's life. */
#include "decide/internal.h"

#define MODE_BIT (1U << KM_GUARD_MODE)

static bool must_ask(const struct km_move *m)
{
	return km_track_mode(m->d, m->rule) == KM_APPROVE && !m->approved;
}

/* An operator is asked only for what could be done: the first guard that fails besides the mode. */
static void look_behind_mode(struct km_move *m)
{
	for (unsigned int i = KM_GUARD_MODE + 1; i < KM_GUARD_MAX; i++) {
		if (!(m->passed & 1U << i)) {
			m->guard = i;
			return;
		}
	}
}

/* A lasting rule speaks again by itself; an event does not, and a ladder must not begin anew. */
static bool may_wait(const struct km_move *m)
{
	return m->r->state != KM_R_APPROVAL && (!km_repair_lasting(m->r) || m->r->acts);
}

static int denied(struct km_move *m)
{
	bool own_budget = m->guard == KM_GUARD_BUDGET_RULE || m->guard == KM_GUARD_BUDGET_SERVICE;

	if (own_budget && m->r->acts)
		return km_repair_fire(m, KM_E_SPENT);
	m->until_ns = may_wait(m) ? km_guard_until(m) : 0;
	return km_repair_fire(m, m->until_ns ? KM_E_HELD : KM_E_DENIED);
}

int km_repair_consider(struct km_move *m)
{
	if (!m->rule)
		return km_repair_fire(m, KM_E_CANCELLED);
	km_guard_look(m);
	if (!km_plan_step(m)) {
		/* The rule was reloaded with a shorter plan. */
		m->guard = KM_GUARD_MODE;
		m->passed &= ~MODE_BIT;
		m->note = "its rule has no such step any more";
		return km_repair_fire(m, KM_E_DENIED);
	}
	if (m->guard == KM_GUARD_MODE && must_ask(m)) {
		look_behind_mode(m);
		if (m->guard == KM_GUARD_MODE)
			return km_repair_fire(m, KM_E_ASKED);
	}
	if (m->guard != KM_GUARD_MAX)
		return denied(m);
	m->until_ns = m->approved ? 0 : km_backoff_allowed_ns(m);
	return km_repair_fire(m, m->until_ns > m->w->now_ns ? KM_E_HELD : KM_E_GRANTED);
}
