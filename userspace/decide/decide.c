/* SPDX-License-Identifier: Apache-2.0 */
/* Entry points: what happened becomes an event of one repair's life. */
#include <stdio.h>

#include "decide/internal.h"

struct km_decide *km_decide_free(struct km_decide *d)
{
	if (!d)
		return NULL;
	for (unsigned int i = 0; i < KM_T_MAX; i++)
		km_table_free(d->table[i]);
	free(d->queue);
	free(d);
	return NULL;
}

int km_decide_new(struct km_decide **ret)
{
	km_autofree(km_decide_freep) struct km_decide *d = calloc(1, sizeof(*d));
	int r;

	if (!d)
		return -ENOMEM;
	d->queue = calloc(KM_DECISIONS_QUEUED_MAX, sizeof(*d->queue));
	if (!d->queue)
		return -ENOMEM;
	for (unsigned int i = 0; i < KM_T_MAX; i++) {
		r = km_table_new(&km_decide_table_opts[i], &d->table[i]);
		if (r < 0)
			return r;
	}
	*ret = km_take(d);
	return 0;
}

void km_decide_configure(struct km_decide *d, const struct km_config *config,
                         const struct km_policy *policy, const struct km_rules *rules)
{
	d->config = config;
	d->policy = policy;
	d->rules = rules;
}

static struct km_repair *repair_of(const struct km_decide *d, uint64_t service_id,
                                   uint64_t rule_key)
{
	uint64_t key[2] = { service_id, rule_key };

	return km_table_get(d->table[KM_T_REPAIR], key);
}

static struct km_repair *repair_by_act(const struct km_decide *d, uint64_t id)
{
	struct km_repair *r;
	uint32_t slot = 0;

	while ((r = km_table_next(d->table[KM_T_REPAIR], &slot)))
		if (id && r->acted_id == id)
			return r;
	return NULL;
}

/* A new repair, or one on the stack that is only said. */
static void begin(struct km_repair *r, const struct km_service *s, const struct km_rule *rule,
                  uint64_t now_ns)
{
	r->service_id = s->id;
	r->rule_key = rule->key;
	r->state = KM_R_PLANNED;
	r->held = KM_GUARD_MAX;
	r->planned_ns = now_ns;
	r->evidence_ns = now_ns;
	r->last.service_id = s->id;
	r->last.rule_key = rule->key;
	km_copy(r->last.service, sizeof(r->last.service), s->name);
	km_copy(r->last.rule, sizeof(r->last.rule), rule->id);
}

static void take_evidence(struct km_repair *r, const struct km_service *s, const struct km_match *m,
                          uint64_t now_ns)
{
	struct km_decision *d = &r->last;

	r->evidence_ns = m->forecast ? m->forecast->t_ns : now_ns;
	d->line = m->line;
	d->event = m->event;
	d->has_forecast = m->forecast ? 1 : 0;
	memset(r->endpoint, 0, sizeof(r->endpoint));
	if (m->endpoint)
		km_copy(r->endpoint, sizeof(r->endpoint), m->endpoint);
	memset(&d->forecast, 0, sizeof(d->forecast));
	memset(&d->ending, 0, sizeof(d->ending));
	if (m->forecast)
		memcpy(&d->forecast, m->forecast, sizeof(d->forecast));
	if (m->event == KM_EV_ENDED)
		memcpy(&d->ending, &s->last, sizeof(d->ending));
}

/* The rule does not speak: what waits for the cause to be acted on has none any more. An event was
 * true when it happened; something not measured may well be true. */
static int stopped(struct km_decide *d, const struct km_decide_world *w, const struct km_match *m)
{
	struct km_repair *r;
	struct km_move move;

	if (m->scoped && m->spoke != KM_FALSE)
		return 0;
	/* nearly always, for each rule on each service: nothing is open, nothing was said */
	if (!km_table_count(d->table[KM_T_REPAIR]) && !km_table_count(d->table[KM_T_SAID]))
		return 0;
	r = repair_of(d, m->service_id, m->rule->key);
	km_said_stopped(d, m->service_id, m->rule, w->now_ns);
	if (!r || r->state == KM_R_ACTING || r->state == KM_R_VERIFYING)
		return 0;
	if ((m->scoped && !km_repair_lasting(r)) || !km_decide_room(d))
		return 0;
	km_plan_move(d, w, r, &move);
	return km_repair_fire(&move, KM_E_CANCELLED);
}

