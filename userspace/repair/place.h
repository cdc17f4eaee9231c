/* SPDX-License-Identifier: Apache-2.0 */
/* Where a service lies: which processes are its own, and its directory in the hierarchy of a cgroup
 * controller. What it shares with others is no place of its own, and nothing is done there. */
#ifndef KM_PLACE_H
#define KM_PLACE_H

#include "base/config.h"

/* Whose. */
struct km_place {
	const struct km_service_def *def; /* NULL: a unit without definition */
	const char *unit;                 /* units: its name */
	int command_dir;                  /* supervised commands: their cgroup, else -1 */
};

/* Why there is none, for people. */
const char *km_place_fault(int error);
/* The process is one of the service's. */
bool km_place_has(const struct km_place *p, uint32_t tgid);
/* A pidfd of TGID that began at START_NS (0: whenever), if it is the service's; -ESRCH, -EPERM. */
int km_place_process(const struct km_place *p, uint32_t tgid, uint64_t start_ns, int *ret_pidfd);
/* The service's directory in the hierarchy of CONTROLLER ("": cgroup v2), found by its process
 * TGID. -EOPNOTSUPP: there is no such hierarchy; -ENOTUNIQ: it has no directory of its own there;
 * -EPERM: we ourselves are in it. */
int km_place_open(const struct km_place *p, const char *controller, uint32_t tgid, int *ret_dir,
                  bool *ret_v2);
/* The directory with this id (kernfs: its inode number) in that hierarchy, -ENOENT: it is gone. */
int km_place_reopen(const char *controller, uint64_t id, int *ret_dir, bool *ret_v2);
uint64_t km_place_id(int dir);
/* All processes of FROM into TO of another hierarchy. -EAGAIN: it forks faster than that. */
int km_place_move(int from, int to);

#endif
