// SPDX-License-Identifier: Apache-2.0
/* From a verb and the name of an object to the job that does it. */
#include <time.h>

#include "repair/works.h"

static int begin_files(const struct km_work *w, struct km_job *ret)
{
	struct km_work_files arg = { .files = km_policy_files(w->policy, w->object),
		                     .verb = w->verb,
		                     .now_s = (uint64_t)time(NULL) };

	if (!arg.files || !arg.files->may[w->verb])
		return -ENOENT;
	return km_job_begin(&km_work_files, &arg, ret);
}

static int begin_run(const struct km_work *w, struct km_job *ret)
{
	const struct km_program *p = km_policy_program(w->policy, w->object);
	struct km_work_run arg = { .name = w->object, .cgroup_root = w->cgroup_root, .id = w->id };

	if (!p)
		return -ENOENT;
	arg.argv = p->argv;
	arg.user = p->user;
	return km_job_begin(&km_work_run, &arg, ret);
}

static int begin_capture(const struct km_work *w, struct km_job *ret)
{
	struct km_work_capture arg = { w->dir, w->pidfd, w->tgid, w->id, w->service };

	return km_job_begin(&km_work_capture, &arg, ret);
}

int km_work_begin(const struct km_work *w, struct km_job *ret)
{
	if (w->verb == KM_RUN)
		return begin_run(w, ret);
	return w->verb == KM_CAPTURE ? begin_capture(w, ret) : begin_files(w, ret);
}