static int say_only(struct km_decide *d, const struct km_decide_world *w, const struct km_match *m,
                    const struct km_service *s)
{
	bool suggest = km_track_mode(d, m->rule) == KM_SUGGEST;
	struct km_repair r;
	struct km_move move;

	memset(&r, 0, sizeof(r));
	begin(&r, s, m->rule, w->now_ns);
	if (!km_said_once(d, &r, suggest ? KM_SAID_SUGGEST : KM_SAID_OBSERVE, w->now_ns))
		return 0;
	take_evidence(&r, s, m, w->now_ns);
	km_plan_move(d, w, &r, &move);
	move.rule = m->rule;
	km_guard_look(&move);
	km_decide_say(&move, suggest ? KM_ANSWER_SUGGEST : KM_ANSWER_OBSERVE);
	return 0;
}

static int speaks_again(struct km_move *move, const struct km_match *m)
{
	struct km_repair *r = move->r;

	/* While the act is under way or looked at, a rule that only goes on speaking says nothing
	 * new. */
	if ((r->state == KM_R_ACTING || r->state == KM_R_VERIFYING) && m->event == KM_EV_NONE)
		return 0;
	if (r->state != KM_R_ACTING)
		take_evidence(r, move->service, m, move->w->now_ns);
	return km_repair_fire(move, KM_E_AGAIN);
}

int km_decide_match(struct km_decide *d, const struct km_decide_world *w, const struct km_match *m)
{
	uint64_t key[2] = { m->service_id, m->rule->key };
	const struct km_service *s;
	struct km_repair *r;
	struct km_move move;
	int fresh;

	if (!m->scoped || m->spoke != KM_TRUE)
		return stopped(d, w, m);
	s = km_attribute_service(w->attribute, m->service_id);
	/* What kmend itself ended is its own act's business. */
	if (!s || (m->event == KM_EV_ENDED && s->last.asked))
		return 0;
	if (!km_decide_room(d)) {
		km_decide_count_full(d);
		return 0;
	}
	if (km_track_mode(d, m->rule) < KM_APPROVE)
		return say_only(d, w, m, s);
	fresh = km_table_put(d->table[KM_T_REPAIR], key, &r);
	if (fresh < 0) {
		km_decide_count_full(d);
		return fresh == -ENOSPC ? 0 : fresh;
	}
	if (fresh) {
		begin(r, s, m->rule, w->now_ns);
		take_evidence(r, s, m, w->now_ns);
	}
	km_plan_move(d, w, r, &move);
	if (fresh && m->event == KM_EV_ENDED)
		km_storm_note(d, s->id, w->now_ns);
	return fresh ? km_repair_consider(&move) : speaks_again(&move, m);
}

bool km_decide_keeps(const struct km_decide *d, uint64_t service_id, uint64_t rule_key)
{
	const uint64_t key[2] = { service_id, rule_key };

	return km_table_get(d->table[KM_T_REPAIR], key) || km_table_get(d->table[KM_T_SAID], key);
}

static const enum km_repair_event event_of[KM_OUT_STATE_MAX] = {
	[KM_OUT_REFUSED] = KM_E_REFUSED,   [KM_OUT_DONE] = KM_E_DONE,
	[KM_OUT_FAILED] = KM_E_FAILED,     [KM_OUT_UNKNOWN] = KM_E_UNSURE,
	[KM_OUT_NOT_DONE] = KM_E_NOT_DONE,
};

static const char *const outcome_says[KM_OUT_STATE_MAX] = {
	[KM_OUT_REFUSED] = "the actor refused",
	[KM_OUT_DONE] = "done",
	[KM_OUT_FAILED] = "the act failed",
	[KM_OUT_UNKNOWN] = "nobody knows whether it was done",
	[KM_OUT_NOT_DONE] = "it was not done",
};

static void ids_used(struct km_decide *d, uint64_t id)
{
	struct km_meta *meta = km_decide_meta(d);

	if (id > meta->decisions)
		meta->decisions = id;
}

int km_decide_outcome(struct km_decide *d, const struct km_decide_world *w,
                      const struct km_raw_outcome *o)
{
	struct km_repair *r;
	struct km_move move;
	char note[128];

	if (o->state >= KM_OUT_ADOPTED)
		return 0;
	ids_used(d, o->intent_id);
	r = repair_by_act(d, o->intent_id);
	if (!r)
		return 0;
	km_plan_move(d, w, r, &move);
	snprintf(note, sizeof(note), "%s%s%.80s", outcome_says[o->state], o->detail[0] ? ", " : "",
	         o->detail);
	if (o->state != KM_OUT_DONE)
		move.note = note;
	return km_repair_fire(&move, event_of[o->state]);
}

