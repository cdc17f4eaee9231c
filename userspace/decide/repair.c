/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a repair: one state-by-event table. A step may drop the row: nothing of the repair is
 * looked at behind a step that settles. */
#include "decide/internal.h"

const char *const km_repair_state_names[KM_REPAIR_STATE_MAX + 1] = {
	[KM_R_PLANNED] = "planned", [KM_R_APPROVAL] = "approval",   [KM_R_BACKOFF] = "backoff",
	[KM_R_ACTING] = "acting",   [KM_R_VERIFYING] = "verifying", [KM_R_RESTING] = "resting",
};

bool km_repair_lasting(const struct km_repair *r)
{
	return r->last.event == KM_EV_NONE && r->rule_key != 0;
}

/* A repair of the service is over: who was held by it need not wait any longer. */
static void wake_held(const struct km_move *m, uint64_t service_id)
{
	struct km_repair *r;
	uint32_t slot = 0;

	while ((r = km_table_next(m->d->table[KM_T_REPAIR], &slot)))
		if (r->service_id == service_id && r->state == KM_R_BACKOFF &&
		    r->held == KM_GUARD_BUSY)
			r->due_ns = m->w->now_ns;
}

static int settle(struct km_move *m)
{
	uint64_t key[2] = { m->r->service_id, m->r->rule_key };

	km_table_drop(m->d->table[KM_T_REPAIR], key);
	m->r = NULL;
	wake_held(m, key[0]);
	km_storm_wake(m);
	return 0;
}

/* A rule that goes on speaking must not begin the same again. */
static int over(struct km_move *m)
{
	if (!km_repair_lasting(m->r))
		return settle(m);
	m->r->state = KM_R_RESTING;
	m->r->due_ns = 0;
	m->r->acted_id = 0;
	wake_held(m, m->r->service_id);
	km_storm_wake(m);
	return 0;
}

static int keep(struct km_move *m)
{
	(void)m;
	return 0;
}

static void say_no_once(struct km_move *m)
{
	if (km_said_once(m->d, m->r, m->guard, m->w->now_ns))
		km_decide_say(m, KM_ANSWER_NO);
}

/* What the rule wants where its plan has come to its end without help. */
static void say_otherwise(struct km_move *m, enum km_otherwise otherwise)
{
	int quarantine = -1;

	if (otherwise == KM_ELSE_QUARANTINE)
		quarantine = km_quarantine_begin(m);
	km_decide_say(m, KM_ANSWER_ESCALATE);
	if (quarantine > 0)
		km_quarantine_cancel_waiting(m);
}

static int conclude_as(struct km_move *m, enum km_otherwise otherwise)
{
	say_otherwise(m, otherwise);
	return over(m);
}

static int conclude(struct km_move *m)
{
	return conclude_as(m, m->rule ? m->rule->otherwise : KM_ELSE_NEXT);
}

static int spent(struct km_move *m)
{
	say_no_once(m);
	return conclude(m);
}

static int plan_anew(struct km_move *m)
{
	struct km_repair *r = m->r;

	r->state = KM_R_PLANNED;
	r->due_ns = 0;
	r->acted_id = 0;
	r->planned_ns = m->w->now_ns;
	m->note = NULL;
	return km_repair_consider(m);
}

/* What the step that has just been tried wants. */
static enum km_otherwise on_failure(const struct km_move *m)
{
	const struct km_step *step = km_plan_step(m);

	return step ? step->on_failure : KM_ELSE_NEXT;
}

/* From one rung to the next, or to the end of the ladder. What brought us here is evidence, too. */
static int next_rung(struct km_move *m)
{
	enum km_otherwise otherwise = on_failure(m);

	m->r->evidence_ns = m->w->now_ns;
	if (otherwise != KM_ELSE_NEXT)
		return conclude_as(m, otherwise);
	if (!m->rule || m->r->step + 1 >= m->rule->steps)
		return conclude(m);
	m->r->step++;
	return plan_anew(m);
}

/* What has done no good does only harm; it would go back by itself, but later. A limit that was
 * raised harms nobody and stays. */
static bool is_to_be_taken_back(const struct km_move *m)
{
	enum km_verb verb = m->r->last.verb;

	return m->rule && (verb == KM_THROTTLE || verb == KM_FREEZE || verb == KM_RENICE) &&
	       !km_decide_paused_ns(m->d);
}

static int roll_back(struct km_move *m)
{
	struct km_repair *r = m->r;

	m->undo_id = r->acted_id;
	m->note = "taken back, it did not help";
	km_decide_say(m, KM_ANSWER_ACT);
	r->rolls_back = 1;
	r->state = KM_R_ACTING;
	r->acted_id = r->last.id;
	r->due_ns = m->w->now_ns + r->last.timeout_ns + KM_GRACE_NS;
	return 0;
}

