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
/* Exhaustion of each resource, and each other kind once. */
#define ROWS_EACH (KM_RESOURCE_MAX + KM_FORECAST_KIND_MAX - 1)
#define ROWS_MAX  (KM_SERVICES_MAX * ROWS_EACH)
/* What was learnt of a service that is gone makes room only when room is needed. */
#define WATCH_KEPT_NS (3600 * KM_NS_PER_S)
/* No more is kept of what is in force for one service. */
#define VOICES_MAX ROWS_EACH

_Static_assert((int)KM_FUSE_KINDS == (int)KM_FORECAST_KIND_MAX,
               "each kind is calibrated by itself; failure stands for none");

const char *const km_forecast_kind_names[KM_FORECAST_KIND_MAX + 1] = {
	[KM_EXHAUSTION] = "exhaustion",   [KM_CRASH_LOOP] = "crash_loop",
	[KM_ANOMALY] = "anomaly",         [KM_HANG] = "hang",
	[KM_DEGRADATION] = "degradation", [KM_DEPENDENCY] = "dependency",
	[KM_FAILURE] = "failure",
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
	[KM_WHY_USUAL] = "nothing unusual",
	[KM_WHY_STARVED] = "others keep it from running",
	[KM_WHY_BEYOND] = "above the limit all the time",
};

/* That of the service as a whole first: its row tells which others there are. */
const struct km_predictor *const km_predictors[] = {
	&km_predictor_crash,   &km_predictor_exhaust, &km_predictor_anomaly, &km_predictor_hang,
	&km_predictor_degrade, &km_predictor_depend,  &km_predictor_failure, NULL,
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
	struct km_table *watch;
	struct km_table *calibration;
	struct km_forecast said[ROWS_EACH]; /* of the last km_predict_service() */
	size_t said_count;
};

static bool fit_valid(const struct km_fit *fit)
{
	return isfinite(fit->slope) && isfinite(fit->slope_se) && isfinite(fit->noise) &&
	       isfinite(fit->weight) && isfinite(fit->low_s);
}

static bool evidence_valid(const struct km_forecast *f)
{
	for (uint32_t i = 0; i < f->parts && f->parts <= KM_ANOMALY_TOGETHER; i++)
		if (f->part[i].metric >= KM_SIG_MAX || !isfinite(f->part[i].share))
			return false;
	for (uint32_t h = 0; h < KM_HORIZONS; h++)
		if (!(f->p_within[h] >= 0 && f->p_within[h] <= 1))
			return false;
	if (f->kind == KM_EXHAUSTION)
		return !f->parts && fit_valid(&f->fit);
	return f->parts <= KM_ANOMALY_TOGETHER;
}

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
	       evidence_valid(f);
}

int km_predict_new(struct km_predict **ret)
{
	static const struct km_table_opts watch = {
		.name = "watched",
		.rows_max = KM_SERVICES_MAX,
		.row_size = sizeof(struct km_watch),
		.key_size = sizeof(uint64_t),
		.valid = km_watch_valid,
		.lasting = KM_TABLE_LEARNT,
		.outlives = km_watch_outlives,
	};
	static const struct km_table_opts calibration = {
		.name = "calibration",
		.rows_max = 1,
		.row_size = sizeof(struct km_calibration),
		.key_size = sizeof(uint64_t),
		.valid = km_calibration_valid,
		.lasting = 1,
		.outlives = km_calibration_outlives,
	};
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
	if ((r = km_table_new(&opts, &p->rows)) < 0 || (r = km_table_new(&watch, &p->watch)) < 0 ||
	    (r = km_table_new(&calibration, &p->calibration)) < 0)
		return r;
	*ret = km_take(p);
	return 0;
}

struct km_predict *km_predict_free(struct km_predict *p)
{
	if (!p)
		return NULL;
	km_table_free(p->rows);
	km_table_free(p->watch);
	km_table_free(p->calibration);
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

