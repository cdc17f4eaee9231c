/* SPDX-License-Identifier: Apache-2.0 */
/* A directory of cgroup v2 (DIR: an open descriptor): who is in it, its end, its mark. */
#ifndef KM_CGROUP_H
#define KM_CGROUP_H

#include "base/base.h"

/* Processes of one cgroup that one pass looks at; what is above is seen by the next pass. */
#define KM_CGROUP_PIDS_MAX 1024

/* Processes in it, at most KM_CGROUP_PIDS_MAX; one outside our PID namespace is 0. */
int km_cgroup_pids(int dir, uint32_t ret[KM_CGROUP_PIDS_MAX]);
/* Only how many. */
int km_cgroup_count(int dir);
bool km_cgroup_has(int dir, uint64_t tgid);
/* /proc/TGID/cgroup holds WHAT as a whole step or steps of a path, behind BEFORE: '/' (a step) or
 * ':' (the whole path). BEFORE 0: anywhere, also within a step. */
bool km_cgroup_names(uint32_t tgid, const char *what, char before);
/* SIGKILL to all that are in it now. Not by cgroup.kill: since 6.14 ("cgroup: fix race between fork
 * and cgroup.kill") who is cloned into a cgroup that was ever killed so dies at birth. */
void km_cgroup_kill(int dir);
/* Which intent last reached its execve() in this cgroup, and as which process. */
struct km_cgroup_mark {
	uint64_t intent_id;
	uint64_t tgid;
};
/* -ENODATA: none; -EOPNOTSUPP: before 5.7. */
int km_cgroup_mark(int dir, struct km_cgroup_mark *ret);
int km_cgroup_mark_set(int dir, uint64_t intent_id);
void km_cgroup_mark_clear(int dir);
/* ROOT/NAME, made if it is not there; FILE in it set to VALUE unless that is KM_UNKNOWN. */
int km_cgroup_prepare(const char *root, const char *name, const char *file, uint64_t value,
                      int *ret_dir);

#endif
