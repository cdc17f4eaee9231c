/* SPDX-License-Identifier: Apache-2.0 */
/* What was set and can be set back: by whom, on what, until when. Nothing is set back that somebody
 * else has set meanwhile. */
#ifndef KM_LENT_H
#define KM_LENT_H

#include "repair/effect.h"

/* Each service has a handful at most, and few have any. */
#define KM_LENT_MAX 64

struct km_lent {
	const struct km_effect *effect;
	uint64_t id;       /* of the act */
	uint64_t until_ns; /* boot time; 0: until it is asked back */
	/* What it was set on: a directory of cgroups, or a process. */
	uint64_t place_id;
	uint64_t start_ns;
	uint32_t tgid;
	char service[KM_NAME_MAX];
	struct km_undo undo;
};

struct km_lents {
	struct km_lent lent[KM_LENT_MAX];
	size_t count;
};

/* NULL: none. Valid until the next change. */
struct km_lent *km_lents_find(struct km_lents *l, const struct km_effect *effect,
                              const char *service);
struct km_lent *km_lents_by_id(struct km_lents *l, uint64_t id);
/* In place of what the same effect set on the same service before, else of the oldest without a
 * time. False: no room. */
bool km_lents_put(struct km_lents *l, const struct km_lent *lent);
void km_lents_drop(struct km_lents *l, uint64_t id);
/* The first whose time is over at NOW_NS, NULL: none; when the next is over, UINT64_MAX: never. */
struct km_lent *km_lents_due(struct km_lents *l, uint64_t now_ns);
uint64_t km_lents_next_ns(const struct km_lents *l);

/* enum km_effect_is, or a negative errno; -ENOENT, -ESRCH: what it was set on is gone. */
int km_lent_look(const struct km_lent *lent);
/* Sets it back. 0, also where nothing was left to do, or a negative errno; *RET_DETAIL: what was
 * found, for people. */
int km_lent_undo(const struct km_lent *lent, const char **ret_detail);

#endif
