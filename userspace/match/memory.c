// SPDX-License-Identifier: Apache-2.0
/* The matcher's tables. */
#include "match/memory.h"

/* Rows exist only while a condition with 'for' holds: 32 for each service that may be followed. */
#define SINCE_MAX (32 * KM_SERVICES_MAX)
/* ... and while an event counts: 8 for each service. */
#define WINDOWS_MAX (8 * KM_SERVICES_MAX)
/* Three times the longest sampling period: a condition that was not looked at for longer did not
 * hold "without a break". */
#define GAP_NS (180 * KM_NS_PER_S)
/* A full table is searched for rows of services that are gone at most so often. */
#define SWEEP_NS (60 * KM_NS_PER_S)

struct since {
	struct km_memory_key key;
	uint64_t text;
	uint64_t since_ns;
	uint64_t seen_ns; /* last time it was looked at and held */
};

struct window {
	struct km_memory_key key;
	uint64_t text;
	uint64_t expires_ns; /* when the newest leaves the window */
	uint32_t count;
	uint32_t pad;
	uint64_t t_ns[KM_EVENTS_MAX]; /* newest first, zero behind count */
};

/* One row: a part of the state as the others are, so that a restored matcher goes on the same. */
struct tally {
	uint64_t key;      /* 0 */
	uint64_t swept_ns; /* when a full table was last searched */
	uint64_t full;     /* how often one was full */
};

static bool key_is_good(const struct km_memory_key *k)
{
	return k->service_id && k->part < KM_PART_MAX && k->cond < KM_CONDITIONS_MAX;
}

static bool since_is_good(const void *row)
{
	const struct since *s = row;

	return key_is_good(&s->key) && s->since_ns <= s->seen_ns;
}

static bool window_is_good(const void *row)
{
	const struct window *w = row;

	if (!key_is_good(&w->key) || w->count < 1 || w->count > KM_EVENTS_MAX || w->pad)
		return false;
	if (w->expires_ns < w->t_ns[0])
		return false;
	for (uint32_t i = 1; i < KM_EVENTS_MAX; i++)
		if (i < w->count ? w->t_ns[i] > w->t_ns[i - 1] : w->t_ns[i] != 0)
			return false;
	return true;
}

static bool tally_is_good(const void *row)
{
	const struct tally *t = row;

	return t->key == 0;
}

static const struct km_table_opts since_opts = {
	.name = "match-since",
	.rows_max = SINCE_MAX,
	.row_size = sizeof(struct since),
	.key_size = sizeof(struct km_memory_key),
	.valid = since_is_good,
};

static const struct km_table_opts window_opts = {
	.name = "match-windows",
	.rows_max = WINDOWS_MAX,
	.row_size = sizeof(struct window),
	.key_size = sizeof(struct km_memory_key),
	.valid = window_is_good,
};

static const struct km_table_opts tally_opts = {
	.name = "match-tally",
	.rows_max = 1,
	.row_size = sizeof(struct tally),
	.key_size = sizeof(uint64_t),
	.valid = tally_is_good,
};

int km_memory_init(struct km_memory *m)
{
	int r = km_table_new(&since_opts, &m->since);

	if (r >= 0)
		r = km_table_new(&window_opts, &m->windows);
	if (r >= 0)
		r = km_table_new(&tally_opts, &m->tally);
	return r;
}

void km_memory_done(struct km_memory *m)
{
	km_table_free(m->since);
	km_table_free(m->windows);
	km_table_free(m->tally);
}

uint64_t km_memory_text(const struct km_rule *rule)
{
	uint64_t text;

	memcpy(&text, rule->digest, sizeof(text));
	return text;
}

/* Rows of services that are no longer looked at, which nobody else would drop. */
static void sweep(struct km_memory *m, uint64_t now_ns)
{
	uint32_t slot = 0;
	struct since *s;
	struct window *w;

	while ((s = km_table_next(m->since, &slot)))
		if (now_ns - s->seen_ns > GAP_NS)
			km_table_drop(m->since, &s->key);
	slot = 0;
	while ((w = km_table_next(m->windows, &slot)))
		if (now_ns > w->expires_ns)
			km_table_drop(m->windows, &w->key);
}

/* As km_table_put(), with one more try after a sweep. */
static int put(struct km_memory *m, struct km_table *t, const struct km_memory_at *at, void *ret)
{
	int r = km_table_put(t, &at->key, ret);
	const uint64_t key = 0;
	struct tally *tally = NULL;

	if (r != -ENOSPC)
		return r;
	if (km_table_put(m->tally, &key, &tally) == 1 || at->now_ns - tally->swept_ns >= SWEEP_NS) {
		tally->swept_ns = at->now_ns;
		sweep(m, at->now_ns);
		r = km_table_put(t, &at->key, ret);
	}
	tally->full += r < 0;
	return r;
}

uint64_t km_memory_full(const struct km_memory *m)
{
	const uint64_t key = 0;
	const struct tally *tally = km_table_get(m->tally, &key);

	return tally ? tally->full : 0;
}

int km_memory_holds(struct km_memory *m, const struct km_memory_at *at, uint64_t for_ns)
{
	struct since *s = NULL;
	int r = put(m, m->since, at, &s);

	if (r < 0)
		return r;
	if (r == 1 || at->now_ns - s->seen_ns > GAP_NS) {
		s->text = at->text;
		s->since_ns = at->now_ns;
	}
	s->seen_ns = at->now_ns;
	return at->now_ns - s->since_ns >= for_ns;
}

bool km_memory_has(const struct km_memory *m, const struct km_memory_at *at)
{
	return km_table_count(m->since) && km_table_get(m->since, &at->key);
}

bool km_memory_latched(const struct km_memory *m, const struct km_memory_at *at)
{
	const struct since *s = km_table_get(m->since, &at->key);

	return s && at->now_ns - s->seen_ns <= GAP_NS;
}

void km_memory_breaks(struct km_memory *m, const struct km_memory_at *at)
{
	if (km_table_count(m->since))
		km_table_drop(m->since, &at->key);
}

int km_memory_counts(struct km_memory *m, const struct km_memory_at *at, uint64_t within_ns)
{
	struct window *w = NULL;
	uint32_t count = 0;
	int r = put(m, m->windows, at, &w);

	if (r < 0)
		return r;
	w->text = at->text;
	if (w->count < KM_EVENTS_MAX)
		w->count++;
	memmove(&w->t_ns[1], &w->t_ns[0], (w->count - 1) * sizeof(w->t_ns[0]));
	w->t_ns[0] = at->now_ns;
	w->expires_ns = at->now_ns + within_ns;
	while (count < w->count && at->now_ns - w->t_ns[count] <= within_ns)
		count++;
	return (int)count;
}

static bool is_kept(const struct km_rules *r, const struct km_memory_key *key, uint64_t text)
{
	const struct km_rule *rule = km_rules_get(r, key->rule_key);

	return rule && km_memory_text(rule) == text;
}

void km_memory_rules_changed(struct km_memory *m, const struct km_rules *r)
{
	struct since *s;
	struct window *w;
	uint32_t slot = 0;

	while ((s = km_table_next(m->since, &slot)))
		if (!is_kept(r, &s->key, s->text))
			km_table_drop(m->since, &s->key);
	slot = 0;
	while ((w = km_table_next(m->windows, &slot)))
		if (!is_kept(r, &w->key, w->text))
			km_table_drop(m->windows, &w->key);
}
