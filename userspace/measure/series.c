// SPDX-License-Identifier: Apache-2.0
/* Line fits by exponentially weighted least squares, sample by sample (West 1979), over a ladder
 * of time constants; and beside each, where the present rise began, how high it was before, and how
 * far earlier rises went that went back. */
#include <math.h>

#include "base/exact.h"
#include "measure/series.h"

const double km_scale_s[KM_SCALES] = { 4, 16, 64, 256, 1024 };

/* Each time constant is so many times the one before: its fade is theirs to this power. */
#define SCALE_RATIO 4
/* A line through two points has no residual to judge it by. */
#define SAMPLES_MIN 3.0
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
/* Half-life of peaks and swings. */
#define DAY_S 86400.0
/* Unit of what is squared: levels of up to 2^64 then fit into single precision. */
#define UNIT 0x1p32

size_t km_series_size(void)
{
	return sizeof(struct km_series);
}

void km_series_reset(struct km_series *s)
{
	memset(s, 0, sizeof(*s));
}

/* Effective samples of a sum of fading weights at a regular interval, of which INTERVAL is the
 * share of the time constant: (sum of weights)^2 / (sum of their squares). */
static double effective(const struct km_scale *c, double interval)
{
	double half = interval < 2 ? interval / 2 : 1, w = (double)c->weight;
	/* With a fade of (1 - half) / (1 + half) at each sample, and both sums times 1 + half. */
	double squares = 2 * (1 + half - w * half);

	return 2 * w / (squares > 1 + half ? squares : 1 + half);
}

static double slope_of(const struct km_scale *c, double n)
{
	return c->sxx > 0 && n >= SAMPLES_MIN ? (double)c->sxy / (double)c->sxx * UNIT : 0;
}

/* Of the residuals, in units; N effective samples. */
static double variance(const struct km_scale *c, double n)
{
	double rest;

	if (n < SAMPLES_MIN || c->sxx <= 0)
		return 0;
	rest = (double)c->syy - (double)c->sxy * (double)c->sxy / (double)c->sxx;
	return rest > 0 ? rest / (double)c->weight * n / (n - 2) : 0;
}

static double slope_error(const struct km_scale *c, double n, double square)
{
	if (n < SAMPLES_MIN || c->sxx <= 0)
		return 0;
	return sqrt(square * (double)c->weight / (n * (double)c->sxx)) * UNIT;
}

static void begin_rise(struct km_scale *c, double mean)
{
	c->low = (float)mean;
	c->top = (float)mean;
	c->low_cs = 0;
}

/* It went back: what it was is kept for the next one to be held against. */
static void keep_rise(struct km_scale *c)
{
	if (c->top > c->peak)
		c->peak = c->top;
	if (c->top - c->low > c->swing)
		c->swing = c->top - c->low;
}

static void start_fit(struct km_scale *c, double level)
{
	c->mean = level;
	c->weight = 1;
	c->mean_t = 0;
	c->sxx = 0;
	c->sxy = 0;
	c->syy = 0;
}

static void age_fit(struct km_scale *c, double dt, double keep)
{
	c->mean_t -= (float)dt;
	c->weight *= (float)keep;
	c->sxx *= (float)keep;
	c->sxy *= (float)keep;
	c->syy *= (float)keep;
}

static void add_to_fit(struct km_scale *c, double level)
{
	double before = (double)c->weight, dx = -(double)c->mean_t, dy = level - c->mean;
	double one = 1 / (before + 1), share = before * one;

	c->weight = (float)(before + 1);
	c->mean_t += (float)(dx * one);
	c->mean += dy * one;
	dy /= UNIT;
	c->sxx += (float)(dx * dx * share);
	c->sxy += (float)(dx * dy * share);
	c->syy += (float)(dy * dy * share);
}

/* What was long ago says less of today: peaks sink to the mean, swings to nothing. */
static void age_rise(struct km_scale *c, double dt, double fade)
{
	double cs = (double)c->low_cs + dt * 100;

	c->low_cs = cs < (double)UINT32_MAX ? (uint32_t)cs : UINT32_MAX;
	if (c->peak > c->low)
		c->peak = (float)(c->mean + ((double)c->peak - c->mean) * fade);
	c->swing *= (float)fade;
}

/* Compared as it is kept, or a level that does not move at all would seem to rise by rounding. */
static void follow_rise(struct km_scale *c)
{
	float mean = (float)c->mean;

	if (mean <= c->low || c->top - mean > BACK_SHARE * (c->top - c->low)) {
		keep_rise(c);
		begin_rise(c, c->mean);
	} else if (mean > c->top) {
		c->top = mean;
	}
}

static bool released(const struct km_scale *c, double fall, double interval)
{
	double rise = (double)c->top - (double)c->low, n;

	if (!(rise > 0) || fall <= FALL_SHARE * rise)
		return false;
	n = effective(c, interval);
	return n >= SAMPLES_MIN && fall > FALL_NOISE * UNIT * sqrt(variance(c, n));
}

