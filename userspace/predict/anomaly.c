// SPDX-License-Identifier: Apache-2.0
#include "base/exact.h"
#include "predict/anomaly.h"

#include <math.h>

#include "base/base.h"

/* Nothing is said before so many samples. */
#define SAMPLES_MIN 50
/* Less surprise than this is none. */
#define SURPRISE_MIN 0.05
/* Grade of a surprise of 1; grades for each factor of e. */
#define GRADE_OF_ONE 24.0
#define GRADES_OF_E  4.0
/* Return periods are counted in units of this; a longer step is one unit. */
#define RETURN_UNIT_S 300
/* An alarm if surprise times its return period comes to this: half the score. */
#define EVENT_HALF 1000.0
/* Beyond this a longer return period matters less and less. */
#define RETURN_HALF 20000.0
/* A state is an alarm if the metrics that speak are so many spreads off, half the score; it goes
 * on while they are still so many off. */
#define STATE_HALF 4.2
#define STATE_KEPT 2.8
/* Each alarm of a state makes the next one so much harder, for three days by half: a budget that
 * who is always odd uses up. After fewer quiet steps it is still the same alarm. */
#define BAR_RAISED  1.15
#define BAR_HALF_S  (3 * 86400.0)
#define QUIET_STEPS 30
/* One part of the newest sample in the smoothed state. */
#define SMOOTH 10
/* What is said has six digits. */
#define DIGITS 1e6

static double rounded(double x)
{
	return floor(x * DIGITS + 0.5) / DIGITS;
}

static unsigned int grade(double surprise)
{
	double g = km_exact_log(surprise + SURPRISE_MIN) * GRADES_OF_E + GRADE_OF_ONE;

	return (unsigned int)fmax(0, fmin(g, KM_ANOMALY_GRADES - 1));
}

/* Units between this step and the last one of at least this grade. */
static double return_period(struct km_anomaly *a, double surprise)
{
	unsigned int g = grade(surprise);
	uint32_t last = 0;

	for (unsigned int i = g; i < KM_ANOMALY_GRADES; i++)
		last = a->last[i] > last ? a->last[i] : last;
	a->last[g] = a->age_s;
	return fmax((double)(a->age_s - last) / RETURN_UNIT_S - 1, 0);
}

/* Into the short list of the loudest metrics; the earlier one first where they say the same. */
static void speak(struct km_anomaly_verdict *v, uint32_t metric, float says)
{
	uint32_t i = v->parts;

	if (i < KM_ANOMALY_TOGETHER)
		v->parts++;
	else if (says <= v->part[--i].share)
		return;
	for (; i > 0 && v->part[i - 1].share < says; i--)
		v->part[i] = v->part[i - 1];
	v->part[i] = (struct km_anomaly_part){ .metric = metric, .share = says };
}

static double sum_of(const struct km_anomaly_verdict *v)
{
	double sum = 0;

	for (uint32_t i = 0; i < v->parts; i++)
		sum += (double)v->part[i].share;
	return sum;
}

/* What the speakers say becomes their share of it. */
static void to_shares(struct km_anomaly_verdict *v)
{
	double sum = sum_of(v);

	for (uint32_t i = 0; i < v->parts; i++)
		v->part[i].share = sum > 0 ? (float)((double)v->part[i].share / sum) : 0;
}

static void judge_event(struct km_anomaly *a, struct km_anomaly_verdict *v, uint64_t wall_s)
{
	double surprise = v->parts ? (double)v->part[0].share : 0, period, weight;

	surprise = km_season_hear(&a->season, wall_s, surprise);
	if (surprise < SURPRISE_MIN)
		return;
	period = return_period(a, surprise);
	if (a->samples < SAMPLES_MIN)
		return;
	weight = period / (1 + period / RETURN_HALF) * surprise;
	v->score = rounded(weight / (weight + EVENT_HALF));
	v->alarm = weight >= EVENT_HALF;
}

