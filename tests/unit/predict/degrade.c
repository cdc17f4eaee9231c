// SPDX-License-Identifier: Apache-2.0
/* What creeps is told from what bursts; a dependency that does not answer from one that always
 * stumbles a little. */
#include "unit/predict/learn.h"

static void retransmits(struct learner *l, int seconds, double mean)
{
	for (int i = 0; i < seconds; i++) {
		l->value[KM_W_RETRANSMITS] = mean * (1 + 0.5 * learner_noise(l));
		learner_tick(l, 1);
	}
}

static void a_creep_of_retransmits_is_a_degradation_and_named(void **state)
{
	const struct km_forecast *f;
	struct learner *l = *state;

	retransmits(l, 2 * 3600, 4);
	assert_false(learner_in_force(l, KM_DEGRADATION));
	for (int m = 0; m < 30; m++)
		retransmits(l, 60, 4 + m);
	f = learner_says(l, KM_DEGRADATION);
	assert_int_equal(f->why, KM_WHY_NONE);
	assert_int_equal(f->parts, 1);
	assert_int_equal(f->part[0].metric, KM_SIG_RETRANSMITS);
	assert_true(f->p > 0.3 && f->p < 0.7);
	learner_check(l);
	retransmits(l, 1200, 4);
	assert_false(learner_in_force(l, KM_DEGRADATION));
}

static void bursts_are_no_degradation(void **state)
{
	struct learner *l = *state;

	retransmits(l, 2 * 3600, 4);
	for (int i = 0; i < 40; i++) {
		retransmits(l, 20, 500);
		retransmits(l, 280, 4);
		assert_false(learner_in_force(l, KM_DEGRADATION));
	}
}

static void nothing_is_said_before_the_usual_is_known(void **state)
{
	struct learner *l = *state;

	learner_tick(l, 1);
	assert_null(learner_says(l, KM_DEGRADATION));
	retransmits(l, 600, 4);
	retransmits(l, 600, 400);
	assert_int_equal(learner_says(l, KM_DEGRADATION)->why, KM_WHY_TOO_SHORT);
}

static void refused_connections_are_told_within_two_seconds(void **state)
{
	struct learner *l = *state;

	l->value[KM_W_CPU] = 1000;
	for (int i = 0; i < 600; i++)
		learner_tick(l, 1);
	assert_int_equal(learner_says(l, KM_DEPENDENCY)->why, KM_WHY_NOT_MEASURED);
	l->value[KM_W_CONNECT_FAILURES] = 2;
	learner_tick(l, 1);
	learner_tick(l, 1);
	assert_true(learner_in_force(l, KM_DEPENDENCY));
	assert_true(learner_says(l, KM_DEPENDENCY)->p >= 0.8);
	learner_check(l);
	l->value[KM_W_CONNECT_FAILURES] = 0;
	for (int i = 0; i < 29; i++)
		learner_tick(l, 1);
	assert_true(learner_in_force(l, KM_DEPENDENCY));
	learner_tick(l, 1);
	learner_tick(l, 1);
	assert_false(learner_in_force(l, KM_DEPENDENCY));
}

static void a_failure_now_and_then_is_no_lost_dependency(void **state)
{
	struct learner *l = *state;

	for (int i = 0; i < 3600; i++) {
		l->value[KM_W_CONNECT_FAILURES] = i % 60 == 0;
		learner_tick(l, 1);
		assert_false(learner_in_force(l, KM_DEPENDENCY));
	}
}

/* A program that looks for a server that is not there, all the time: usual, after a while. */
static void failures_that_never_end_become_usual(void **state)
{
	struct learner *l = *state;

	l->value[KM_W_CONNECT_FAILURES] = 1;
	for (int i = 0; i < 2 * 3600; i++)
		learner_tick(l, 1);
	assert_false(learner_in_force(l, KM_DEPENDENCY));
}

static bool unanswered(struct learner *l, uint32_t in_a_row)
{
	return km_predict_unanswered(l->predict, l->service.id, l->now_ns, in_a_row);
}

static void three_connects_without_an_answer_need_no_tick(void **state)
{
	struct learner *l = *state;

	l->value[KM_W_CPU] = 1000;
	learner_tick(l, 1);
	l->now_ns += KM_NS_PER_S / 4;
	assert_false(unanswered(l, 1));
	assert_false(unanswered(l, 2));
	assert_true(unanswered(l, 3));
	learner_tick(l, 0.01);
	assert_true(learner_in_force(l, KM_DEPENDENCY));
	assert_true(learner_says(l, KM_DEPENDENCY)->p >= 0.8);
	assert_false(unanswered(l, 4)); /* is known */
	learner_check(l);
	for (int i = 0; i < 31; i++)
		learner_tick(l, 1);
	assert_false(learner_in_force(l, KM_DEPENDENCY));
}

