// SPDX-License-Identifier: Apache-2.0
/* How long services lived before they ended without being asked to. */
#include "measure/state.h"

/* Ends older than this say nothing about the next one. */
#define ENDS_KEPT_NS (30ULL * 86400 * KM_NS_PER_S)

static void drop_oldest(struct km_measure *m)
{
	const struct km_ends *e, *oldest = NULL;
	uint32_t slot = 0;

	while ((e = km_table_next(m->ends, &slot)))
		if (!oldest || e->t_ns[0] < oldest->t_ns[0])
			oldest = e;
	if (oldest)
		km_table_drop(m->ends, &oldest->service_id);
}

int km_measure_end(struct km_measure *m, const struct km_service *s)
{
	const struct km_ending *last = &s->last;
	struct km_ends *e;

	if (last->asked)
		return 0;
	if (km_table_count(m->ends) >= KM_SERVICES_MAX)
		drop_oldest(m);
	if (km_table_put(m->ends, &s->id, &e) < 0)
		return -ENOSPC;
	memmove(e->t_ns + 1, e->t_ns, sizeof(e->t_ns) - sizeof(e->t_ns[0]));
	memmove(e->lived_ns + 1, e->lived_ns, sizeof(e->lived_ns) - sizeof(e->lived_ns[0]));
	memmove(e->exit_code + 1, e->exit_code, sizeof(e->exit_code) - sizeof(e->exit_code[0]));
	e->t_ns[0] = last->t_ns;
	e->lived_ns[0] = last->t_ns > last->start_ns ? last->t_ns - last->start_ns : 0;
	e->exit_code[0] = last->known ? last->exit_code : UINT32_MAX;
	if (e->count < KM_ENDS_KEPT)
		e->count++;
	e->total++;
	return 0;
}

void km_measure_forget_ends(struct km_measure *m, uint64_t now_ns)
{
	const struct km_ends *e;
	uint32_t slot = 0;

	while ((e = km_table_next(m->ends, &slot)))
		if (now_ns > e->t_ns[0] && now_ns - e->t_ns[0] > ENDS_KEPT_NS)
			km_table_drop(m->ends, &e->service_id);
}

bool km_measure_ends_valid(const void *row)
{
	const struct km_ends *e = row;

	if (e->service_id == 0 || e->count == 0 || e->count > KM_ENDS_KEPT || e->total < e->count)
		return false;
	for (uint32_t i = 0; i < e->count; i++)
		if (e->exit_code[i] > 0xffff && e->exit_code[i] != UINT32_MAX)
			return false;
	return true;
}