/* Looked at like an act, of which nothing is to be awaited: it is for phase 9 at once. */
static int shadow(struct km_move *m)
{
	struct km_repair *r = m->r;

	r->shadow = KM_SHADOW_NOW;
	km_decide_say(m, KM_ANSWER_SHADOW);
	r->state = KM_R_VERIFYING;
	r->acted_id = r->last.id;
	r->due_ns = m->w->now_ns + KM_VERDICT_NS + m->rule->verify.within_ns;
	return 0;
}

static int act(struct km_move *m)
{
	const struct km_step *step = km_plan_step(m);
	struct km_repair *r = m->r;
	bool last = r->step + 1 == m->rule->steps;

	if (km_shadow_is(m))
		return shadow(m);
	km_decide_say(m, KM_ANSWER_ACT);
	km_budget_note(m);
	km_backoff_note(m);
	km_said_forget(m->d, r->service_id, r->rule_key);
	r->state = KM_R_ACTING;
	r->acted_id = r->last.id;
	r->due_ns = m->w->now_ns + step->timeout_ns + KM_GRACE_NS;
	if (step->verb != KM_NOTIFY) {
		r->acts++;
	} else if (last && m->rule->otherwise != KM_ELSE_NEXT) {
		/* Nothing is to be awaited from a notification. */
		r->concluded = 1;
		say_otherwise(m, m->rule->otherwise);
	}
	return 0;
}

static int refuse(struct km_move *m)
{
	if (m->by_operator) {
		km_decide_say(m, KM_ANSWER_NO);
		return over(m);
	}
	say_no_once(m);
	return settle(m);
}

static int ask(struct km_move *m)
{
	m->r->state = KM_R_APPROVAL;
	m->r->due_ns = m->w->now_ns + m->rule->guard.approval_ns;
	km_decide_say(m, KM_ANSWER_ASK);
	return 0;
}

static int hold(struct km_move *m)
{
	m->r->state = KM_R_BACKOFF;
	m->r->due_ns = m->until_ns;
	m->r->held = m->guard;
	if (m->guard == KM_GUARD_MAX)
		km_decide_say(m, KM_ANSWER_LATER);
	else if (m->guard != KM_GUARD_NEEDS || !km_depend_listens(m))
		say_no_once(m);
	return 0;
}

static int cancel(struct km_move *m)
{
	if (m->guard == KM_GUARD_MAX) {
		km_guard_look(m);
		m->guard = KM_GUARD_FRESH;
		m->note = m->rule ? "the cause is gone" : "the rule was removed";
	}
	m->passed &= ~(1U << m->guard);
	/* What waited was said: so is its end. The same refusal behind it is not said again. */
	km_said_once(m->d, m->r, m->guard, m->w->now_ns);
	km_decide_say(m, KM_ANSWER_NO);
	return settle(m);
}

static int expire(struct km_move *m)
{
	km_guard_look(m);
	m->guard = KM_GUARD_MODE;
	m->note = "nobody approved it in time";
	km_decide_say(m, KM_ANSWER_NO);
	return settle(m);
}

static int due(struct km_move *m)
{
	if (!km_guard_trigger_holds(m))
		return km_repair_fire(m, KM_E_CANCELLED);
	return km_repair_consider(m);
}

static bool starts(const struct km_move *m)
{
	return m->r->last.verb == KM_START || m->r->last.verb == KM_RESTART;
}

static int not_helpful(struct km_move *m)
{
	struct km_repair *r = m->r;
	bool rung_left = m->rule && r->step + 1 < m->rule->steps;
	bool down = m->service && m->service->state == KM_SERVICE_DOWN;

	/* A first start that did not last is a matter for rules about how services end. */
	if (!r->rule_key || !m->rule)
		return settle(m);
	/* Nothing was done so far: now it is. */
	if (r->shadow == KM_SHADOW_NOW) {
		r->shadow = KM_SHADOW_OVER;
		return km_guard_trigger_holds(m) ? plan_anew(m) : settle(m);
	}
	if (is_to_be_taken_back(m))
		return roll_back(m);
	if (down && r->last.event == KM_EV_ENDED)
		r->last.ending = m->service->last;
	/* An end that the rule is about: once more, later. */
	if (!rung_left && down && r->last.event == KM_EV_ENDED && on_failure(m) == KM_ELSE_NEXT &&
	    (m->rule->guard.backoff_base_ns || starts(m))) {
		m->repeats = true;
		return plan_anew(m);
	}
	return next_rung(m);
}

