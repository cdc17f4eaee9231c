/* SPDX-License-Identifier: Apache-2.0 */
/* Budgets: at most so many acts in any window of such a length, half open: an act at T counts at
 * every time before T + per_ns. The times of the last acts are kept, newest first, so a window
 * needs one comparison: the COUNTth newest must have left it. */
#include "decide/internal.h"

bool km_budget_free(const uint64_t *t_ns, uint32_t count, uint32_t kept, const struct km_budget *b,
                    uint64_t now_ns)
{
	uint32_t most = b->count < kept ? b->count : kept;

	if (!most)
		return false;
	return count < most || km_decide_age(now_ns, t_ns[most - 1]) >= b->per_ns;
}

uint64_t km_budget_until(const uint64_t *t_ns, uint32_t count, uint32_t kept,
                         const struct km_budget *b, uint64_t now_ns)
{
	uint32_t most = b->count < kept ? b->count : kept;

	if (!most || count < most)
		return now_ns;
	return t_ns[most - 1] + b->per_ns;
}

static void note(uint64_t *t_ns, uint32_t *count, uint32_t kept, uint64_t now_ns)
{
	uint32_t keep = *count < kept ? *count : kept - 1;

	/* Two records may come in either order. */
	if (*count && now_ns < t_ns[0])
		now_ns = t_ns[0];
	memmove(t_ns + 1, t_ns, keep * sizeof(*t_ns));
	t_ns[0] = now_ns;
	*count = keep + 1;
}

static struct km_acts *acts_of(const struct km_move *m, uint64_t rule_key)
{
	uint64_t key[2] = { m->r->service_id, rule_key };

	return km_table_get(m->d->table[KM_T_ACTS], key);
}

static struct km_host_acts *host_acts(const struct km_move *m)
{
	uint64_t key = 1;

	return km_table_get(m->d->table[KM_T_HOST], &key);
}

/* No act without a place to remember it. */
static bool acts_allow(const struct km_move *m, uint64_t rule_key, const struct km_budget *b)
{
	const struct km_acts *a = acts_of(m, rule_key);

	if (a)
		return km_budget_free(a->t_ns, a->count, KM_ACTS_KEPT, b, m->w->now_ns);
	return b->count && km_table_count(m->d->table[KM_T_ACTS]) + 2 <= KM_ACTORS_MAX;
}

static bool of_the_policy(const struct km_move *m)
{
	const struct km_step *step = km_plan_step(m);

	return m->r->rule_key && m->d->policy && step && step->verb != KM_NOTIFY;
}

bool km_budget_rule(const struct km_move *m)
{
	if (!m->rule || !m->rule->guard.budget.count || !km_plan_counts(m))
		return !km_plan_counts(m) || km_backoff_room(m);
	return km_backoff_room(m) && acts_allow(m, m->r->rule_key, &m->rule->guard.budget);
}

bool km_budget_service(const struct km_move *m)
{
	return !of_the_policy(m) || acts_allow(m, 0, &m->d->policy->per_service);
}

bool km_budget_host(const struct km_move *m)
{
	const struct km_host_acts *h = host_acts(m);

	if (!of_the_policy(m))
		return true;
	if (!h)
		return m->d->policy->per_host.count > 0;
	return km_budget_free(h->t_ns, h->count, KM_HOST_ACTS_KEPT, &m->d->policy->per_host,
	                      m->w->now_ns);
}

/* 0: no time is known at which it is free. */
uint64_t km_budget_guard_until(const struct km_move *m, enum km_guard guard)
{
	const struct km_host_acts *h = host_acts(m);
	const struct km_acts *a = NULL;
	const struct km_budget *b = NULL;

	if (guard == KM_GUARD_BUDGET_HOST && h && m->d->policy)
		return km_budget_until(h->t_ns, h->count, KM_HOST_ACTS_KEPT,
		                       &m->d->policy->per_host, m->w->now_ns);
	if (guard == KM_GUARD_BUDGET_RULE && m->rule) {
		a = acts_of(m, m->r->rule_key);
		b = &m->rule->guard.budget;
	} else if (guard == KM_GUARD_BUDGET_SERVICE && m->d->policy) {
		a = acts_of(m, 0);
		b = &m->d->policy->per_service;
	}
	return a ? km_budget_until(a->t_ns, a->count, KM_ACTS_KEPT, b, m->w->now_ns) : 0;
}

static void acts_note(struct km_move *m, uint64_t rule_key, uint64_t per_ns)
{
	uint64_t key[2] = { m->r->service_id, rule_key };
	struct km_acts *a;

	if (km_table_put(m->d->table[KM_T_ACTS], key, &a) < 0) {
		km_decide_count_full(m->d);
		return;
	}
	if (a->keep_ns < per_ns)
		a->keep_ns = per_ns;
	note(a->t_ns, &a->count, KM_ACTS_KEPT, m->w->now_ns);
}

void km_budget_note(struct km_move *m)
{
	uint64_t key = 1;
	struct km_host_acts *h;

	if (km_plan_counts(m) && m->rule->guard.budget.count)
		acts_note(m, m->r->rule_key, m->rule->guard.budget.per_ns);
	if (!of_the_policy(m))
		return;
	acts_note(m, 0, m->d->policy->per_service.per_ns);
	if (km_table_put(m->d->table[KM_T_HOST], &key, &h) < 0)
		return;
	if (h->keep_ns < m->d->policy->per_host.per_ns)
		h->keep_ns = m->d->policy->per_host.per_ns;
	note(h->t_ns, &h->count, KM_HOST_ACTS_KEPT, m->w->now_ns);
}

void km_budget_sweep(struct km_decide *d, uint64_t now_ns)
{
	struct km_acts *a;
	uint32_t slot = 0;

	while ((a = km_table_next(d->table[KM_T_ACTS], &slot)))
		if (km_decide_age(now_ns, a->t_ns[0]) >= a->keep_ns)
			km_table_drop(d->table[KM_T_ACTS], a);
}
