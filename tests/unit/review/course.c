// SPDX-License-Identifier: Apache-2.0
/* Levels over time as a rule's test writes them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "review/course.h"

#define S KM_NS_PER_S

static struct km_course course(const char *const *pieces)
{
	struct km_course c = { .repeat = 1, .limit = 1000, .seed = 1 };

	for (; *pieces; pieces++)
		assert_int_equal(km_course_piece(*pieces, &c.piece[c.count++]), 0);
	return c;
}

static uint64_t at(const struct km_course *c, uint64_t t_ns)
{
	double level = -1;

	assert_int_equal(km_course_at(c, t_ns, &level), 1);
	return (uint64_t)(level + 0.5);
}

static void levels_hold_rise_and_are_missing_as_written(void **state)
{
	const struct km_course c = course((const char *const[]){
		"100 for 10s", "to 50% in 10s", "none for 5s", "to 0 in 10s", NULL });
	double level;

	(void)state;
	assert_int_equal(at(&c, 0), 100);
	assert_int_equal(at(&c, 10 * S - 1), 100);
	assert_int_equal(at(&c, 10 * S), 100);
	assert_int_equal(at(&c, 15 * S), 300);
	assert_int_equal(km_course_at(&c, 20 * S, &level), 0);
	/* what was not measured is no bend of the line behind it */
	assert_int_equal(at(&c, 25 * S), 500);
	assert_int_equal(at(&c, 30 * S), 250);
	/* the last level stays */
	assert_int_equal(at(&c, 1000 * S), 0);
	assert_int_equal(km_course_long_ns(&c), 35 * S);
}

static void a_course_that_ends_unmeasured_stays_so(void **state)
{
	const struct km_course c = course((const char *const[]){ "7 for 1s", "none for 1s", NULL });
	double level;

	(void)state;
	assert_int_equal(km_course_at(&c, 2 * S, &level), 0);
}

static void a_course_begins_and_repeats_when_it_says(void **state)
{
	struct km_course c = course((const char *const[]){ "to 100 in 10s", NULL });
	double level;

	(void)state;
	c.begin_ns = 5 * S;
	c.repeat = 2;
	assert_int_equal(km_course_at(&c, 5 * S - 1, &level), 0);
	assert_int_equal(at(&c, 5 * S), 0);
	assert_int_equal(at(&c, 10 * S), 50);
	/* the second time it begins where the first ended */
	assert_int_equal(at(&c, 20 * S), 100);
	assert_int_equal(km_course_long_ns(&c), 25 * S);
}

static void noise_is_bounded_differs_by_seed_and_is_always_the_same(void **state)
{
	struct km_course c = course((const char *const[]){ "1000 for 100s", NULL });
	uint64_t first = 0, second = 0, low = UINT64_MAX, high = 0;

	(void)state;
	c.noise = 10;
	for (uint64_t t = 0; t < 100; t++) {
		uint64_t level = at(&c, t * S);

		low = level < low ? level : low;
		high = level > high ? level : high;
		first = first * 31 + level;
	}
	assert_in_range(low, 990, 995);
	assert_in_range(high, 1005, 1010);
	/* of this seed, on every machine */
	assert_int_equal(first, 0x49c10664548faafULL);
	c.seed = 2;
	for (uint64_t t = 0; t < 100; t++)
		second = second * 31 + at(&c, t * S);
	assert_int_not_equal(first, second);
}

static void what_is_no_piece_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"100",
		"100 for",
		"for 10s",
		"100 for 10",
		"100 in 10s",
		"to 100 for 10s",
		"to in 10s",
		"none",
		"none in 10s",
		"-5 for 10s",
		"101% for 10s",
		"100 for 10s now",
		"1e3 for 10s",
		"1. for 10s",
		"1.2345 for 10s",
		"1.5MiB for 10s",
		"100  for 10s",
		"5XB for 1s",
		"99999999999999999999 for 1s",
	};
	struct km_piece p;

	(void)state;
	for (size_t i = 0; i < KM_ARRAY_SIZE(bad); i++)
		if (km_course_piece(bad[i], &p) != -EINVAL)
			fail_msg("%s was taken", bad[i]);
	assert_int_equal(km_course_piece("64MiB for 1h", &p), 0);
	assert_true(p.value == 64.0 * 1024 * 1024);
	assert_int_equal(km_course_piece("0.25 for 1h", &p), 0);
	assert_true(p.value == 0.25 && !p.share);
	assert_int_equal(km_course_piece("99.9% for 1h", &p), 0);
	assert_true(p.value > 0.9989 && p.value < 0.9991 && p.share);
	assert_int_equal(km_course_piece("to 100% in 1ms", &p), 0);
	assert_true(p.share && p.value == 1.0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(levels_hold_rise_and_are_missing_as_written),
		cmocka_unit_test(a_course_that_ends_unmeasured_stays_so),
		cmocka_unit_test(a_course_begins_and_repeats_when_it_says),
		cmocka_unit_test(noise_is_bounded_differs_by_seed_and_is_always_the_same),
		cmocka_unit_test(what_is_no_piece_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
