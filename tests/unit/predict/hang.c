// SPDX-License-Identifier: Apache-2.0
/* A hang is told within 30 s, and from idleness, starvation, a quota, a freezer and a stop. */
#include "unit/predict/learn.h"

static void works(struct learner *l, int seconds)
{
	l->value[KM_W_CPU] = 50000;
	l->value[KM_W_RUN_DELAY] = 500;
	l->value[KM_W_BLOCKED] = 0;
	l->value[KM_W_STOPPED] = 0;
	l->queue.measured = 1;
	l->queue.level = 0;
	for (int i = 0; i < seconds; i++)
		learner_tick(l, 1);
	assert_false(learner_in_force(l, KM_HANG));
}

static int seconds_until_hang(struct learner *l, int most)
{
	for (int i = 1; i <= most; i++) {
		learner_tick(l, 1);
		if (learner_in_force(l, KM_HANG))
			return i;
	}
	return most + 1;
}

static void a_queue_that_nobody_empties_is_a_hang_within_30_s(void **state)
{
	struct learner *l = *state;

	works(l, 120);
	l->value[KM_W_CPU] = 0;
	l->queue.level = 3;
	assert_in_range(seconds_until_hang(l, 60), 1, 15);
	assert_true(learner_says(l, KM_HANG)->p >= 0.5);
	for (int i = 0; i < 20; i++)
		learner_tick(l, 1);
	assert_true(learner_says(l, KM_HANG)->p >= 0.7);
	learner_check(l);
	l->value[KM_W_CPU] = 30000;
	l->queue.level = 0;
	learner_tick(l, 1);
	assert_false(learner_in_force(l, KM_HANG));
}

static void threads_stuck_in_the_kernel_are_a_hang(void **state)
{
	struct learner *l = *state;

	works(l, 120);
	l->value[KM_W_CPU] = 10;
	l->value[KM_W_BLOCKED] = 2;
	assert_in_range(seconds_until_hang(l, 60), 1, 15);
}

static void an_idle_service_does_not_hang(void **state)
{
	struct learner *l = *state;

	works(l, 120);
	l->value[KM_W_CPU] = 0;
	assert_int_equal(seconds_until_hang(l, 600), 601);
	assert_int_equal(learner_says(l, KM_HANG)->why, KM_WHY_USUAL);
}

static void a_service_that_others_keep_from_running_does_not_hang(void **state)
{
	static const struct {
		enum km_watched signal;
		double value;
	} by[] = { { KM_W_RUN_DELAY, 900000 },
		   { KM_W_THROTTLED, 800000 },
		   { KM_W_FROZEN, 1 },
		   { KM_W_STOPPED, 4 } };
	struct learner *l = *state;

	for (size_t i = 0; i < KM_ARRAY_SIZE(by); i++) {
		works(l, 120);
		l->value[KM_W_CPU] = 0;
		l->queue.level = 3;
		l->value[by[i].signal] = by[i].value;
		assert_int_equal(seconds_until_hang(l, 300), 301);
		assert_int_equal(learner_says(l, KM_HANG)->why, KM_WHY_STARVED);
		l->value[by[i].signal] = 0;
	}
}

static void a_queue_that_gets_shorter_is_progress(void **state)
{
	struct learner *l = *state;

	works(l, 120);
	l->value[KM_W_CPU] = 0;
	for (int i = 0; i < 120; i++) {
		l->queue.level = 9 - i % 9;
		learner_tick(l, 1);
		assert_false(learner_in_force(l, KM_HANG));
	}
}

static void what_is_not_measured_is_no_hang(void **state)
{
	struct learner *l = *state;

	l->value[KM_W_BLOCKED] = 3;
	assert_int_equal(seconds_until_hang(l, 120), 121);
	assert_int_equal(learner_says(l, KM_HANG)->why, KM_WHY_NOT_MEASURED);
	l->value[KM_W_CPU] = 0; /* it was never seen to work */
	assert_int_equal(seconds_until_hang(l, 120), 121);
}

static void falls_silent(struct learner *l)
{
	l->service.health = KM_UNHEALTHY;
	l->service.latency_ns = KM_NS_PER_S;
}

/* A deadlocked runtime has housekeeping, and accepts for its workers, which answer nobody. */
static void failing_checks_and_half_of_the_usual_cpu_are_a_hang(void **state)
{
	struct learner *l = *state;

	works(l, 120);
	l->value[KM_W_CPU] = 10000;
	assert_int_equal(seconds_until_hang(l, 60), 61);
	falls_silent(l);
	assert_in_range(seconds_until_hang(l, 60), 1, 15);
	l->service.health = KM_HEALTHY;
	learner_tick(l, 1);
	assert_false(learner_in_force(l, KM_HANG));
}

static void a_loop_without_an_end_is_a_hang_once_its_checks_fail(void **state)
{
	struct learner *l = *state;

	works(l, 120);
	l->value[KM_W_CPU] = 1000000;
	l->value[KM_W_RUN_DELAY] = 900000;
	l->queue.level = 5;
	assert_int_equal(seconds_until_hang(l, 20), 21);
	falls_silent(l);
	assert_in_range(seconds_until_hang(l, 60), 1, 15);
}

static void a_second_of_waiting_for_a_cpu_does_not_begin_the_watch_anew(void **state)
{
	struct learner *l = *state;
	int seconds = 0;

	works(l, 120);
	l->value[KM_W_CPU] = 0;
	l->queue.level = 3;
	for (; seconds < 60 && !learner_in_force(l, KM_HANG); seconds++) {
		l->value[KM_W_RUN_DELAY] = seconds % 4 == 3 ? 200000 : 500;
		learner_tick(l, 1);
	}
	assert_in_range(seconds, 11, 20);
}

static void a_wrong_answer_is_no_silence(void **state)
{
	struct learner *l = *state;

	works(l, 120);
	l->value[KM_W_CPU] = 5000;
	l->service.health = KM_UNHEALTHY;
	l->service.latency_ns = KM_NS_PER_MS;
	assert_int_equal(seconds_until_hang(l, 60), 61);
}

static void who_waits_for_what_it_needs_does_not_hang(void **state)
{
	struct learner *l = *state;

	works(l, 120);
	l->value[KM_W_CPU] = 5000;
	l->value[KM_W_CONNECT_FAILURES] = 4;
	falls_silent(l);
	assert_int_equal(seconds_until_hang(l, 60), 61);
	assert_true(learner_in_force(l, KM_DEPENDENCY));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, learner_begin, learner_end)
		TEST(a_queue_that_nobody_empties_is_a_hang_within_30_s),
		TEST(threads_stuck_in_the_kernel_are_a_hang),
		TEST(an_idle_service_does_not_hang),
		TEST(a_service_that_others_keep_from_running_does_not_hang),
		TEST(a_queue_that_gets_shorter_is_progress),
		TEST(what_is_not_measured_is_no_hang),
		TEST(failing_checks_and_half_of_the_usual_cpu_are_a_hang),
		TEST(a_loop_without_an_end_is_a_hang_once_its_checks_fail),
		TEST(a_second_of_waiting_for_a_cpu_does_not_begin_the_watch_anew),
		TEST(a_wrong_answer_is_no_silence),
		TEST(who_waits_for_what_it_needs_does_not_hang),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
