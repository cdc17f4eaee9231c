// SPDX-License-Identifier: Apache-2.0
/* One cause, one repair: "app-c" needs "app-b" needs "app-a". */
#include "world.h"

static size_t a_place[] = { 0 }, b_place[] = { 1 };

static struct world *chain(void **state)
{
	struct world *t = *state;

	t->def[1].needs = a_place;
	t->def[1].need_count = 1;
	t->def[1].rank = 1;
	t->def[2].needs = b_place;
	t->def[2].need_count = 1;
	t->def[2].rank = 2;
	return t;
}

static void what_others_need_is_repaired_first_whoever_was_heard_first(void **state)
{
	struct world *t = chain(state);
	const struct km_decision *d;

	/* The dependents are heard first: nothing is said or done yet. */
	assert_int_equal(dies(t, 2), 0);
	assert_int_equal(dies(t, 1), 0);
	expect_nothing(t);
	assert_int_equal(dies(t, 0), 0);
	d = expect(t, KM_ANSWER_ACT);
	assert_string_equal(d->service, "app-a");
	expect_nothing(t);
	wait_ns(t, 200 * KM_NS_PER_MS);
	tick(t);
	d = expect_no(t, KM_GUARD_NEEDS);
	assert_int_equal(d->incident_id, 1);
	assert_non_null(strstr(d->reason, "it needs app-a, which is down"));
	assert_int_equal(expect_no(t, KM_GUARD_NEEDS)->incident_id, 1);
	expect_nothing(t);
}

static void each_is_started_when_what_it_needs_is_back(void **state)
{
	struct world *t = chain(state);
	uint64_t id;

	for (unsigned int i = 0; i < SERVICES; i++)
		dies(t, i);
	id = expect(t, KM_ANSWER_ACT)->id;
	wait_ns(t, SECOND);
	tick(t);
	expect_no(t, KM_GUARD_NEEDS);
	expect_no(t, KM_GUARD_NEEDS);
	comes_up(t, 0);
	assert_int_equal(outcome(t, id, KM_OUT_DONE), 0);
	/* Still looked at: who needs it waits until it is known to have helped. */
	tick(t);
	expect_nothing(t);
	assert_int_equal(km_decide_verdict(t->decide, &t->w, id, KM_HELPED), 0);
	tick(t);
	id = expect(t, KM_ANSWER_ACT)->id;
	expect_nothing(t);
	comes_up(t, 1);
	assert_int_equal(outcome(t, id, KM_OUT_DONE), 0);
	assert_int_equal(km_decide_verdict(t->decide, &t->w, id, KM_HELPED), 0);
	tick(t);
	assert_string_equal(expect(t, KM_ANSWER_ACT)->service, "app-c");
}

static void alone_it_is_started_as_soon_as_the_others_would_have_been_heard(void **state)
{
	struct world *t = chain(state);

	assert_int_equal(dies(t, 2), 0);
	expect_nothing(t);
	assert_true(km_decide_due_ns(t->decide) == t->w.now_ns + 200 * KM_NS_PER_MS);
	wait_ns(t, 200 * KM_NS_PER_MS - 1);
	tick(t);
	expect_nothing(t);
	wait_ns(t, 1);
	tick(t);
	assert_string_equal(expect(t, KM_ANSWER_ACT)->service, "app-c");
}

static void a_service_whose_need_is_unhealthy_is_not_restarted_for_it(void **state)
{
	struct world *t = chain(state);

	t->service[0]->health = KM_UNHEALTHY;
	assert_int_equal(speak(t, leak_rule(t), 2), 0);
	assert_non_null(strstr(expect_no(t, KM_GUARD_NEEDS)->reason, "app-a, which is unhealthy"));
	t->service[0]->health = KM_HEALTHY;
	assert_int_equal(speak(t, leak_rule(t), 2), 0);
	expect(t, KM_ANSWER_ACT);
}

static void a_notification_needs_nothing(void **state)
{
	struct world *t = chain(state);

	ends(t, 0);
	assert_int_equal(speak(t, loop_rule(t), 2), 0);
	assert_int_equal(expect(t, KM_ANSWER_ACT)->verb, KM_NOTIFY);
}

static void first_starts_are_in_the_order_of_needs(void **state)
{
	struct world *t = chain(state);
	uint64_t id;

	for (unsigned int i = 0; i < SERVICES; i++)
		t->service[i]->state = KM_SERVICE_UNKNOWN;
	for (unsigned int i = SERVICES; i-- > 0;) {
		assert_int_equal(km_decide_absent(t->decide, &t->w, t->service[i]), 0);
	}
	expect_no(t, KM_GUARD_NEEDS);
	expect_no(t, KM_GUARD_NEEDS);
	id = expect(t, KM_ANSWER_ACT)->id;
	comes_up(t, 0);
	outcome(t, id, KM_OUT_DONE);
	km_decide_verdict(t->decide, &t->w, id, KM_HELPED);
	tick(t);
	assert_string_equal(expect(t, KM_ANSWER_ACT)->service, "app-b");
	expect_nothing(t);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		world_test(what_others_need_is_repaired_first_whoever_was_heard_first),
		world_test(each_is_started_when_what_it_needs_is_back),
		world_test(alone_it_is_started_as_soon_as_the_others_would_have_been_heard),
		world_test(a_service_whose_need_is_unhealthy_is_not_restarted_for_it),
		world_test(a_notification_needs_nothing),
		world_test(first_starts_are_in_the_order_of_needs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
