// SPDX-License-Identifier: Apache-2.0
/* Leaks of any speed are forecast in time, with an interval that holds the truth. */
#include "unit/predict/sim.h"

struct leak {
	double lasts_s;  /* from base to limit */
	double period_s; /* between samples */
	double noise;    /* standard deviation, percent of the limit */
	double before_s; /* level ground before it begins */
	double lead_s;   /* by then it must be in force with p >= 0.5 */
};

static void assert_forecast(const struct leak *l, uint64_t seed)
{
	struct sim s;
	double base, end = l->before_s + l->lasts_s;

	sim_begin(&s, l->period_s, seed);
	base = sim_between(&s, 1, 20);
	while (s.t_s < end - l->period_s) {
		double t = s.t_s + l->period_s, since = t - l->before_s;
		double level = since < 0 ? base : base + (100 - base) * since / l->lasts_s;

		sim_add(&s, level + l->noise * sim_normal(&s), end - t);
	}
	if (s.first_s < l->before_s || end - s.first_s < l->lead_s)
		fail_msg("%.0f s at %.2f s, noise %.1f, seed %d: %.1f s before the end", l->lasts_s,
		         l->period_s, l->noise, (int)seed, end - s.first_s);
	/* 10 % to 90 %: eight in ten are asked for. */
	assert_true(s.inside * 10 >= s.counted * 8);
	assert_true(s.now->p > 0.8);
	sim_end(&s);
}

static void assert_forecasts(const struct leak *leaks, size_t count)
{
	for (size_t i = 0; i < count; i++)
		for (uint64_t seed = 1; seed <= 20; seed++)
			assert_forecast(&leaks[i], seed);
}

static void a_leak_of_40_seconds_is_forecast_in_time(void **state)
{
	static const struct leak leaks[] = {
		{ 40, 0.25, 0, 0, 10 }, { 40, 0.5, 0, 0, 10 }, { 40, 1, 0, 0, 10 },
		{ 40, 0.25, 1, 0, 10 }, { 40, 0.5, 1, 0, 10 }, { 40, 1, 1, 0, 8 },
	};

	(void)state;
	assert_forecasts(leaks, KM_ARRAY_SIZE(leaks));
}

static void a_leak_that_begins_on_level_ground_is_forecast_as_well(void **state)
{
	static const struct leak leaks[] = {
		{ 40, 0.25, 0, 60, 10 },  { 40, 1, 0, 60, 8 },    { 40, 0.5, 1, 900, 8 },
		{ 40, 1, 1, 900, 8 },     { 120, 1, 1, 900, 25 }, { 600, 1, 3, 900, 120 },
		{ 3600, 5, 3, 900, 600 },
	};

	(void)state;
	assert_forecasts(leaks, KM_ARRAY_SIZE(leaks));
}

static void a_leak_of_minutes_or_hours_is_forecast_by_the_same_rule(void **state)
{
	static const struct leak leaks[] = {
		{ 120, 0.5, 3, 0, 20 }, { 600, 1, 3, 0, 120 },    { 3600, 1, 3, 0, 900 },
		{ 3600, 5, 1, 0, 900 }, { 18000, 5, 3, 0, 3600 }, { 18000, 60, 1, 0, 3600 },
	};

	(void)state;
	for (size_t i = 0; i < KM_ARRAY_SIZE(leaks); i++)
		for (uint64_t seed = 1; seed <= 4; seed++)
			assert_forecast(&leaks[i], seed);
}

/* Descriptors leak by ones: a staircase. */
static void a_slow_leak_of_whole_numbers_is_no_noise(void **state)
{
	struct sim s;

	(void)state;
	sim_begin(&s, 1, 1);
	while (s.t_s < 900)
		sim_add(&s, 5 + floor(s.t_s / 10), 950 - s.t_s - 1);
	assert_true(s.first_s > 0 && s.first_s < 750);
	assert_true(s.inside * 10 >= s.counted * 8);
	sim_end(&s);
}

static void a_leak_that_ended_is_taken_back(void **state)
{
	struct sim s;
	double level = 5;

	(void)state;
	sim_begin(&s, 1, 1);
	while (s.t_s < 35) {
		sim_add(&s, level, -1);
		level += 2.2;
	}
	assert_int_equal(s.now->why, KM_WHY_NONE);
	for (int i = 0; i < 30; i++)
		sim_add(&s, level, -1);
	assert_int_not_equal(s.now->why, KM_WHY_NONE);
	assert_true(s.now->p == 0);
	sim_end(&s);
}

static void what_is_released_takes_the_forecast_with_it_at_once(void **state)
{
	struct sim s;

	(void)state;
	sim_begin(&s, 1, 1);
	while (s.t_s < 35)
		sim_add(&s, 5 + 2.2 * s.t_s, -1);
	assert_int_equal(s.now->why, KM_WHY_NONE);
	sim_add(&s, 5, -1);
	sim_add(&s, 5, -1);
	assert_int_not_equal(s.now->why, KM_WHY_NONE);
	sim_end(&s);
}

static void nothing_is_said_in_the_first_ten_seconds_of_a_life(void **state)
{
	struct sim s;

	(void)state;
	sim_begin(&s, 0.25, 1);
	while (s.t_s < 9.9) {
		sim_add(&s, 9.5 * s.t_s, -1);
		assert_int_not_equal(s.now->why, KM_WHY_NONE);
	}
	sim_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_leak_of_40_seconds_is_forecast_in_time),
		cmocka_unit_test(a_leak_that_begins_on_level_ground_is_forecast_as_well),
		cmocka_unit_test(a_leak_of_minutes_or_hours_is_forecast_by_the_same_rule),
		cmocka_unit_test(a_slow_leak_of_whole_numbers_is_no_noise),
		cmocka_unit_test(a_leak_that_ended_is_taken_back),
		cmocka_unit_test(what_is_released_takes_the_forecast_with_it_at_once),
		cmocka_unit_test(nothing_is_said_in_the_first_ten_seconds_of_a_life),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
