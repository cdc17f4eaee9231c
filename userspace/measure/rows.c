// SPDX-License-Identifier: Apache-2.0
/* Levels of one service and resource: gathered during a pass, closed at its end. */
#include "measure/state.h"

/* Another process takes the series over only when it is fuller by this factor: two workers that
 * fill alike must not cut each other's series short. */
#define FULLER 1.5
/* No figure for so many usual intervals, or for this long: not measured any more. */
#define STALE_INTERVALS 5
#define STALE_MIN_NS    (5 * KM_NS_PER_S)
#define STALE_FIRST_NS  (120 * KM_NS_PER_S) /* the longest sampling period, twice */
/* Limits from here on are a file's way to say "none" (memory.limit_in_bytes of cgroup v1). */
#define LIMIT_NONE (1ULL << 62)

struct km_measure_row *km_measure_row(const struct km_measure *m, uint64_t service_id,
                                      enum km_resource r)
{
	const struct km_measure_key key = { service_id, r };

	return km_table_get(m->rows, &key);
}

struct km_measure_row *km_measure_make(struct km_measure *m, uint64_t service_id,
                                       enum km_resource r, uint64_t t_ns)
{
	const struct km_measure_key key = { service_id, r };
	struct km_measure_row *row;
	int k = km_table_put(m->rows, &key, &row);

	if (k < 0)
		return NULL;
	if (k > 0)
		row->seen_ns = t_ns;
	return row;
}

void km_measure_add_task(struct km_measure_row *row, uint64_t level)
{
	if (!row)
		return;
	row->tasks++;
	row->tasks_level =
		level > UINT64_MAX - row->tasks_level ? UINT64_MAX : row->tasks_level + level;
}

static double share(const struct km_candidate *c)
{
	return c->limit == KM_UNKNOWN || c->limit == 0 ? 0 : (double)c->level / (double)c->limit;
}

/* Of two without a limit the one with more. */
static bool fuller(const struct km_candidate *a, const struct km_candidate *b, double factor)
{
	if (share(a) > 0 || share(b) > 0)
		return share(a) > factor * share(b);
	return (double)a->level > factor * (double)b->level;
}

static bool same(const struct km_candidate *a, const struct km_candidate *b)
{
	return a->tgid == b->tgid && km_attribute_same_start(a->start_ns, b->start_ns);
}

void km_measure_add_descriptors(struct km_measure_row *row, const struct km_share *s)
{
	const struct km_candidate c = {
		.start_ns = s->start_ns,
		.level = s->fds,
		.limit = s->fds_limit < LIMIT_NONE ? s->fds_limit : KM_UNKNOWN,
		.tgid = (uint32_t)s->tgid,
	};

	if (!row)
		return;
	if (row->best.tgid == 0 || fuller(&c, &row->best, 1))
		row->best = c;
	if (row->own.tgid && same(&c, &row->own)) {
		row->own = c;
		row->own_seen = 1;
	}
}

int km_measure_level(struct km_measure *m, uint64_t service_id, const struct km_signal *s)
{
	struct km_measure_row *row;

	if (s->level.level == KM_UNKNOWN || s->level.resource == KM_DESCRIPTORS)
		return 0;
	row = km_measure_make(m, service_id, (enum km_resource)s->level.resource, s->t_ns);
	if (!row)
		return -ENOSPC;
	row->level = s->level.level;
	row->level_limit = s->level.limit < LIMIT_NONE ? s->level.limit : KM_UNKNOWN;
	row->has_level = 1;
	return 0;
}

int km_measure_limited(struct km_measure *m, uint64_t service_id, enum km_resource r,
                       const struct km_value *v)
{
	struct km_measure_row *row = km_measure_make(m, service_id, r, v->t_ns);

	if (!row)
		return -ENOSPC;
	row->level = (uint64_t)v->value;
	row->level_limit = v->limit >= 0 ? (uint64_t)v->limit : KM_UNKNOWN;
	row->has_level = 1;
	return 0;
}

static uint64_t patience_ns(const struct km_measure_row *row)
{
	uint64_t usual;

	if (row->series.samples < 2)
		return STALE_FIRST_NS;
	usual = (row->series.t_ns - row->series.since_ns) / (row->series.samples - 1);
	usual *= STALE_INTERVALS;
	return usual > STALE_MIN_NS ? usual : STALE_MIN_NS;
}

static bool silent(const struct km_measure_row *row, uint64_t now_ns)
{
	return now_ns > row->seen_ns && now_ns - row->seen_ns > patience_ns(row);
}

static void add(struct km_measure_row *row, uint64_t now_ns, uint64_t level, uint64_t limit)
{
	double top = limit == KM_UNKNOWN ? -1 : (double)limit;

	if (km_series_add(&row->series, now_ns, (double)level, top) < 0)
		return;
	row->seen_ns = now_ns;
	row->stale = 0;
}

static void use(struct km_measure_row *row, enum km_measure_source source)
{
	if (row->source != (uint32_t)source)
		km_series_reset(&row->series);
	row->source = source;
}

/* The cgroup's own figure counts what the kernel will count. Once it was there, the sum over the
 * processes, which is another quantity, is taken only after it has been missing for long. */
static void close_sum(struct km_measure_row *row, uint64_t now_ns)
{
	if (row->has_level) {
		use(row, KM_SOURCE_LEVEL);
		add(row, now_ns, row->level, row->level_limit);
	} else if (row->tasks > 0 && (row->source != KM_SOURCE_LEVEL || silent(row, now_ns))) {
		use(row, KM_SOURCE_TASKS);
		add(row, now_ns, row->tasks_level, KM_UNKNOWN);
	}
}

static void close_descriptors(struct km_measure_row *row, uint64_t now_ns)
{
	bool gone = !row->own_seen && (row->own.tgid == 0 || silent(row, now_ns));

	if (row->best.tgid == 0)
		return;
	if (gone || (row->own_seen && !same(&row->best, &row->own) &&
	             fuller(&row->best, &row->own, FULLER))) {
		km_series_reset(&row->series);
		row->own = row->best;
		row->own_seen = 1;
	}
	row->source = KM_SOURCE_TASKS;
	if (row->own_seen)
		add(row, now_ns, row->own.level, row->own.limit);
}

void km_measure_close(struct km_measure_row *row, uint64_t now_ns)
{
	if (row->key.resource == KM_DESCRIPTORS)
		close_descriptors(row, now_ns);
	else
		close_sum(row, now_ns);
	if (silent(row, now_ns))
		row->stale = 1;
	row->tasks = 0;
	row->tasks_level = 0;
	row->has_level = 0;
	row->level = 0;
	row->level_limit = 0;
	row->own_seen = 0;
	memset(&row->best, 0, sizeof(row->best));
}

bool km_measure_row_valid(const void *p)
{
	const struct km_measure_row *row = p;

	return row->key.service_id != 0 && row->key.resource < KM_RESOURCE_MAX &&
	       row->source < KM_SOURCE_MAX && row->has_level <= 1 && row->stale <= 1 &&
	       row->own_seen <= 1 && row->tasks <= KM_PROCESSES_MAX &&
	       km_series_valid(&row->series);
}
