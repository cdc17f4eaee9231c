// SPDX-License-Identifier: Apache-2.0
/* systemd units. Nothing waits here: replies come through the loop, each act has its deadline. */
#include "act/internal.h"

static void on_invocation(void *userdata, int r, const uint8_t id[16])
{
	struct km_act *act = userdata;
	bool looking = act->phase == KM_ACT_LOOKING;

	if (r < 0) {
		km_act_finish(act, looking ? KM_OUT_UNKNOWN : KM_OUT_REFUSED, r,
		              "the manager does not tell the unit's state");
		return;
	}
	memcpy(looking ? act->found : act->rec.invocation, id, sizeof(act->found));
	if (!looking && km_act_intend(act) < 0)
		return;
	if (looking) {
		r = km_talk_list(act->actor->manager, &act->talk);
	} else {
		act->phase = KM_ACT_CALLING;
		r = km_talk_call(act->actor->manager, &act->talk,
		                 km_act_verbs[act->rec.verb].method);
	}
	if (r < 0)
		km_act_finish(act, looking ? KM_OUT_UNKNOWN : KM_OUT_FAILED, r,
		              "could not be asked for");
}

static void on_called(void *userdata, int r, const char *why)
{
	struct km_act *act = userdata;

	if (r == 0 || r == -ENOTCONN)
		act->phase = KM_ACT_JOB;
	else
		km_act_finish(act, r == -EBADMSG ? KM_OUT_UNKNOWN : KM_OUT_FAILED, r, why);
}

static void on_over(void *userdata, const char *result)
{
	struct km_act *act = userdata;
	bool done = strcmp(result, "done") == 0;

	if (act->phase == KM_ACT_JOB)
		km_act_finish(act, done ? KM_OUT_DONE : KM_OUT_FAILED, done ? 0 : -EIO, result);
}

/* After an interruption: a pending job is under way, a new invocation is done, neither is not
 * done. */
static void on_found(void *userdata, int r, bool pending, bool stopped)
{
	struct km_act *act = userdata;
	bool renewed = memcmp(act->found, act->rec.invocation, sizeof(act->found)) != 0;

	if (r < 0)
		km_act_finish(act, KM_OUT_UNKNOWN, r, "the manager does not tell what came of it");
	else if (pending)
		act->phase = KM_ACT_JOB;
	else if (act->rec.verb == KM_RELOAD)
		km_act_finish(act, KM_OUT_UNKNOWN, 0, "a reload leaves nothing to be seen");
	else if (act->rec.verb == KM_STOP ? stopped : renewed && !stopped)
		km_act_finish(act, KM_OUT_DONE, 0, "found done");
	else
		km_act_finish(act, KM_OUT_NOT_DONE, 0, "found not done");
}

/* A job that was waited for is asked about again. */
static void on_broken(void *userdata)
{
	struct km_act *act = userdata;

	if (act->phase == KM_ACT_JOB)
		km_unit_look(act);
}

static const struct km_talk_events events = { on_invocation, on_called, on_over, on_found,
	                                      on_broken };

/* Which invocation of the unit is there: before an act, and after one that was interrupted. */
static void ask(struct km_act *act, enum km_act_phase phase, enum km_outcome_state otherwise)
{
	int r;

	act->phase = phase;
	act->talk.unit = act->unit;
	act->talk.on = &events;
	act->talk.userdata = act;
	r = km_talk_invocation(act->actor->manager, &act->talk);
	if (r < 0)
		km_act_finish(act, otherwise, r, "no connection to the system's manager");
	km_manager_go_on(act->actor->manager);
}

void km_unit_begin(struct km_act *act)
{
	ask(act, KM_ACT_ASKING, KM_OUT_REFUSED);
}

void km_unit_look(struct km_act *act)
{
	if (act->looked) {
		km_act_finish(act, KM_OUT_UNKNOWN, -ECONNRESET,
		              "no connection to the system's manager");
		return;
	}
	act->looked = true;
	ask(act, KM_ACT_LOOKING, KM_OUT_UNKNOWN);
}

void km_unit_overdue(struct km_act *act)
{
	struct km_actor *a = act->actor;
	bool hangs = act->phase != KM_ACT_JOB;

	km_act_finish(act,
	              !act->intended ? KM_OUT_REFUSED
	              : hangs        ? KM_OUT_UNKNOWN
	                             : KM_OUT_FAILED,
	              -ETIMEDOUT,
	              hangs ? "the manager does not answer" : "its job is still under way");
	if (hangs)
		km_manager_break(a->manager); /* the next one begins with a new connection */
}
