// SPDX-License-Identifier: Apache-2.0
/* What comes each night or each week is expected; what came once is not. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "predict/season.h"

#define HOUR 3600U
#define DAY  (24 * HOUR)
/* Not the first hour of a week of the epoch. */
#define BEGIN (1000003 * HOUR)

/* Hours FROM to TO, each heard four times; the louder ones are AT, of every PERIOD. Returns how
 * loud the last of them still is. */
static double hear(struct km_season *s, uint32_t from, uint32_t to, uint32_t at, uint32_t period)
{
	double left = 0;

	for (uint32_t h = from; h < to; h++)
		for (int quarter = 0; quarter < 4; quarter++) {
			bool loud = period && h % period == at;
			double heard = km_season_hear(s, BEGIN + (uint64_t)h * HOUR, loud ? 8 : 1);

			assert_true(heard >= 0 && heard <= 8);
			assert_true(km_season_valid(s));
			left = loud ? heard : left;
			if (!loud)
				assert_true(heard <= 1);
		}
	return left;
}

static void what_comes_each_night_is_expected_after_some(void **state)
{
	struct km_season s = { 0 };

	(void)state;
	assert_true(hear(&s, 0, 3 * 24, 5, 24) > 7.5);
	assert_true(hear(&s, 3 * 24, 30 * 24, 5, 24) < 3);
	/* At another hour it is as loud as ever. */
	assert_true(km_season_hear(&s, BEGIN + (30 * 24 + 17) * (uint64_t)HOUR, 8) > 7.9);
}

static void what_comes_each_week_is_expected_after_some(void **state)
{
	struct km_season s = { 0 };

	(void)state;
	assert_true(hear(&s, 0, 2 * 168, 30, 168) > 7.5);
	assert_true(hear(&s, 2 * 168, 12 * 168, 30, 168) < 3);
	/* The same hour of the day before. */
	assert_true(km_season_hear(&s, BEGIN + (12 * 168 + 6) * (uint64_t)HOUR, 8) > 7.5);
}

static void what_came_once_is_no_season(void **state)
{
	struct km_season s = { 0 };

	(void)state;
	hear(&s, 0, 168, 0, 0);
	hear(&s, 168, 169, 0, 1);
	hear(&s, 169, 168 + 24, 0, 0);
	assert_true(km_season_hear(&s, BEGIN + (168 + 24) * (uint64_t)HOUR, 8) > 7.9);
}

static void what_does_not_come_again_is_forgotten(void **state)
{
	struct km_season s = { 0 };

	(void)state;
	hear(&s, 0, 30 * 24, 5, 24);
	hear(&s, 30 * 24, 60 * 24, 0, 0);
	assert_true(km_season_hear(&s, BEGIN + (60 * 24 + 5) * (uint64_t)HOUR, 8) > 7.5);
}

static void without_a_clock_nothing_is_expected(void **state)
{
	struct km_season s = { 0 };

	(void)state;
	for (int i = 0; i < 10000; i++)
		assert_true(fabs(km_season_hear(&s, 0, 5) - 5) < 1e-9);
	assert_int_equal(s.hour, 0);
	/* Nor from a clock that jumps, or from what is beyond all measure. */
	for (uint64_t i = 0; i < 10000; i++)
		assert_true(km_season_hear(&s, i * 0x9E3779B97F4A7C15U, 1e9) >= 0);
	assert_true(km_season_valid(&s));
	s.hour = KM_HOURS_OF_WEEK + 1;
	assert_false(km_season_valid(&s));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_comes_each_night_is_expected_after_some),
		cmocka_unit_test(what_comes_each_week_is_expected_after_some),
		cmocka_unit_test(what_came_once_is_no_season),
		cmocka_unit_test(what_does_not_come_again_is_forgotten),
		cmocka_unit_test(without_a_clock_nothing_is_expected),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
