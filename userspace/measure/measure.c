/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/series.h"

#define NO_LIMIT (-1.0)
/* Another process must be this much fuller than the one followed to take its place. */
#define FULLER 1.1

/* One level of one service over time. */
struct level {
	uint64_t service_id;
	uint64_t resource;
	uint64_t subject_start_ns;
	uint32_t subject_tgid;
	uint32_t pad;
	struct km_series series;
};

/* The fullest process of a pass, and the one that is followed, as shares of their limits. */
struct fullest {
	uint64_t fds, limit, start_ns;
	uint32_t tgid, pad;
};

/* What the pass under way has seen of one service. */
struct pass {
	uint64_t service_id;
	uint64_t t_ns;         /* of its newest sample, 0: none in this pass */
	uint64_t memory_bytes; /* sum over its processes */
	uint64_t threads;
	uint32_t has_memory, has_threads;
	uint64_t cgroup_level[KM_RESOURCE_MAX], cgroup_limit[KM_RESOURCE_MAX];
	uint64_t cgroup_t_ns[KM_RESOURCE_MAX]; /* 0: the cgroup does not tell */
	struct fullest fullest, followed;
};

struct km_measure {
	struct km_table *levels, *passes, *ends;
	struct km_features out[KM_RESOURCE_MAX];
};

static bool level_valid(const void *row)
{
	const struct level *l = row;

	return l->service_id && l->resource < KM_RESOURCE_MAX && km_series_valid(&l->series);
}

static bool pass_valid(const void *row)
{
	return ((const struct pass *)row)->service_id;
}

static bool ends_valid(const void *row)
{
	const struct km_ends *e = row;

	return e->service_id && e->count <= KM_ENDS_KEPT;
}

_Static_assert(sizeof(struct km_ends) % 8 == 0, "rows are multiples of 8");

int km_measure_new(struct km_measure **ret)
{
	static const struct km_table_opts levels = {
		.name = "levels",
		.rows_max = KM_SERVICES_MAX * KM_RESOURCE_MAX,
		.row_size = sizeof(struct level),
		.key_size = 16,
		.valid = level_valid,
	};
	static const struct km_table_opts passes = {
		.name = "passes",
		.rows_max = KM_SERVICES_MAX,
		.row_size = sizeof(struct pass),
		.key_size = 8,
		.valid = pass_valid,
	};
	static const struct km_table_opts ends = {
		.name = "ends",
		.rows_max = KM_SERVICES_MAX,
		.row_size = sizeof(struct km_ends),
		.key_size = 8,
		.valid = ends_valid,
	};
	km_autofree(km_measure_freep) struct km_measure *m = calloc(1, sizeof(*m));
	int r;

	if (!m)
		return -ENOMEM;
	if ((r = km_table_new(&levels, &m->levels)) < 0 ||
	    (r = km_table_new(&passes, &m->passes)) < 0 || (r = km_table_new(&ends, &m->ends)) < 0)
		return r;
	*ret = km_take(m);
	return 0;
}

struct km_measure *km_measure_free(struct km_measure *m)
{
	if (!m)
		return NULL;
	km_table_free(m->levels);
	km_table_free(m->passes);
	km_table_free(m->ends);
	free(m);
	return NULL;
}

static bool fuller(const struct fullest *a, const struct fullest *b, double by)
{
	return (double)a->fds * (double)b->limit > by * (double)b->fds * (double)a->limit;
}

static const struct level *level_of(const struct km_measure *m, uint64_t service_id,
                                    enum km_resource r)
{
	uint64_t key[2] = { service_id, r };

	return km_table_get(m->levels, key);
}

static void take_descriptors(const struct km_measure *m, struct pass *p, const struct kmend_task *t)
{
	const struct level *l = level_of(m, p->service_id, KM_DESCRIPTORS);
	struct fullest f = { t->fds, t->fds_limit, t->start_ns, t->tgid, 0 };

	if (!(t->has & KMEND_HAS_FDS) || !(t->has & KMEND_HAS_LIMITS) || !f.limit ||
	    f.limit == UINT64_MAX)
		return;
	if (!p->fullest.limit || fuller(&f, &p->fullest, 1))
		p->fullest = f;
	if (l && l->subject_tgid == f.tgid && l->subject_start_ns == f.start_ns)
		p->followed = f;
}

static void take_task(const struct km_measure *m, struct pass *p, const struct kmend_task *t)
{
	if (t->has & KMEND_HAS_RSS) {
		p->memory_bytes += t->anon_bytes + t->shmem_bytes + t->swap_bytes;
		p->has_memory = 1;
	}
	if (t->has & KMEND_HAS_THREADS) {
		p->threads += t->threads;
		p->has_threads = 1;
	}
	take_descriptors(m, p, t);
}

/* What belongs to a life that is over, or has not begun, says nothing of this one. */
static void forget(struct km_measure *m, uint64_t service_id)
{
	for (uint64_t i = 0; i < KM_RESOURCE_MAX; i++) {
		uint64_t key[2] = { service_id, i };

		km_table_drop(m->levels, key);
	}
	km_table_drop(m->passes, &service_id);
}

