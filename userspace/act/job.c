// SPDX-License-Identifier: Apache-2.0
/* Acts that may take their time, in a process of their own (repair/job.h): what it would do stands
 * in the intent, and it waits until that is on the disk. The actor's end is the job's end. */
#include "act/internal.h"

static void give_up(struct km_act *act, int error, const char *detail)
{
	if (act->rec.verb == KM_RUN)
		km_work_run_kill(act->actor->o.cgroup_root, act->rec.object);
	km_act_finish(act, act->intended ? KM_OUT_FAILED : KM_OUT_REFUSED, error, detail);
}

static int on_job(void *userdata, int fd, uint32_t events)
{
	struct km_act *act = userdata;
	struct km_job_said said;
	int r = km_job_hear(&act->job, &said);

	(void)fd;
	(void)events;
	if (r == -EAGAIN)
		return 0;
	if (r < 0) {
		give_up(act, r, "it ended without a word");
	} else if (said.error < 0) {
		give_up(act, said.error, said.detail[0] ? said.detail : strerror(-said.error));
	} else if (act->intended) {
		km_act_finish(act, KM_OUT_DONE, 0, said.detail);
	} else {
		memset(act->rec.detail, 0, sizeof(act->rec.detail));
		km_copy(act->rec.detail, sizeof(act->rec.detail), said.detail);
		if (km_act_intend(act) == 0)
			km_job_go(&act->job);
	}
	return 0;
}

void km_job_act(struct km_act *act)
{
	const struct km_actor_opts *o = &act->actor->o;
	struct km_work work = { .verb = (enum km_verb)act->rec.verb,
		                .object = act->rec.object,
		                .service = act->rec.service,
		                .id = act->rec.intent_id,
		                .policy = o->policy,
		                .cgroup_root = o->cgroup_root,
		                .dir = o->journal_dir_fd };
	km_autoclose int pidfd = -1;
	int r = work.verb == KM_CAPTURE ? km_act_process(act, &pidfd) : 0;

	act->job = (struct km_job){ -1, -1 };
	act->phase = KM_ACT_WORKING;
	work.pidfd = pidfd;
	work.tgid = act->rec.tgid;
	if (r == 0)
		r = km_work_begin(&work, &act->job);
	if (r == 0)
		r = km_loop_add(o->loop, act->job.fd, EPOLLIN, on_job, act);
	if (r < 0)
		give_up(act, r,
		        r == -ENOENT ? "the policy names no such thing for it" : km_place_fault(r));
}

void km_job_overdue(struct km_act *act)
{
	give_up(act, -ETIMEDOUT, "it took too long, and was killed");
}
