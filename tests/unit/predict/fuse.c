// SPDX-License-Identifier: Apache-2.0
/* One probability from all forecasts, and what a host teaches about it: two weeks of its history
 * make it a fifth better at least, and never raise the right to act. */
#include "unit/predict/learn.h"

#define WEEK    (7 * 1440)
#define MINUTES (60 * KM_NS_PER_S)

struct teacher {
	struct km_calibration c;
	struct km_fuse f;
	uint64_t t_ns, seed;
	double own, shipped; /* Brier's sums of what was said, judged here by itself */
	uint32_t count;
};

static void begin(struct teacher *t, uint64_t seed)
{
	memset(t, 0, sizeof(*t));
	t->c.key = 1;
	t->seed = seed;
	t->t_ns = MINUTES;
}

static double chance(struct teacher *t)
{
	t->seed = t->seed * 6364136223846793005U + 1442695040888963407U;
	return (double)(t->seed >> 40) / (double)(1U << 24);
}

static void minute(struct teacher *t, uint32_t kind, double says)
{
	const struct km_fuse_voice voice = { kind, { says, says } };

	t->t_ns += MINUTES;
	km_fuse_minute(&t->f, &t->c, t->t_ns, &voice, says > 0);
}

/* Minutes said in an episode, judged when it is known how it ended. */
static void judge(struct teacher *t, const double *own, const double *shipped, int n, bool failed)
{
	double y = failed ? 1 : 0;

	for (int i = 0; i < n; i++) {
		t->own += (own[i] - y) * (own[i] - y);
		t->shipped += (shipped[i] - y) * (shipped[i] - y);
		t->count++;
	}
}

/* Ten minutes in which KIND speaks, then a failure with the probability TRUTH, or quiet. */
static void episode(struct teacher *t, uint32_t kind, double says, double truth)
{
	double own[10], shipped[10];
	bool failed;

	for (int i = 0; i < 10; i++) {
		minute(t, kind, says);
		own[i] = km_fuse_p(&t->f, &t->c, 1);
		shipped[i] = (double)t->f.shipped[1];
		assert_true(km_fuse_p_to_act(&t->f, &t->c, 1) <= shipped[i]);
	}
	failed = chance(t) < truth;
	if (failed)
		km_fuse_failed(&t->f, &t->c);
	for (int i = 0; i < 40; i++)
		minute(t, 0, 0);
	judge(t, own, shipped, 10, failed);
	assert_true(km_fuse_valid(&t->f));
	assert_true(km_calibration_valid(&t->c));
}

/* A host on which slow decline always ends badly, and oddness never does. */
static void history(struct teacher *t, int weeks)
{
	for (int i = 0; i < weeks * WEEK / 50; i++) {
		if (i % 4 == 0)
			episode(t, KM_DEGRADATION, 0.2, 0.85);
		else if (i % 4 == 1)
			episode(t, KM_HANG, 0.6, 0.2);
		else
			episode(t, KM_ANOMALY, 0.1, 0.01);
	}
}

static void two_weeks_of_history_make_it_a_fifth_better(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct teacher t;

		begin(&t, seed);
		history(&t, 2);
		assert_int_equal(t.c.in_use, 1);
		t.own = t.shipped = 0;
		history(&t, 1);
		if (t.own > 0.8 * t.shipped)
			fail_msg("seed %d: %.4f against %.4f", (int)seed, t.own / t.count,
			         t.shipped / t.count);
	}
}

/* Where the shipped figures are right there is nothing to win, and nothing is lost. */
static void right_figures_are_not_made_worse(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct teacher t;

		begin(&t, seed);
		for (int i = 0; i < 400; i++)
			episode(&t, KM_EXHAUSTION, 0.6, 0.6);
		assert_true(t.own < 1.05 * t.shipped);
	}
}

static void before_enough_outcomes_it_is_uncalibrated(void **state)
{
	struct teacher t;

	(void)state;
	begin(&t, 1);
	for (int i = 0; i < 6; i++) {
		episode(&t, KM_DEGRADATION, 0.2, 1);
		assert_int_equal(t.c.in_use, 0);
		assert_true(km_fuse_p(&t.f, &t.c, 0) == (double)t.f.shipped[0]);
	}
}

/* A host that changes its ways: the own figures go out of use. */
static void what_was_learnt_wrong_is_taken_back(void **state)
{
	uint32_t version;
	struct teacher t;

	(void)state;
	begin(&t, 3);
	for (int i = 0; i < 200; i++)
		episode(&t, KM_HANG, 0.5, 0);
	for (int i = 0; i < 30; i++)
		episode(&t, KM_DEGRADATION, 0.2, 1);
	assert_int_equal(t.c.in_use, 1);
	version = t.c.version;
	for (int i = 0; i < 400 && t.c.in_use; i++)
		episode(&t, KM_HANG, 0.5, 1);
	assert_int_equal(t.c.in_use, 0);
	assert_true(t.c.version > version);
	version = t.c.version;
	km_calibration_forget(&t.c);
	assert_true(t.c.version > version);
	assert_int_equal(t.c.failures, 0);
	assert_true(km_calibration_valid(&t.c));
}

