// SPDX-License-Identifier: Apache-2.0
/* The checks of a request, all of them here and again: the engine has made the same ones, and may
 * be broken. */
#include "act/internal.h"
#include "base/fs.h"
#include "base/text.h"

void km_act_find(struct km_act *act)
{
	const char *name = act->rec.service;

	act->def = km_config_service(act->actor->o.config, name);
	act->child = km_command_child(act->actor, name);
	if (act->def && act->def->kind == KM_BY_UNIT)
		act->unit = act->def->match;
	else if (!act->def && km_text_is_unit(name))
		act->unit = name;
}

static const char *check_form(struct km_act *act)
{
	const struct km_journal_record *q = &act->rec;
	struct km_verb_args args = { .amount = q->amount, .duration_ns = q->duration_ns };

	memcpy(args.object, q->object, sizeof(args.object));
	if (q->intent_id <= act->actor->last_intent_id)
		return "intent is not a new one";
	if (q->verb == KM_VERB_NONE || q->verb >= KM_VERB_MAX)
		return "no such verb";
	if (!q->service[0])
		return "no service named";
	if (act->deadline_ns == 0 || act->deadline_ns > KM_ACT_TIMEOUT_MAX_NS)
		return "time-out out of range";
	if (q->verb == KM_SEND_SIGNAL && (q->signal < 1 || q->signal > SIGRTMAX))
		return "no such signal";
	return km_verb_fault((enum km_verb)q->verb, &args);
}

/* Which service it is, and whether the verb is one for its kind. */
static const char *check_service(struct km_act *act)
{
	const struct km_act_verb *v = &km_act_verbs[act->rec.verb];

	km_act_find(act);
	if (v->counted && !act->def && !act->unit && !km_verb_of_host((enum km_verb)act->rec.verb))
		return "service not known";
	act->begin = act->child && v->command ? v->command
	             : act->unit && v->unit   ? v->unit
	             : v->process             ? v->process
	                                      : v->job;
	return act->begin ? NULL : "cannot be done to this kind of service";
}

static const char *check_policy(struct km_act *act)
{
	const struct km_policy *p = act->actor->o.policy;
	enum km_verb verb = (enum km_verb)act->rec.verb;
	const char *pause = act->actor->o.pause_file;

	if (verb != KM_NOTIFY && (p->pause || (pause && !km_fs_absent(pause))))
		return "acts are paused";
	/* A harmless name does not make a protected program one's own. */
	if (act->def ? km_policy_allows_def(p, verb, act->def)
	             : km_policy_allows(p, verb, act->rec.service))
		return NULL;
	return act->unit && km_policy_protects(p, act->unit) ? "service is protected"
	                                                     : "the policy does not allow it";
}

/* A stop or restart is of the process that was looked at, not of one that came after it. */
static const char *check_process(struct km_act *act)
{
	const struct km_journal_record *q = &act->rec;
	const struct km_child *c = act->child;

	if (!c || !c->tgid || !q->tgid ||
	    (q->verb != KM_STOP && q->verb != KM_RESTART && q->verb != KM_KILL))
		return NULL;
	if (q->tgid == c->tgid && (!q->start_ns || km_identity_same(q->start_ns, c->start_ns)))
		return NULL;
	return "another process runs there by now";
}

static const char *check_busy(struct km_act *act)
{
	const struct km_actor *a = act->actor;
	bool room = act->begin == km_act_verbs[act->rec.verb].process;

	for (int i = 0; i < KM_ACTS_MAX && act->rec.verb != KM_NOTIFY; i++) {
		if (a->act[i].phase == KM_ACT_FREE)
			room = true;
		else if (strcmp(a->act[i].rec.service, act->rec.service) == 0)
			return "an act on this service is under way";
	}
	return room ? NULL : "too many acts are under way";
}

static const char *check_budget(struct km_act *act)
{
	struct km_actor *a = act->actor;
	int64_t now = (int64_t)km_now_ns();

	if (km_chain_room(a->journal) < KM_ACT_RECORDS * (KM_ACTS_MAX + 1))
		return "the journal has no room for it";
	if (!km_act_verbs[act->rec.verb].counted)
		return km_budget_said(&a->said, "notices", now) ? NULL : "too many notices";
	/* The first start in this boot is the definition's, not a repair. */
	act->rec.state = !(act->rec.verb == KM_START && act->child && !act->child->started);
	if (act->rec.state && km_policy_maintains(a->o.policy, act->rec.service, time(NULL)))
		return "people work on it at this time";
	return act->rec.state ? km_budget_refuses(&a->budgets, a->o.policy, act->rec.service, now)
	                      : NULL;
}

