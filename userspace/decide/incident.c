/* SPDX-License-Identifier: Apache-2.0 */
/* An incident is all that is decided about one service without ten minutes of quiet in between. */
#include "decide/internal.h"

uint64_t km_incident_of(struct km_decide *d, uint64_t service_id, uint64_t now_ns)
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
	return i->id;
}

void km_incident_touch(struct km_decide *d, uint64_t service_id, uint64_t now_ns)
{
	struct km_incident *i = km_table_get(d->table[KM_T_INCIDENT], &service_id);

	if (i)
		i->last_ns = now_ns;
}

void km_incident_sweep(struct km_decide *d, uint64_t now_ns)
{
	struct km_incident *i;
	uint32_t slot = 0;

	while ((i = km_table_next(d->table[KM_T_INCIDENT], &slot)))
		if (km_decide_age(now_ns, i->last_ns) > KM_QUIET_NS)
			km_table_drop(d->table[KM_T_INCIDENT], i);
}
