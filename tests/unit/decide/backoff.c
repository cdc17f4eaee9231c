/* SPDX-License-Identifier: Apache-2.0 */
/* The pace of one rule on one service: back-off that grows and is forgotten, and cooldown. */
#include "world.h"

#define LIVES (200 * KM_NS_PER_MS)

static void the_delay_doubles_from_base_to_max(void **state)
{
	const struct km_guard_spec g = { .backoff_base_ns = SECOND, .backoff_max_ns = 10 * SECOND };
	static const uint64_t seconds[] = { 0, 1, 2, 4, 8, 10, 10 };

	(void)state;
	for (unsigned int i = 0; i < KM_ARRAY_SIZE(seconds); i++)
		assert_int_equal(km_backoff_delay(&g, i, false), seconds[i] * SECOND);
	assert_int_equal(km_backoff_delay(&g, UINT32_MAX, true), 10 * SECOND);
}

static void without_a_base_there_is_no_delay_and_without_a_max_a_day(void **state)
{
	const struct km_guard_spec none = { .backoff_max_ns = SECOND };
	const struct km_guard_spec open = { .backoff_base_ns = SECOND };

	(void)state;
	assert_int_equal(km_backoff_delay(&none, 9, false), 0);
	assert_int_equal(km_backoff_delay(&open, 40, true), KM_BACKOFF_MAX_NS);
}

static void the_same_step_again_waits_even_where_the_rule_has_no_backoff(void **state)
{
	static const uint64_t seconds[] = { 0, 10, 20, 40, 80, 160, 300, 300 };
	const struct km_guard_spec none = { 0 };

	(void)state;
	for (unsigned int i = 0; i < KM_ARRAY_SIZE(seconds); i++)
		assert_int_equal(km_backoff_delay(&none, i, true), seconds[i] * SECOND);
}

/* Ends and is started N times; the time from each end to its act into DELAYS. */
static void crash(struct world *t, unsigned int n, uint64_t *delays)
{
	for (unsigned int i = 0; i < n; i++) {
		const struct km_decision *d;
		uint64_t ended = t->w.now_ns, id;

		assert_int_equal(dies(t, 0), 0);
		d = km_decide_next(t->decide);
		assert_non_null(d);
		if (d->answer == KM_ANSWER_LATER) {
			assert_int_equal(km_decide_due_ns(t->decide), d->due_ns);
			t->w.now_ns = d->due_ns;
			assert_int_equal(tick(t), 0);
			d = km_decide_next(t->decide);
			assert_non_null(d);
		}
		assert_int_equal(d->answer, KM_ANSWER_ACT);
		assert_int_equal(d->attempt, i + 1);
		delays[i] = t->w.now_ns - ended;
		id = d->id;
		comes_up(t, 0);
		assert_int_equal(outcome(t, id, KM_OUT_DONE), 0);
		wait_ns(t, LIVES);
		expect_nothing(t);
	}
}

static void each_attempt_waits_twice_as_long_as_the_one_before(void **state)
{
	static const uint64_t seconds[] = { 0, 1, 2, 4, 8, 16, 30, 30 };
	struct world *t = *state;
	uint64_t delays[KM_ARRAY_SIZE(seconds)];

	crash(t, KM_ARRAY_SIZE(seconds), delays);
	for (unsigned int i = 0; i < KM_ARRAY_SIZE(seconds); i++)
		assert_int_equal(delays[i], seconds[i] * SECOND);
}

static void settled(struct world *t)
{
	const struct km_repair *r = repair(t, start_rule(t), 0);

	assert_non_null(r);
	assert_int_equal(km_decide_verdict(t->decide, &t->w, r->acted_id, KM_HELPED), 0);
}

static void a_service_that_was_up_long_enough_is_started_at_once_again(void **state)
{
	struct world *t = *state;
	uint64_t delays[3];

	crash(t, 3, delays);
	settled(t);
	wait_ns(t, MINUTE - LIVES);
	assert_int_equal(dies(t, 0), 0);
	expect(t, KM_ANSWER_ACT);
}

static void a_service_that_was_not_up_long_enough_still_waits(void **state)
{
	struct world *t = *state;
	uint64_t delays[3];

	crash(t, 3, delays);
	settled(t);
	wait_ns(t, MINUTE - LIVES - 1);
	assert_int_equal(dies(t, 0), 0);
	assert_int_equal(expect(t, KM_ANSWER_LATER)->due_ns, t->w.now_ns + 4 * SECOND);
}

static void the_backoff_of_one_service_is_not_anothers(void **state)
{
	struct world *t = *state;
	uint64_t delays[3];

	crash(t, 3, delays);
	assert_int_equal(dies(t, 1), 0);
	expect(t, KM_ANSWER_ACT);
}