struct sample {
	double dt, level;
	double fall;     /* from the one before */
	double interval; /* usual one, seconds */
	double fade;     /* of a day */
};

static void add_to_scale(struct km_scale *c, const struct sample *x, double scale_s, double keep)
{
	age_rise(c, x->dt, x->fade);
	if (x->fall > 0 && released(c, x->fall, x->interval / scale_s)) {
		keep_rise(c);
		start_fit(c, x->level);
		begin_rise(c, x->level);
		return;
	}
	if ((double)c->weight * keep < WEIGHT_MIN) {
		start_fit(c, x->level);
	} else {
		age_fit(c, x->dt, keep);
		add_to_fit(c, x->level);
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
	for (unsigned int i = 0; i < KM_SCALES; i++) {
		start_fit(&s->scale[i], level);
		begin_rise(&s->scale[i], level);
		s->scale[i].peak = s->scale[i].low;
	}
}

static double seconds(uint64_t from_ns, uint64_t to_ns)
{
	return (double)(to_ns - from_ns) / (double)KM_NS_PER_S;
}

static double usual_interval(const struct km_series *s)
{
	return s->samples < 2 ? 0 : seconds(s->since_ns, s->t_ns) / (double)(s->samples - 1);
}

static bool interrupted(const struct km_series *s, double dt)
{
	return s->samples >= 2 && dt > GAP_MIN_S && dt > GAP_INTERVALS * usual_interval(s);
}

/* Levels are counts and bytes below 2^64; larger ones would overflow the single-precision sums. */
static bool sane(double level, double limit)
{
	return isfinite(level) && isfinite(limit) && fabs(level) <= 0x1p64 && limit <= 0x1p64;
}

static void add(struct km_series *s, const struct sample *x)
{
	double keep = km_exact_fade(x->dt / km_scale_s[KM_SCALES - 1]);

	for (unsigned int i = KM_SCALES; i-- > 0;) {
		add_to_scale(&s->scale[i], x, km_scale_s[i], keep);
		for (unsigned int k = 1; k < SCALE_RATIO; k *= 2)
			keep *= keep;
	}
}

int km_series_add(struct km_series *s, uint64_t t_ns, double level, double limit)
{
	struct sample x = { .level = level };

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
	x.dt = seconds(s->t_ns, t_ns);
	x.fade = km_exact_fade(x.dt * (M_LN2 / DAY_S));
	x.fall = s->level - level;
	s->t_ns = t_ns;
	s->level = level;
	s->samples++;
	x.interval = usual_interval(s);
	add(s, &x);
	return 0;
}

/* What costs no division. */
static void outline_of(const struct km_scale *c, struct km_fit *ret)
{
	ret->level = c->mean;
	ret->mean = c->mean;
	ret->low = (double)c->low;
	ret->low_s = (double)c->low_cs / 100;
	ret->peak = (double)c->peak;
	ret->swing = (double)c->swing;
}

static void line_of(const struct km_scale *c, double interval, struct km_fit *ret)
{
	double n = effective(c, interval), square = variance(c, n);

	ret->slope = slope_of(c, n);
	ret->level = c->mean - ret->slope * (double)c->mean_t; /* the line's at the newest time */
	ret->slope_se = slope_error(c, n, square);
	ret->noise = sqrt(square) * UNIT;
	ret->weight = n;
}

void km_series_features(const struct km_series *s, struct km_features *ret)
{
	double interval = usual_interval(s);

	ret->measured = s->samples > 0;
	ret->t_ns = s->t_ns;
	ret->since_ns = s->since_ns;
	ret->samples = s->samples;
	ret->level = s->level;
	ret->limit = s->limit;
	ret->risen = 0;
	for (unsigned int i = 0; i < KM_SCALES; i++) {
		outline_of(&s->scale[i], &ret->fit[i]);
		ret->risen |= (float)s->scale[i].mean > s->scale[i].peak;
	}
	for (unsigned int i = 0; i < KM_SCALES && ret->risen; i++)
		line_of(&s->scale[i], interval / km_scale_s[i], &ret->fit[i]);
}

static bool scale_valid(const struct km_scale *c)
{
	const float all[] = { c->weight, c->mean_t, c->sxx,  c->sxy,  c->syy,
		              c->low,    c->top,    c->peak, c->swing };

	for (size_t i = 0; i < KM_ARRAY_SIZE(all); i++)
		if (!isfinite(all[i]))
			return false;
	return isfinite(c->mean) && c->weight >= 0 && c->sxx >= 0 && c->syy >= 0 &&
	       c->mean_t <= 0 && c->swing >= 0;
}

bool km_series_valid(const struct km_series *s)
{
	if (!sane(s->level, s->limit) || s->since_ns > s->t_ns || s->t_ns > (uint64_t)INT64_MAX)
		return false;
	for (unsigned int i = 0; i < KM_SCALES; i++)
		if (!scale_valid(&s->scale[i]))
			return false;
	return true;
}
