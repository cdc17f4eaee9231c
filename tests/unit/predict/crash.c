// SPDX-License-Identifier: Apache-2.0
/* Crash loops: the third short life is enough; what was asked for, orderly or long is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "predict/predict.h"

#define SECOND KM_NS_PER_S
#define NOW    (1000000 * SECOND)

struct loop {
	struct km_predict *predict;
	struct km_service service;
	struct km_ends ends;
	const struct km_forecast *now;
	int said;
};

static int begin(void **state)
{
	struct loop *l = calloc(1, sizeof(*l));

	l->service.id = 7;
	l->service.kind = KM_BY_COMMAND;
	l->service.state = KM_SERVICE_DOWN;
	l->service.since_ns = NOW;
	l->ends.service_id = 7;
	assert_int_equal(km_predict_new(&l->predict), 0);
	*state = l;
	return 0;
}

static int end(void **state)
{
	struct loop *l = *state;

	km_predict_free(l->predict);
	free(l);
	return 0;
}

/* Oldest first. */
static void ended(struct loop *l, uint64_t ago_ns, uint64_t lived_ns, uint32_t code)
{
	struct km_ends *e = &l->ends;

	memmove(e->t_ns + 1, e->t_ns, sizeof(e->t_ns) - sizeof(e->t_ns[0]));
	memmove(e->lived_ns + 1, e->lived_ns, sizeof(e->lived_ns) - sizeof(e->lived_ns[0]));
	memmove(e->exit_code + 1, e->exit_code, sizeof(e->exit_code) - sizeof(e->exit_code[0]));
	e->t_ns[0] = NOW - ago_ns;
	e->lived_ns[0] = lived_ns;
	e->exit_code[0] = code;
	e->count += e->count < KM_ENDS_KEPT;
	e->total++;
}

static bool looks(struct loop *l, uint64_t later_ns)
{
	const struct km_predict_input in = {
		.now_ns = NOW + later_ns,
		.horizon_ns = 86400 * SECOND,
		.service = &l->service,
		.ends = &l->ends,
	};

	l->said = km_predict_service(l->predict, &in);
	assert_true(l->said >= 0);
	l->now = km_predict_get(l->predict, 7, KM_CRASH_LOOP, KM_RESOURCE_MAX);
	assert_non_null(l->now);
	return l->now->why == KM_WHY_NONE;
}

static void the_third_crash_is_enough_and_the_second_is_not(void **state)
{
	struct loop *l = *state;

	assert_false(looks(l, 0));
	ended(l, 3 * SECOND, SECOND, 256);
	ended(l, 2 * SECOND, SECOND, 256);
	assert_false(looks(l, 0));
	assert_int_equal(l->now->why, KM_WHY_FEW_ENDS);
	ended(l, 0, SECOND, 256);
	assert_true(looks(l, 0));
	assert_true(l->now->p >= 0.8);
	assert_int_equal(l->now->ends, 3);
	assert_int_equal(l->now->resource, KM_RESOURCE_MAX);
	assert_true(l->now->eta_lo_s <= l->now->eta_s && l->now->eta_s <= l->now->eta_hi_s);
	assert_int_equal(l->now->change, KM_APPEARED);
}

static void each_further_crash_makes_it_surer(void **state)
{
	struct loop *l = *state;
	double p = 0;

	for (int i = 0; i < KM_ENDS_KEPT + 4; i++) {
		ended(l, 0, SECOND, 9);
		if (!looks(l, (uint64_t)i))
			continue;
		assert_true(l->now->p >= p && l->now->p < 1);
		p = l->now->p;
	}
	assert_true(p > 0.9);
}

/* Got over it, by what it looked like; two seconds later it ends again. */
static void one_that_comes_back_is_said_again_at_once(void **state)
{
	struct loop *l = *state;

	for (int i = 0; i < 3; i++)
		ended(l, 0, SECOND, 256);
	assert_true(looks(l, 0));
	l->service.state = KM_SERVICE_UP;
	assert_false(looks(l, 20 * SECOND));
	assert_int_equal(l->now->change, KM_GONE);
	l->service.state = KM_SERVICE_DOWN;
	ended(l, 0, 22 * SECOND, 256);
	assert_true(looks(l, 22 * SECOND));
	assert_int_equal(l->now->change, KM_APPEARED);
}

static void long_lives_are_no_loop(void **state)
{
	struct loop *l = *state;

	for (int i = 3; i > 0; i--)
		ended(l, (uint64_t)i * 300 * SECOND, 90 * SECOND, 256);
	assert_false(looks(l, 0));
	assert_int_equal(l->now->why, KM_WHY_FEW_ENDS);
}

static void lives_far_shorter_than_the_usual_ones_are_a_loop(void **state)
{
	struct loop *l = *state;

	for (int i = 8; i > 3; i--)
		ended(l, (uint64_t)i * 86400 * SECOND, 86400 * SECOND, 256);
	for (int i = 3; i > 0; i--)
		ended(l, (uint64_t)i * 700 * SECOND, 600 * SECOND, 256);
	assert_true(looks(l, 0));
	assert_int_equal(l->now->ends, 3);
}

