// SPDX-License-Identifier: Apache-2.0
/* The closed list of what can be done, one row a verb, and those that are done in one step. */
#include "act/internal.h"

int km_act_process(struct km_act *act, int *ret_pidfd)
{
	const struct km_place place = km_act_place(act);

	if (act->child && !act->rec.tgid) {
		act->rec.tgid = act->child->tgid;
		act->rec.start_ns = act->child->start_ns;
	}
	return km_place_process(&place, act->rec.tgid, act->rec.start_ns, ret_pidfd);
}

static void notify(struct km_act *act)
{
	if (km_act_intend(act) == 0)
		km_act_finish(act, KM_OUT_DONE, 0, NULL);
}

/* Pidfd and directory are held before the intent: what is acted on is what was checked. */
static void strike(struct km_act *act)
{
	const struct km_place place = km_act_place(act);
	km_autofree(km_target_close) struct km_target t = { .pidfd = -1, .dir = -1 };
	int r = km_act_process(act, &t.pidfd);
	char detail[160];

	if (act->rec.verb == KM_RELOAD) /* of a command, by what its definition says */
		act->rec.signal = act->def->reload_signal;
	if (r == 0 && act->rec.verb == KM_KILL)
		r = km_place_open(&place, "", act->rec.tgid, &t.dir, &t.v2);
	else if (r == 0 && act->rec.verb < KM_FAIL_OVER && !act->rec.signal)
		r = -EOPNOTSUPP;
	if (r < 0) {
		km_act_finish(act, KM_OUT_REFUSED, r, km_place_fault(r));
	} else if (km_act_intend(act) == 0) {
		r = act->rec.verb >= KM_FAIL_OVER
		            ? km_failover_do(act->actor->failovers, km_act_failover(act), detail,
		                             sizeof(detail))
		            : km_effect_strike(&t, act->rec.signal, detail, sizeof(detail));
		km_act_finish(act, r < 0 ? KM_OUT_FAILED : KM_OUT_DONE, r, detail);
	}
}

const struct km_act_verb km_act_verbs[KM_VERB_MAX] = {
	[KM_START] = { true, km_command_begin, km_unit_begin, NULL, NULL, "StartUnit" },
	[KM_STOP] = { true, km_command_begin, km_unit_begin, NULL, NULL, "StopUnit" },
	[KM_RESTART] = { true, km_command_begin, km_unit_begin, NULL, NULL, "RestartUnit" },
	[KM_SEND_SIGNAL] = { true, .process = strike },
	[KM_RAISE_LIMIT] = { true, .process = km_lend_begin },
	[KM_NOTIFY] = { false, .process = notify },
	[KM_THROTTLE] = { true, .process = km_lend_begin },
	[KM_RELEASE] = { false, .process = km_lend_return },
	[KM_FREEZE] = { true, .process = km_lend_begin },
	[KM_THAW] = { false, .process = km_lend_return },
	[KM_RENICE] = { true, .process = km_lend_begin },
	[KM_UNDO] = { false, .process = km_lend_return },
	[KM_RELOAD] = { true, strike, km_unit_begin, NULL, NULL, "ReloadUnit" },
	[KM_KILL] = { true, km_command_begin, NULL, strike, NULL, NULL },
	[KM_CAPTURE] = { true, .job = km_job_act },
	[KM_ROTATE] = { true, .job = km_job_act },
	[KM_TRUNCATE] = { true, .job = km_job_act },
	[KM_FREE_SPACE] = { true, .job = km_job_act },
	[KM_RUN] = { true, .job = km_job_act },
	[KM_FAIL_OVER] = { true, .process = strike },
	[KM_FAIL_BACK] = { false, .process = strike },
};