/* In this order; the first that speaks is the reason. */
static const struct {
	int error;
	const char *(*check)(struct km_act *act);
} checks[] = {
	{ -EINVAL, check_form },   { -ENOENT, check_service }, { -EPERM, check_policy },
	{ -ESRCH, check_process }, { -EBUSY, check_busy },     { -EDQUOT, check_budget },
};

/* Always answered; written down at a bounded rate, or a broken engine would push the acts out of
 * the journal. */
static void refuse(struct km_act *act, int error, const char *why)
{
	act->child = NULL;
	act->quiet = !km_budget_said(&act->actor->said, "refusals", (int64_t)km_now_ns());
	km_act_finish(act, KM_OUT_REFUSED, error, why);
}

static void accept(struct km_act *act)
{
	struct km_actor *a = act->actor;
	struct km_act *slot = a->act;

	a->last_intent_id = act->rec.intent_id;
	if (act->rec.state)
		km_budget_charge(&a->budgets, act->rec.service, (int64_t)km_now_ns());
	if (act->begin == km_act_verbs[act->rec.verb].process) {
		act->begin(act);
		return;
	}
	while (slot->phase != KM_ACT_FREE)
		slot++;
	act->deadline_ns += km_now_ns();
	*slot = *act;
	if (slot->unit && !slot->def)
		slot->unit = slot->rec.service;
	slot->begin(slot);
	km_actor_rearm(a);
}

/* Q as a record; its texts are cut where they have no end, and false is returned. */
static bool take_over(struct km_act *act, const struct km_act_request *q)
{
	struct km_journal_record *r = &act->rec;

	act->deadline_ns = q->timeout_ns;
	r->intent_id = q->intent_id;
	r->verb = q->verb;
	r->signal = q->signal;
	r->amount = q->args.amount;
	r->duration_ns = q->args.duration_ns;
	r->tgid = q->tgid;
	r->start_ns = q->start_ns;
	/* Not what is behind a text's end: the journal shows no leftovers of the engine. */
	memccpy(r->service, q->service, 0, KM_NAME_MAX - 1);
	memccpy(r->rule, q->rule, 0, KM_NAME_MAX - 1);
	memccpy(r->detail, q->reason, 0, KM_NAME_MAX - 1);
	memccpy(r->object, q->args.object, 0, KM_OBJECT_MAX - 1);
	return !q->args.object[KM_OBJECT_MAX - 1] && !q->service[KM_NAME_MAX - 1] &&
	       !q->rule[KM_NAME_MAX - 1] && !q->reason[KM_NAME_MAX - 1];
}

void km_request_receive(struct km_actor *a, const void *msg, size_t size, bool stale)
{
	const struct km_message_hdr *h = msg;
	struct km_act act = { .actor = a, .fd = -1 };
	const char *why = NULL;
	bool known = size >= sizeof(*h) && h->version == KM_ACT_VERSION;

	if (known && h->type == KM_ACT_ALIVE && size == sizeof(struct km_act_plain)) {
		a->engine_seen_ns = km_now_ns();
		a->stats_wanted = ((const struct km_act_plain *)msg)->stats == 1;
	} else if (known && h->type == KM_ACT_FOLLOW && size == sizeof(struct km_act_request) &&
	           take_over(&act, msg)) {
		km_act_find(&act);
		km_failover_follow(a->failovers, km_act_failover(&act));
	} else if (!known || h->type != KM_ACT_REQUEST || size != sizeof(struct km_act_request)) {
		refuse(&act, -EBADMSG, "not a request of this version");
	} else if (!take_over(&act, msg)) {
		refuse(&act, -EINVAL, "a text without end");
	} else if (stale) {
		refuse(&act, -EBUSY, "too many acts were under way");
	} else {
		for (size_t i = 0; !why && i < KM_ARRAY_SIZE(checks); i++)
			if ((why = checks[i].check(&act)))
				refuse(&act, checks[i].error, why);
		if (!why)
			accept(&act);
	}
}
