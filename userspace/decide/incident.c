/* SPDX-License-Identifier: Apache-2.0 */
/* An incident is all that is decided about one service without ten minutes of quiet in between. */
#include "decide/internal.h"

/* The two rules that last had a part in it, newest first. */
static void note_rule(struct km_incident *i, uint64_t rule_key, uint64_t now_ns)
{
	if (i->rule_ns[0] && i->rule_key[0] != rule_key) {
		i->rule_key[1] = i->rule_key[0];
		i->rule_ns[1] = i->rule_ns[0];
	}
	i->rule_key[0] = rule_key;
	i->rule_ns[0] = now_ns;
}

bool km_decide_incident_open(const struct km_decide *d, uint64_t service_id, uint64_t but_rule_key,
                             uint64_t now_ns)
{
	const struct km_incident *i = km_table_get(d->table[KM_T_INCIDENT], &service_id);

	for (unsigned int n = 0; i && n < KM_ARRAY_SIZE(i->rule_ns); n++)
		if (i->rule_ns[n] && i->rule_key[n] != but_rule_key &&
		    km_decide_age(now_ns, i->rule_ns[n]) <= KM_QUIET_NS)
			return true;
	return false;
}

uint64_t km_incident_of(struct km_decide *d, uint64_t service_id, uint64_t rule_key,
                        uint64_t now_ns)
{
	struct km_meta *meta = km_decide_meta(d);
	struct km_incident *i;
	int r;

	r = km_table_put(d->table[KM_T_INCIDENT], &service_id, &i);
	if (r < 0) {
		km_decide_count_full(d);
		return ++meta->incidents;
	}
	if (r || km_decide_age(now_ns, i->last_ns) > KM_QUIET_NS)
		i->id = ++meta->incidents;
	i->last_ns = now_ns;
	note_rule(i, rule_key, now_ns);
	return i->id;
}

void km_incident_join(struct km_decide *d, uint64_t service_id, uint64_t rule_key, uint64_t id,
                      uint64_t now_ns)
{
	struct km_incident *i;

	if (km_table_put(d->table[KM_T_INCIDENT], &service_id, &i) < 0) {
		km_decide_count_full(d);
		return;
	}
	i->id = id;
	i->last_ns = now_ns;
	note_rule(i, rule_key, now_ns);
}

void km_incident_touch(struct km_decide *d, uint64_t service_id, uint64_t rule_key, uint64_t now_ns)
{
	struct km_incident *i = km_table_get(d->table[KM_T_INCIDENT], &service_id);

	if (!i)
		return;
	i->last_ns = now_ns;
	note_rule(i, rule_key, now_ns);
}

void km_incident_sweep(struct km_decide *d, uint64_t now_ns)
{
	struct km_incident *i;
	uint32_t slot = 0;

	while ((i = km_table_next(d->table[KM_T_INCIDENT], &slot)))
		if (km_decide_age(now_ns, i->last_ns) > KM_QUIET_NS)
			km_table_drop(d->table[KM_T_INCIDENT], i);
}