static void raise_bar(struct km_anomaly *a, bool alarm)
{
	if (alarm && a->quiet >= QUIET_STEPS)
		a->bar = (float)((1 + (double)a->bar) * BAR_RAISED - 1);
	a->quiet = alarm ? 0 : a->quiet + (a->quiet < UINT32_MAX);
}

static void judge_state(struct km_anomaly *a, struct km_anomaly_verdict *v, uint64_t wall_s)
{
	double state = (double)a->state;

	state += (sum_of(v) / KM_ANOMALY_TOGETHER - state) / SMOOTH;
	a->state = (float)state;
	state = km_season_hear(&a->season, wall_s, state);
	if (a->samples < SAMPLES_MIN)
		return;
	v->score = rounded(state / (state + STATE_HALF));
	v->alarm = state >= (a->alarm ? STATE_KEPT : STATE_HALF * (1 + (double)a->bar));
	a->alarm = v->alarm;
	raise_bar(a, v->alarm);
}

static void judge(struct km_anomaly *a, uint64_t wall_s, const struct km_anomaly_metric *m,
                  uint32_t count)
{
	struct km_anomaly_verdict *v = &a->verdict;
	uint32_t known = 0;

	*v = (struct km_anomaly_verdict){ 0 };
	for (uint32_t i = 0; i < count; i++)
		known += m[i].samples > 0;
	for (uint32_t i = 0; i < count; i++)
		if (m[i].samples)
			speak(v, i, known < KM_ANOMALY_TOGETHER ? m[i].surprise : fabsf(m[i].z));
	if (known < KM_ANOMALY_TOGETHER)
		judge_event(a, v, wall_s);
	else
		judge_state(a, v, wall_s);
	to_shares(v);
}

static void grow(struct km_anomaly *a, uint64_t t_ns)
{
	uint64_t s = (t_ns - a->t_ns) / KM_NS_PER_S;

	if (!a->samples || s > RETURN_UNIT_S)
		s = RETURN_UNIT_S;
	a->bar -= a->bar * (float)((double)s * (M_LN2 / BAR_HALF_S));
	a->age_s = s < UINT32_MAX - a->age_s ? a->age_s + (uint32_t)s : UINT32_MAX;
	a->samples += a->samples < UINT32_MAX;
	a->t_ns = t_ns;
}

const struct km_anomaly_verdict *km_anomaly_judge(struct km_anomaly *a, uint64_t t_ns,
                                                  uint64_t wall_s, struct km_anomaly_metric *m,
                                                  uint32_t count)
{
	if (a->samples && t_ns - a->t_ns < KM_ANOMALY_STEP_S * KM_NS_PER_S)
		return &a->verdict;
	grow(a, t_ns);
	for (uint32_t i = 0; i < count; i++)
		km_anomaly_metric_step(&m[i]);
	judge(a, wall_s, m, count);
	return &a->verdict;
}

void km_anomaly_rests(struct km_anomaly *a)
{
	a->t_ns = 0;
	a->alarm = 0;
	a->state = 0;
	a->quiet = 0;
	a->verdict = (struct km_anomaly_verdict){ 0 };
	km_season_rests(&a->season);
}

bool km_anomaly_valid(const struct km_anomaly *a, uint32_t count)
{
	const struct km_anomaly_verdict *v = &a->verdict;

	for (int i = 0; i < KM_ANOMALY_GRADES; i++)
		if (a->last[i] > a->age_s)
			return false;
	for (uint32_t i = 0; i < v->parts && v->parts <= KM_ANOMALY_TOGETHER; i++)
		if (v->part[i].metric >= count || !(v->part[i].share >= 0) ||
		    !(v->part[i].share <= 1))
			return false;
	return v->parts <= KM_ANOMALY_TOGETHER && v->score >= 0 && v->score <= 1 && v->alarm <= 1 &&
	       a->alarm <= 1 && isfinite(a->state) && a->state >= 0 && isfinite(a->bar) &&
	       a->bar >= 0 && a->t_ns <= (uint64_t)INT64_MAX && km_season_valid(&a->season);
}
