// SPDX-License-Identifier: Apache-2.0
/* Time to exhaustion: the line fits of phase 4, extended to the limit, or a reason why not.
 *
 * A fit speaks only where the evidence carries it. Nearly every figure below is a share of the
 * evidence, so that the same predictor serves a leak of half a minute and one of many hours:
 *   - the slope stands out of its own error;
 *   - the level has risen for a while, without falling back, and is above what it reached before
 *     by more than half of what it has ever fallen back by (a sawtooth, a burst or a refilled cache
 *     is not), or by more than any level may, as long as little of it was seen;
 *   - a shorter scale says the same, or the whole rise does;
 *   - it does not level off below the limit, by the way its slope has fallen;
 *   - no shorter scale, which sees the near future better, says that it is over;
 *   - the limit is no further away than a small multiple of what was looked at.
 * That the noise is a part of the rule makes it silent where the limit lies within what a level
 * does anyway, whatever a line says. Of the scales that speak the surest is taken; exhaust_when.c
 * says when, rise.c how sure. */
#include <math.h>

#include "base/exact.h"
#include "predict/internal.h"

/* Samples of a series. */
#define SAMPLES_MIN 8
/* Start-up: caches fill, pools open; no line through it is believed. A burst that goes back does so
 * within this time. */
#define LIFE_MIN_NS (10 * KM_NS_PER_S)
#define RISE_MIN_S  10.0
/* Standard errors by which a slope must stand out of 0. */
#define SLOPE_Z 3.0
#define SURE_Z  2.0
/* Standard deviations of the noise by which the rise as a whole must stand out. */
#define RISE_Z 4.0
/* A rise must be higher than what went back before; besides, as long as little has been seen, than
 * what any level may do: this share of the limit, less for a series that was watched for HISTORY
 * times as long as the rise has lasted, and so on. */
#define SWING   0.5
#define USUAL   0.16
#define HISTORY 4.0
/* A limit further away than so many times the rise that was seen is not forecast, nor one further
 * away than so many of the scale's time constants (the longest has all). */
#define REACH  4.0
#define LOOKED 48.0
#define P_MIN  0.1 /* less than one in ten is not said */
/* Two looks agree if their times are within this factor ... */
#define AGREE 2.0
/* ... and that of what happens now is not later by more than this: a rise that slows down is a
 * cache that fills, not a leak. */
#define SLOWER 1.25
/* Of a scale's time constants: nearer than this it is asked. */
#define NEAR 16.0
/* A scale sees a rise as a whole after so many of its time constants. */
#define WHOLE 3.0
/* How far a level like this one rises without meaning anything. */
static double usual(const struct km_look *l, const struct km_fit *fit)
{
	return fmax(SWING * fit->swing,
	            USUAL * l->f->limit / (1 + km_rise_watched(l, fit) / HISTORY));
}

/* Whether the fit by itself has anything to extend. */
static enum km_no_forecast stands_out(const struct km_look *l, unsigned int i)
{
	const struct km_fit *fit = &l->f->fit[i];

	if (fit->weight < KM_FIT_WEIGHT_MIN)
		return KM_WHY_TOO_SHORT;
	if (fit->low >= l->f->limit)
		return KM_WHY_BEYOND;
	if (!(fit->slope > 0) || fit->slope < SLOPE_Z * fit->slope_se)
		return KM_WHY_FLAT;
	if (fit->mean - fit->low < RISE_Z * fit->noise)
		return KM_WHY_FLAT;
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
static double chord(const struct km_look *l, unsigned int i)
{
	const struct km_fit *fit = &l->f->fit[i];

	if (i + 1 == KM_SCALES)
		return 0;
	return (fit->mean - fit[1].mean) / (km_scale_s[i + 1] - km_scale_s[i]);
}

/* A rise that began on level ground bends the line of every longer scale, so the second opinion is
 * the line of the scale below or, once the rise lasted for some of this scale's time constants,
 * its average slope, or that between the means of this scale and the one above. */
static bool confirmed(const struct km_look *l, unsigned int i, const struct km_rise *rise)
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
	return later < earlier && later > 0 ? later * km_exact_cbrt(later / earlier) : later;
}

/* The slope as it is now at the least. The scale below is nearer to now; it counts as it stands if
 * it is sure of itself, else with its error. Its noise holds less of what is no line. */
static double slowest(const struct km_look *l, unsigned int i)
{
	const struct km_fit *fit = &l->f->fit[i], *below = i > 0 ? fit - 1 : fit;
	double slope;

	if (below->weight < KM_FIT_WEIGHT_MIN)
		below = fit;
	slope = km_rise_slope_now(l->f, fit, below->noise);
	if (below->slope > SURE_Z * below->slope_se)
		return fmin(slope, further(fit->slope, below->slope));
	return fmin(slope, below->slope + below->slope_se);
}

