// SPDX-License-Identifier: Apache-2.0
/* Line fits by exponentially weighted least squares, sample by sample (West 1979), over a ladder
 * of time constants; and beside each, where the present rise began and how high it was before. */
#include <math.h>

#include "measure/series.h"

const double km_scale_s[KM_SCALES] = { 4, 16, 64, 256, 1024 };

/* A line through two points has no residual to judge it by. */
#define SAMPLES_MIN 3.0
/* Autocorrelation is believed up to here: beyond it the variance would be multiplied by more than
 * the longest scale has samples. */
#define CORRELATION_MAX 0.99
/* Weights below it are as good as gone, long before they become denormal. */
#define WEIGHT_MIN 1e-9
/* A pause so long, and so much longer than the usual interval, ends a series. */
#define GAP_MIN_S     2048.0
#define GAP_INTERVALS 16.0
/* A fall at once by more than this share of the rise and so many standard deviations of the noise
 * is a release (sawtooth), not noise: the fit begins anew. */
#define FALL_SHARE 0.5
#define FALL_NOISE 8.0
/* A rise is over when the mean has come back by this share of it. */
#define BACK_SHARE 0.5f
/* A line through two samples a nanosecond apart may point anywhere; the square of this is still a
 * number in single precision. */
#define RESIDUAL_MAX 1e18
/* Half-life of max and peaks. */
#define DAY_S 86400.0

size_t km_series_size(void)
{
	return sizeof(struct km_series);
}

void km_series_reset(struct km_series *s)
{
	memset(s, 0, sizeof(*s));
}

static double effective(const struct km_scale *c)
{
	return c->weight2 > 0 ? c->weight * c->weight / (double)c->weight2 : 0;
}

static double slope_of(const struct km_scale *c)
{
	return c->sxx > 0 && effective(c) >= SAMPLES_MIN ? c->sxy / c->sxx : 0;
}

/* The line's value at the newest time. */
static double line_now(const struct km_scale *c)
{
	return c->mean - slope_of(c) * c->mean_t;
}

static double variance(const struct km_scale *c)
{
	double n = effective(c), rest;

	if (n < SAMPLES_MIN || c->sxx <= 0)
		return 0;
	rest = c->syy - c->sxy * c->sxy / c->sxx;
	return rest > 0 ? rest / c->weight * n / (n - 2) : 0;
}

/* How much neighbouring residuals resemble each other inflates the slope's variance by
 * (1 + r) / (1 - r); an estimate of r from few samples is too low by about (1 + 3r) / n. */
static double inflation(const struct km_scale *c)
{
	double n = effective(c), r = 0;

	if (c->square > 0)
		r = (double)c->product / (double)c->square;
	if (r < 0)
		r = 0;
	r += n > 0 && c->square > 0 ? (1 + 3 * r) / n : 0;
	if (r > CORRELATION_MAX)
		r = CORRELATION_MAX;
	return (1 + r) / (1 - r);
}

static double slope_error(const struct km_scale *c)
{
	double n = effective(c);

	if (n < SAMPLES_MIN || c->sxx <= 0)
		return 0;
	return sqrt(variance(c) * inflation(c) * c->weight / (n * c->sxx));
}

static void begin_rise(struct km_scale *c, double mean)
{
	c->low = (float)mean;
	c->top = (float)mean;
	c->low_cs = 0;
}

static void keep_peak(struct km_scale *c)
{
	if (c->top > c->peak)
		c->peak = c->top;
}

static void start_fit(struct km_scale *c, double level)
{
	c->weight = 1;
	c->weight2 = 1;
	c->mean_t = 0;
	c->mean = level;
	c->sxx = 0;
	c->sxy = 0;
	c->syy = 0;
	c->residual = 0;
	c->square = 0;
	c->product = 0;
}

static void age_fit(struct km_scale *c, double dt, double keep)
{
	c->mean_t -= dt;
	c->weight *= keep;
	c->weight2 = (float)((double)c->weight2 * keep * keep);
	c->sxx *= keep;
	c->sxy *= keep;
	c->syy *= keep;
}

static void add_to_fit(struct km_scale *c, double level, double residual)
{
	double before = c->weight, dx = -c->mean_t, dy = level - c->mean, share;

	residual = fmax(fmin(residual, RESIDUAL_MAX), -RESIDUAL_MAX);
	c->weight = before + 1;
	c->weight2 += 1;
	share = before / c->weight;
	c->mean_t += dx / c->weight;
	c->mean += dy / c->weight;
	c->sxx += dx * dx * share;
	c->sxy += dx * dy * share;
	c->syy += dy * dy * share;
	c->square += (float)((residual * residual - (double)c->square) / c->weight);
	c->product += (float)((residual * (double)c->residual - (double)c->product) / c->weight);
	c->residual = (float)residual;
}

static void age_rise(struct km_scale *c, double dt, double fade)
{
	double cs = (double)c->low_cs + dt * 100;

	c->low_cs = cs < (double)UINT32_MAX ? (uint32_t)cs : UINT32_MAX;
	c->peak = (float)((double)c->peak * fade);
}

