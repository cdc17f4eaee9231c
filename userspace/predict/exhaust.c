// SPDX-License-Identifier: Apache-2.0
/* Time to exhaustion: the line fits of phase 4, extended to the limit, or a reason why not.
 *
 * A fit speaks only where the evidence carries it. Nearly every figure below is a share of the
 * evidence, so that the same predictor serves a leak of half a minute and one of many hours:
 *   - the slope stands out of its own error, in which phase 4 has allowed for autocorrelation;
 *   - the level has risen for a while, without falling back, and is above what it reached before
 *     (a sawtooth, a burst or a refilled cache is not);
 *   - a shorter scale says the same, or the whole rise does;
 *   - it does not level off below the limit, by the way its slope has fallen;
 *   - the limit is no further away than a small multiple of what was looked at.
 * Of the scales that speak the surest is taken; rise.c says how sure. */
#include <math.h>

#include "predict/internal.h"

/* A line through fewer samples says nothing of its own error. Samples of a fit are effective ones:
 * 8 on the shortest scale at one a second. */
#define SAMPLES_MIN 8
#define WEIGHT_MIN  5.5
/* Start-up: caches fill, pools open; no line through it is believed. A burst that goes back does so
 * within this time. */
#define LIFE_MIN_NS (10 * KM_NS_PER_S)
#define RISE_MIN_S  10.0
/* Standard errors by which a slope must stand out of 0. */
#define SLOPE_Z 4.0
#define SURE_Z  2.0
/* Standard deviations of the noise by which the rise as a whole must stand out. */
#define RISE_Z 4.0
/* By how much of the limit, besides the noise, a level must be above what it was before. */
#define PEAK_MARGIN 0.02
/* A limit further away than so many times the rise that was seen is not forecast, nor one further
 * away than so many times what the scale looks at (LOOKED time constants; the longest has all). */
#define REACH  4.0
#define P_MIN  0.1 /* less than one in ten is not said */
#define LOOKED 3.0
/* Two looks agree if their times are within this factor ... */
#define AGREE 2.0
/* ... and that of what happens now is not later by more than this: a rise that slows down is a
 * cache that fills, not a leak. */
#define SLOWER 1.25
/* A scale sees a rise as a whole after so many of its time constants. */
#define WHOLE 3.0
/* What no fit knows: a leak is not a line. Added to the slope's own error, as a share of it. */
#define MODEL_ERROR 0.12
/* 10 % and 90 % of a normal distribution. */
#define Z90 1.2816

struct look {
	const struct km_features *f;
	double horizon_s;
	double interval_s; /* between samples, on average */
};

struct line {
	double eta_s, lo_s, hi_s;
	double p;
	struct km_rise rise;
	unsigned int scale;
};

/* Whether the fit by itself has anything to extend. */
static enum km_no_forecast stands_out(const struct look *l, unsigned int i)
{
	const struct km_fit *fit = &l->f->fit[i];

	if (fit->weight < WEIGHT_MIN)
		return KM_WHY_TOO_SHORT;
	if (fit->low >= l->f->limit)
		return KM_WHY_BEYOND;
	if (!(fit->slope > 0) || fit->slope < SLOPE_Z * fit->slope_se)
		return KM_WHY_FLAT;
	if (fit->mean - fit->low < RISE_Z * fit->noise)
		return KM_WHY_FLAT;
	if (fit->peak > 0 && fit->mean <= fit->peak + fit->noise + PEAK_MARGIN * l->f->limit)
		return KM_WHY_SETTLED;
	return KM_WHY_NONE;
}

/* NOW and EARLIER are slopes; nothing below a second of difference at the limit matters. */
static bool agree(double room, double now, double earlier)
{
	double x, y;

	if (earlier <= 0)
		return false;
	x = room / earlier + 1;
	y = room / now + 1;
	return x <= AGREE * y && y <= SLOWER * x;
}

/* Between the means of two scales lies time as well as height. */
static double chord(const struct look *l, unsigned int i)
{
	const struct km_fit *fit = &l->f->fit[i];

	if (i + 1 == KM_SCALES)
		return 0;
	return (fit->mean - fit[1].mean) / (km_scale_s[i + 1] - km_scale_s[i]);
}

/* A rise that began on level ground bends the line of every longer scale, so the second opinion is
 * the line of the scale below or, once the rise lasted for some of this scale's time constants,
 * its average slope, or that between the means of this scale and the one above. */
static bool confirmed(const struct look *l, unsigned int i, const struct km_rise *rise)
{
	const struct km_fit *fit = &l->f->fit[i];
	double room = fmax(l->f->limit - rise->level, 0);

	if (i > 0 && stands_out(l, i - 1) == KM_WHY_NONE &&
	    agree(room, l->f->fit[i - 1].slope, fit->slope))
		return true;
	if (rise->lasted_s < WHOLE * km_scale_s[i])
		return false;
	return agree(room, fit->slope, rise->height / rise->age_s) ||
	       agree(room, fit->slope, chord(l, i));
}

/* A fit's slope is that of about two of its time constants ago, so where the scale below is flatter
 * the slope now is flatter still: by (2 tau) / (2 * 4 tau - 2 tau) of the way between them, if it
 * falls by the same share in the same time. */
static double further(double earlier, double later)
{
	return later < earlier && later > 0 ? later * exp(log(later / earlier) / 3) : later;
}