static int note_end(struct km_measure *m, const struct km_service *s)
{
	const struct km_ending *end = &s->last;
	struct km_ends *e;
	int r = km_table_put(m->ends, &s->id, &e);

	if (r < 0)
		return r;
	memmove(e->t_ns + 1, e->t_ns, sizeof(e->t_ns) - sizeof(e->t_ns[0]));
	memmove(e->lived_ns + 1, e->lived_ns, sizeof(e->lived_ns) - sizeof(e->lived_ns[0]));
	memmove(e->exit_code + 1, e->exit_code, sizeof(e->exit_code) - sizeof(e->exit_code[0]));
	e->t_ns[0] = end->t_ns;
	e->lived_ns[0] = end->t_ns > end->start_ns ? end->t_ns - end->start_ns : 0;
	e->exit_code[0] = end->known ? end->exit_code : UINT32_MAX;
	e->count += e->count < KM_ENDS_KEPT;
	e->total++;
	return 0;
}

static int take_event(struct km_measure *m, const struct km_subject *subject)
{
	const struct km_service *s = subject->service;
	int r = 0;

	if (subject->event != KM_EV_STARTED && subject->event != KM_EV_ENDED)
		return 0;
	if (subject->event == KM_EV_ENDED && !s->last.asked)
		r = note_end(m, s);
	forget(m, s->id);
	return r;
}

int km_measure_signal(struct km_measure *m, const struct km_signal *s,
                      const struct km_subject *subject)
{
	struct pass *p;
	int r;

	if (!subject->service)
		return 0;
	r = take_event(m, subject);
	if (r < 0 || (s->type != KMEND_TASK && s->type != KM_RAW_LEVEL))
		return r;
	r = km_table_put(m->passes, &subject->service->id, &p);
	if (r < 0)
		return r;
	if (s->type == KMEND_TASK) {
		take_task(m, p, &s->task);
	} else if (s->cgroup_id == subject->service->cgroup_id) {
		p->cgroup_level[s->level.resource] = s->level.level;
		p->cgroup_limit[s->level.resource] = s->level.limit;
		p->cgroup_t_ns[s->level.resource] = s->t_ns;
	}
	p->t_ns = s->t_ns;
	return 0;
}

static void add(struct km_measure *m, const struct pass *p, enum km_resource resource,
                uint64_t t_ns, uint64_t level, uint64_t limit)
{
	uint64_t key[2] = { p->service_id, resource };
	struct level *l;

	if (level == KM_UNKNOWN || km_table_put(m->levels, key, &l) < 0)
		return;
	/* Fails only for a time that goes back: a sample out of order is left out. */
	(void)km_series_add(&l->series, t_ns, (double)level,
	                    limit == KM_UNKNOWN || !limit ? NO_LIMIT : (double)limit);
}

static void close_descriptors(struct km_measure *m, struct pass *p, uint64_t now_ns)
{
	const struct fullest *f = &p->followed;
	uint64_t key[2] = { p->service_id, KM_DESCRIPTORS };
	struct level *l;

	if (!p->fullest.limit || km_table_put(m->levels, key, &l) < 0)
		return;
	if (!f->limit || (f->tgid != p->fullest.tgid && fuller(&p->fullest, f, FULLER)))
		f = &p->fullest;
	if (l->subject_tgid != f->tgid || l->subject_start_ns != f->start_ns) {
		km_series_reset(&l->series);
		l->subject_tgid = f->tgid;
		l->subject_start_ns = f->start_ns;
	}
	(void)km_series_add(&l->series, now_ns, (double)f->fds, (double)f->limit);
}

static void close_pass(struct km_measure *m, struct pass *p, uint64_t now_ns)
{
	if (p->cgroup_t_ns[KM_MEMORY])
		add(m, p, KM_MEMORY, p->cgroup_t_ns[KM_MEMORY], p->cgroup_level[KM_MEMORY],
		    p->cgroup_limit[KM_MEMORY]);
	else if (p->has_memory)
		add(m, p, KM_MEMORY, now_ns, p->memory_bytes, KM_UNKNOWN);
	if (p->cgroup_t_ns[KM_THREADS])
		add(m, p, KM_THREADS, p->cgroup_t_ns[KM_THREADS], p->cgroup_level[KM_THREADS],
		    p->cgroup_limit[KM_THREADS]);
	else if (p->has_threads)
		add(m, p, KM_THREADS, now_ns, p->threads, KM_UNKNOWN);
	close_descriptors(m, p, now_ns);
}

void km_measure_tick(struct km_measure *m, uint64_t now_ns)
{
	uint32_t slot = 0;
	struct pass *p;

	while ((p = km_table_next(m->passes, &slot))) {
		uint64_t id = p->service_id;

		if (!p->t_ns)
			continue;
		close_pass(m, p, now_ns);
		memset(p, 0, sizeof(*p));
		p->service_id = id;
	}
}

const struct km_features *km_measure_features(struct km_measure *m, uint64_t service_id,
                                              enum km_resource r)
{
	const struct level *l = level_of(m, service_id, r);
	struct km_features *f = &m->out[r];

	if (!l)
		return NULL;
	/* Asked for by several phases within one tick. */
	if (f->service_id == service_id && f->t_ns == l->series.t_ns &&
	    f->samples == l->series.samples && f->since_ns == l->series.since_ns)
		return f;
	*f = (struct km_features){
		.service_id = service_id,
		.resource = r,
		.subject_tgid = l->subject_tgid,
		.subject_start_ns = l->subject_start_ns,
	};
	km_series_features(&l->series, f);
	return f;
}

const struct km_ends *km_measure_ends(const struct km_measure *m, uint64_t service_id)
{
	return km_table_get(m->ends, &service_id);
}

size_t km_measure_tables(struct km_measure *m, struct km_table **ret, size_t max)
{
	if (max < 3)
		return 0;
	ret[0] = m->levels;
	ret[1] = m->passes;
	ret[2] = m->ends;
	return 3;
}