/* A line is for a time like the one it was drawn through. For the near future shorter scales see
 * better: one of them that is surely slower says that it is over. */
static bool contradicted(const struct km_look *l, unsigned int i, double eta_s)
{
	for (unsigned int k = 0; k < i; k++) {
		const struct km_fit *fit = &l->f->fit[k];

		if (fit->weight >= KM_FIT_WEIGHT_MIN && eta_s < NEAR * km_scale_s[k] &&
		    fit->slope + SURE_Z * fit->slope_se < l->f->fit[i].slope / AGREE)
			return true;
	}
	return false;
}

static bool too_far(const struct km_look *l, const struct km_line *line)
{
	unsigned int i = line->scale;

	if (i + 1 < KM_SCALES && line->eta_s > LOOKED * km_scale_s[i])
		return true;
	if (line->p < P_MIN)
		return true;
	return line->eta_s > REACH * line->rise.lasted_s || line->eta_s > l->horizon_s;
}

/* Why the fit at scale I says nothing, or NONE with *RET. */
static enum km_no_forecast speak(const struct km_look *l, unsigned int i, struct km_line *ret)
{
	enum km_no_forecast why = stands_out(l, i);

	if (why != KM_WHY_NONE)
		return why;
	km_rise_of(l->f, &l->f->fit[i], slowest(l, i), &ret->rise);
	if (ret->rise.lasted_s < RISE_MIN_S || ret->rise.lasted_s < SAMPLES_MIN * l->interval_s)
		return KM_WHY_TOO_SHORT;
	if (l->f->limit - l->f->level > REACH * ret->rise.lasted_s * l->f->fit[i].slope)
		return KM_WHY_FAR;
	if (l->f->fit[i].mean - km_rise_base(&l->f->fit[i]) <= usual(l, &l->f->fit[i]))
		return KM_WHY_SETTLED;
	if (km_rise_levels_off(&ret->rise, l->f->limit))
		return KM_WHY_SETTLED;
	if (!confirmed(l, i, &ret->rise))
		return KM_WHY_DISAGREE;
	km_exhaust_when(l, i, ret);
	ret->p = km_rise_goes_on(l, i, &ret->rise);
	if (contradicted(l, i, ret->eta_s))
		return KM_WHY_DISAGREE;
	return too_far(l, ret) ? KM_WHY_FAR : KM_WHY_NONE;
}

/* Shortest first: at the same probability the newest evidence is taken. */
static enum km_no_forecast choose(const struct km_look *l, struct km_line *ret)
{
	enum km_no_forecast why = KM_WHY_TOO_SHORT;

	*ret = (struct km_line){ .p = -1 };
	for (unsigned int i = 0; i < KM_SCALES; i++) {
		struct km_line here = { 0 };
		enum km_no_forecast this = speak(l, i, &here);

		if (this == KM_WHY_NONE && here.p > ret->p)
			*ret = here;
		else if (why == KM_WHY_TOO_SHORT || why == KM_WHY_FLAT)
			why = this;
	}
	return ret->p >= 0 ? KM_WHY_NONE : why;
}

/* Nothing is above what it was before. */
static enum km_no_forecast fallen_short(const struct km_features *f)
{
	enum km_no_forecast why = KM_WHY_FLAT;

	for (unsigned int i = 0; i < KM_SCALES; i++) {
		if (f->fit[i].low >= f->limit)
			return KM_WHY_BEYOND;
		if (f->fit[i].mean > f->fit[i].low)
			why = KM_WHY_SETTLED;
	}
	return why;
}

static int none(struct km_forecast *ret, enum km_no_forecast why)
{
	ret->why = why;
	return 0;
}

static void put(const struct km_features *f, const struct km_line *line, struct km_forecast *ret)
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
	struct km_look look = { .f = f };
	enum km_no_forecast why;
	struct km_line line;

	if (!f || !f->measured)
		return none(ret, KM_WHY_NOT_MEASURED);
	ret->level = f->level;
	ret->limit = f->limit;
	if (!(f->limit > 0))
		return none(ret, KM_WHY_NO_LIMIT);
	if (f->samples < SAMPLES_MIN || f->t_ns - f->since_ns < LIFE_MIN_NS)
		return none(ret, KM_WHY_TOO_SHORT);
	if (!f->risen)
		return none(ret, fallen_short(f));
	look.age_s = (double)(f->t_ns - f->since_ns) / (double)KM_NS_PER_S;
	look.horizon_s = (double)in->horizon_ns / (double)KM_NS_PER_S;
	look.interval_s = look.age_s / (double)(f->samples - 1);
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
