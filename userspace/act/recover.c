// SPDX-License-Identifier: Apache-2.0
/* After a start: what the journal says was begun, and what the world says came of it. Nothing is
 * done again from here; a second kill in the middle finds the same open intents. */
#include <time.h>

#include "act/internal.h"

/* Four acts at once leave four; more only a journal that could not be written for a while. */
#define OPEN_MAX 64
/* Outcomes that an engine that was killed may not have taken: no more acts run at once. */
#define OVER_MAX KM_ACTS_MAX

struct km_recovery {
	struct km_actor *actor;
	uint8_t boot_id[16];
	int64_t now_ns, now_real_ns;
	struct km_journal_record open[OPEN_MAX];
	size_t count;
	struct km_journal_record over[OVER_MAX]; /* the newest outcomes, a ring */
	size_t overs;
};

static void freep(struct km_recovery **v)
{
	free(*v);
}

static bool same_boot(const struct km_recovery *v, const struct km_journal_record *r)
{
	return memcmp(r->boot_id, v->boot_id, sizeof(r->boot_id)) == 0;
}

static void on_intent(struct km_recovery *v, const struct km_journal_record *r)
{
	struct km_child *c = km_command_child(v->actor, r->service);
	int64_t age = v->now_real_ns - (int64_t)r->realtime_ns;

	/* Wall-clock time only where there is no other, and never into the future. */
	if (r->state)
		km_budget_charge(&v->actor->budgets, r->service,
		                 same_boot(v, r) ? (int64_t)r->t_ns
		                                 : v->now_ns - (age > 0 ? age : 0));
	if (c && same_boot(v, r))
		c->started = true;
	if (v->count < OPEN_MAX)
		v->open[v->count++] = *r;
	else
		v->actor->lost = true;
}

static void on_outcome(struct km_recovery *v, const struct km_journal_record *r)
{
	v->over[v->overs++ % OVER_MAX] = *r;
	if (r->state == KM_OUT_DONE || r->state == KM_OUT_RETURNED)
		km_lend_note(v->actor, r);
}

static void on_record(void *userdata, const struct km_journal_record *r)
{
	struct km_recovery *v = userdata;
	struct km_child *c = km_command_child(v->actor, r->service);

	if ((r->kind == KM_J_INTENT || r->kind == KM_J_OPEN) &&
	    r->intent_id > v->actor->last_intent_id)
		v->actor->last_intent_id = r->intent_id;
	if (r->kind == KM_J_INTENT)
		on_intent(v, r);
	for (size_t i = 0; r->kind == KM_J_OUTCOME && i < v->count; i++)
		if (v->open[i].intent_id == r->intent_id)
			v->open[i] = v->open[--v->count];
	if (r->kind == KM_J_OUTCOME && same_boot(v, r))
		on_outcome(v, r);
	/* A start's outcome comes before its STARTED. */
	if ((r->kind == KM_J_STARTED || (r->kind == KM_J_OUTCOME && r->state == KM_OUT_DONE &&
	                                 (r->verb == KM_START || r->verb == KM_RESTART))) &&
	    c && same_boot(v, r)) {
		c->last_tgid = r->tgid;
		c->last_start_ns = r->start_ns;
	}
}

static void judge_command(struct km_act *act)
{
	int dir = act->child->spawn.cgroup_dir, r;
	bool ends = act->rec.verb == KM_STOP || act->rec.verb == KM_KILL;
	struct km_cgroup_mark mark = { 0 };

	r = ends ? km_cgroup_count(dir) : km_spawn_kill_half_made(dir);
	if (r < 0) {
		km_act_finish(act, KM_OUT_UNKNOWN, r, "its processes cannot be seen");
		return;
	}
	if (ends) {
		km_act_finish(act, r ? KM_OUT_NOT_DONE : KM_OUT_DONE, 0,
		              r ? "found running" : "found stopped");
		return;
	}
	r = km_cgroup_mark(dir, &mark);
	if (r < 0 && r != -ENODATA) {
		km_act_finish(act, KM_OUT_UNKNOWN, r, "no mark of it can be read");
	} else if (r < 0 || mark.intent_id != act->rec.intent_id) {
		km_act_finish(act, KM_OUT_NOT_DONE, 0, "no new process was started");
	} else if (km_cgroup_has(dir, mark.tgid)) {
		act->child->last_tgid = (uint32_t)mark.tgid;
		act->child->last_start_ns = 0;
		km_act_finish(act, KM_OUT_DONE, 0, "found started");
	} else {
		km_act_finish(act, KM_OUT_UNKNOWN, 0, "reached its execve and is gone since");
	}
}