static const enum km_repair_event verdict_event[KM_VERDICT_MAX] = {
	[KM_HELPED] = KM_E_HELPFUL,
	[KM_DID_NOT_HELP] = KM_E_NOT_HELPFUL,
	[KM_VERDICT_NOT_MEASURED] = KM_E_UNMEASURED,
};

/* Said as a decision of its own, in the incident of the act that was one too many. */
static void say_demoted(const struct km_move *m)
{
	struct km_repair r = *m->r;
	struct km_move move = *m;
	char note[96];

	snprintf(note, sizeof(note),
	         "the rule only suggests from now on, %d of its last %d repairs did not help",
	         KM_TRACK_FAILURES, KM_TRACK_VERDICTS);
	move.r = &r;
	move.note = note;
	km_decide_say(&move, KM_ANSWER_ESCALATE);
}

int km_decide_verdict(struct km_decide *d, const struct km_decide_world *w, uint64_t decision_id,
                      enum km_verdict_kind verdict)
{
	struct km_repair *r = repair_by_act(d, decision_id);
	struct km_move move;

	if ((unsigned int)verdict >= KM_VERDICT_MAX)
		return -EINVAL;
	/* The repair went on without waiting for it. */
	if (!r)
		return 0;
	km_plan_move(d, w, r, &move);
	if (r->shadow != KM_SHADOW_NOW && km_track_verdict(&move, verdict))
		say_demoted(&move);
	move.note = "it did not help";
	return km_repair_fire(&move, verdict_event[verdict]);
}

static int answer(struct km_decide *d, const struct km_decide_world *w, struct km_repair *r,
                  const struct km_raw_command *c)
{
	struct km_move move;
	char note[64];

	km_plan_move(d, w, r, &move);
	if (r->due_ns <= w->now_ns)
		return km_repair_fire(&move, KM_E_DEADLINE);
	if (c->command == KM_CMD_DENY) {
		snprintf(note, sizeof(note), "denied by uid %u", c->uid);
		move.note = note;
		move.by_operator = true;
		km_guard_look(&move);
		return km_repair_fire(&move, KM_E_DENIED);
	}
	if (!km_guard_trigger_holds(&move))
		return km_repair_fire(&move, KM_E_CANCELLED);
	move.approved = true;
	return km_repair_consider(&move);
}

int km_decide_command(struct km_decide *d, const struct km_decide_world *w,
                      const struct km_raw_command *c)
{
	struct km_quarantine *q;
	struct km_repair *r;
	uint32_t slot = 0;

	if (c->command == KM_CMD_IDS_USED) {
		ids_used(d, c->decision_id);
		return 0;
	}
	if (c->command != KM_CMD_APPROVE && c->command != KM_CMD_DENY)
		return -EBADMSG;
	while ((r = km_table_next(d->table[KM_T_REPAIR], &slot)))
		if (r->state == KM_R_APPROVAL && r->last.id == c->decision_id)
			return answer(d, w, r, c);
	q = km_quarantine_by_decision(d, c->decision_id);
	if (q && c->command == KM_CMD_APPROVE)
		return km_quarantine_release(d, w, q, c->uid);
	return -EBADMSG;
}

static bool is_waiting(const struct km_repair *r)
{
	return r->state == KM_R_APPROVAL || r->state == KM_R_BACKOFF || r->state == KM_R_RESTING;
}

/* Nobody will say any more that its cause is gone. */
static bool is_void(const struct km_decide *d, const struct km_decide_world *w,
                    const struct km_repair *r)
{
	if (!km_plan_rule(d, r->rule_key))
		return true;
	return km_repair_lasting(r) && !km_attribute_service(w->attribute, r->service_id);
}

static void tick_repair(struct km_decide *d, const struct km_decide_world *w, struct km_repair *r)
{
	struct km_move move;

	if (is_waiting(r) && is_void(d, w, r)) {
		km_plan_move(d, w, r, &move);
		km_repair_fire(&move, KM_E_CANCELLED);
	} else if (r->due_ns && r->due_ns <= w->now_ns) {
		km_plan_move(d, w, r, &move);
		if (r->state == KM_R_ACTING)
			move.note = "the actor did not answer";
		km_repair_fire(&move, r->state == KM_R_BACKOFF ? KM_E_DUE : KM_E_DEADLINE);
	}
}

