/* SPDX-License-Identifier: Apache-2.0 */
/* Budgets against a brute-force sliding window, exhaustively on small models, and their edges. */
#include "world.h"

#define STEPS 6

/* Acts in (now - per, now]. */
static unsigned int in_window(const uint64_t *acts, unsigned int n, uint64_t now, uint64_t per)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < n; i++)
		count += now - acts[i] < per;
	return count;
}

/* One history: digits of CODE say how far time moves before each try to act. */
static void one_history(unsigned int code, const struct km_budget *b)
{
	uint64_t acts[STEPS], kept[KM_ACTS_KEPT] = { 0 }, now = 100;
	unsigned int n = 0;

	for (unsigned int i = 0; i < STEPS; i++, code /= 4) {
		bool allowed;

		now += code % 4;
		allowed = km_budget_free(kept, n, KM_ACTS_KEPT, b, now);
		assert_int_equal(allowed, in_window(acts, n, now, b->per_ns) < b->count);
		if (!allowed) {
			uint64_t until = km_budget_until(kept, n, KM_ACTS_KEPT, b, now);

			assert_true(until > now);
			assert_false(in_window(acts, n, until - 1, b->per_ns) < b->count);
			assert_true(in_window(acts, n, until, b->per_ns) < b->count);
			continue;
		}
		acts[n] = now;
		memmove(kept + 1, kept, n * sizeof(kept[0]));
		kept[0] = now;
		n++;
	}
}

static void all_interleavings_of_six_acts_agree_with_a_brute_force_window(void **state)
{
	(void)state;
	for (uint32_t count = 1; count <= 3; count++)
		for (uint64_t per = 1; per <= 5; per++)
			for (unsigned int code = 0; code < 4096; code++)
				one_history(code, &(struct km_budget){ count, per });
}

/* The same through the door: a match each time, the actor done and verified at once. */
static bool acts_now(struct world *t)
{
	const struct km_decision *d;
	bool acted = false;

	assert_int_equal(speak(t, leak_rule(t), 0), 0);
	while ((d = km_decide_next(t->decide))) {
		uint64_t id = d->id;

		if (d->answer != KM_ANSWER_ACT)
			continue;
		acted = true;
		assert_int_equal(outcome(t, id, KM_OUT_DONE), 0);
		assert_int_equal(km_decide_verdict(t->decide, &t->w, id, KM_HELPED), 0);
	}
	return acted;
}

static void whole_history(struct world *t, unsigned int code)
{
	uint64_t acts[STEPS];
	unsigned int n = 0;

	leak_rule(t)->guard.budget = (struct km_budget){ .count = 2, .per_ns = 3 * SECOND };
	for (unsigned int i = 0; i < STEPS; i++, code /= 3) {
		bool acted;

		wait_ns(t, code % 3 * SECOND);
		acted = acts_now(t);
		assert_int_equal(acted, in_window(acts, n, t->w.now_ns, 3 * SECOND) < 2);
		if (acted)
			acts[n++] = t->w.now_ns;
	}
}

static void decisions_of_all_interleavings_stay_within_the_rules_budget(void **state)
{
	(void)state;
	for (unsigned int code = 0; code < 729; code++) {
		void *t = NULL;

		assert_int_equal(world_setup(&t), 0);
		whole_history(t, code);
		world_teardown(&t);
	}
}

static void repair_once(struct world *t, unsigned int service)
{
	uint64_t id;

	assert_int_equal(speak(t, leak_rule(t), service), 0);
	id = expect(t, KM_ANSWER_ACT)->id;
	assert_int_equal(outcome(t, id, KM_OUT_DONE), 0);
	assert_int_equal(km_decide_verdict(t->decide, &t->w, id, KM_HELPED), 0);
}

static void a_services_budget_leaves_another_services_alone(void **state)
{
	struct world *t = *state;

	world_policy(t, "{\"version\":1,\"verbs\":[\"restart\"],\"services\":[\"app-*\"],"
	                "\"budget\":{\"service\":{\"count\":2,\"per\":\"10m\"},"
	                "\"host\":{\"count\":100,\"per\":\"10m\"}}}");
	repair_once(t, 0);
	repair_once(t, 0);
	assert_int_equal(speak(t, leak_rule(t), 0), 0);
	expect_no(t, KM_GUARD_BUDGET_SERVICE);
	repair_once(t, 1);
	repair_once(t, 1);
}

