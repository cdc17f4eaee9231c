/* SPDX-License-Identifier: Apache-2.0 */
/* The tables that hold all state of this phase, and what a restored row must be like: a checkpoint
 * comes from a file. */
#include <math.h>

#include "decide/internal.h"

static bool is_text(const char *s, size_t size)
{
	return memchr(s, 0, size);
}

static bool is_fit(const struct km_fit *f)
{
	return isfinite(f->level) && isfinite(f->slope) && isfinite(f->slope_se) &&
	       isfinite(f->noise) && isfinite(f->weight);
}

static bool is_forecast(const struct km_forecast *f)
{
	return f->kind < KM_FORECAST_KIND_MAX && f->resource <= KM_RESOURCE_MAX &&
	       f->why < KM_WHY_MAX && isfinite(f->eta_s) && isfinite(f->eta_lo_s) &&
	       isfinite(f->eta_hi_s) && isfinite(f->p) && isfinite(f->level) &&
	       isfinite(f->limit) && (f->kind != KM_EXHAUSTION || is_fit(&f->fit));
}

static bool is_decision(const struct km_decision *d)
{
	return (unsigned int)d->answer < KM_ANSWER_MAX && (unsigned int)d->verb < KM_VERB_MAX &&
	       (unsigned int)d->guard <= KM_GUARD_MAX && (unsigned int)d->event < KM_EV_MAX &&
	       !(d->guards_passed >> KM_GUARD_MAX) && d->has_forecast <= 1 &&
	       is_forecast(&d->forecast) && is_text(d->service, sizeof(d->service)) &&
	       is_text(d->args.object, sizeof(d->args.object)) &&
	       is_text(d->rule, sizeof(d->rule)) && is_text(d->reason, sizeof(d->reason)) &&
	       is_text(d->ending.sender_comm, sizeof(d->ending.sender_comm));
}

static bool meta_valid(const void *row)
{
	const struct km_meta *m = row;

	return m->key == 1;
}

static bool repair_valid(const void *row)
{
	const struct km_repair *r = row;

	return r->service_id && r->state > KM_R_PLANNED && r->state < KM_REPAIR_STATE_MAX &&
	       r->step < KM_STEPS_MAX && r->held <= KM_GUARD_MAX && r->concluded <= 1 &&
	       r->rolls_back <= 1 && r->shadow <= KM_SHADOW_OVER &&
	       r->last.service_id == r->service_id && r->last.rule_key == r->rule_key &&
	       is_decision(&r->last) && is_text(r->endpoint, sizeof(r->endpoint));
}

static bool newest_first(const uint64_t *t_ns, uint32_t count, uint32_t kept)
{
	if (count > kept)
		return false;
	for (uint32_t i = 1; i < count; i++)
		if (t_ns[i] > t_ns[i - 1])
			return false;
	return true;
}

static bool acts_valid(const void *row)
{
	const struct km_acts *a = row;

	return a->service_id && a->count && newest_first(a->t_ns, a->count, KM_ACTS_KEPT);
}

static bool host_valid(const void *row)
{
	const struct km_host_acts *h = row;

	return h->key == 1 && newest_first(h->t_ns, h->count, KM_HOST_ACTS_KEPT);
}

static bool pace_valid(const void *row)
{
	const struct km_pace *p = row;

	return p->service_id && p->rule_key;
}

static bool quarantine_valid(const void *row)
{
	const struct km_quarantine *q = row;

	return q->service_id && q->decision_id;
}

static bool incident_valid(const void *row)
{
	const struct km_incident *i = row;

	return i->service_id && i->id;
}

static bool said_valid(const void *row)
{
	const struct km_said_row *s = row;

	return s->service_id;
}

static bool storm_valid(const void *row)
{
	const struct km_storm *s = row;

	return s->key == 1 && s->said <= 1 && newest_first(s->t_ns, s->count, KM_STORM_KEPT);
}

