/* SPDX-License-Identifier: Apache-2.0 */
/* Pace of one rule on one service: exponential back-off and cooldown. The first act is at once, the
 * next waits base, then 2 base, 4 base, ... up to max; a service that was up for `reset` has
 * earned a fresh start. */
#include "decide/internal.h"

/* Where a rule says nothing of it and yet its last step is to be done again. */
#define BASE_NS  (10 * KM_NS_PER_S)
#define MAX_NS   (300 * KM_NS_PER_S)
#define RESET_NS (600 * KM_NS_PER_S)

uint64_t km_backoff_delay(const struct km_guard_spec *g, uint32_t acts, bool repeats)
{
	uint64_t most = g->backoff_max_ns ? g->backoff_max_ns : KM_BACKOFF_MAX_NS;
	uint64_t delay = g->backoff_base_ns;

	if (!delay && repeats) {
		delay = BASE_NS;
		most = MAX_NS;
	}

	if (!acts || !delay)
		return 0;
	for (uint32_t i = 1; i < acts && delay < most; i++)
		delay *= 2;
	return delay < most ? delay : most;
}

static struct km_pace *pace_of(const struct km_move *m)
{
	uint64_t key[2] = { m->r->service_id, m->r->rule_key };

	return km_table_get(m->d->table[KM_T_PACE], key);
}

/* Up for so long, now or in the life that has just ended. */
static bool was_up_for(const struct km_service *s, uint64_t now_ns, uint64_t for_ns)
{
	const struct km_ending *last;

	if (!s || !for_ns)
		return false;
	last = &s->last;
	if (s->state == KM_SERVICE_UP)
		return km_decide_age(now_ns, s->since_ns) >= for_ns;
	return s->state == KM_SERVICE_DOWN && last->start_ns &&
	       km_decide_age(last->t_ns, last->start_ns) >= for_ns;
}

uint64_t km_backoff_allowed_ns(struct km_move *m)
{
	struct km_pace *p = pace_of(m);

	if (!p || !m->rule || !km_plan_counts(m))
		return m->w->now_ns;
	if (was_up_for(m->service, m->w->now_ns, p->reset_ns))
		p->acts = 0;
	return m->r->planned_ns + km_backoff_delay(&m->rule->guard, p->acts, m->repeats);
}

uint64_t km_backoff_cooldown_until(const struct km_move *m)
{
	const struct km_pace *p = pace_of(m);

	if (!p || !m->rule || !m->rule->guard.cooldown_ns || !km_plan_counts(m))
		return 0;
	return p->last_ns + m->rule->guard.cooldown_ns;
}

bool km_backoff_room(const struct km_move *m)
{
	return pace_of(m) || km_table_count(m->d->table[KM_T_PACE]) < KM_ACTORS_MAX;
}

void km_backoff_note(struct km_move *m)
{
	const struct km_guard_spec *g = &m->rule->guard;
	uint64_t key[2] = { m->r->service_id, m->r->rule_key };
	struct km_pace *p;

	if (!km_plan_counts(m))
		return;
	if (km_table_put(m->d->table[KM_T_PACE], key, &p) < 0) {
		km_decide_count_full(m->d);
		return;
	}
	p->last_ns = m->w->now_ns;
	p->reset_ns = g->backoff_base_ns ? g->backoff_reset_ns : RESET_NS;
	p->cooldown_ns = g->cooldown_ns;
	if (p->acts < UINT32_MAX)
		p->acts++;
}

/* A service that is not followed any more may come back: it keeps its back-off for a while. */
void km_backoff_sweep(struct km_decide *d, const struct km_decide_world *w)
{
	const struct km_service *s;
	struct km_pace *p;
	uint32_t slot = 0;
	bool gone;

	while ((p = km_table_next(d->table[KM_T_PACE], &slot))) {
		s = km_attribute_service(w->attribute, p->service_id);
		gone = !s && km_decide_age(w->now_ns, p->last_ns) >= p->reset_ns + KM_QUIET_NS;
		if (gone || was_up_for(s, w->now_ns, p->reset_ns))
			p->acts = 0;
		if (!p->acts && p->last_ns + p->cooldown_ns <= w->now_ns)
			km_table_drop(d->table[KM_T_PACE], p);
	}
}
