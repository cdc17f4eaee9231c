/* SPDX-License-Identifier: Apache-2.0 */
/* What may take its time, in a process of its own that dies with its parent: it looks what is to be
 * done and says it, waits for the word that the intent is on the disk, does it, and says what came
 * of it. The parent waits for nothing, and may kill it at any time. */
#ifndef KM_JOB_H
#define KM_JOB_H

#include "base/base.h"

struct km_job_said {
	int32_t error;
	char detail[KM_NAME_MAX - sizeof(int32_t)];
};

/* Both run in the child on its copy of ARG. */
struct km_job_work {
	int (*plan)(void *arg, char *detail, size_t size);  /* changes nothing */
	int (*apply)(void *arg, char *detail, size_t size); /* DETAIL: still what was planned */
};

struct km_job {
	int pidfd;
	int fd; /* readable when it has said something, or is gone */
};

int km_job_begin(const struct km_job_work *work, void *arg, struct km_job *ret);
/* What it said: first the plan, then, after km_job_go(), the end. -EAGAIN: nothing yet; -EPIPE: it
 * is gone without a word. */
int km_job_hear(const struct km_job *job, struct km_job_said *ret);
void km_job_go(const struct km_job *job);
/* Kills it if it is still there. */
void km_job_end(struct km_job *job);

#endif