static bool maintain_valid(const void *row)
{
	const struct km_maintain *m = row;

	return m->service_id;
}

static bool depth_valid(const void *row)
{
	const struct km_depth_row *r = row;

	return r->service_id && r->until_ns <= r->again_ns;
}

static bool track_valid(const void *row)
{
	const struct km_track *t = row;

	if (t->demoted > 1 || t->count > KM_TRACK_VERDICTS)
		return false;
	for (uint32_t i = 0; i < KM_TRACK_VERDICTS; i++)
		if (i < t->count ? t->verdict[i] >= KM_VERDICT_NOT_MEASURED || !t->service_id[i]
		                 : t->verdict[i] || t->service_id[i])
			return false;
	return true;
}

#define TABLE(table_name, max, type, keys, check)                      \
	.name = table_name, .rows_max = max, .row_size = sizeof(type), \
	.key_size = (keys) * sizeof(uint64_t), .valid = check

/* Numbers of what lasts: 1 is phase 5's. */
const struct km_table_opts km_decide_table_opts[KM_T_MAX] = {
	[KM_T_META] = { TABLE("decide.meta", 1, struct km_meta, 1, meta_valid), .lasting = 2,
	                .outlives = km_lasting_meta, .returns = km_lasting_meta_returns },
	[KM_T_REPAIR] = { TABLE("decide.repair", KM_REPAIRS_MAX, struct km_repair, 2,
	                        repair_valid) },
	[KM_T_ACTS] = { TABLE("decide.acts", KM_ACTORS_MAX, struct km_acts, 2, acts_valid),
	                .lasting = 3, .outlives = km_lasting_acts,
	                .returns = km_lasting_acts_return },
	[KM_T_HOST] = { TABLE("decide.host", 1, struct km_host_acts, 1, host_valid), .lasting = 4,
	                .outlives = km_lasting_host, .returns = km_lasting_host_returns },
	[KM_T_PACE] = { TABLE("decide.pace", KM_ACTORS_MAX, struct km_pace, 2, pace_valid),
	                .lasting = 5, .outlives = km_lasting_pace,
	                .returns = km_lasting_pace_returns },
	[KM_T_QUARANTINE] = { TABLE("decide.quarantine", KM_SERVICES_MAX, struct km_quarantine, 1,
	                            quarantine_valid),
	                      .lasting = 6, .outlives = km_lasting_quarantine,
	                      .returns = km_lasting_quarantine_returns },
	[KM_T_INCIDENT] = { TABLE("decide.incident", KM_SERVICES_MAX, struct km_incident, 1,
	                          incident_valid) },
	[KM_T_STORM] = { TABLE("decide.storm", 1, struct km_storm, 1, storm_valid) },
	[KM_T_MAINTAIN] = { TABLE("decide.maintain", KM_SERVICES_MAX, struct km_maintain, 1,
	                          maintain_valid),
	                    .lasting = 7, .outlives = km_lasting_maintain,
	                    .returns = km_lasting_maintain_returns },
	[KM_T_TRACK] = { TABLE("decide.track", KM_RULES_MAX, struct km_track, 1, track_valid),
	                 .lasting = 8, .outlives = km_lasting_track },
	[KM_T_DEPTH] = { TABLE("decide.depth", KM_SERVICES_MAX, struct km_depth_row, 1,
	                       depth_valid) },
	[KM_T_SAID] = { TABLE("decide.said", KM_ACTORS_MAX, struct km_said_row, 2, said_valid) },
};

struct km_meta *km_decide_meta(struct km_decide *d)
{
	uint64_t key = 1;
	struct km_meta *m = km_table_get(d->table[KM_T_META], &key);

	if (!m && km_table_put(d->table[KM_T_META], &key, &m) < 0)
		return &d->spare;
	return m;
}

void km_decide_count_full(struct km_decide *d)
{
	km_decide_meta(d)->full++;
}
