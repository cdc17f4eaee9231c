// SPDX-License-Identifier: Apache-2.0
/* Acts that can be taken back: what was before stands in the intent. What was asked for a time goes
 * back by itself when it is over, also after a restart: the journal knows. */
#include "act/internal.h"

/* To what could not be set back, once more. */
#define AGAIN_NS (10 * KM_NS_PER_S)

static const struct km_effect *effect_of(const struct km_journal_record *r)
{
	return r->verb < KM_VERB_MAX ? km_effect((enum km_verb)r->verb, r->object) : NULL;
}

static struct km_lent lent_of(const struct km_journal_record *r)
{
	struct km_lent l = { .effect = effect_of(r),
		             .id = r->intent_id,
		             .until_ns = r->duration_ns ? r->t_ns + r->duration_ns : 0,
		             .place_id = r->place_id,
		             .start_ns = r->start_ns,
		             .tgid = r->tgid,
		             .undo = r->undo };

	km_copy(l.service, sizeof(l.service), r->service);
	return l;
}

void km_lend_note(struct km_actor *a, const struct km_journal_record *r)
{
	const struct km_lent l = lent_of(r);

	if (r->returned && (r->state == KM_OUT_DONE || r->state == KM_OUT_RETURNED))
		km_lents_drop(&a->lents, r->amount);
	else if (l.effect && r->state != KM_OUT_RETURNED && !km_lents_put(&a->lents, &l))
		a->lost = true;
}

/* What UNDO, RELEASE and THAW mean. */
static struct km_lent *find_asked(struct km_actor *a, const struct km_journal_record *r)
{
	enum km_verb verb = r->verb == KM_RELEASE ? KM_THROTTLE : KM_FREEZE;
	struct km_lent *l;

	if (r->verb != KM_UNDO)
		return km_lents_find(&a->lents, km_effect(verb, r->object), r->service);
	l = km_lents_by_id(&a->lents, r->amount);
	return l && strcmp(l->service, r->service) == 0 ? l : NULL;
}

/* v1: a command has a directory of its own there; that of cpu only since it was needed. */
static int open_v1(const struct km_act *act, const struct km_effect *e, int *ret)
{
	const struct km_spawn *s = &act->child->spawn;
	int dir = s->v1_dir[strcmp(e->controller, "memory") == 0 ? 0 : 1], r;

	if (strcmp(e->controller, "cpu") != 0) {
		*ret = fcntl(dir, F_DUPFD_CLOEXEC, 0);
		return *ret < 0 ? -EOPNOTSUPP : 0;
	}
	r = km_cgroup_prepare(act->actor->o.cpu_root, act->def->name, NULL, KM_UNKNOWN, ret);
	return r < 0 ? r : km_place_move(s->cgroup_dir, *ret);
}

static int open_target(struct km_act *act, const struct km_effect *e, struct km_target *t)
{
	const struct km_place place = km_act_place(act);
	int r = km_act_process(act, &t->pidfd);

	t->tgid = act->rec.tgid;
	if (r < 0 || !e->controller)
		return r;
	r = km_place_open(&place, e->controller, t->tgid, &t->dir, &t->v2);
	if (r == -ENOTUNIQ && act->child)
		r = open_v1(act, e, &t->dir);
	act->rec.place_id = r == 0 ? km_place_id(t->dir) : 0;
	return r;
}

void km_lend_begin(struct km_act *act)
{
	km_autofree(km_target_close) struct km_target t = { .pidfd = -1, .dir = -1 };
	struct km_journal_record *r = &act->rec;
	const struct km_effect *e = effect_of(r);
	const struct km_lent *old = km_lents_find(&act->actor->lents, e, r->service);
	struct km_verb_args args = { .amount = r->amount, .duration_ns = r->duration_ns };
	int error = open_target(act, e, &t), plan;
	char detail[128];

	if (error < 0) {
		km_act_finish(act, KM_OUT_REFUSED, error, km_place_fault(error));
		return;
	}
	plan = km_effect_plan(e, &t, &args, old ? &old->undo : NULL, &r->undo);
	if (km_act_intend(act) < 0)
		return;
	error = plan < 0 ? plan : e->write(&t, r->undo.set);
	km_effect_tell(e, &r->undo, error, detail, sizeof(detail));
	if (error == 0)
		km_lend_note(act->actor, r);
	km_act_finish(act, error < 0 ? KM_OUT_FAILED : KM_OUT_DONE, error, detail);
}

/* Its time is over. There is no intent: the lender's said so, and twice is as good as once. */
static void expire(struct km_actor *a, struct km_lent *l)
{
	struct km_journal_record r = {
		.kind = KM_J_OUTCOME, .verb = l->effect->verb, .intent_id = l->id, .amount = l->id
	};
	const char *detail;

	r.error = km_lent_undo(l, &detail);
	r.state = KM_OUT_RETURNED;
	r.returned = r.error == 0;
	km_copy(r.service, sizeof(r.service), l->service);
	km_copy(r.object, sizeof(r.object), l->effect->object);
	km_copy(r.detail, sizeof(r.detail), detail);
	l->until_ns = km_now_ns() + AGAIN_NS;
	if (!r.returned && !km_budget_said(&a->said, "not set back", (int64_t)km_now_ns()))
		return;
	km_actor_say(a, &r, false);
	if (km_journal_add(a->journal, &r) < 0)
		a->lost = true;
	if (r.returned)
		km_lents_drop(&a->lents, r.amount);
}

void km_lend_expire(struct km_actor *a)
{
	struct km_lent *l;

	while ((l = km_lents_due(&a->lents, km_now_ns())))
		expire(a, l);
}

void km_lend_return(struct km_act *act)
{
	struct km_lent *l = find_asked(act->actor, &act->rec);
	const char *detail = "nothing of it is to be taken back";
	int r = -ENOENT;

	if (l)
		act->rec.amount = l->id;
	if (km_act_intend(act) < 0)
		return;
	if (l)
		r = km_lent_undo(l, &detail);
	act->rec.returned = r == 0;
	if (r == 0)
		km_lents_drop(&act->actor->lents, act->rec.amount);
	km_act_finish(act, r < 0 ? KM_OUT_FAILED : KM_OUT_DONE, r, detail);
}

/* What came of an act that was interrupted. */
void km_lend_judge(struct km_act *act)
{
	struct km_journal_record *r = &act->rec;
	const struct km_lent *old = effect_of(r) ? NULL : find_asked(act->actor, r);
	const struct km_lent own = lent_of(r), *l = old ? old : &own;
	bool planned = l->effect && memcmp(l->undo.was, l->undo.set, sizeof(l->undo.was)) != 0;
	int is = planned ? km_lent_look(l) : KM_EFFECT_IS_OTHER;
	bool set = is == KM_EFFECT_IS_SET;

	if (is != KM_EFFECT_IS_SET && is != KM_EFFECT_IS_BACK) {
		km_act_finish(act, KM_OUT_UNKNOWN, is < 0 ? is : 0,
		              "nothing tells whether it was done");
	} else if (old ? set : !set) {
		km_act_finish(act, KM_OUT_NOT_DONE, 0, "found not done");
	} else {
		r->returned = old != NULL;
		km_lend_note(act->actor, r);
		km_act_finish(act, KM_OUT_DONE, 0, "found done");
	}
}
