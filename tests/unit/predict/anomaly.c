// SPDX-License-Identifier: Apache-2.0
/* What is unlike a service's own past is told from what comes each day, and who speaks is named. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/base.h"
#include "predict/anomaly.h"

#define METRICS 8
#define DAY     1440

struct host {
	struct km_anomaly anomaly;
	struct km_anomaly_metric metric[METRICS];
	uint64_t seed;
	uint64_t t_ns;
	uint32_t alarms;
	uint32_t last;  /* row of the newest alarm */
	uint32_t first; /* ... and of the first; UINT32_MAX: none */
	uint32_t rows;
};

static void begin(struct host *h)
{
	memset(h, 0, sizeof(*h));
	h->seed = 1;
	h->first = UINT32_MAX;
}

/* From -1 to 1, as a sum of three: noise enough, and the same each time. */
static double noise(struct host *h)
{
	double sum = 0;

	for (int i = 0; i < 3; i++) {
		h->seed = h->seed * 6364136223846793005U + 1442695040888963407U;
		sum += (double)(h->seed >> 40) / (double)(1U << 24) * 2 - 1;
	}
	return sum / 3;
}

/* One minute with one value for each of COUNT metrics. */
static const struct km_anomaly_verdict *minute(struct host *h, const double *x, uint32_t count)
{
	const struct km_anomaly_verdict *v;

	for (uint32_t i = 0; i < count; i++)
		km_anomaly_metric_add(&h->metric[i], x[i]);
	v = km_anomaly_judge(&h->anomaly, h->t_ns, h->t_ns / KM_NS_PER_S, h->metric, count);
	h->t_ns += 60 * KM_NS_PER_S;
	if (v->alarm) {
		h->alarms++;
		h->last = h->rows;
		if (h->first == UINT32_MAX)
			h->first = h->rows;
	}
	h->rows++;
	assert_true(km_anomaly_valid(&h->anomaly, count));
	for (uint32_t i = 0; i < count; i++)
		assert_true(km_anomaly_metric_valid(&h->metric[i]));
	return v;
}

/* Work by day, rest by night. */
static double daily(struct host *h)
{
	return 50 + ((h->rows % DAY) < 600 ? 30 : 0) + 4 * noise(h);
}

static void noise_and_days_make_no_alarm(void **state)
{
	struct host h;

	(void)state;
	begin(&h);
	while (h.rows < 14 * DAY)
		minute(&h, (double[]){ daily(&h) }, 1);
	/* The first day is new, and so is its first night. */
	assert_true(h.first == UINT32_MAX || h.last < DAY);
}

static void learn_days(struct host *h, int days)
{
	begin(h);
	while (h->rows < (uint32_t)days * DAY)
		minute(h, (double[]){ daily(h) }, 1);
	h->alarms = 0;
}

static void what_was_never_seen_is_an_event_and_not_said_again(void **state)
{
	struct host h;

	(void)state;
	learn_days(&h, 5);
	assert_true(minute(&h, (double[]){ 160 }, 1)->alarm);
	for (int i = 0; i < 240; i++)
		minute(&h, (double[]){ 160 + noise(&h) }, 1);
	assert_in_range(h.alarms, 1, 12);
	h.alarms = 0;
	for (int i = 0; i < 240; i++)
		minute(&h, (double[]){ 160 + noise(&h) }, 1);
	assert_int_equal(h.alarms, 0);
}

static void silence_where_there_was_noise_is_an_event(void **state)
{
	struct host h;

	(void)state;
	learn_days(&h, 5);
	for (int i = 0; i < 120; i++)
		minute(&h, (double[]){ 65 }, 1);
	assert_in_range(h.alarms, 1, 12);
}

static void many(struct host *h, double *x, double shift, uint32_t shifted)
{
	for (uint32_t i = 0; i < METRICS; i++)
		x[i] = 100 * (i + 1) + 20 * noise(h) + (i < shifted ? shift : 0);
}