static void what_nobody_will_know_teaches_nothing(void **state)
{
	struct teacher t;

	(void)state;
	begin(&t, 1);
	for (int i = 0; i < 14; i++)
		minute(&t, KM_HANG, 0.5);
	km_fuse_forget(&t.f);
	for (int i = 0; i < 10; i++)
		minute(&t, KM_HANG, 0.5);
	t.t_ns += 100 * MINUTES; /* nobody looked */
	minute(&t, KM_HANG, 0.5);
	assert_true(t.c.weight[0] <= 0);
	assert_int_equal(t.f.kept, 1);
}

static void more_said_means_more_likely(void **state)
{
	double last = 0;
	struct teacher t;

	(void)state;
	begin(&t, 9);
	for (int i = 0; i < 300; i++)
		episode(&t, KM_EXHAUSTION, (i % 10) / 10.0 + 0.05, chance(&t) * 0.3 + 0.2);
	for (int i = 5; i <= 100; i++) {
		double own = km_calibration_own(&t.c, KM_EXHAUSTION, 0, i / 100.0);

		assert_true(own >= last - 1e-12);
		last = own;
	}
}

static void a_service_about_to_fail_is_said_to_be(void **state)
{
	const struct km_forecast *f;
	struct learner *l = *state;

	l->value[KM_W_CPU] = 50000;
	l->value[KM_W_BLOCKED] = 0;
	l->queue.measured = 1;
	for (int i = 0; i < 300; i++)
		learner_tick(l, 1);
	assert_false(learner_in_force(l, KM_FAILURE));
	l->value[KM_W_CPU] = 0;
	l->queue.level = 5;
	for (int i = 0; i < 120; i++)
		learner_tick(l, 1);
	f = learner_says(l, KM_FAILURE);
	assert_int_equal(f->why, KM_WHY_NONE);
	assert_int_equal(f->calibrated, 0);
	assert_true(f->p_within[0] > 0.3 && f->p_within[1] >= f->p_within[0]);
	learner_check(l);
	km_predict_outcome(l->predict, 7, true);
	learner_check(l);
}

static const struct km_calibration *learnt(const struct learner *l)
{
	struct km_table *table[8];
	size_t n = km_predict_tables(l->predict, table, KM_ARRAY_SIZE(table));
	const uint64_t one = 1;

	for (size_t i = 0; i < n; i++)
		if (strcmp(km_table_opts(table[i])->name, "calibration") == 0)
			return km_table_get(table[i], &one);
	return NULL;
}

/* Before the first failure there is nothing to tell the next boot of. */
static void what_was_learnt_outlives_the_boot(void **state)
{
	struct km_calibration taught, empty = { .key = 1 };

	a_service_about_to_fail_is_said_to_be(state);
	taught = *learnt(*state);
	assert_true(km_calibration_outlives(&taught, 1));
	assert_memory_equal(&taught, learnt(*state), sizeof(taught));
	assert_false(km_calibration_outlives(&empty, 1));
}

static void what_was_learnt_is_forgotten_on_demand(void **state)
{
	struct learner *l = *state;
	uint32_t version;

	a_service_about_to_fail_is_said_to_be(state);
	assert_int_equal(learnt(l)->failures, 1);
	version = learnt(l)->version;
	km_predict_forget_calibration(l->predict);
	assert_int_equal(learnt(l)->failures, 0);
	assert_int_equal(learnt(l)->version, version + 1);
	learner_check(l);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_weeks_of_history_make_it_a_fifth_better),
		cmocka_unit_test(right_figures_are_not_made_worse),
		cmocka_unit_test(before_enough_outcomes_it_is_uncalibrated),
		cmocka_unit_test(what_was_learnt_wrong_is_taken_back),
		cmocka_unit_test(what_nobody_will_know_teaches_nothing),
		cmocka_unit_test(more_said_means_more_likely),
		cmocka_unit_test_setup_teardown(a_service_about_to_fail_is_said_to_be,
		                                learner_begin, learner_end),
		cmocka_unit_test_setup_teardown(what_was_learnt_is_forgotten_on_demand,
		                                learner_begin, learner_end),
		cmocka_unit_test_setup_teardown(what_was_learnt_outlives_the_boot, learner_begin,
		                                learner_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