/* Compared as it is kept, or a level that does not move at all would seem to rise by rounding. */
static void follow_rise(struct km_scale *c)
{
	float mean = (float)c->mean;

	if (mean <= c->low || c->top - mean > BACK_SHARE * (c->top - c->low)) {
		keep_peak(c);
		begin_rise(c, c->mean);
	} else if (mean > c->top) {
		c->top = mean;
	}
}

static bool released(const struct km_scale *c, double fall)
{
	double rise = (double)c->top - (double)c->low;

	return effective(c) >= SAMPLES_MIN && rise > 0 && fall > FALL_SHARE * rise &&
	       fall > FALL_NOISE * sqrt(variance(c));
}

static void add_to_scale(struct km_scale *c, double dt, double scale_s, double level, double fall)
{
	double keep = exp(-dt / scale_s);

	if (released(c, fall)) {
		keep_peak(c);
		start_fit(c, level);
		begin_rise(c, level);
		return;
	}
	if (c->weight * keep < WEIGHT_MIN) {
		start_fit(c, level);
	} else {
		age_fit(c, dt, keep);
		add_to_fit(c, level, level - line_now(c));
	}
	follow_rise(c);
}

static void begin(struct km_series *s, uint64_t t_ns, double level, double limit)
{
	km_series_reset(s);
	s->t_ns = t_ns;
	s->since_ns = t_ns;
	s->samples = 1;
	s->level = level;
	s->limit = limit;
	s->max = level;
	for (unsigned int i = 0; i < KM_SCALES; i++) {
		start_fit(&s->scale[i], level);
		begin_rise(&s->scale[i], level);
	}
}

static double seconds(uint64_t from_ns, uint64_t to_ns)
{
	return (double)(to_ns - from_ns) / (double)KM_NS_PER_S;
}

static bool interrupted(const struct km_series *s, double dt)
{
	double usual;

	if (s->samples < 2)
		return false;
	usual = seconds(s->since_ns, s->t_ns) / (double)(s->samples - 1);
	return dt > GAP_MIN_S && dt > GAP_INTERVALS * usual;
}

/* Levels are counts and bytes below 2^64; larger ones would overflow the single-precision sums. */
static bool sane(double level, double limit)
{
	return isfinite(level) && isfinite(limit) && fabs(level) <= 0x1p64 && limit <= 0x1p64;
}

int km_series_add(struct km_series *s, uint64_t t_ns, double level, double limit)
{
	double dt, fade, fall;

	if (!sane(level, limit) || (s->samples > 0 && t_ns < s->t_ns))
		return -EINVAL;
	if (limit < 0)
		limit = -1;
	if (s->samples == 0 || interrupted(s, seconds(s->t_ns, t_ns))) {
		begin(s, t_ns, level, limit);
		return 0;
	}
	s->limit = limit;
	if (t_ns == s->t_ns)
		return 0;
	dt = seconds(s->t_ns, t_ns);
	fade = exp(-dt * (M_LN2 / DAY_S));
	fall = s->level - level;
	for (unsigned int i = 0; i < KM_SCALES; i++) {
		age_rise(&s->scale[i], dt, fade);
		add_to_scale(&s->scale[i], dt, km_scale_s[i], level, fall);
	}
	s->max = s->max * fade > level ? s->max * fade : level;
	s->t_ns = t_ns;
	s->level = level;
	s->samples++;
	return 0;
}

static void fit_of(const struct km_scale *c, struct km_fit *ret)
{
	ret->level = line_now(c);
	ret->slope = slope_of(c);
	ret->slope_se = slope_error(c);
	ret->noise = sqrt(variance(c));
	ret->weight = effective(c);
	ret->mean = c->mean;
	ret->low = (double)c->low;
	ret->low_s = (double)c->low_cs / 100;
	ret->peak = (double)c->peak;
}

void km_series_features(const struct km_series *s, struct km_features *ret)
{
	ret->measured = s->samples > 0;
	ret->t_ns = s->t_ns;
	ret->since_ns = s->since_ns;
	ret->samples = s->samples;
	ret->level = s->level;
	ret->limit = s->limit;
	ret->max = s->max;
	for (unsigned int i = 0; i < KM_SCALES; i++)
		fit_of(&s->scale[i], &ret->fit[i]);
}

static bool scale_valid(const struct km_scale *c)
{
	return isfinite(c->weight) && isfinite(c->mean_t) && isfinite(c->mean) &&
	       isfinite(c->sxx) && isfinite(c->sxy) && isfinite(c->syy) && isfinite(c->weight2) &&
	       isfinite(c->residual) && isfinite(c->square) && isfinite(c->product) &&
	       isfinite(c->low) && isfinite(c->top) && isfinite(c->peak) && c->weight >= 0 &&
	       c->weight2 >= 0 && c->sxx >= 0 && c->syy >= 0 && c->mean_t <= 0;
}

bool km_series_valid(const struct km_series *s)
{
	if (!isfinite(s->max) || !sane(s->level, s->limit) || s->since_ns > s->t_ns ||
	    s->t_ns > (uint64_t)INT64_MAX)
		return false;
	for (unsigned int i = 0; i < KM_SCALES; i++)
		if (!scale_valid(&s->scale[i]))
			return false;
	return true;
}
