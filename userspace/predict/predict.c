/* SPDX-License-Identifier: Apache-2.0 */
#include "predict/internal.h"

#include <math.h>

/* A forecast of exhaustion must come out so many samples in a row before it is in force, and fail
 * to so many before it is over: one odd sample neither makes nor ends one. */
#define STREAK_MIN 3
#define MISSES_MAX 2
#define HOLD_NS    (3 * KM_NS_PER_S)
#define KEPT_SHARE 0.9
/* Times further apart than this factor do not make a row. */
#define AGREE 2.0
/* A forecast in force is said again when its time has moved by this factor ... */
#define MOVED 1.5
/* ... or when it has become as likely as this ... */
#define LIKELY 0.5
/* ... and else never twice within this time. */
#define QUIET_NS (10 * KM_NS_PER_S)
#define ROWS_MAX (KM_SERVICES_MAX * (KM_RESOURCE_MAX + 1))

const char *const km_forecast_kind_names[KM_FORECAST_KIND_MAX + 1] = {
	[KM_EXHAUSTION] = "exhaustion",
	[KM_CRASH_LOOP] = "crash_loop",
};

const char *const km_no_forecast_names[KM_WHY_MAX + 1] = {
	[KM_WHY_NONE] = "none",
	[KM_WHY_NOT_MEASURED] = "not measured",
	[KM_WHY_NO_LIMIT] = "no limit",
	[KM_WHY_TOO_SHORT] = "too short a look",
	[KM_WHY_FLAT] = "no rise out of the noise",
	[KM_WHY_DISAGREE] = "short and long term disagree",
	[KM_WHY_FAR] = "further away than the evidence carries",
	[KM_WHY_SETTLED] = "no more than it was before",
	[KM_WHY_FEW_ENDS] = "too few ends",
	[KM_WHY_BEYOND] = "above the limit all the time",
};

/* That of the service as a whole first: its row tells which others there are. */
const struct km_predictor *const km_predictors[] = {
	&km_predictor_crash,
	&km_predictor_exhaust,
	NULL,
};

struct key {
	uint64_t service_id;
	uint32_t kind;
	uint32_t resource;
};

struct row {
	struct key key;
	struct km_forecast now; /* in force, or why not */
	uint64_t sample_ns;     /* newest evidence that was looked at */
	uint64_t found_ns;      /* newest evidence that gave a forecast */
	uint64_t said_ns;       /* when anything was last said of it, 0: never */
	double said_eta_s;      /* what was said, as a time from said_ns */
	double said_p;          /* ... and how sure */
	double eta_s;           /* of the newest evidence that gave a forecast */
	uint32_t streak;        /* evidence in a row that gave a forecast */
	uint32_t misses;        /* ... and that gave none while one was in force */
	uint32_t said;          /* 1: is in force for the others */
	uint32_t resources;     /* of a crash loop's row: bits of those that have rows */
};

struct km_predict {
	struct km_table *rows;
	struct km_forecast said[KM_RESOURCE_MAX + 1]; /* of the last km_predict_service() */
	size_t said_count;
};

static bool valid(const void *p)
{
	const struct row *r = p;
	const struct km_forecast *f = &r->now;

	return r->key.service_id && r->key.kind < KM_FORECAST_KIND_MAX &&
	       r->key.resource <= KM_RESOURCE_MAX && f->service_id == r->key.service_id &&
	       f->kind == r->key.kind && f->resource == r->key.resource && f->why < KM_WHY_MAX &&
	       r->said <= 1 && r->resources >> KM_RESOURCE_MAX == 0 && f->change < KM_CHANGE_MAX &&
	       f->scale < KM_SCALES && isfinite(f->eta_s) && isfinite(f->eta_lo_s) &&
	       isfinite(f->eta_hi_s) && isfinite(f->p) && isfinite(f->level) &&
	       isfinite(f->limit) && isfinite(r->said_eta_s) && isfinite(r->said_p) &&
	       isfinite(r->eta_s) && f->predictor < KM_ARRAY_SIZE(km_predictors) - 1 &&
	       isfinite(f->fit.slope) && isfinite(f->fit.slope_se) && isfinite(f->fit.noise) &&
	       isfinite(f->fit.weight) && isfinite(f->fit.low_s);
}