/* The slope as it is now at the least. The scale below is nearer to now; it counts as it stands if
 * it is sure of itself, else with its error. Its noise holds less of what is no line. */
static double slowest(const struct look *l, unsigned int i)
{
	const struct km_fit *fit = &l->f->fit[i], *below = i > 0 ? fit - 1 : fit;
	double slope;

	if (below->weight < WEIGHT_MIN)
		below = fit;
	slope = km_rise_slope_now(l->f, fit, below->noise);
	if (below->slope > SURE_Z * below->slope_se)
		return fmin(slope, further(fit->slope, below->slope));
	return fmin(slope, below->slope + below->slope_se);
}

static void extend(const struct look *l, unsigned int i, struct line *ret)
{
	const struct km_fit *fit = &l->f->fit[i];
	double room = fmax(l->f->limit - ret->rise.level, 0), spread = Z90 * fit->noise;
	double error = Z90 * sqrt(fit->slope_se * fit->slope_se +
	                          MODEL_ERROR * MODEL_ERROR * fit->slope * fit->slope);
	double flat = fmin(fit->slope - error, ret->rise.slope_now);

	ret->scale = i;
	ret->eta_s = room / fit->slope;
	ret->lo_s = fmax(room - spread, 0) / (fit->slope + error);
	ret->hi_s = fmin((room + spread) / flat, l->horizon_s);
	ret->p = km_rise_goes_on(&ret->rise, room, km_scale_s[i]);
}

static bool too_far(const struct look *l, const struct line *line)
{
	unsigned int i = line->scale;

	if (i + 1 < KM_SCALES && line->eta_s > REACH * LOOKED * km_scale_s[i])
		return true;
	if (line->p < P_MIN)
		return true;
	return line->eta_s > REACH * line->rise.lasted_s || line->eta_s > l->horizon_s;
}

/* Why the fit at scale I says nothing, or NONE with *RET. */
static enum km_no_forecast speak(const struct look *l, unsigned int i, struct line *ret)
{
	enum km_no_forecast why = stands_out(l, i);

	if (why != KM_WHY_NONE)
		return why;
	km_rise_of(l->f, &l->f->fit[i], slowest(l, i), &ret->rise);
	if (ret->rise.lasted_s < RISE_MIN_S || ret->rise.lasted_s < SAMPLES_MIN * l->interval_s)
		return KM_WHY_TOO_SHORT;
	if (km_rise_levels_off(&ret->rise, l->f->limit))
		return KM_WHY_SETTLED;
	if (!confirmed(l, i, &ret->rise))
		return KM_WHY_DISAGREE;
	extend(l, i, ret);
	return too_far(l, ret) ? KM_WHY_FAR : KM_WHY_NONE;
}

/* Shortest first: at the same probability the newest evidence is taken. */
static enum km_no_forecast choose(const struct look *l, struct line *ret)
{
	enum km_no_forecast why = KM_WHY_TOO_SHORT;

	*ret = (struct line){ .p = -1 };
	for (unsigned int i = 0; i < KM_SCALES; i++) {
		struct line here = { 0 };
		enum km_no_forecast this = speak(l, i, &here);

		if (this == KM_WHY_NONE && here.p > ret->p)
			*ret = here;
		else if (why == KM_WHY_TOO_SHORT || why == KM_WHY_FLAT)
			why = this;
	}
	return ret->p >= 0 ? KM_WHY_NONE : why;
}

static int none(struct km_forecast *ret, enum km_no_forecast why)
{
	ret->why = why;
	return 0;
}

static void put(const struct km_features *f, const struct line *line, struct km_forecast *ret)
{
	ret->eta_s = km_predict_round(line->eta_s);
	ret->eta_lo_s = km_predict_round(line->lo_s);
	ret->eta_hi_s = km_predict_round(line->hi_s);
	ret->p = km_predict_round(line->p);
	ret->scale = line->scale;
	ret->fit = f->fit[line->scale];
	ret->subject_tgid = f->subject_tgid;
	ret->span_ns = (uint64_t)(line->rise.lasted_s * (double)KM_NS_PER_S);
}

static int exhaust(const struct km_predict_input *in, enum km_resource resource,
                   struct km_forecast *ret)
{
	const struct km_features *f = in->features[resource];
	struct look look = { .f = f };
	enum km_no_forecast why;
	struct line line;

	if (!f || !f->measured)
		return none(ret, KM_WHY_NOT_MEASURED);
	ret->level = f->level;
	ret->limit = f->limit;
	if (!(f->limit > 0))
		return none(ret, KM_WHY_NO_LIMIT);
	if (f->samples < SAMPLES_MIN || f->t_ns - f->since_ns < LIFE_MIN_NS)
		return none(ret, KM_WHY_TOO_SHORT);
	look.horizon_s = (double)in->horizon_ns / (double)KM_NS_PER_S;
	look.interval_s =
		(double)(f->t_ns - f->since_ns) / (double)KM_NS_PER_S / (double)(f->samples - 1);
	why = choose(&look, &line);
	if (why != KM_WHY_NONE)
		return none(ret, why);
	put(f, &line, ret);
	return 1;
}

const struct km_predictor km_predictor_exhaust = {
	.name = "exhaustion by extended line fits",
	.kind = KM_EXHAUSTION,
	.forecast = exhaust,
	.per_resource = true,
};
