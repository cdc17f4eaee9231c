// SPDX-License-Identifier: Apache-2.0
/* Phase 4: who is told what. */
#include "measure/state.h"

/* Series that nothing was added to for so long are of services that are gone. */
#define ROW_KEPT_NS (3600 * KM_NS_PER_S)

int km_measure_new(struct km_measure **ret)
{
	static const struct km_table_opts rows = {
		.name = "series",
		.rows_max = KM_SERVICES_MAX * KM_RESOURCE_MAX,
		.row_size = sizeof(struct km_measure_row),
		.key_size = sizeof(struct km_measure_key),
		.valid = km_measure_row_valid,
	};
	static const struct km_table_opts ends = {
		.name = "ends",
		.rows_max = KM_SERVICES_MAX,
		.row_size = sizeof(struct km_ends),
		.key_size = sizeof(uint64_t),
		.valid = km_measure_ends_valid,
	};
	km_autofree(km_measure_freep) struct km_measure *m = calloc(1, sizeof(*m));
	int r;

	if (!m)
		return -ENOMEM;
	r = km_table_new(&rows, &m->rows);
	if (r == 0)
		r = km_table_new(&ends, &m->ends);
	if (r == 0)
		r = km_measure_values_new(&m->values);
	if (r == 0)
		r = km_shares_new(m);
	if (r < 0)
		return r;
	*ret = km_take(m);
	return 0;
}

struct km_measure *km_measure_free(struct km_measure *m)
{
	if (!m)
		return NULL;
	km_table_free(m->rows);
	km_table_free(m->ends);
	km_table_free(m->values);
	km_table_free(m->shares);
	km_table_free(m->listing);
	free(m);
	return NULL;
}

/* A new life inherits no slope from the old one. */
static void begin_anew(struct km_measure *m, const struct km_service *s, uint64_t now_ns)
{
	for (unsigned int r = 0; r < KM_RESOURCE_MAX; r++) {
		struct km_measure_row *row = km_measure_row(m, s->id, (enum km_resource)r);

		if (!row)
			continue;
		km_series_reset(&row->series);
		memset(&row->own, 0, sizeof(row->own));
		row->source = KM_SOURCE_NONE;
		row->seen_ns = now_ns;
		row->stale = 0;
	}
}

static int on_event(struct km_measure *m, const struct km_service *s, enum km_event event,
                    uint64_t now_ns)
{
	if (event != KM_EV_STARTED && event != KM_EV_ENDED)
		return 0;
	begin_anew(m, s, now_ns);
	return event == KM_EV_ENDED ? km_measure_end(m, s) : 0;
}

static void note_processes(struct km_measure *m, const struct km_signal *s)
{
	if (s->type == KMEND_LISTED)
		km_shares_listed(m, &s->listed);
	else if (s->type == KMEND_EXIT)
		km_shares_gone(m, s->exit.tgid, s->exit.start_ns);
	else if (s->type == KM_RAW_PROCESS && s->process.source == KM_FROM_EXIT_WATCH)
		km_shares_gone(m, s->process.tgid, s->process.start_ns);
}

int km_measure_signal(struct km_measure *m, const struct km_signal *s,
                      const struct km_subject *subject)
{
	const struct km_service *service = subject->service;
	int r;

	note_processes(m, s);
	if (!service)
		return s->type == KMEND_TASK ? km_shares_task(m, s, NULL) : 0;
	m->changes++;
	r = on_event(m, service, subject->event, s->t_ns);
	if (r < 0)
		return r;
	r = km_measure_values(m, s, subject);
	if (r < 0)
		return r;
	if (s->type == KMEND_TASK)
		return km_shares_task(m, s, service);
	/* Levels of cgroups further down are part of the topmost one's. */
	if (s->type == KM_RAW_LEVEL && s->cgroup_id == service->cgroup_id)
		return km_measure_level(m, service->id, s);
	return 0;
}

void km_measure_tick(struct km_measure *m, uint64_t now_ns)
{
	struct km_measure_row *row;
	uint32_t slot = 0;

	m->changes++;
	km_shares_close(m);
	while ((row = km_table_next(m->rows, &slot))) {
		km_measure_close(row, now_ns);
		if (now_ns > row->seen_ns && now_ns - row->seen_ns > ROW_KEPT_NS)
			km_table_drop(m->rows, &row->key);
	}
	km_measure_values_close(m, now_ns);
	km_measure_forget_ends(m, now_ns);
}

const struct km_features *km_measure_features(struct km_measure *m, uint64_t service_id,
                                              enum km_resource r)
{
	struct km_features *f = &m->features[r];
	const struct km_measure_row *row;

	/* predict, verify and match ask for the same in one pass */
	if (m->features_of[r] == m->changes && f->service_id == service_id)
		return m->features_none[r] ? NULL : f;
	row = km_measure_row(m, service_id, r);
	m->features_of[r] = m->changes;
	m->features_none[r] = !row;
	memset(f, 0, sizeof(*f));
	f->service_id = service_id;
	if (!row)
		return NULL;
	f->resource = r;
	f->limit = -1;
	if (row->series.samples == 0 || row->stale)
		return f;
	km_series_features(&row->series, f);
	f->subject_tgid = row->own.tgid;
	f->subject_start_ns = row->own.start_ns;
	return f;
}

bool km_measure_next_sample(const struct km_measure *m, uint32_t *slot, struct km_sample *ret)
{
	const struct km_measure_row *row;

	while ((row = km_table_next(m->rows, slot))) {
		if (row->series.samples == 0 || row->stale)
			continue;
		*ret = (struct km_sample){ .service_id = row->key.service_id,
			                   .resource = (uint32_t)row->key.resource,
			                   .t_ns = row->series.t_ns,
			                   .level = row->series.level,
			                   .limit = row->series.limit };
		return true;
	}
	return false;
}

uint64_t km_measure_values_generation(const struct km_measure *m)
{
	return km_table_generation(m->values);
}

const struct km_ends *km_measure_ends(const struct km_measure *m, uint64_t service_id)
{
	return km_table_get(m->ends, &service_id);
}

size_t km_measure_tables(struct km_measure *m, struct km_table **ret, size_t max)
{
	struct km_table *const all[] = { m->rows, m->ends, m->values, m->shares, m->listing };
	size_t n = 0;

	while (n < KM_ARRAY_SIZE(all) && n < max) {
		ret[n] = all[n];
		n++;
	}
	return n;
}