static void one_long_life_between_begins_the_count_anew(void **state)
{
	struct loop *l = *state;

	ended(l, 500 * SECOND, SECOND, 256);
	ended(l, 400 * SECOND, 90 * SECOND, 256);
	ended(l, 300 * SECOND, SECOND, 256);
	ended(l, 200 * SECOND, SECOND, 256);
	assert_false(looks(l, 0));
}

static void the_crash_that_begins_a_burst_counts_whatever_life_it_ended(void **state)
{
	struct loop *l = *state;

	ended(l, 50 * SECOND, 86400 * SECOND, 256);
	ended(l, 40 * SECOND, 2 * SECOND, 256);
	assert_false(looks(l, 0));
	ended(l, 0, 30 * SECOND, 256);
	assert_true(looks(l, 0));
	assert_int_equal(l->now->ends, 3);
	assert_true(l->now->eta_hi_s <= 60);
}

static void orderly_stops_do_not_count(void **state)
{
	static const uint32_t codes[] = { 15, 2, 1, 143 << 8, 130 << 8 };
	struct loop *l = *state;

	for (size_t i = 0; i < KM_ARRAY_SIZE(codes); i++)
		ended(l, (10 - i) * SECOND, SECOND, codes[i]);
	assert_false(looks(l, 0));
	/* Nor do they part crashes. */
	ended(l, 3 * SECOND, SECOND, 9);
	ended(l, 2 * SECOND, SECOND, 15);
	ended(l, SECOND, SECOND, 9);
	ended(l, 0, SECOND, UINT32_MAX);
	assert_true(looks(l, 0));
	assert_int_equal(l->now->ends, 3);
}

static void a_clean_exit_is_a_crash_only_for_a_supervised_command(void **state)
{
	struct loop *l = *state;

	for (int i = 3; i > 0; i--)
		ended(l, (uint64_t)i * SECOND, SECOND, 0);
	assert_true(looks(l, 0));
	l->service.kind = KM_BY_UNIT; /* a timer's job */
	assert_false(looks(l, 0));
	assert_int_equal(l->now->change, KM_GONE);
}

static void lives_that_grow_by_themselves_are_settling(void **state)
{
	struct loop *l = *state;

	ended(l, 60 * SECOND, 4 * SECOND, 256);
	ended(l, 40 * SECOND, 9 * SECOND, 256);
	ended(l, 0, 30 * SECOND, 256);
	assert_false(looks(l, 0));
	assert_int_equal(l->now->why, KM_WHY_SETTLED);
}

static void gaps_that_grow_by_our_back_off_are_still_a_loop(void **state)
{
	struct loop *l = *state;

	ended(l, 700 * SECOND, SECOND, 256);
	ended(l, 600 * SECOND, SECOND, 256);
	ended(l, 400 * SECOND, SECOND, 256);
	ended(l, 0, SECOND, 256);
	assert_true(looks(l, 0));
	assert_int_equal(l->now->ends, 4);
}

static void being_up_for_long_ends_it(void **state)
{
	struct loop *l = *state;

	for (int i = 3; i > 0; i--)
		ended(l, (uint64_t)i * SECOND, SECOND, 256);
	l->service.state = KM_SERVICE_UP;
	assert_true(looks(l, 4 * SECOND));
	assert_false(looks(l, 6 * SECOND));
	assert_int_equal(l->now->why, KM_WHY_SETTLED);
	assert_int_equal(l->now->change, KM_GONE);
}

static void yesterdays_crashes_say_nothing_of_today(void **state)
{
	struct loop *l = *state;

	for (int i = 3; i > 0; i--)
		ended(l, (uint64_t)i * SECOND, SECOND, 256);
	assert_true(looks(l, 0));
	assert_false(looks(l, 86400 * SECOND));
}

static void a_new_life_does_not_make_it_forget(void **state)
{
	struct loop *l = *state;

	for (int i = 3; i > 0; i--)
		ended(l, (uint64_t)i * SECOND, SECOND, 256);
	looks(l, 0);
	km_predict_forget(l->predict, 7);
	assert_int_equal(km_predict_get(l->predict, 7, KM_CRASH_LOOP, KM_RESOURCE_MAX)->why,
	                 KM_WHY_NONE);
	looks(l, SECOND);
	assert_int_equal(l->now->since_ns, NOW);
	assert_int_equal(l->now->change, KM_SAME);
}

#define ROW(fn) cmocka_unit_test_setup_teardown(fn, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(the_third_crash_is_enough_and_the_second_is_not),
		ROW(each_further_crash_makes_it_surer),
		ROW(one_that_comes_back_is_said_again_at_once),
		ROW(long_lives_are_no_loop),
		ROW(lives_far_shorter_than_the_usual_ones_are_a_loop),
		ROW(one_long_life_between_begins_the_count_anew),
		ROW(the_crash_that_begins_a_burst_counts_whatever_life_it_ended),
		ROW(orderly_stops_do_not_count),
		ROW(a_clean_exit_is_a_crash_only_for_a_supervised_command),
		ROW(lives_that_grow_by_themselves_are_settling),
		ROW(gaps_that_grow_by_our_back_off_are_still_a_loop),
		ROW(being_up_for_long_ends_it),
		ROW(yesterdays_crashes_say_nothing_of_today),
		ROW(a_new_life_does_not_make_it_forget),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
