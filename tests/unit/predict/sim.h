/* SPDX-License-Identifier: Apache-2.0 */
/* Generated series through phases 4 and 5. Levels are in percent of the limit. */
#ifndef KM_TEST_SIM_H
#define KM_TEST_SIM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "predict/predict.h"

#define LIMIT 1e9

struct sim {
	struct km_series *series;
	struct km_predict *predict;
	struct km_service service;
	struct km_features features;
	double t_s;      /* since the service's start */
	double period_s; /* between samples */
	uint64_t seed;
	double first_s; /* when a forecast with p >= 0.5 was first in force, < 0: never */
	double most;    /* highest p so far */
	unsigned int counted,
		inside; /* samples with such a forecast; with the truth in its interval */
	const struct km_forecast *now;
};

static inline void sim_begin(struct sim *s, double period_s, uint64_t seed)
{
	memset(s, 0, sizeof(*s));
	s->series = calloc(1, km_series_size());
	assert_int_equal(km_predict_new(&s->predict), 0);
	s->service.id = 1;
	s->service.state = KM_SERVICE_UP;
	s->service.since_ns = 1000 * KM_NS_PER_S;
	s->service.main_start_ns = s->service.since_ns;
	s->period_s = period_s;
	s->seed = seed * 2654435761u + 12345;
	s->first_s = -1;
}

static inline void sim_end(struct sim *s)
{
	free(s->series);
	km_predict_free(s->predict);
}

/* 0 to 1 */
static inline double sim_chance(struct sim *s)
{
	s->seed = s->seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (double)(s->seed >> 11) / 9007199254740992.0;
}

static inline double sim_between(struct sim *s, double from, double to)
{
	return from + (to - from) * sim_chance(s);
}

/* Normal enough: sum of twelve. */
static inline double sim_normal(struct sim *s)
{
	double sum = -6;

	for (int i = 0; i < 12; i++)
		sum += sim_chance(s);
	return sum;
}

/* Next sample. TRUE_S: seconds that are really left, < 0: it will never happen. */
static inline void sim_add(struct sim *s, double percent, double true_s)
{
	struct km_predict_input in = { .service = &s->service, .horizon_ns = 86400 * KM_NS_PER_S };

	if (percent < 0)
		percent = 0;
	s->t_s += s->period_s;
	in.now_ns = s->service.since_ns + (uint64_t)(s->t_s * 1e9);
	assert_int_equal(km_series_add(s->series, in.now_ns, percent * LIMIT / 100, LIMIT), 0);
	memset(&s->features, 0, sizeof(s->features));
	s->features.service_id = 1;
	km_series_features(s->series, &s->features);
	in.features[KM_MEMORY] = &s->features;
	assert_true(km_predict_service(s->predict, &in) >= 0);
	s->now = km_predict_get(s->predict, 1, KM_EXHAUSTION, KM_MEMORY);
	if (s->now->why != KM_WHY_NONE)
		return;
	if (s->now->p > s->most)
		s->most = s->now->p;
	if (s->now->p < 0.5)
		return;
	if (s->first_s < 0)
		s->first_s = s->t_s;
	s->counted++;
	s->inside += s->now->eta_lo_s <= true_s && true_s <= s->now->eta_hi_s;
}

#endif
