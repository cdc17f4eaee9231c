/* SPDX-License-Identifier: Apache-2.0 */
/* Exponentially weighted least squares with irregular sampling.
 *
 * The update of mean and central moments is West's (Communications of the ACM 22(9), 1979) with all
 * earlier weights multiplied by exp(-dt / tau) first. The standard error of the slope takes
 * (sum w)^2 / sum w^2 as the number of samples and is inflated by sqrt((1 + r) / (1 - r)), r the
 * lag-1 correlation of the one-step prediction errors (Quenouille's correction for an AR(1)). */
#include "measure/series.h"

#include <math.h>

const double km_scale_s[KM_SCALES] = { 4, 16, 64, 256, 1024 };

/* After so long a gap nothing of before is believed. */
#define GAP_MAX_S (8 * 1024.0)
/* A rise is over when the mean has given back this share of it. */
#define RISE_LOST 0.25f
/* Correlation beyond this cannot be told from a trend. */
#define CORRELATION_MAX 0.95
#define HALF_LIFE_S     86400.0

size_t km_series_size(void)
{
	return sizeof(struct km_series);
}

void km_series_reset(struct km_series *s)
{
	memset(s, 0, sizeof(*s));
}

static void begin(struct km_series *s, uint64_t t_ns, double level)
{
	km_series_reset(s);
	s->since_ns = t_ns;
	for (unsigned int i = 0; i < KM_SCALES; i++) {
		struct km_moments *m = &s->scale[i];

		m->mean = level;
		m->low = m->top = (float)level;
	}
}

static double slope_of(const struct km_moments *m)
{
	return m->tt > 0 ? m->ty / m->tt : 0;
}

/* How far off the line so far is of the new sample, before that is taken in. */
static void note_error(struct km_moments *m, double dt, double level, double keep)
{
	float error = (float)(level - (m->mean + slope_of(m) * (dt - m->mean_t)));

	if (m->weight < 2) {
		m->error = 0;
		return;
	}
	m->error_sq = (float)(keep * m->error_sq + (double)error * error);
	m->error_lag = (float)(keep * m->error_lag + (double)error * m->error);
	m->error = error;
}

/* KEEP: what is left of the weights after DT. */
static void take(struct km_moments *m, double dt, double level, double keep)
{
	double t_off, y_off;

	note_error(m, dt, level, keep);
	m->weight = m->weight * keep + 1;
	m->weight_sq = m->weight_sq * keep * keep + 1;
	m->mean_t -= dt;
	t_off = -m->mean_t;
	y_off = level - m->mean;
	m->mean_t += t_off / m->weight;
	m->mean += y_off / m->weight;
	m->tt = m->tt * keep + t_off * (0 - m->mean_t);
	m->ty = m->ty * keep + t_off * (level - m->mean);
	m->yy = m->yy * keep + y_off * (level - m->mean);
}

/* Where the present rise of the mean began, and what was reached before it. */
static void follow_rise(struct km_moments *m, double dt)
{
	float mean = (float)m->mean;

	m->low_s += (float)dt;
	if (m->peak > 0)
		m->peak *= (float)exp2(-dt / HALF_LIFE_S);
	if (mean >= m->top)
		m->top = mean;
	if (mean > m->low && m->top - mean <= RISE_LOST * (m->top - m->low))
		return;
	if (m->top > m->low && m->top > m->peak)
		m->peak = m->top;
	m->low = m->top = mean;
	m->low_s = 0;
}

int km_series_add(struct km_series *s, uint64_t t_ns, double level, double limit)
{
	double dt, keep;

	if (!isfinite(level) || level < 0 || !isfinite(limit) || (s->samples && t_ns < s->t_ns))
		return -EINVAL;
	dt = (double)(t_ns - s->t_ns) / (double)KM_NS_PER_S;
	if (!s->samples || dt > GAP_MAX_S) {
		begin(s, t_ns, level);
		dt = 0;
	}
	/* One exp(): each time constant is four times the one before. */
	keep = exp(-dt / km_scale_s[KM_SCALES - 1]);
	for (unsigned int i = KM_SCALES; i-- > 0;) {
		take(&s->scale[i], dt, level, keep);
		follow_rise(&s->scale[i], dt);
		keep *= keep;
		keep *= keep;
	}
	s->max = fmax(level, s->max * exp2(-dt / HALF_LIFE_S));
	s->t_ns = t_ns;
	s->level = level;
	s->limit = limit;
	s->samples++;
	return 0;
}

static double correlation(const struct km_moments *m)
{
	double r = m->error_sq > 0 ? (double)m->error_lag / m->error_sq : 0;

	return r < 0 ? 0 : fmin(r, CORRELATION_MAX);
}

static void fit_of(const struct km_moments *m, struct km_fit *ret)
{
	double r = correlation(m), slope = slope_of(m), left;

	*ret = (struct km_fit){
		.slope = slope,
		.level = m->mean - slope * m->mean_t,
		.weight = m->weight_sq > 0 ? m->weight * m->weight / m->weight_sq : 0,
		.mean = m->mean,
		.low = m->low,
		.low_s = m->low_s,
		.peak = m->peak,
	};
	if (ret->weight <= 2 || !(m->tt > 0))
		return;
	left = fmax(m->yy - slope * m->ty, 0) / m->weight;
	ret->noise = sqrt(left * ret->weight / (ret->weight - 2));
	ret->slope_se =
		ret->noise / sqrt(ret->weight * m->tt / m->weight) * sqrt((1 + r) / (1 - r));
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

static bool moments_valid(const struct km_moments *m)
{
	return isfinite(m->weight) && m->weight >= 0 && isfinite(m->weight_sq) &&
	       m->weight_sq >= 0 && isfinite(m->mean_t) && isfinite(m->mean) && isfinite(m->tt) &&
	       m->tt >= 0 && isfinite(m->ty) && isfinite(m->yy) && isfinite(m->low) &&
	       isfinite(m->low_s) && isfinite(m->top) && isfinite(m->peak) && isfinite(m->error) &&
	       isfinite(m->error_sq) && isfinite(m->error_lag);
}

bool km_series_valid(const struct km_series *s)
{
	for (unsigned int i = 0; i < KM_SCALES; i++)
		if (!moments_valid(&s->scale[i]))
			return false;
	return isfinite(s->level) && isfinite(s->limit) && isfinite(s->max) && s->level >= 0 &&
	       s->since_ns <= s->t_ns;
}