static void the_hosts_budget_is_one_for_all_services(void **state)
{
	struct world *t = *state;

	world_policy(t, "{\"version\":1,\"verbs\":[\"restart\"],\"services\":[\"app-*\"],"
	                "\"budget\":{\"host\":{\"count\":2,\"per\":\"10m\"}}}");
	repair_once(t, 0);
	wait_ns(t, SECOND);
	repair_once(t, 1);
	assert_int_equal(speak(t, leak_rule(t), 2), 0);
	expect_no(t, KM_GUARD_BUDGET_HOST);
	/* The first act leaves the window at its edge, not before. */
	wait_ns(t, 10 * MINUTE - SECOND - 1);
	assert_int_equal(speak(t, leak_rule(t), 2), 0);
	expect_nothing(t);
	wait_ns(t, 1);
	repair_once(t, 2);
}

static void a_budget_of_nothing_allows_nothing(void **state)
{
	struct world *t = *state;

	world_policy(t, "{\"version\":1,\"verbs\":[\"restart\"],\"services\":[\"app-*\"],"
	                "\"budget\":{\"service\":{\"count\":0,\"per\":\"10m\"}}}");
	assert_int_equal(speak(t, leak_rule(t), 0), 0);
	expect_no(t, KM_GUARD_BUDGET_SERVICE);
}

static void a_budget_past_what_is_kept_is_held_to_what_is_kept(void **state)
{
	struct world *t = *state;

	world_policy(t, "{\"version\":1,\"verbs\":[\"restart\"],\"services\":[\"app-*\"],"
	                "\"budget\":{\"service\":{\"count\":1000,\"per\":\"10m\"},"
	                "\"host\":{\"count\":1000,\"per\":\"10m\"}}}");
	for (unsigned int i = 0; i < KM_ACTS_KEPT; i++) {
		repair_once(t, 0);
		wait_ns(t, 1);
	}
	assert_int_equal(speak(t, leak_rule(t), 0), 0);
	expect_no(t, KM_GUARD_BUDGET_SERVICE);
}

static void a_repair_that_has_spent_its_budget_goes_to_its_otherwise(void **state)
{
	struct world *t = *state;
	uint64_t id;

	start_rule(t)->guard.budget = (struct km_budget){ .count = 1, .per_ns = 10 * MINUTE };
	assert_int_equal(dies(t, 0), 0);
	id = expect(t, KM_ANSWER_ACT)->id;
	comes_up(t, 0);
	assert_int_equal(outcome(t, id, KM_OUT_DONE), 0);
	wait_ns(t, SECOND);
	assert_int_equal(dies(t, 0), 0);
	expect_no(t, KM_GUARD_BUDGET_RULE);
	expect(t, KM_ANSWER_ESCALATE);
	expect_nothing(t);
}

static void an_end_refused_by_the_hosts_budget_is_mended_when_the_budget_is_free(void **state)
{
	struct world *t = *state;
	uint64_t due;

	world_policy(t, "{\"version\":1,\"verbs\":[\"restart\",\"start\"],\"services\":[\"app-*\"],"
	                "\"budget\":{\"host\":{\"count\":1,\"per\":\"1m\"}}}");
	due = t->w.now_ns + MINUTE;
	repair_once(t, 1);
	wait_ns(t, SECOND);
	assert_int_equal(dies(t, 0), 0);
	assert_int_equal(expect_no(t, KM_GUARD_BUDGET_HOST)->due_ns, due);
	assert_int_equal(km_decide_due_ns(t->decide), due);
	t->w.now_ns = due;
	assert_int_equal(tick(t), 0);
	assert_int_equal(expect(t, KM_ANSWER_ACT)->verb, KM_START);
}

