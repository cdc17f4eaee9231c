/* SPDX-License-Identifier: Apache-2.0 */
/* Quarantine: a service that is not to be started any more until an operator says so, by approving
 * the QUARANTINE decision. */
#include <stdio.h>

#include "decide/internal.h"

bool km_quarantine_has(const struct km_decide *d, uint64_t service_id)
{
	return km_table_get(d->table[KM_T_QUARANTINE], &service_id);
}

int km_quarantine_begin(struct km_move *m)
{
	struct km_quarantine *q;
	int r;

	r = km_table_put(m->d->table[KM_T_QUARANTINE], &m->r->service_id, &q);
	if (r < 0) {
		km_decide_count_full(m->d);
		return r;
	}
	if (!r)
		return 0;
	q->since_ns = m->w->now_ns;
	q->rule_key = m->r->rule_key;
	km_decide_say(m, KM_ANSWER_QUARANTINE);
	q->decision_id = m->r->last.id;
	q->incident_id = m->r->incident_id;
	return 1;
}

void km_quarantine_cancel_waiting(const struct km_move *m)
{
	struct km_repair *r;
	struct km_move other;
	uint32_t slot = 0;

	while ((r = km_table_next(m->d->table[KM_T_REPAIR], &slot))) {
		if (r->service_id != m->r->service_id || r->rule_key == m->r->rule_key ||
		    (r->state != KM_R_BACKOFF && r->state != KM_R_APPROVAL))
			continue;
		km_plan_move(m->d, m->w, r, &other);
		km_guard_look(&other);
		other.guard = KM_GUARD_QUARANTINE;
		km_repair_fire(&other, KM_E_CANCELLED);
	}
}

struct km_quarantine *km_quarantine_by_decision(const struct km_decide *d, uint64_t decision_id)
{
	struct km_quarantine *q;
	uint32_t slot = 0;

	while ((q = km_table_next(d->table[KM_T_QUARANTINE], &slot)))
		if (q->decision_id == decision_id)
			return q;
	return NULL;
}

/* Its own past is forgiven, back-off and all; budgets are not. */
static void forgive(struct km_decide *d, uint64_t service_id)
{
	struct km_pace *p;
	uint32_t slot = 0;

	while ((p = km_table_next(d->table[KM_T_PACE], &slot)))
		if (p->service_id == service_id)
			p->acts = 0;
}

int km_quarantine_release(struct km_decide *d, const struct km_decide_world *w,
                          struct km_quarantine *q, uint32_t uid)
{
	const struct km_service *s = km_attribute_service(w->attribute, q->service_id);
	struct km_repair r = { .service_id = q->service_id,
		               .rule_key = q->rule_key,
		               .incident_id = q->incident_id };
	char note[64];
	struct km_move m;

	snprintf(note, sizeof(note), "released from quarantine by uid %u", uid);
	r.last.service_id = q->service_id;
	km_plan_move(d, w, &r, &m);
	m.note = note;
	if (s)
		km_copy(r.last.service, sizeof(r.last.service), s->name);
	if (m.rule)
		km_copy(r.last.rule, sizeof(r.last.rule), m.rule->id);
	km_decide_say(&m, KM_ANSWER_RELEASE);
	forgive(d, q->service_id);
	km_table_drop(d->table[KM_T_QUARANTINE], &r.service_id);
	return s ? km_decide_absent(d, w, s) : 0;
}
