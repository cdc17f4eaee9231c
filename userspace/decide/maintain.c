// SPDX-License-Identifier: Apache-2.0
/* What operators say about when nothing is to be done: to one service, or to any. */
#include "decide/internal.h"

bool km_maintain_is(const struct km_decide *d, uint64_t service_id, uint64_t now_ns,
                    uint64_t *ret_until_ns)
{
	const struct km_maintain *row = km_table_get(d->table[KM_T_MAINTAIN], &service_id);

	if (!row || row->until_ns <= now_ns)
		return false;
	if (ret_until_ns)
		*ret_until_ns = row->until_ns;
	return true;
}

bool km_decide_maintained(const struct km_decide *d, uint64_t service_id, uint64_t now_ns,
                          uint64_t *ret_until_ns)
{
	return km_maintain_is(d, service_id, now_ns, ret_until_ns);
}

uint64_t km_decide_paused_ns(const struct km_decide *d)
{
	uint64_t key = 1;
	const struct km_meta *meta = km_table_get(d->table[KM_T_META], &key);

	if (!meta)
		return 0;
	return meta->paused_ns ? meta->paused_ns : meta->file_ns;
}

bool km_decide_paused_by_file(const struct km_decide *d)
{
	uint64_t key = 1;
	const struct km_meta *meta = km_table_get(d->table[KM_T_META], &key);

	return meta && meta->file_ns;
}

/* What was held back is looked at now. */
static void wake(struct km_decide *d, uint64_t service_id, enum km_guard held, uint64_t now_ns)
{
	struct km_repair *r;
	uint32_t slot = 0;

	while ((r = km_table_next(d->table[KM_T_REPAIR], &slot)))
		if (r->state == KM_R_BACKOFF && r->held == held &&
		    (!service_id || r->service_id == service_id))
			r->due_ns = now_ns;
}

static void pause_since(uint64_t *since_ns, uint64_t now_ns)
{
	if (!*since_ns)
		*since_ns = now_ns ? now_ns : 1;
}

static void resume(struct km_decide *d, uint64_t *since_ns, uint64_t now_ns)
{
	*since_ns = 0;
	if (!km_decide_paused_ns(d))
		wake(d, 0, KM_GUARD_PAUSE, now_ns);
}

static int maintain(struct km_decide *d, const struct km_decide_world *w,
                    const struct km_raw_operator *o)
{
	const struct km_service *s = km_attribute_service_by_name(w->attribute, o->service);
	struct km_maintain *row;
	uint64_t id;

	if (!s)
		return -EBADMSG;
	id = s->id;
	if (!o->for_ns) {
		km_table_drop(d->table[KM_T_MAINTAIN], &id);
		wake(d, id, KM_GUARD_MAINTENANCE, w->now_ns);
		return 0;
	}
	if (km_table_put(d->table[KM_T_MAINTAIN], &id, &row) < 0) {
		km_decide_count_full(d);
		return 0;
	}
	row->until_ns = w->now_ns + o->for_ns;
	return 0;
}

int km_decide_operator(struct km_decide *d, const struct km_decide_world *w,
                       const struct km_raw_operator *o)
{
	struct km_meta *meta = km_decide_meta(d);

	switch ((enum km_operator)o->operation) {
	case KM_OP_PAUSE:
		pause_since(&meta->paused_ns, w->now_ns);
		return 0;
	case KM_OP_RESUME:
		resume(d, &meta->paused_ns, w->now_ns);
		return 0;
	case KM_OP_PAUSE_FILE:
		pause_since(&meta->file_ns, w->now_ns);
		return 0;
	case KM_OP_RESUME_FILE:
		resume(d, &meta->file_ns, w->now_ns);
		return 0;
	case KM_OP_MAINTAIN:
		return maintain(d, w, o);
	case KM_OP_FORGET: /* phase 5's */
	case KM_OP_MAX:
		break;
	}
	return -EBADMSG;
}

void km_maintain_sweep(struct km_decide *d, uint64_t now_ns)
{
	struct km_maintain *row;
	uint32_t slot = 0;

	while ((row = km_table_next(d->table[KM_T_MAINTAIN], &slot)))
		if (row->until_ns <= now_ns)
			km_table_drop(d->table[KM_T_MAINTAIN], row);
}
