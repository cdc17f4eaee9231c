/* SPDX-License-Identifier: Apache-2.0 */
/* Time to exhaustion: the line fits of phase 4, extended to the limit, or a reason why not.
 *
 * A fit speaks only where the evidence carries it; every figure below is a share of the evidence,
 * never a time of day or a size, so that the same predictor serves a leak of half a minute and one
 * of many hours:
 *   - the slope stands out of its own error, in which phase 4 has allowed for autocorrelation;
 *   - the level has risen for a while, without falling back, and is above what it reached before
 *     (a sawtooth, a burst or a refilled cache is not);
 *   - the two scales next to each other agree;
 *   - the limit is no further away than a small multiple of what was looked at. */
#include <math.h>

#include "predict/internal.h"

/* A series of fewer samples, or a fit on fewer effective ones, says nothing about its own error. */
#define SAMPLES_MIN 8
#define WEIGHT_MIN  6
/* Start-up: caches fill, pools open; no line through it is believed. */
#define LIFE_MIN_NS (10 * KM_NS_PER_S)
/* Standard errors by which a slope must stand out of 0. */
#define SLOPE_Z 4.0
/* Standard deviations of the noise by which the rise as a whole must stand out. */
#define RISE_Z 4.0
/* A limit further away than so many times the rise that was seen is not forecast. */
#define REACH 4.0
/* Two neighbouring scales agree if their times are within this factor ... */
#define AGREE 2.0
/* ... and the shorter one's, of what happens now, is not later by more than this: a rise that slows
 * down is a cache that fills, not a leak. */
#define SLOWER 1.25
/* What no fit knows: a leak is not a line. Added to the slope's own error, as a share of it. */
#define MODEL_ERROR 0.12
/* A fit has seen enough of its scale after this many of its time constants. */
#define SPAN_MIN 1.0
/* 10 % and 90 % of a normal distribution. */
#define Z90 1.2816

struct line {
	double eta_s, lo_s, hi_s;
	double p;
	double evidence_s;
};

static double span_s(const struct km_features *f)
{
	return (double)(f->t_ns - f->since_ns) / (double)KM_NS_PER_S;
}

static double normal_cdf(double x)
{
	return 0.5 * erfc(-x * M_SQRT1_2);
}

/* Why the fit at scale I says nothing, or NONE with *RET. */
static enum km_no_forecast extend(const struct km_features *f, unsigned int i, double horizon_s,
                                  struct line *ret)
{
	const struct km_fit *fit = &f->fit[i];
	double room = f->limit - fit->level;
	double error = sqrt(fit->slope_se * fit->slope_se +
	                    MODEL_ERROR * MODEL_ERROR * fit->slope * fit->slope);
	double steep = fit->slope + Z90 * error, flat = fit->slope - Z90 * error;

	if (fit->weight < WEIGHT_MIN || span_s(f) < SPAN_MIN * km_scale_s[i])
		return KM_WHY_TOO_SHORT;
	if (!(fit->slope > SLOPE_Z * fit->slope_se) || !(fit->slope > 0))
		return KM_WHY_FLAT;
	if (fit->mean - fit->low < RISE_Z * fit->noise)
		return KM_WHY_FLAT;
	if (fit->peak > 0 && fit->mean <= fit->peak + fit->noise)
		return KM_WHY_SETTLED;
	if (room <= 0)
		room = 0;
	ret->eta_s = room / fit->slope;
	ret->lo_s = fmax(room - Z90 * fit->noise, 0) / steep;
	ret->hi_s = flat > 0 ? (room + Z90 * fit->noise) / flat : horizon_s;
	ret->p = normal_cdf((fit->slope - room / horizon_s) / error);
	ret->evidence_s = fmin(fit->low_s, 4 * km_scale_s[i]);
	return KM_WHY_NONE;
}

static bool agree(const struct line *longer, const struct line *shorter)
{
	/* A second apart is no disagreement. */
	double x = longer->eta_s + 1, y = shorter->eta_s + 1;

	return x <= AGREE * y && y <= SLOWER * x;
}

/* The longest scale that speaks, if the one below it says the same. */
static enum km_no_forecast choose(const struct km_features *f, double horizon_s, struct line *ret,
                                  unsigned int *ret_scale)
{
	enum km_no_forecast why = KM_WHY_TOO_SHORT;

	for (unsigned int i = KM_SCALES; i-- > 1;) {
		struct line here, below;
		enum km_no_forecast this = extend(f, i, horizon_s, &here);

		if (this != KM_WHY_NONE) {
			if (why == KM_WHY_TOO_SHORT)
				why = this;
			continue;
		}
		this = extend(f, i - 1, horizon_s, &below);
		if (this != KM_WHY_NONE || !agree(&here, &below)) {
			why = KM_WHY_DISAGREE;
			continue;
		}
		if (here.eta_s > REACH * here.evidence_s || here.eta_s > horizon_s) {
			why = KM_WHY_FAR;
			continue;
		}
		*ret = here;
		*ret_scale = i;
		return KM_WHY_NONE;
	}
	return why;
}

static int none(struct km_forecast *ret, enum km_no_forecast why)
{
	ret->why = why;
	return 0;
}

static int exhaust(const struct km_predict_input *in, enum km_resource resource,
                   struct km_forecast *ret)
{
	const struct km_features *f = in->features[resource];
	double horizon_s = (double)in->horizon_ns / (double)KM_NS_PER_S;
	enum km_no_forecast why;
	unsigned int scale = 0;
	struct line line;

	if (!f || !f->measured)
		return none(ret, KM_WHY_NOT_MEASURED);
	ret->level = f->level;
	ret->limit = f->limit;
	if (f->limit <= 0)
		return none(ret, KM_WHY_NO_LIMIT);
	if (f->samples < SAMPLES_MIN || f->t_ns - f->since_ns < LIFE_MIN_NS)
		return none(ret, KM_WHY_TOO_SHORT);
	why = choose(f, horizon_s, &line, &scale);
	if (why != KM_WHY_NONE)
		return none(ret, why);
	ret->eta_s = km_predict_round(line.eta_s);
	ret->eta_lo_s = km_predict_round(line.lo_s);
	ret->eta_hi_s = km_predict_round(fmin(line.hi_s, horizon_s));
	ret->p = line.p;
	ret->scale = scale;
	ret->fit = f->fit[scale];
	ret->subject_tgid = f->subject_tgid;
	ret->span_ns = (uint64_t)(line.evidence_s * (double)KM_NS_PER_S);
	return 1;
}

const struct km_predictor km_predictor_exhaust = {
	.name = "exhaustion by extended line fits",
	.kind = KM_EXHAUSTION,
	.forecast = exhaust,
	.per_resource = true,
};