int km_predict_new(struct km_predict **ret)
{
	static const struct km_table_opts opts = {
		.name = "forecasts",
		.rows_max = ROWS_MAX,
		.row_size = sizeof(struct row),
		.key_size = sizeof(struct key),
		.valid = valid,
	};
	km_autofree(km_predict_freep) struct km_predict *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return -ENOMEM;
	r = km_table_new(&opts, &p->rows);
	if (r < 0)
		return r;
	*ret = km_take(p);
	return 0;
}

struct km_predict *km_predict_free(struct km_predict *p)
{
	if (p)
		km_table_free(p->rows);
	free(p);
	return NULL;
}

double km_predict_round(double x)
{
	double scale = 1;

	if (!(x > 0) || !isfinite(x))
		return 0;
	while (x * scale < 100)
		scale *= 10;
	while (x * scale >= 1000)
		scale /= 10;
	return floor(x * scale + 0.5) / scale;
}

/* When the newest evidence is from: the same sample is not counted twice. */
static uint64_t evidence_ns(const struct km_predict_input *in, const struct key *k)
{
	const struct km_features *f;

	if (k->kind == KM_CRASH_LOOP)
		return in->now_ns;
	f = in->features[k->resource];
	return f ? f->t_ns : 0;
}

/* A second apart is no difference. */
static bool within(double factor, double a_s, double b_s)
{
	return a_s + 1 <= factor * (b_s + 1) && b_s + 1 <= factor * (a_s + 1);
}

/* Whether what is in force stands although the newest evidence FRESH gave none: a few samples, or
 * a short while at fast sampling, but not when the level was given back. */
static bool stands(const struct row *r, const struct km_forecast *fresh)
{
	if (fresh->kind != KM_EXHAUSTION)
		return false;
	if (r->misses < MISSES_MAX)
		return true;
	return fresh->level >= KEPT_SHARE * r->now.level && fresh->t_ns - r->found_ns < HOLD_NS;
}

/* Keeps what is in force through single misses, and holds back what has not come out often
 * enough. */
static void settle(struct row *r, const struct km_forecast *fresh, bool found, uint64_t now_ns)
{
	bool in_force = r->now.why == KM_WHY_NONE && r->now.p > 0;
	uint64_t since = in_force ? r->now.since_ns : now_ns;
	uint32_t enough = fresh->kind == KM_CRASH_LOOP ? 1 : STREAK_MIN;

	r->misses = found ? 0 : r->misses + (r->misses < UINT32_MAX);
	if (found && !in_force && !within(AGREE, r->eta_s, fresh->eta_s))
		r->streak = 0;
	if (found) {
		r->eta_s = fresh->eta_s;
		r->found_ns = fresh->t_ns;
		r->streak += r->streak < UINT32_MAX;
	} else if (in_force && stands(r, fresh)) {
		return; /* as it was, with the time it was made at */
	} else {
		r->streak = 0;
	}
	if (found && (in_force || r->streak >= enough)) {
		r->now = *fresh;
		r->now.since_ns = since;
		if (fresh->kind == KM_EXHAUSTION)
			/* More agreeing samples, more trust: 0.75 of it after the third. */
			r->now.p = fresh->p * (1 - 1 / (1.0 + r->streak));
		r->now.p = floor(r->now.p * 1000 + 0.5) / 1000;
		return;
	}
	r->now = *fresh;
	if (found)
		r->now.why = KM_WHY_TOO_SHORT;
	r->now.p = 0;
	r->now.eta_s = r->now.eta_lo_s = r->now.eta_hi_s = 0;
	r->now.since_ns = 0;
}

static bool moved(const struct row *r, uint64_t now_ns)
{
	double left = r->said_eta_s - (double)(now_ns - r->said_ns) / (double)KM_NS_PER_S;

	return !within(MOVED, fmax(left, 0), r->now.eta_s);
}

/* That it has become more likely than not: once in the time it is in force. */
static bool likely_now(const struct row *r)
{
	return r->said && r->said_p < LIKELY && r->now.p >= LIKELY;
}

/* What goes and what becomes likely is said at once, all else at most once in QUIET_NS. */
static enum km_change change_of(struct row *r, uint64_t now_ns)
{
	bool in_force = r->now.why == KM_WHY_NONE, before = r->said;

	if (!in_force && !before)
		return KM_SAME;
	if (in_force && !likely_now(r)) {
		if (r->said_ns && now_ns - r->said_ns < QUIET_NS)
			return KM_SAME;
		if (before && !moved(r, now_ns))
			return KM_SAME;
	}
	r->said_p = before && in_force ? fmax(r->said_p, r->now.p) : r->now.p;
	r->said = in_force;
	r->said_ns = now_ns;
	r->said_eta_s = r->now.eta_s;
	if (!in_force)
		return KM_GONE;
	return before ? KM_CHANGED : KM_APPEARED;
}

