/* SPDX-License-Identifier: Apache-2.0 */
/* Inside phase 1: memory and tasks of the cgroups that belong to services, against the smallest
 * limit of the cgroup and those above it.
 *
 * The level of memory is usage without what reclaim gives back unasked (file pages on the LRU lists
 * and reclaimable slab): a page cache that fills up to the limit is not a leak. Usage is read at
 * each pass; what is reclaimable, whose reading makes the kernel add up all CPUs (10 to 30 us),
 * at each pass where there is a limit and at every tenth where there is none. */
#ifndef KM_COLLECT_LEVEL_H
#define KM_COLLECT_LEVEL_H

#include "base/resource.h"
#include "collect/cgroup.h"

/* Descriptors are kept open for so many cgroups, three each; the others are opened anew each pass,
 * so that 1024 descriptors suffice. */
#define KM_LEVELS_OPEN_MAX 192

struct km_levels;

/* LEVEL and LIMIT may be KM_UNKNOWN (not emitted then, or no limit). */
typedef int (*km_level_cb)(void *userdata, uint64_t cgroup_id, enum km_resource resource,
                           uint64_t level, uint64_t limit);

int km_levels_new(const struct km_cgroup_mounts *mounts, struct km_levels **ret);
struct km_levels *km_levels_free(struct km_levels *l);
KM_DEFINE_FREEP(struct km_levels, km_levels_free)

/* At most KM_SERVICES_MAX, else -ENOSPC. PATH is copied. */
int km_levels_add(struct km_levels *l, uint64_t cgroup_id, const char *path);
void km_levels_drop(struct km_levels *l, uint64_t cgroup_id);
int km_levels_read(struct km_levels *l, km_level_cb cb, void *userdata);

/* For tests: bytes that reclaim gives back, from the text of memory.stat (v1 or v2). */
uint64_t km_memory_reclaimable(const char *stat_text);
/* A limit as the kernel writes it: "max" and v1's huge number are KM_UNKNOWN. */
uint64_t km_limit_parse(const char *text);

#endif