/* A SYN in a hundred is lost, and the next one is answered. */
static void lost_packets_are_no_lost_dependency(void **state)
{
	struct learner *l = *state;

	l->value[KM_W_CPU] = 1000;
	for (int i = 0; i < 3600; i++) {
		learner_tick(l, 0.1);
		assert_false(unanswered(l, 1 + i % 2));
	}
	assert_false(unanswered(l, 0)); /* a record of before rows were counted */
	assert_false(km_predict_unanswered(l->predict, 99, l->now_ns, 3));
}

/* Somebody looks for a peer that is never there. */
static void a_peer_that_never_answers_becomes_usual(void **state)
{
	struct learner *l = *state;
	uint32_t n = 0;

	for (int i = 0; i < 7200; i++) {
		l->value[KM_W_CONNECT_FAILURES] = i % 20 == 0;
		learner_tick(l, 1);
		n += i > 3600 && i % 20 == 0 && unanswered(l, (uint32_t)i);
	}
	assert_int_equal(n, 0);
}

static void share(struct learner *l, int seconds, double percent)
{
	for (int i = 0; i < seconds; i++) {
		l->value[KM_W_RETRANSMIT_SHARE] = percent * 1e4;
		learner_tick(l, 1);
	}
}

static void losses_that_no_network_may_have_need_no_learning(void **state)
{
	const struct km_forecast *f;
	struct learner *l = *state;

	share(l, 60, 2);
	assert_false(learner_in_force(l, KM_DEGRADATION));
	share(l, 9, 15);
	share(l, 20, 3);
	assert_false(learner_in_force(l, KM_DEGRADATION));
	share(l, 5, 15);
	share(l, 1, 7); /* not over */
	share(l, 10, 15);
	f = learner_says(l, KM_DEGRADATION);
	assert_int_equal(f->why, KM_WHY_NONE);
	assert_int_equal(f->part[0].metric, KM_SIG_RETRANSMIT_SHARE);
	assert_true(f->p >= 0.5);
	learner_check(l);
	l->value[KM_W_RETRANSMIT_SHARE] = NAN; /* nothing is sent any more: not measured */
	learner_tick(l, 1);
	assert_false(learner_in_force(l, KM_DEGRADATION));
}

static void an_anomaly_names_signals_and_is_said_by_the_service(void **state)
{
	static const enum km_watched used[] = { KM_W_CPU,         KM_W_RUN_DELAY,   KM_W_THREADS,
		                                KM_W_DESCRIPTORS, KM_W_MEMORY_ANON, KM_W_WRITTEN };
	const struct km_forecast *f;
	struct learner *l = *state;

	for (int m = 0; m < 2 * 1440; m++) {
		for (size_t i = 0; i < KM_ARRAY_SIZE(used); i++)
			l->value[used[i]] = 1000 * (double)(i + 1) * (1 + 0.1 * learner_noise(l));
		learner_tick(l, 60);
		assert_false(learner_in_force(l, KM_ANOMALY));
	}
	for (int m = 0; m < 20; m++) {
		for (size_t i = 0; i < KM_ARRAY_SIZE(used); i++)
			l->value[used[i]] = 3000 * (double)(i + 1);
		learner_tick(l, 60);
	}
	f = learner_says(l, KM_ANOMALY);
	assert_int_equal(f->why, KM_WHY_NONE);
	assert_int_equal(f->parts, KM_ANOMALY_TOGETHER);
	assert_true(f->p >= 0.4 && f->eta_s <= 0);
	learner_check(l);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, learner_begin, learner_end)
		TEST(a_creep_of_retransmits_is_a_degradation_and_named),
		TEST(bursts_are_no_degradation),
		TEST(nothing_is_said_before_the_usual_is_known),
		TEST(refused_connections_are_told_within_two_seconds),
		TEST(a_failure_now_and_then_is_no_lost_dependency),
		TEST(failures_that_never_end_become_usual),
		TEST(three_connects_without_an_answer_need_no_tick),
		TEST(lost_packets_are_no_lost_dependency),
		TEST(a_peer_that_never_answers_becomes_usual),
		TEST(losses_that_no_network_may_have_need_no_learning),
		TEST(an_anomaly_names_signals_and_is_said_by_the_service),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
