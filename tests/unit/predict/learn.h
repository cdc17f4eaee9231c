/* SPDX-License-Identifier: Apache-2.0 */
/* A service whose signals a test sets, looked at once a second. */
#ifndef KM_TEST_LEARN_H
#define KM_TEST_LEARN_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "predict/predict.h"

struct learner {
	struct km_predict *predict;
	struct km_service service;
	struct km_features queue;
	double value[KM_W_MAX];
	uint64_t now_ns;
	uint64_t seed;
};

static inline int learner_begin(void **state)
{
	struct learner *l = calloc(1, sizeof(*l));

	l->service.id = 7;
	l->service.state = KM_SERVICE_UP;
	l->service.processes = 1;
	l->queue.limit = -1;
	l->now_ns = 1000 * KM_NS_PER_S;
	for (int i = 0; i < KM_W_MAX; i++)
		l->value[i] = NAN;
	assert_int_equal(km_predict_new(&l->predict), 0);
	*state = l;
	return 0;
}

static inline int learner_end(void **state)
{
	struct learner *l = *state;

	km_predict_free(l->predict);
	free(l);
	return 0;
}

static inline double learner_noise(struct learner *l)
{
	l->seed = l->seed * 6364136223846793005U + 1442695040888963407U;
	return (double)(l->seed >> 40) / (double)(1U << 24) * 2 - 1;
}

static inline void learner_tick(struct learner *l, double period_s)
{
	struct km_predict_input in = {
		.horizon_ns = 86400 * KM_NS_PER_S,
		.service = &l->service,
		.values = l->value,
	};

	l->now_ns += (uint64_t)(period_s * (double)KM_NS_PER_S);
	in.now_ns = l->now_ns;
	if (l->queue.measured)
		in.features[KM_ACCEPT_QUEUE] = &l->queue;
	assert_true(km_predict_service(l->predict, &in) >= 0);
}

static inline const struct km_forecast *learner_says(struct learner *l, enum km_forecast_kind kind)
{
	return km_predict_get(l->predict, 7, kind, KM_RESOURCE_MAX);
}

static inline bool learner_in_force(struct learner *l, enum km_forecast_kind kind)
{
	const struct km_forecast *f = learner_says(l, kind);

	return f && f->why == KM_WHY_NONE;
}

/* Every row is one that a checkpoint may hold. */
static inline void learner_check(struct learner *l)
{
	struct km_table *t[8];
	size_t n = km_predict_tables(l->predict, t, 8);

	for (size_t i = 0; i < n; i++) {
		uint32_t slot = 0;
		const void *row;

		while ((row = km_table_next(t[i], &slot)))
			if (!km_table_opts(t[i])->valid(row))
				fail_msg("%s: a row of its own is refused",
				         km_table_opts(t[i])->name);
	}
}

#endif
