/* SPDX-License-Identifier: Apache-2.0 */
/* What was said is not said again until it changes or ten minutes have passed: a rule that speaks
 * each second must not fill the journal. */
#include "decide/internal.h"

bool km_said_once(struct km_decide *d, const struct km_repair *r, unsigned int what,
                  uint64_t now_ns)
{
	uint64_t key[2] = { r->service_id, r->rule_key };
	struct km_said_row *s;

	if (km_table_put(d->table[KM_T_SAID], key, &s) < 0) {
		km_decide_count_full(d);
		return true;
	}
	if (s->t_ns[what] && km_decide_age(now_ns, s->t_ns[what]) < KM_QUIET_NS)
		return false;
	s->t_ns[what] = now_ns ? now_ns : 1;
	return true;
}

/* RULE no longer speaks: next time it observes or suggests anew, but not before it could have acted
 * anew, or one that speaks at each of many events would never be quiet. A refusal stands. */
void km_said_stopped(struct km_decide *d, uint64_t service_id, const struct km_rule *rule,
                     uint64_t now_ns)
{
	static const unsigned int only_said[] = { KM_SAID_OBSERVE, KM_SAID_SUGGEST };
	uint64_t key[2] = { service_id, rule->key };
	struct km_said_row *s = km_table_get(d->table[KM_T_SAID], key);

	for (size_t i = 0; s && i < KM_ARRAY_SIZE(only_said); i++) {
		uint64_t *t_ns = &s->t_ns[only_said[i]];

		if (km_decide_age(now_ns, *t_ns) >= rule->guard.cooldown_ns)
			*t_ns = 0;
	}
}

/* Something was done: whatever is refused from now on is refused for another reason. */
void km_said_forget(struct km_decide *d, uint64_t service_id, uint64_t rule_key)
{
	uint64_t key[2] = { service_id, rule_key };
	struct km_said_row *s = km_table_get(d->table[KM_T_SAID], key);

	if (s)
		memset(s->t_ns, 0, KM_GUARD_MAX * sizeof(s->t_ns[0]));
}

static bool is_over(const struct km_said_row *s, uint64_t now_ns)
{
	for (unsigned int i = 0; i < KM_SAID_MAX; i++)
		if (s->t_ns[i] && km_decide_age(now_ns, s->t_ns[i]) < KM_QUIET_NS)
			return false;
	return true;
}

void km_said_sweep(struct km_decide *d, uint64_t now_ns)
{
	struct km_said_row *s;
	uint32_t slot = 0;

	while ((s = km_table_next(d->table[KM_T_SAID], &slot)))
		if (is_over(s, now_ns))
			km_table_drop(d->table[KM_T_SAID], s);
}