static void what_came_up_by_itself_is_not_started_when_its_time_comes(void **state)
{
	struct world *t = *state;
	uint64_t delays[2];

	crash(t, 2, delays);
	assert_int_equal(dies(t, 0), 0);
	expect(t, KM_ANSWER_LATER);
	wait_ns(t, SECOND);
	comes_up(t, 0);
	wait_ns(t, SECOND);
	assert_int_equal(tick(t), 0);
	expect_no(t, KM_GUARD_FRESH);
	assert_null(repair(t, start_rule(t), 0));
	assert_int_equal(km_decide_due_ns(t->decide), 0);
}

static void nothing_happens_before_it_is_due(void **state)
{
	struct world *t = *state;
	uint64_t delays[2];

	crash(t, 2, delays);
	assert_int_equal(dies(t, 0), 0);
	expect(t, KM_ANSWER_LATER);
	wait_ns(t, 2 * SECOND - 1);
	assert_int_equal(tick(t), 0);
	expect_nothing(t);
	wait_ns(t, 1);
	assert_int_equal(tick(t), 0);
	expect(t, KM_ANSWER_ACT);
}

static void help(struct world *t, uint64_t id)
{
	assert_int_equal(outcome(t, id, KM_OUT_DONE), 0);
	assert_int_equal(km_decide_verdict(t->decide, &t->w, id, KM_HELPED), 0);
}

static void a_cooldown_refuses_the_next_act_until_it_is_over(void **state)
{
	struct world *t = *state;

	leak_rule(t)->guard.cooldown_ns = MINUTE;
	assert_int_equal(speak(t, leak_rule(t), 0), 0);
	help(t, expect(t, KM_ANSWER_ACT)->id);
	wait_ns(t, MINUTE - 1);
	assert_int_equal(speak(t, leak_rule(t), 0), 0);
	assert_int_equal(expect_no(t, KM_GUARD_COOLDOWN)->due_ns, 0);
	wait_ns(t, 1);
	assert_int_equal(speak(t, leak_rule(t), 0), 0);
	expect(t, KM_ANSWER_ACT);
}

static void an_end_during_a_cooldown_is_mended_when_it_is_over(void **state)
{
	struct world *t = *state;
	uint64_t due = t->w.now_ns + MINUTE;

	start_rule(t)->guard.cooldown_ns = MINUTE;
	start_rule(t)->guard.backoff_base_ns = 0;
	assert_int_equal(dies(t, 0), 0);
	comes_up(t, 0);
	help(t, expect(t, KM_ANSWER_ACT)->id);
	wait_ns(t, 10 * SECOND);
	assert_int_equal(dies(t, 0), 0);
	assert_int_equal(expect_no(t, KM_GUARD_COOLDOWN)->due_ns, due);
	t->w.now_ns = due;
	assert_int_equal(tick(t), 0);
	expect(t, KM_ANSWER_ACT);
}

/* 10 s to 300 s while the budgets let it; from the beginning when it was well for long. */
static void without_a_backoff_of_its_own_a_rule_starts_later_and_later_and_forgets(void **state)
{
	static const uint64_t seconds[] = { 0, 10, 20, 40, 80, 160, 300, 300 };
	struct world *t = *state;
	uint64_t delays[KM_ARRAY_SIZE(seconds)];

	start_rule(t)->guard.backoff_base_ns = 0;
	crash(t, KM_ARRAY_SIZE(seconds), delays);
	for (unsigned int i = 0; i < KM_ARRAY_SIZE(seconds); i++)
		assert_int_equal(delays[i], seconds[i] * SECOND);
	settled(t);
	wait_ns(t, 10 * MINUTE);
	crash(t, 2, delays);
	assert_int_equal(delays[0], 0);
	assert_int_equal(delays[1], 10 * SECOND);
}

static void the_pace_of_a_quiet_service_is_forgotten(void **state)
{
	struct world *t = *state;
	uint64_t delays[2];

	crash(t, 2, delays);
	settled(t);
	assert_int_equal(km_table_count(t->decide->table[KM_T_PACE]), 1);
	wait_ns(t, 2 * MINUTE);
	assert_int_equal(tick(t), 0);
	assert_int_equal(km_table_count(t->decide->table[KM_T_PACE]), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_delay_doubles_from_base_to_max),
		cmocka_unit_test(without_a_base_there_is_no_delay_and_without_a_max_a_day),
		cmocka_unit_test(the_same_step_again_waits_even_where_the_rule_has_no_backoff),
		world_test(each_attempt_waits_twice_as_long_as_the_one_before),
		world_test(a_service_that_was_up_long_enough_is_started_at_once_again),
		world_test(a_service_that_was_not_up_long_enough_still_waits),
		world_test(the_backoff_of_one_service_is_not_anothers),
		world_test(what_came_up_by_itself_is_not_started_when_its_time_comes),
		world_test(nothing_happens_before_it_is_due),
		world_test(a_cooldown_refuses_the_next_act_until_it_is_over),
		world_test(an_end_during_a_cooldown_is_mended_when_it_is_over),
		world_test(without_a_backoff_of_its_own_a_rule_starts_later_and_later_and_forgets),
		world_test(the_pace_of_a_quiet_service_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
