// SPDX-License-Identifier: Apache-2.0
/* The closed list of what can be done, one row a verb, and those that are done in one step. */
#include "act/internal.h"

struct km_place km_act_place(const struct km_act *act)
{
	return (struct km_place){ .def = act->def,
		                  .unit = act->unit,
		                  .command_dir = act->child ? act->child->spawn.cgroup_dir : -1 };
}

int km_act_process(struct km_act *act, int *ret_pidfd)
{
	const struct km_place place = km_act_place(act);
	km_autoclose int fd = -1;
	int r;

	if (act->child && !act->rec.tgid) {
		act->rec.tgid = act->child->tgid;
		act->rec.start_ns = act->child->start_ns;
	}
	r = act->rec.tgid ? km_identity_open(act->rec.tgid, act->rec.start_ns, &fd) : -ESRCH;
	if (r == 0 && !km_place_has(&place, act->rec.tgid))
		r = -EPERM;
	if (r == 0)
		*ret_pidfd = km_take_fd(&fd);
	return r;
}

static void notify(struct km_act *act)
{
	if (km_act_intend(act) == 0)
		km_act_finish(act, KM_OUT_DONE, 0, NULL);
}

/* The pidfd is held before the intent is written: what is acted on is what was checked. */
static void send_signal(struct km_act *act)
{
	struct km_target t = { .dir = -1 };
	km_autoclose int fd = -1;
	char detail[32];
	int r = km_act_process(act, &fd);

	if (r < 0) {
		km_act_finish(act, KM_OUT_REFUSED, r, "not that process, or not the service's");
	} else if (km_act_intend(act) == 0) {
		t.pidfd = fd;
		snprintf(detail, sizeof(detail), "signal %d", act->rec.signal);
		r = km_effect_signal(&t, act->rec.signal);
		km_act_finish(act, r < 0 ? KM_OUT_FAILED : KM_OUT_DONE, r, detail);
	}
}

const struct km_act_verb km_act_verbs[KM_VERB_MAX] = {
	[KM_START] = { true, km_command_begin, km_unit_begin, NULL, "StartUnit" },
	[KM_STOP] = { true, km_command_begin, km_unit_begin, NULL, "StopUnit" },
	[KM_RESTART] = { true, km_command_begin, km_unit_begin, NULL, "RestartUnit" },
	[KM_SEND_SIGNAL] = { true, NULL, NULL, send_signal, NULL },
	[KM_RAISE_LIMIT] = { true, NULL, NULL, km_lend_begin, NULL },
	[KM_NOTIFY] = { false, NULL, NULL, notify, NULL },
	[KM_THROTTLE] = { true, NULL, NULL, km_lend_begin, NULL },
	[KM_RELEASE] = { false, NULL, NULL, km_lend_return, NULL },
	[KM_FREEZE] = { true, NULL, NULL, km_lend_begin, NULL },
	[KM_THAW] = { false, NULL, NULL, km_lend_return, NULL },
	[KM_RENICE] = { true, NULL, NULL, km_lend_begin, NULL },
	[KM_UNDO] = { false, NULL, NULL, km_lend_return, NULL },
};