static void a_state_of_many_metrics_lasts_and_names_who_speaks(void **state)
{
	const struct km_anomaly_verdict *v = NULL;
	double x[METRICS];
	struct host h;

	(void)state;
	begin(&h);
	while (h.rows < 3 * DAY) {
		many(&h, x, 0, 0);
		v = minute(&h, x, METRICS);
	}
	assert_int_equal(h.alarms, 0);
	assert_true(v && v->score < 0.3);
	for (int i = 0; i < 60; i++) {
		many(&h, x, 700, 4);
		v = minute(&h, x, METRICS);
	}
	assert_in_range(h.alarms, 40, 60);
	assert_true(v && v->alarm && v->score > 0.5);
	assert_int_equal(v->parts, KM_ANOMALY_TOGETHER);
	for (uint32_t i = 0; i < 4; i++)
		assert_in_range(v->part[i].metric, 0, 3);
	assert_true(v->part[0].share >= v->part[4].share);
	for (int i = 0; i < 60; i++) {
		many(&h, x, 0, 0);
		v = minute(&h, x, METRICS);
	}
	assert_false(v->alarm);
}

static void faster_samples_are_averaged_over_a_minute(void **state)
{
	struct km_anomaly_metric slow = { 0 }, fast = { 0 };
	struct km_anomaly a = { 0 }, b = { 0 };

	(void)state;
	for (uint64_t s = 0; s <= 3 * 3600; s++) {
		km_anomaly_metric_add(&fast, s % 2 ? 4 : 6);
		km_anomaly_judge(&b, s * KM_NS_PER_S, s, &fast, 1);
		if (s % 60)
			continue;
		km_anomaly_metric_add(&slow, 5);
		km_anomaly_judge(&a, s * KM_NS_PER_S, s, &slow, 1);
	}
	assert_int_equal(fast.samples, slow.samples);
	assert_true(fabs(fast.mean - slow.mean) < 0.1);
}

static void nothing_is_made_of_nonsense(void **state)
{
	static const double odd[] = { NAN, INFINITY, -INFINITY, 1e300, -1e300, 0, 5e-324 };
	double x[METRICS];
	struct host h;

	(void)state;
	begin(&h);
	for (uint32_t k = 0; k < 2000; k++) {
		const struct km_anomaly_verdict *v;

		for (uint32_t i = 0; i < METRICS; i++)
			x[i] = odd[(k * 3 + i) % KM_ARRAY_SIZE(odd)];
		v = minute(&h, x, METRICS);
		assert_true(v->score >= 0 && v->score <= 1);
	}
	begin(&h);
	for (uint32_t k = 0; k < 2000; k++)
		assert_true(minute(&h, (double[]){ 45 }, 1)->score == 0);
	begin(&h);
	for (uint32_t k = 0; k < 2000; k++)
		assert_true(minute(&h, (double[]){ NAN }, 1)->score == 0);
}

static void a_damaged_state_is_refused(void **state)
{
	struct km_anomaly_metric m;
	struct km_anomaly a;
	struct host h;

	(void)state;
	learn_days(&h, 1);
	m = h.metric[0];
	m.bin[3]++;
	assert_false(km_anomaly_metric_valid(&m));
	m = h.metric[0];
	m.view[2].variance = -1;
	assert_false(km_anomaly_metric_valid(&m));
	m = h.metric[0];
	m.means[1] = NAN;
	assert_false(km_anomaly_metric_valid(&m));
	a = h.anomaly;
	a.last[5] = a.age_s + 1;
	assert_false(km_anomaly_valid(&a, METRICS));
	a = h.anomaly;
	a.verdict.parts = KM_ANOMALY_TOGETHER + 1;
	assert_false(km_anomaly_valid(&a, METRICS));
}

/* Counts stay in their sixteen bits however long it runs. */
static void bins_never_overflow(void **state)
{
	struct km_anomaly_metric m = { 0 };

	(void)state;
	for (uint32_t i = 0; i < 200000; i++) {
		km_anomaly_metric_add(&m, 7);
		km_anomaly_metric_step(&m);
	}
	assert_true(km_anomaly_metric_valid(&m));
	assert_int_equal(m.samples, 200000);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(noise_and_days_make_no_alarm),
		cmocka_unit_test(what_was_never_seen_is_an_event_and_not_said_again),
		cmocka_unit_test(silence_where_there_was_noise_is_an_event),
		cmocka_unit_test(a_state_of_many_metrics_lasts_and_names_who_speaks),
		cmocka_unit_test(faster_samples_are_averaged_over_a_minute),
		cmocka_unit_test(nothing_is_made_of_nonsense),
		cmocka_unit_test(a_damaged_state_is_refused),
		cmocka_unit_test(bins_never_overflow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