int km_decide_tick(struct km_decide *d, const struct km_decide_world *w)
{
	struct km_meta *meta = km_decide_meta(d);
	struct km_repair *r;
	uint32_t slot = 0;

	while ((r = km_table_next(d->table[KM_T_REPAIR], &slot))) {
		if (!km_decide_room(d))
			return 0;
		tick_repair(d, w, r);
	}
	km_storm_tick(d, w);
	if (w->now_ns >= meta->sweep_ns) {
		meta->sweep_ns = w->now_ns + KM_SWEEP_NS;
		km_budget_sweep(d, w->now_ns);
		km_backoff_sweep(d, w);
		km_incident_sweep(d, w->now_ns);
		km_said_sweep(d, w->now_ns);
		km_track_sweep(d);
		km_maintain_sweep(d, w->now_ns);
		km_depth_sweep(d, w->now_ns);
	}
	return 0;
}

/* It was in order until it ended, perhaps with kmendd itself: only the back-off of repairs before
 * that keeps a rule waiting. */
static bool waits_in_good_order(const struct km_repair *r)
{
	return r->state == KM_R_BACKOFF && r->held == KM_GUARD_MAX && !r->acts;
}

/* A rule has this service in hand: it is not a first start. */
static bool in_hand(const struct km_decide *d, uint64_t service_id)
{
	const struct km_repair *r;
	uint32_t slot = 0;

	while ((r = km_table_next(d->table[KM_T_REPAIR], &slot)))
		if (r->service_id == service_id && r->state != KM_R_RESTING &&
		    !waits_in_good_order(r))
			return true;
	return false;
}

int km_decide_absent(struct km_decide *d, const struct km_decide_world *w,
                     const struct km_service *service)
{
	const struct km_service_def *def =
		d->config ? km_config_service(d->config, service->name) : NULL;
	uint64_t key[2] = { service->id, 0 };
	struct km_repair *r;
	struct km_move move;
	int ret;

	if (!def || def->kind != KM_BY_COMMAND || !def->autostart ||
	    service->state == KM_SERVICE_UP || in_hand(d, service->id))
		return 0;
	ret = km_table_put(d->table[KM_T_REPAIR], key, &r);
	if (ret < 0) {
		km_decide_count_full(d);
		return ret == -ENOSPC ? 0 : ret;
	}
	begin(r, service, &km_plan_definition, w->now_ns);
	km_plan_move(d, w, r, &move);
	return km_repair_consider(&move);
}

uint64_t km_decide_due_ns(const struct km_decide *d)
{
	const struct km_repair *r;
	uint64_t due = 0;
	uint32_t slot = 0;

	while ((r = km_table_next(d->table[KM_T_REPAIR], &slot)))
		if (r->due_ns && (!due || r->due_ns < due))
			due = r->due_ns;
	return due;
}

const struct km_decision *km_decide_next(struct km_decide *d)
{
	const struct km_decision *decision;

	if (!d->queued)
		return NULL;
	decision = &d->queue[d->head];
	d->head = (d->head + 1) % KM_DECISIONS_QUEUED_MAX;
	d->queued--;
	return decision;
}

bool km_decide_quarantined(const struct km_decide *d, uint64_t service_id)
{
	return km_quarantine_has(d, service_id);
}

const struct km_decision *km_decide_verifying(const struct km_decide *d, uint64_t decision_id)
{
	const struct km_repair *r = repair_by_act(d, decision_id);

	return r && r->state == KM_R_VERIFYING ? &r->last : NULL;
}

bool km_decide_acting(const struct km_decide *d, uint64_t decision_id)
{
	const struct km_repair *r = repair_by_act(d, decision_id);

	return r && r->state == KM_R_ACTING;
}

const struct km_decision *km_decide_waiting(const struct km_decide *d, uint32_t *slot)
{
	const struct km_repair *r;

	while ((r = km_table_next(d->table[KM_T_REPAIR], slot)))
		if (r->state == KM_R_APPROVAL)
			return &r->last;
	return NULL;
}

size_t km_decide_tables(struct km_decide *d, struct km_table **ret, size_t max)
{
	size_t n = 0;

	for (; n < KM_T_MAX && n < max; n++)
		ret[n] = d->table[n];
	return n;
}
