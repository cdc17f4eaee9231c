/* SPDX-License-Identifier: Apache-2.0 */
/* What is done by a job (job.h), a file each. */
#ifndef KM_WORKS_H
#define KM_WORKS_H

#include "base/policy.h"
#include "repair/job.h"

/* files.c: KM_ROTATE, KM_TRUNCATE or KM_FREE_SPACE to the files of a list. */
struct km_work_files {
	const struct km_files *files;
	enum km_verb verb;
	uint64_t now_s;    /* wall-clock time */
	struct walk *walk; /* the job's own, from plan to apply */
};
extern const struct km_job_work km_work_files;

/* run.c: a program of the policy, or what a service's definition says. Its cgroup is its own, and
 * killed when it is over. */
struct km_work_run {
	const char *name;
	char **argv;
	const char *user;
	const char *cgroup_root;
	uint64_t id;     /* of the act */
	struct run *run; /* the job's own, from plan to apply */
};
extern const struct km_job_work km_work_run;
/* Whatever a run of NAME has left behind, also one whose job was killed. */
void km_work_run_kill(const char *cgroup_root, const char *name);

/* capture.c: a file in DIR of what the process, held by PIDFD, is at. */
struct km_work_capture {
	int dir;
	int pidfd;
	uint32_t tgid;
	uint64_t id; /* of the act: its file's name */
	const char *service;
};
extern const struct km_job_work km_work_capture;

/* What the actor knows of an act, the rest is in the policy. */
struct km_work {
	enum km_verb verb;
	const char *object, *service;
	uint64_t id;
	const struct km_policy *policy;
	const char *cgroup_root; /* KM_RUN */
	int dir;                 /* KM_CAPTURE: where its file goes */
	int pidfd;               /* KM_CAPTURE */
	uint32_t tgid;
};
/* -ENOENT: the policy names no such object, or not for this verb. */
int km_work_begin(const struct km_work *w, struct km_job *ret);

#endif
