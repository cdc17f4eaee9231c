// SPDX-License-Identifier: Apache-2.0
/* One metric against its own past. Mean and spread are exponentially weighted (West 1979), each
 * update clipped (Huber 1964), so that what is odd does not become usual at once. */
#include "base/exact.h"
#include "predict/anomaly.h"

#include <math.h>

/* Half-life of what is usual: two weeks of minutes. Before that all samples count alike. */
#define HALF_LIFE 20000.0
#define LEARN     (M_LN2 / HALF_LIFE)
/* Deviations by which one sample can move what is usual. */
#define CLIP 3.0
/* ... and this share of the range seen so far: what was still for days and then moves is followed,
 * whatever its unit. */
#define REACH 0.02
/* Further off than this is just far. */
#define FAR 100.0
/* Differences that nobody would call one: a hundredth of a unit, a twentieth of the level. */
#define RESOLUTION       0.01
#define RESOLUTION_SHARE 0.05
/* A view's spread is not believed to be less than this. */
#define SPREAD_MIN 0.2
/* A value that was seen too often to be odd has probability 1; one never seen still this much. */
#define RARE_MIN 0.003
/* What is rare says as much as two other views. */
#define RARE_WEIGHT 2.0
#define BIN_WIDTH   3.2 /* bins for each factor of e */
#define BIN_OF_MEAN 16.0
/* Counts are halved when so many are in: they fit their 16 bits, and old ones fade. */
#define COUNTED_MAX 40000
/* Steps are compared as logarithms, of more than this. */
#define STEP_MIN 0.05
/* A range is known after so many samples; to leave it by this share of its width is new, and
 * makes a sample so many times as surprising. */
#define RANGE_SAMPLES 50
#define RANGE_SHARE   0.05
#define RANGE_FACTOR  4.0
/* Squares of values beyond it are no numbers any more in single precision. */
#define VALUE_MAX 1e15

static double clipped(double x, double most)
{
	return fmax(-most, fmin(most, x));
}

/* How far E is from what is usual in this view, and learns it. */
static double look(struct km_anomaly_norm *v, double e, double learn)
{
	double spread = sqrt((double)v->variance) + SPREAD_MIN;
	double z = (e - (double)v->mean) / spread, step = clipped(z, CLIP) * spread;

	v->mean += (float)(learn * step);
	v->variance += (float)(learn * (step * step - (double)v->variance));
	return z;
}

/* Large deviations count by their logarithm: one view must not outshout all others. */
static double square(double z)
{
	double y = km_exact_log(1 + z);

	return y * y;
}

static double rarity(struct km_anomaly_metric *m, double z)
{
	double place = km_exact_asinh(z) * BIN_WIDTH + BIN_OF_MEAN;
	int i = (int)clipped(place, KM_ANOMALY_BINS), last = KM_ANOMALY_BINS - 1;
	double near;

	i = i < 0 ? 0 : i > last ? last : i;
	near = (double)m->bin[i] / 2 +
	       (double)(m->bin[i > 0 ? i - 1 : 0] + m->bin[i < last ? i + 1 : last]) / 4;
	if (m->counted >= COUNTED_MAX) {
		m->counted = 0;
		for (int k = 0; k <= last; k++)
			m->counted += m->bin[k] /= 2;
	}
	m->bin[i]++;
	near = (near + 1.0 / KM_ANOMALY_BINS) / (m->counted + 1.0);
	m->counted++;
	return -km_exact_log(near + RARE_MIN);
}

static void begin(struct km_anomaly_metric *m, double x)
{
	m->mean = x;
	m->low = m->high = m->last = (float)x;
	for (int i = 0; i < KM_ANOMALY_MEANS; i++)
		m->means[i] = (float)x;
}