static void notifications_cost_no_budget_of_repairs(void **state)
{
	struct world *t = *state;

	world_policy(t, "{\"version\":1,\"verbs\":[\"restart\"],\"services\":[\"app-*\"],"
	                "\"budget\":{\"host\":{\"count\":1,\"per\":\"10m\"}}}");
	assert_int_equal(speak(t, loop_rule(t), 1), 0);
	assert_int_equal(expect(t, KM_ANSWER_ACT)->verb, KM_NOTIFY);
	expect(t, KM_ANSWER_QUARANTINE);
	expect(t, KM_ANSWER_ESCALATE);
	repair_once(t, 0);
	assert_int_equal(speak(t, loop_rule(t), 2), 0);
	assert_int_equal(expect(t, KM_ANSWER_ACT)->verb, KM_NOTIFY);
}

static void forgotten_acts_leave_the_table(void **state)
{
	struct world *t = *state;

	repair_once(t, 0);
	assert_true(km_table_count(t->decide->table[KM_T_ACTS]) > 0);
	wait_ns(t, 20 * MINUTE);
	assert_int_equal(tick(t), 0);
	assert_int_equal(km_table_count(t->decide->table[KM_T_ACTS]), 0);
}

static void without_room_to_remember_an_act_there_is_none(void **state)
{
	struct world *t = *state;
	struct km_acts *a;

	for (uint64_t i = 1; i < KM_ACTORS_MAX; i++) {
		uint64_t key[2] = { i, i };

		assert_int_equal(km_table_put(t->decide->table[KM_T_ACTS], key, &a), 1);
	}
	assert_int_equal(speak(t, leak_rule(t), 0), 0);
	expect_no(t, KM_GUARD_BUDGET_SERVICE);
}

#define FLAPS 1000

/* All acts of the moment are done; the time of each of service 0 into ACTS. */
static void do_all(struct world *t, uint64_t *acts, unsigned int *n)
{
	const struct km_decision *d;

	while ((d = km_decide_next(t->decide))) {
		uint64_t id = d->id;

		if (d->answer != KM_ANSWER_ACT || d->service_id != t->service[0]->id)
			continue;
		assert_in_range(*n, 0, FLAPS - 1);
		acts[(*n)++] = t->w.now_ns;
		comes_up(t, 0);
		assert_int_equal(outcome(t, id, KM_OUT_DONE), 0);
	}
}

static void a_thousand_flaps_stay_within_the_budget_and_cost_nobody_else(void **state)
{
	static uint64_t acts[FLAPS];
	struct world *t = *state;
	unsigned int n = 0;
	uint32_t chance = 1;

	world_policy(t, "{\"version\":1,\"verbs\":[\"start\",\"restart\"],\"services\":[\"app-*\"],"
	                "\"budget\":{\"service\":{\"count\":5,\"per\":\"10m\"},"
	                "\"host\":{\"count\":1000,\"per\":\"10m\"}}}");
	start_rule(t)->guard.backoff_base_ns = 0;
	for (unsigned int i = 0; i < FLAPS; i++) {
		chance = chance * 1664525 + 1013904223;
		wait_ns(t, (chance >> 16) % 20 * SECOND + 1);
		if (t->service[0]->state == KM_SERVICE_UP)
			assert_int_equal(dies(t, 0), 0);
		assert_int_equal(tick(t), 0);
		do_all(t, acts, &n);
	}
	assert_in_range(n, 5, FLAPS);
	for (unsigned int i = 5; i < n; i++)
		assert_true(acts[i] - acts[i - 5] >= 10 * MINUTE);
	for (unsigned int i = 0; i < 5; i++)
		repair_once(t, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_interleavings_of_six_acts_agree_with_a_brute_force_window),
		cmocka_unit_test(decisions_of_all_interleavings_stay_within_the_rules_budget),
		world_test(a_services_budget_leaves_another_services_alone),
		world_test(the_hosts_budget_is_one_for_all_services),
		world_test(a_thousand_flaps_stay_within_the_budget_and_cost_nobody_else),
		world_test(a_budget_of_nothing_allows_nothing),
		world_test(a_budget_past_what_is_kept_is_held_to_what_is_kept),
		world_test(a_repair_that_has_spent_its_budget_goes_to_its_otherwise),
		world_test(an_end_refused_by_the_hosts_budget_is_mended_when_the_budget_is_free),
		world_test(notifications_cost_no_budget_of_repairs),
		world_test(forgotten_acts_leave_the_table),
		world_test(without_room_to_remember_an_act_there_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