	if (k->kind != KM_EXHAUSTION)
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
	uint32_t enough = fresh->kind == KM_EXHAUSTION ? STREAK_MIN : 1;

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

/* What goes on for seconds only is of no use later. */
static bool is_sudden(uint32_t kind)
{
	return kind == KM_HANG || kind == KM_DEPENDENCY || kind == KM_CRASH_LOOP;
}

/* That it has become more likely than not: once in the time it is in force. */
static bool likely_now(const struct row *r)
{
	if (r->now.p < LIKELY)
		return false;
	return r->said ? r->said_p < LIKELY : is_sudden(r->key.kind);
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

/* Asks the predictor, and keeps what it says in R. */
static int ask(struct km_predict *p, const struct km_predict_input *in, unsigned int predictor,
               struct row *r)
{
	struct km_forecast fresh = {
		.service_id = in->service->id,
		.kind = r->key.kind,
		.resource = r->key.resource,
		.t_ns = in->now_ns,
		.predictor = predictor,
	};
	int k = km_predictors[predictor]->forecast(in, (enum km_resource)r->key.resource, &fresh);

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

/* A service that never ended is in no crash loop, as before. */
static bool never_ended(const struct km_predict_input *in, const struct row *r)
{
	return r->key.kind == KM_CRASH_LOOP && r->now.why == KM_WHY_FEW_ENDS && !r->said &&
	       (!in->ends || !in->ends->count);
}

static int look(struct km_predict *p, const struct km_predict_input *in, unsigned int predictor,
                uint32_t resource)
{
	const struct km_predictor *how = km_predictors[predictor];
	struct key key = { in->service->id, how->kind, resource };
	uint64_t sample_ns = evidence_ns(in, &key);
	struct row *r;
	int k;

	k = km_table_put(p->rows, &key, &r);
	if (k < 0)
		return k;
	if (k == 0 && r->sample_ns == sample_ns && how->per_resource)
		return 0;
	r->sample_ns = sample_ns;
	if (k == 0 && never_ended(in, r)) {
		r->now.t_ns = in->now_ns;
		return 0;
	}
	return ask(p, in, predictor, r);
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

static bool measured(const double *values)
{
	for (int i = 0; i < KM_W_MAX; i++)
		if (!isnan(values[i]))
			return true;
	return false;
}

static struct km_calibration *calibration(const struct km_predict *p)
{
	const uint64_t one = 1;
	struct km_calibration *c = NULL;

	(void)km_table_put(p->calibration, &one, &c);
	return c;
}

void km_predict_forget_calibration(struct km_predict *p)
{
	struct km_calibration *c = calibration(p);

	if (c)
		km_calibration_forget(c);
}

/* Room for one service more: the first one that nobody has looked at for so long is gone. */
static bool make_room(const struct km_predict *p, uint64_t now_ns)
{
	uint32_t slot = 0;
	const struct km_watch *w;

	while ((w = km_table_next(p->watch, &slot)))
		if (now_ns - w->t_ns > WATCH_KEPT_NS) {
			km_table_drop(p->watch, &w->service_id);
			return true;
		}
	return false;
}

/* Of a service of which nothing was ever measured nothing is learnt. Without room neither. */
static void learn(const struct km_predict *p, struct km_predict_input *in)
{
	struct km_watch *w;

	if (!in->values)
		return;
	w = km_table_get(p->watch, &in->service->id);
	if (!w && !measured(in->values))
		return;
	if (!w && km_table_put(p->watch, &in->service->id, &w) < 0 &&
	    (!make_room(p, in->now_ns) || km_table_put(p->watch, &in->service->id, &w) < 0))
		return;
	in->watch = w;
	in->calibration = calibration(p);
	km_watch_tick(w, in);
}

/* What the others say, once a minute, before failure itself is asked. */
static void fuse(const struct km_predict *p, const struct km_predict_input *in)
{
	struct km_fuse_voice voice[VOICES_MAX];

	if (in->service->state == KM_SERVICE_UP && km_fuse_due(&in->watch->fuse, in->now_ns))
		km_fuse_minute(&in->watch->fuse, calibration(p), in->now_ns, voice,
		               km_voices(p, in, voice, VOICES_MAX));
}

/* That there is still nothing to say, for the same reason, needs no row to be found. */
static int look_learnt(struct km_predict *p, const struct km_predict_input *in,
                       unsigned int predictor)
{
	const struct km_predictor *how = km_predictors[predictor];
	struct km_forecast fresh = { 0 };
	uint8_t none;
	int r;

	if (!in->watch)
		return 0;
	if (how->kind == KM_FAILURE)
		fuse(p, in);
	none = how->forecast(in, KM_RESOURCE_MAX, &fresh) ? 0 : (uint8_t)(fresh.why + 1);
	if (none && in->watch->none[how->kind] == none)
		return 0;
	r = look(p, in, predictor, KM_RESOURCE_MAX);
	in->watch->none[how->kind] = r < 0 ? 0 : none;
	return r;
}

int km_predict_service(struct km_predict *p, const struct km_predict_input *given)
{
	const struct key key = { given->service->id, KM_CRASH_LOOP, KM_RESOURCE_MAX };
	struct km_predict_input in = *given;
	struct row *own;
	int r = 0;

	p->said_count = 0;
	learn(p, &in);
	for (unsigned int i = 0; km_predictors[i] && r == 0; i++) {
		if (km_predictors[i]->learns)
			r = look_learnt(p, &in, i);
		else if (!km_predictors[i]->per_resource)
			r = look(p, &in, i, KM_RESOURCE_MAX);
		else if ((own = km_table_get(p->rows, &key)))
			r = look_at_resources(p, &in, i, own);
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
	struct key key = { service_id, kind, kind == KM_EXHAUSTION ? resource : KM_RESOURCE_MAX };
	const struct row *r = km_table_get(p->rows, &key);

	return r ? &r->now : NULL;
}

const struct km_forecast *km_predict_next(const struct km_predict *p, uint32_t *slot)
{
	const struct row *r = km_table_next(p->rows, slot);

	return r ? &r->now : NULL;
}

bool km_predict_unanswered(struct km_predict *p, uint64_t service_id, uint64_t now_ns,
                           uint32_t in_a_row)
{
	struct km_watch *w = km_table_get(p->watch, &service_id);

	return w && km_depend_unanswered(&w->depend, now_ns, in_a_row);
}

void km_predict_outcome(struct km_predict *p, uint64_t service_id, bool failed)
{
	struct km_watch *w = km_table_get(p->watch, &service_id);

	if (!w || !w->fuse.kept)
		return;
	if (failed)
		km_fuse_failed(&w->fuse, calibration(p));
	else
		km_fuse_forget(&w->fuse);
}

void km_predict_forget(struct km_predict *p, uint64_t service_id)
{
	struct km_watch *w = km_table_get(p->watch, &service_id);

	if (w)
		km_watch_new_life(w);
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
	struct km_table *const all[] = { p->rows, p->watch, p->calibration };
	size_t n = 0;

	while (n < KM_ARRAY_SIZE(all) && n < max) {
		ret[n] = all[n];
		n++;
	}
	return n;
}