/* The sum of squares of all views. */
static double views(struct km_anomaly_metric *m, double x, double scale, double learn)
{
	struct km_anomaly_norm *v = m->view;
	double first = 1.0 / m->samples, z = (x - m->mean) / scale, sum, rare, step, weight = 1;

	sum = square(fabs(look(v++, z, learn)));
	for (int i = 0; i < KM_ANOMALY_MEANS; i++) {
		weight /= 3;
		m->means[i] += (float)((x - (double)m->means[i]) * fmax(weight, first));
		sum += square(fabs(look(v++, ((double)m->means[i] - m->mean) / scale, learn)));
	}
	rare = look(v++, rarity(m, z), learn);
	sum += RARE_WEIGHT * RARE_WEIGHT * square(fmax(rare, 0));
	step = fabs(x - (double)m->last) / scale;
	weight = 1;
	for (int i = 0; i < KM_ANOMALY_STEPS; i++) {
		weight /= 3;
		m->steps[i] += (float)((step - (double)m->steps[i]) * fmax(weight, first));
		sum += square(fabs(look(v++, km_exact_log((double)m->steps[i] + STEP_MIN), learn)));
	}
	return sum;
}

static double leaves_range(struct km_anomaly_metric *m, double x)
{
	double low = (double)m->low, high = (double)m->high, room = RANGE_SHARE * (high - low);
	bool out = m->samples > RANGE_SAMPLES && (x > high + room || x < low - room);

	m->low = (float)fmin(low, x);
	m->high = (float)fmax(high, x);
	return out ? RANGE_FACTOR : 1;
}

static void take(struct km_anomaly_metric *m, double x)
{
	double learn, scale, z, step;

	if (m->samples == 0)
		begin(m, x);
	m->samples += m->samples < UINT32_MAX;
	learn = fmax(LEARN, 1.0 / m->samples);
	scale = sqrt(m->variance) + RESOLUTION + RESOLUTION_SHARE * fabs(m->mean);
	z = (x - m->mean) / scale;
	m->surprise =
		(float)(sqrt(views(m, x, scale, learn) / KM_ANOMALY_VIEWS) * leaves_range(m, x));
	m->z = (float)clipped(z, FAR);
	step = x - m->mean;
	if (m->samples >= 3)
		step = clipped(step, CLIP * (scale + REACH * ((double)m->high - (double)m->low)));
	m->mean += learn * step;
	m->variance += learn * (step * step - m->variance);
	m->last = (float)x;
}

void km_anomaly_metric_add(struct km_anomaly_metric *m, double x)
{
	if (!isfinite(x))
		return;
	m->sum += clipped(x, VALUE_MAX);
	m->gathered++;
}

void km_anomaly_metric_step(struct km_anomaly_metric *m)
{
	m->z = 0;
	m->surprise = 0;
	if (m->gathered)
		take(m, m->sum / m->gathered);
	m->sum = 0;
	m->gathered = 0;
}

void km_anomaly_metric_rests(struct km_anomaly_metric *m)
{
	m->sum = 0;
	m->gathered = 0;
	m->z = 0;
	m->surprise = 0;
}

static bool norms_valid(const struct km_anomaly_metric *m)
{
	for (int i = 0; i < KM_ANOMALY_VIEWS; i++)
		if (!isfinite(m->view[i].mean) || !(m->view[i].variance >= 0) ||
		    !isfinite(m->view[i].variance))
			return false;
	return true;
}

bool km_anomaly_metric_valid(const struct km_anomaly_metric *m)
{
	uint32_t counted = 0;

	for (int i = 0; i < KM_ANOMALY_BINS; i++)
		counted += m->bin[i];
	for (int i = 0; i < KM_ANOMALY_MEANS; i++)
		if (!isfinite(m->means[i]))
			return false;
	for (int i = 0; i < KM_ANOMALY_STEPS; i++)
		if (!isfinite(m->steps[i]) || m->steps[i] < 0)
			return false;
	return counted == m->counted && counted <= COUNTED_MAX && norms_valid(m) &&
	       isfinite(m->sum) && isfinite(m->mean) && isfinite(m->variance) && m->variance >= 0 &&
	       isfinite(m->low) && isfinite(m->high) && m->low <= m->high && isfinite(m->last) &&
	       isfinite(m->z) && isfinite(m->surprise) && m->surprise >= 0;
}