static int notified(struct km_move *m)
{
	if (m->r->concluded)
		return over(m);
	if (m->rule && m->r->step + 1 < m->rule->steps)
		return next_rung(m);
	if (!m->rule || km_plan_only_notifies(m->rule))
		return over(m);
	return conclude(m);
}

static int done(struct km_move *m)
{
	struct km_repair *r = m->r;
	if (r->rolls_back) {
		r->rolls_back = 0;
		return next_rung(m);
	}
	if (r->concluded || r->last.verb == KM_NOTIFY)
		return notified(m);
	/* Neither is meant to help by itself: what comes behind it is. */
	if (r->last.verb == KM_CAPTURE || r->last.verb == KM_ROTATE)
		return next_rung(m);
	r->state = KM_R_VERIFYING;
	r->due_ns = m->w->now_ns + KM_VERDICT_NS + (m->rule ? m->rule->verify.within_ns : 0);
	km_storm_wake(m);
	return 0;
}

/* Never once more by itself: it may have happened. */
static int give_up(struct km_move *m)
{
	if (!m->r->concluded)
		km_decide_say(m, KM_ANSWER_ESCALATE);
	return over(m);
}

static int failed(struct km_move *m)
{
	if (m->r->rolls_back)
		return give_up(m);
	return m->r->concluded ? over(m) : next_rung(m);
}

static int refused(struct km_move *m)
{
	if (!m->r->concluded && km_said_once(m->d, m->r, KM_SAID_ESCALATE, m->w->now_ns))
		km_decide_say(m, KM_ANSWER_ESCALATE);
	return over(m);
}

static int not_done(struct km_move *m)
{
	if (m->r->rolls_back)
		return give_up(m);
	if (m->r->concluded)
		return over(m);
	if (m->r->acts && m->r->last.verb != KM_NOTIFY)
		m->r->acts--;
	return km_guard_trigger_holds(m) ? plan_anew(m) : settle(m);
}

/* A rule that rests after a forecast and now speaks because of an event has a new cause. */
static int rest_again(struct km_move *m)
{
	if (km_repair_lasting(m->r))
		return 0;
	m->r->step = 0;
	m->r->acts = 0;
	m->r->shadow = 0;
	m->r->rolls_back = 0;
	m->r->concluded = 0;
	return plan_anew(m);
}

/* Rows are states, columns are events. NULL: cannot happen, counted and refused. */
typedef int (*km_repair_step)(struct km_move *m);
static const km_repair_step next[KM_REPAIR_STATE_MAX][KM_REPAIR_EVENT_MAX] = {
	[KM_R_PLANNED] = {
		[KM_E_GRANTED] = act,       [KM_E_DENIED] = refuse,     [KM_E_ASKED] = ask,
		[KM_E_HELD] = hold,         [KM_E_SPENT] = spent,       [KM_E_CANCELLED] = settle,
	},
	[KM_R_APPROVAL] = {
		[KM_E_GRANTED] = act,       [KM_E_DENIED] = refuse,     [KM_E_SPENT] = spent,
		[KM_E_DEADLINE] = expire,   [KM_E_CANCELLED] = cancel,  [KM_E_AGAIN] = keep,
	},
	[KM_R_BACKOFF] = {
		[KM_E_GRANTED] = act,       [KM_E_DENIED] = refuse,     [KM_E_ASKED] = ask,
		[KM_E_HELD] = hold,         [KM_E_SPENT] = spent,       [KM_E_DUE] = due,
		[KM_E_CANCELLED] = cancel,  [KM_E_AGAIN] = keep,
	},
	[KM_R_ACTING] = {
		[KM_E_DONE] = done,         [KM_E_FAILED] = failed,     [KM_E_REFUSED] = refused,
		[KM_E_UNSURE] = give_up,    [KM_E_NOT_DONE] = not_done, [KM_E_DEADLINE] = give_up,
		[KM_E_AGAIN] = keep,
	},
	[KM_R_VERIFYING] = {
		[KM_E_HELPFUL] = settle,    [KM_E_NOT_HELPFUL] = not_helpful,
		[KM_E_UNMEASURED] = settle, [KM_E_DEADLINE] = settle,   [KM_E_AGAIN] = not_helpful,
	},
	[KM_R_RESTING] = {
		[KM_E_CANCELLED] = settle,  [KM_E_AGAIN] = rest_again,
	},
};

bool km_repair_known(enum km_repair_state state, enum km_repair_event event)
{
	return next[state][event];
}

int km_repair_fire(struct km_move *m, enum km_repair_event event)
{
	km_repair_step step = next[m->r->state][event];

	if (!step) {
		km_decide_meta(m->d)->impossible++;
		return -EBADMSG;
	}
	return step(m);
}
