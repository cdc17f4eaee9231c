// SPDX-License-Identifier: Apache-2.0
/* What is worth a closer look: a service of which something is suspected is looked at for a minute,
 * then not again for a while, since what it costs is paid by all. A request, not an act: phase 1
 * may refuse it, and says so in a record. */
#include "decide/internal.h"

#define LOOK_NS  (60 * KM_NS_PER_S)
#define AGAIN_NS (600 * KM_NS_PER_S)
/* At a time; the other half of KMEND_LEASES_MAX is left to people. */
#define LOOKS_MAX (KMEND_LEASES_MAX / 2)

const uint32_t km_depth_of_forecast[KM_FORECAST_KIND_MAX] = {
	[KM_ANOMALY] = KM_DEPTH_CALLS | KM_DEPTH_LATENCY | KM_DEPTH_RUN_QUEUE,
	[KM_HANG] = KM_DEPTH_CALLS | KM_DEPTH_LATENCY | KM_DEPTH_RUN_QUEUE,
	[KM_DEGRADATION] = KM_DEPTH_LATENCY | KM_DEPTH_RUN_QUEUE | KM_DEPTH_DNS,
	[KM_DEPENDENCY] = KM_DEPTH_LATENCY | KM_DEPTH_DNS,
};

/* What people are asked about, they will want to see. */
const uint32_t km_depth_of_answer[KM_ANSWER_MAX] = {
	[KM_ANSWER_SUGGEST] = KM_DEPTH_CALLS | KM_DEPTH_LATENCY | KM_DEPTH_RUN_QUEUE,
	[KM_ANSWER_ASK] = KM_DEPTH_CALLS | KM_DEPTH_LATENCY | KM_DEPTH_RUN_QUEUE,
	[KM_ANSWER_ESCALATE] = KM_DEPTH_CALLS | KM_DEPTH_LATENCY | KM_DEPTH_RUN_QUEUE,
};

static uint32_t looks_now(const struct km_decide *d, uint64_t now_ns)
{
	const struct km_depth_row *row;
	uint32_t slot = 0, n = 0;

	while ((row = km_table_next(d->table[KM_T_DEPTH], &slot)))
		n += row->until_ns > now_ns;
	return n;
}

int km_decide_depth(struct km_decide *d, const struct km_service *s, uint32_t depths,
                    uint64_t now_ns, struct km_depth_ask *ret)
{
	struct km_depth_row *row = km_table_get(d->table[KM_T_DEPTH], &s->id);

	if (!depths || !s->cgroup_id || (row && now_ns < row->again_ns) ||
	    looks_now(d, now_ns) >= LOOKS_MAX)
		return 0;
	if (!row && km_table_put(d->table[KM_T_DEPTH], &s->id, &row) < 0) {
		km_decide_count_full(d);
		return 0;
	}
	row->until_ns = now_ns + LOOK_NS;
	row->again_ns = now_ns + AGAIN_NS;
	*ret = (struct km_depth_ask){ s->id, s->cgroup_id, row->until_ns, depths, 0 };
	return 1;
}

void km_decide_lease(struct km_decide *d, const struct km_service *s, const struct km_raw_lease *l)
{
	struct km_depth_row *row = s ? km_table_get(d->table[KM_T_DEPTH], &s->id) : NULL;

	if (row && !l->person && l->state != KM_LEASE_GRANTED)
		row->until_ns = 0;
}

void km_depth_sweep(struct km_decide *d, uint64_t now_ns)
{
	struct km_depth_row *row;
	uint32_t slot = 0;

	while ((row = km_table_next(d->table[KM_T_DEPTH], &slot)))
		if (row->again_ns <= now_ns)
			km_table_drop(d->table[KM_T_DEPTH], row);
}