/* The usual case, made short: nothing was in force, and nothing is. */
static void still_none(struct row *r, const struct km_forecast *fresh)
{
	r->streak = 0;
	r->misses += r->misses < UINT32_MAX;
	r->now.t_ns = fresh->t_ns;
	r->now.level = fresh->level;
	r->now.limit = fresh->limit;
	r->now.ends = fresh->ends;
	r->now.why = fresh->why;
	r->now.change = KM_SAME;
}

static int look(struct km_predict *p, const struct km_predict_input *in, unsigned int predictor,
                uint32_t resource)
{
	const struct km_predictor *how = km_predictors[predictor];
	struct key key = { in->service->id, how->kind, resource };
	struct km_forecast fresh = {
		.service_id = in->service->id,
		.kind = how->kind,
		.resource = resource,
		.t_ns = in->now_ns,
		.predictor = predictor,
	};
	uint64_t sample_ns = evidence_ns(in, &key);
	struct row *r;
	int k;

	k = km_table_put(p->rows, &key, &r);
	if (k < 0)
		return k;
	if (k == 0 && r->sample_ns == sample_ns && how->per_resource)
		return 0;
	r->sample_ns = sample_ns;
	k = how->forecast(in, (enum km_resource)resource, &fresh);
	if (k < 0)
		return k;
	if (k == 0 && r->now.why != KM_WHY_NONE && !r->said) {
		still_none(r, &fresh);
		return 0;
	}
	settle(r, &fresh, k > 0, in->now_ns);
	r->now.change = change_of(r, in->now_ns);
	if (r->now.change != KM_SAME)
		p->said[p->said_count++] = r->now;
	return 0;
}

/* What this kind of entity does not have takes no row, and no search for one. */
static int look_at_resources(struct km_predict *p, const struct km_predict_input *in,
                             unsigned int predictor, struct row *own)
{
	int r = 0;

	for (uint32_t k = 0; k < KM_RESOURCE_MAX && r == 0; k++) {
		if (!in->features[k] && !(own->resources >> k & 1))
			continue;
		r = look(p, in, predictor, k);
		own->resources |= r == 0 ? 1U << k : 0;
	}
	return r;
}

int km_predict_service(struct km_predict *p, const struct km_predict_input *in)
{
	const struct key key = { in->service->id, KM_CRASH_LOOP, KM_RESOURCE_MAX };
	struct row *own;
	int r = 0;

	p->said_count = 0;
	for (unsigned int i = 0; km_predictors[i] && r == 0; i++) {
		if (!km_predictors[i]->per_resource)
			r = look(p, in, i, KM_RESOURCE_MAX);
		else if ((own = km_table_get(p->rows, &key)))
			r = look_at_resources(p, in, i, own);
	}
	return r < 0 && r != -ENOSPC ? r : (int)p->said_count;
}

const struct km_forecast *km_predict_said(const struct km_predict *p, size_t i)
{
	return i < p->said_count ? &p->said[i] : NULL;
}

const struct km_forecast *km_predict_get(const struct km_predict *p, uint64_t service_id,
                                         enum km_forecast_kind kind, enum km_resource resource)
{
	struct key key = { service_id, kind, kind == KM_CRASH_LOOP ? KM_RESOURCE_MAX : resource };
	const struct row *r = km_table_get(p->rows, &key);

	return r ? &r->now : NULL;
}

const struct km_forecast *km_predict_next(const struct km_predict *p, uint32_t *slot)
{
	const struct row *r = km_table_next(p->rows, slot);

	return r ? &r->now : NULL;
}

void km_predict_forget(struct km_predict *p, uint64_t service_id)
{
	for (uint32_t i = 0; i < KM_RESOURCE_MAX; i++) {
		struct key key = { service_id, KM_EXHAUSTION, i };
		struct row *r = km_table_get(p->rows, &key);

		if (!r)
			continue;
		r->streak = 0;
		r->misses = MISSES_MAX;
		r->found_ns = 0;
		r->now.why = KM_WHY_TOO_SHORT;
		r->now.p = 0;
	}
}

size_t km_predict_tables(struct km_predict *p, struct km_table **ret, size_t max)
{
	if (!max)
		return 0;
	ret[0] = p->rows;
	return 1;
}
