// SPDX-License-Identifier: Apache-2.0
/* Pause, resume and maintenance by operators. */
#include "world.h"

static int operator(struct world *t, enum km_operator what, const char *service, uint64_t for_ns)
{
	struct km_raw_operator o = { .operation = what, .for_ns = for_ns, .uid = 7 };

	km_copy(o.service, sizeof(o.service), service);
	return km_decide_operator(t->decide, &t->w, &o);
}

static void while_an_operator_works_on_a_service_nothing_is_done_to_it(void **state)
{
	struct world *t = *state;

	assert_int_equal(operator(t, KM_OP_MAINTAIN, "app-a", 30 * MINUTE), 0);
	assert_int_equal(dies(t, 0), 0);
	assert_true(expect_no(t, KM_GUARD_MAINTENANCE)->due_ns == t->w.now_ns + 30 * MINUTE);
	assert_int_equal(dies(t, 1), 0);
	assert_string_equal(expect(t, KM_ANSWER_ACT)->service, "app-b");
	assert_int_equal(speak(t, loop_rule(t), 0), 0); /* a notification is no work */
	assert_int_equal(expect(t, KM_ANSWER_ACT)->verb, KM_NOTIFY);
}

static void what_is_still_down_when_it_ends_is_started(void **state)
{
	struct world *t = *state;
	uint64_t until;

	operator(t, KM_OP_MAINTAIN, "app-a", 30 * MINUTE);
	dies(t, 0);
	expect_no(t, KM_GUARD_MAINTENANCE);
	assert_true(km_decide_maintained(t->decide, t->service[0]->id, t->w.now_ns, &until));
	assert_true(until == t->w.now_ns + 30 * MINUTE);
	wait_ns(t, 30 * MINUTE);
	tick(t);
	assert_string_equal(expect(t, KM_ANSWER_ACT)->service, "app-a");
}

static void it_can_be_ended_early(void **state)
{
	struct world *t = *state;

	operator(t, KM_OP_MAINTAIN, "app-a", 30 * MINUTE);
	dies(t, 0);
	expect_no(t, KM_GUARD_MAINTENANCE);
	assert_int_equal(operator(t, KM_OP_MAINTAIN, "app-a", 0), 0);
	tick(t);
	expect(t, KM_ANSWER_ACT);
}

static void in_the_policys_maintenance_a_service_is_left_alone_and_then_started(void **state)
{
	struct world *t = *state;

	world_policy(t, "{\"version\":1,\"verbs\":[\"start\"],\"services\":[\"app-*\"],"
	                "\"maintenance\":[{\"services\":[\"app-a\"],\"window\":{\"from\":\"02:00\","
	                "\"to\":\"02:30\"}}]}");
	t->w.realtime_s = 2 * 3600;
	assert_int_equal(dies(t, 0), 0);
	assert_true(expect_no(t, KM_GUARD_MAINTENANCE)->due_ns > t->w.now_ns);
	assert_int_equal(dies(t, 1), 0);
	assert_string_equal(expect(t, KM_ANSWER_ACT)->service, "app-b");
	wait_ns(t, 30 * MINUTE);
	t->w.realtime_s += 1800;
	tick(t);
	assert_string_equal(expect(t, KM_ANSWER_ACT)->service, "app-a");
}

static void a_host_that_comes_up_in_it_starts_its_services(void **state)
{
	struct world *t = *state;

	world_policy(t, "{\"version\":1,\"verbs\":[\"start\"],\"services\":[\"app-*\"],"
	                "\"maintenance\":[{\"services\":[\"*\"],\"window\":{\"from\":\"00:00\","
	                "\"to\":\"00:00\"}}]}");
	t->w.realtime_s = 2 * 3600;
	t->service[0]->state = KM_SERVICE_UNKNOWN;
	assert_int_equal(km_decide_absent(t->decide, &t->w, t->service[0]), 0);
	assert_int_equal(expect(t, KM_ANSWER_ACT)->rule_key, 0);
}

static void nobody_can_work_on_what_is_not_there(void **state)
{
	struct world *t = *state;

	assert_int_equal(operator(t, KM_OP_MAINTAIN, "nothing", MINUTE), -EBADMSG);
}

static void paused_nothing_is_done_until_resumed(void **state)
{
	struct world *t = *state;

	operator(t, KM_OP_PAUSE, "", 0);
	assert_true(km_decide_paused_ns(t->decide) == t->w.now_ns);
	dies(t, 0);
	expect_no(t, KM_GUARD_PAUSE);
	wait_ns(t, MINUTE);
	operator(t, KM_OP_PAUSE, "", 0);
	assert_true(km_decide_paused_ns(t->decide) == t->w.now_ns - MINUTE);
	operator(t, KM_OP_RESUME, "", 0);
	tick(t);
	assert_string_equal(expect(t, KM_ANSWER_ACT)->service, "app-a");
}

static void while_the_file_is_there_no_operator_ends_the_pause(void **state)
{
	struct world *t = *state;

	operator(t, KM_OP_PAUSE_FILE, "", 0);
	assert_true(km_decide_paused_by_file(t->decide));
	assert_true(km_decide_paused_ns(t->decide) == t->w.now_ns);
	dies(t, 0);
	expect_no(t, KM_GUARD_PAUSE);
	operator(t, KM_OP_PAUSE, "", 0);
	operator(t, KM_OP_RESUME, "", 0);
	tick(t);
	expect_nothing(t);
	operator(t, KM_OP_PAUSE, "", 0);
	operator(t, KM_OP_RESUME_FILE, "", 0);
	assert_false(km_decide_paused_by_file(t->decide));
	tick(t);
	expect_nothing(t);
	operator(t, KM_OP_RESUME, "", 0);
	tick(t);
	assert_string_equal(expect(t, KM_ANSWER_ACT)->service, "app-a");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		world_test(while_an_operator_works_on_a_service_nothing_is_done_to_it),
		world_test(what_is_still_down_when_it_ends_is_started),
		world_test(it_can_be_ended_early),
		world_test(in_the_policys_maintenance_a_service_is_left_alone_and_then_started),
		world_test(a_host_that_comes_up_in_it_starts_its_services),
		world_test(nobody_can_work_on_what_is_not_there),
		world_test(paused_nothing_is_done_until_resumed),
		world_test(while_the_file_is_there_no_operator_ends_the_pause),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
