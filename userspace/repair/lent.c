// SPDX-License-Identifier: Apache-2.0
#include "base/identity.h"
#include "repair/lent.h"
#include "repair/place.h"

struct km_lent *km_lents_find(struct km_lents *l, const struct km_effect *effect,
                              const char *service)
{
	for (size_t i = 0; i < l->count; i++)
		if (l->lent[i].effect == effect && strcmp(l->lent[i].service, service) == 0)
			return &l->lent[i];
	return NULL;
}

struct km_lent *km_lents_by_id(struct km_lents *l, uint64_t id)
{
	for (size_t i = 0; i < l->count; i++)
		if (l->lent[i].id == id)
			return &l->lent[i];
	return NULL;
}

static struct km_lent *oldest_without_time(struct km_lents *l)
{
	struct km_lent *oldest = NULL;

	for (struct km_lent *at = l->lent; at < l->lent + l->count; at++)
		if (!at->until_ns && (!oldest || at->id < oldest->id))
			oldest = at;
	return oldest;
}

bool km_lents_put(struct km_lents *l, const struct km_lent *lent)
{
	struct km_lent *at = km_lents_find(l, lent->effect, lent->service);

	if (!at)
		at = l->count < KM_LENT_MAX ? &l->lent[l->count++] : oldest_without_time(l);
	if (at)
		*at = *lent;
	return at;
}

void km_lents_drop(struct km_lents *l, uint64_t id)
{
	struct km_lent *at = km_lents_by_id(l, id);

	if (at)
		*at = l->lent[--l->count];
}

struct km_lent *km_lents_due(struct km_lents *l, uint64_t now_ns)
{
	for (size_t i = 0; i < l->count; i++)
		if (l->lent[i].until_ns && l->lent[i].until_ns <= now_ns)
			return &l->lent[i];
	return NULL;
}

uint64_t km_lents_next_ns(const struct km_lents *l)
{
	uint64_t next = UINT64_MAX;

	for (size_t i = 0; i < l->count; i++)
		if (l->lent[i].until_ns && l->lent[i].until_ns < next)
			next = l->lent[i].until_ns;
	return next;
}

static int open_target(const struct km_lent *lent, struct km_target *t)
{
	t->tgid = lent->tgid;
	return lent->effect->controller
	               ? km_place_reopen(lent->effect->controller, lent->place_id, &t->dir, &t->v2)
	               : km_identity_open(lent->tgid, lent->start_ns, &t->pidfd);
}

int km_lent_look(const struct km_lent *lent)
{
	km_autofree(km_target_close) struct km_target t = { .pidfd = -1, .dir = -1 };
	int r = open_target(lent, &t);

	return r < 0 ? r : km_effect_look(lent->effect, &t, &lent->undo);
}

int km_lent_undo(const struct km_lent *lent, const char **ret_detail)
{
	km_autofree(km_target_close) struct km_target t = { .pidfd = -1, .dir = -1 };
	int is = open_target(lent, &t);

	if (is == 0)
		is = km_effect_undo(lent->effect, &t, &lent->undo);
	*ret_detail = is == -ENOENT || is == -ESRCH ? "gone with what it was set on"
	              : is == KM_EFFECT_IS_SET      ? "set back"
	              : is == KM_EFFECT_IS_BACK     ? "was back already"
	              : is == KM_EFFECT_IS_OTHER    ? "somebody else set it since: left alone"
	                                            : strerror(-is);
	return is >= 0 || is == -ENOENT || is == -ESRCH ? 0 : is;
}