static void recover_intent(struct km_recovery *v, const struct km_journal_record *r)
{
	struct km_act plain = { .actor = v->actor, .fd = -1 }, *act = &plain;

	for (int i = 0; i < KM_ACTS_MAX; i++)
		if (v->actor->act[i].phase == KM_ACT_FREE)
			act = &v->actor->act[i];
	*act = plain;
	act->rec = *r;
	act->rec.verb = r->verb < KM_VERB_MAX ? r->verb : KM_VERB_NONE;
	act->intended = act->recovered = true;
	act->deadline_ns = (uint64_t)v->now_ns + KM_RECOVER_NS;
	km_act_find(act);
	if (!same_boot(v, r))
		km_act_finish(act, act->child ? KM_OUT_NOT_DONE : KM_OUT_UNKNOWN, 0,
		              "the host was started anew since");
	else if (act != &plain && act->unit && km_act_verbs[act->rec.verb].unit)
		km_unit_look(act);
	else if (act->child && km_act_verbs[act->rec.verb].command == km_command_begin)
		judge_command(act);
	else if (act->rec.verb == KM_NOTIFY)
		km_act_finish(act, KM_OUT_DONE, 0, NULL);
	else if (act->rec.verb == KM_FAIL_OVER || act->rec.verb == KM_FAIL_BACK)
		km_act_finish(act, km_failover_look(v->actor->failovers, km_act_failover(act)), 0,
		              "as found");
	else if (km_act_verbs[act->rec.verb].process == km_lend_begin ||
	         km_act_verbs[act->rec.verb].process == km_lend_return)
		km_lend_judge(act);
	else
		km_act_finish(act, KM_OUT_UNKNOWN, 0, "nothing tells whether it was done");
	if (r->verb == KM_RUN) /* its job died with the actor, what it started did not */
		km_work_run_kill(v->actor->o.cgroup_root, r->object);
}

/* What cannot be looked at is neither running nor absent: nobody may start it a second time. */
static int adopt(struct km_child *c)
{
	struct km_journal_record o = { .cgroup_id = c->cgroup_id, .state = KM_OUT_ABSENT };
	const struct km_spawn_main was = { c->last_tgid, c->last_start_ns };
	struct km_spawn_main id;
	int pidfd, r = -ESRCH;

	if (c->prepared)
		r = km_spawn_find_main(c->spawn.cgroup_dir, &was, &id, &pidfd);
	if (r < 0 && r != -ESRCH)
		return r;
	if (r == 0) {
		km_command_watch(c, id.tgid, id.start_ns, pidfd);
		c->running = true;
		o.state = KM_OUT_ADOPTED;
		o.tgid = id.tgid;
		o.start_ns = id.start_ns;
		km_copy(o.detail, sizeof(o.detail),
		        km_spawn_same_main(&was, &id)
		                ? "found running"
		                : "its main process is gone, the oldest of the others taken");
		if (!km_spawn_same_main(&was, &id) || !c->last_start_ns)
			km_command_started(c, 0);
	}
	if (c->prepared && !c->actor->lost) /* the next one must find what was not written down */
		km_cgroup_mark_clear(c->spawn.cgroup_dir);
	km_copy(o.service, sizeof(o.service), c->def->name);
	km_actor_say(c->actor, &o, false);
	return 0;
}

int km_recover(struct km_actor *a)
{
	km_autofree(freep) struct km_recovery *v = calloc(1, sizeof(*v));
	struct timespec real;
	int r;

	if (!v)
		return -ENOMEM;
	clock_gettime(CLOCK_REALTIME, &real);
	v->actor = a;
	v->now_ns = (int64_t)km_now_ns();
	v->now_real_ns = real.tv_sec * (int64_t)KM_NS_PER_S + real.tv_nsec;
	r = km_chain_boot_id(v->boot_id);
	if (r == 0)
		r = km_journal_open(a->o.journal_dir_fd, on_record, v, &a->journal);
	if (r < 0)
		return r;
	for (size_t i = 0; i < v->count; i++)
		recover_intent(v, &v->open[i]);
	for (size_t i = v->overs < OVER_MAX ? 0 : v->overs - OVER_MAX; i < v->overs; i++)
		km_actor_say(a, &v->over[i % OVER_MAX], true);
	for (size_t i = 0; r == 0 && i < a->child_count; i++)
		r = adopt(&a->child[i]);
	if (r < 0)
		return r;
	a->recovered = true;
	km_actor_rearm(a);
	km_actor_ready(a);
	return 0;
}
