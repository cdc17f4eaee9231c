/* SPDX-License-Identifier: Apache-2.0 */
/* A decision comes to be: number, incident, what is to be done, why; into the queue. */
#include "decide/internal.h"

bool km_decide_room(const struct km_decide *d)
{
	return d->queued + KM_SAY_MAX <= KM_DECISIONS_QUEUED_MAX;
}

static void queue(struct km_decide *d, const struct km_decision *decision)
{
	if (d->queued == KM_DECISIONS_QUEUED_MAX) {
		km_decide_meta(d)->unsaid++;
		return;
	}
	memcpy(&d->queue[(d->head + d->queued) % KM_DECISIONS_QUEUED_MAX], decision,
	       sizeof(*decision));
	d->queued++;
}

/* Who waits for what it needs has no incident of its own. */
static uint64_t incident_of(const struct km_move *m)
{
	bool needs = m->looked && !(m->passed & 1U << KM_GUARD_NEEDS);
	const struct km_service *root = needs ? km_depend_root(m) : NULL;
	uint64_t id;

	if (!root)
		return km_incident_of(m->d, m->r->service_id, m->r->rule_key, m->w->now_ns);
	id = km_incident_of(m->d, root->id, m->r->rule_key, m->w->now_ns);
	km_incident_join(m->d, m->r->service_id, m->r->rule_key, id, m->w->now_ns);
	return id;
}

uint64_t km_decide_incident(struct km_move *m)
{
	if (m->r->incident_id)
		km_incident_touch(m->d, m->r->service_id, m->r->rule_key, m->w->now_ns);
	else
		m->r->incident_id = incident_of(m);
	return m->r->incident_id;
}

static void place(struct km_move *m, struct km_decision *d)
{
	d->incident_id = km_decide_incident(m);
	d->id = ++km_decide_meta(m->d)->decisions;
	d->t_ns = m->w->now_ns;
}

static bool has_verb(enum km_answer answer)
{
	return answer != KM_ANSWER_QUARANTINE && answer != KM_ANSWER_ESCALATE &&
	       answer != KM_ANSWER_RELEASE;
}

static void what(const struct km_move *m, struct km_decision *d)
{
	const struct km_step *step = has_verb(d->answer) ? km_plan_step(m) : NULL;

	d->step = m->r->step;
	d->attempt = has_verb(d->answer) || !m->r->acts ? m->r->acts + 1 : m->r->acts;
	d->verb = step ? step->verb : KM_VERB_NONE;
	d->signal = step ? step->signal : 0;
	d->args = step ? km_plan_args(m) : (struct km_verb_args){ 0 };
	if (m->undo_id) {
		d->verb = KM_UNDO;
		d->signal = 0;
		d->args = (struct km_verb_args){ .amount = m->undo_id };
	}
	d->timeout_ns = step ? step->timeout_ns : 0;
	d->tgid = 0;
	d->start_ns = 0;
	if (m->service && m->service->state == KM_SERVICE_UP) {
		d->tgid = m->service->main_tgid;
		d->start_ns = m->service->main_start_ns;
	}
}

static uint64_t due_of(const struct km_move *m, enum km_answer answer)
{
	if (answer == KM_ANSWER_ASK || answer == KM_ANSWER_LATER)
		return m->r->due_ns;
	return answer == KM_ANSWER_NO && m->r->state == KM_R_BACKOFF ? m->until_ns : 0;
}

void km_decide_say(struct km_move *m, enum km_answer answer)
{
	struct km_decision *d = &m->r->last;

	place(m, d);
	d->answer = answer;
	what(m, d);
	d->guard = m->looked ? m->guard : KM_GUARD_MAX;
	d->guards_passed = m->looked ? m->passed : 0;
	d->due_ns = due_of(m, answer);
	memset(d->rules_digest, 0, sizeof(d->rules_digest));
	if (m->d->rules)
		memcpy(d->rules_digest, m->d->rules->digest, sizeof(d->rules_digest));
	km_reason_write(m, d);
	queue(m->d, d);
}
