/* SPDX-License-Identifier: Apache-2.0 */
/* Rules that must ask, and rules that may only watch. */
#include "world.h"

static int setup(void **state)
{
	struct world *t;

	world_setup(state);
	t = *state;
	leak_rule(t)->guard.mode = KM_APPROVE;
	start_rule(t)->guard.mode = KM_APPROVE;
	return 0;
}

static uint64_t asks(struct world *t)
{
	const struct km_decision *d;
	uint64_t id;

	assert_int_equal(speak(t, leak_rule(t), 0), 0);
	d = expect(t, KM_ANSWER_ASK);
	assert_int_equal(d->guard, KM_GUARD_MODE);
	assert_int_equal(d->due_ns, t->w.now_ns + 60 * MINUTE);
	id = d->id;
	expect_nothing(t);
	return id;
}

static void an_approved_repair_is_acted_on(void **state)
{
	struct world *t = *state;
	const struct km_decision *d;
	uint64_t id = asks(t);

	wait_ns(t, SECOND);
	assert_int_equal(command(t, id, KM_CMD_APPROVE), 0);
	d = expect(t, KM_ANSWER_ACT);
	assert_int_equal(d->id, id + 1);
	assert_int_equal(d->guards_passed, (1U << KM_GUARD_MAX) - 1);
	assert_int_equal(command(t, id, KM_CMD_APPROVE), -EBADMSG);
	expect_nothing(t);
}

static void a_denied_repair_is_not_asked_for_again_while_the_rule_speaks(void **state)
{
	struct world *t = *state;
	uint64_t id = asks(t);

	assert_int_equal(command(t, id, KM_CMD_DENY), 0);
	assert_non_null(strstr(expect_no(t, KM_GUARD_MODE)->reason, "denied by uid 7"));
	wait_ns(t, 20 * MINUTE);
	assert_int_equal(speak(t, leak_rule(t), 0), 0);
	expect_nothing(t);
	assert_int_equal(silent(t, leak_rule(t), 0, KM_FALSE), 0);
	asks(t);
}

static void an_approval_expires_at_its_time_and_not_before(void **state)
{
	struct world *t = *state;
	uint64_t id = asks(t);

	wait_ns(t, 60 * MINUTE - 1);
	assert_int_equal(tick(t), 0);
	expect_nothing(t);
	wait_ns(t, 1);
	assert_int_equal(tick(t), 0);
	expect_no(t, KM_GUARD_MODE);
	assert_int_equal(command(t, id, KM_CMD_APPROVE), -EBADMSG);
	expect_nothing(t);
}

static void an_approval_that_comes_with_the_deadline_is_too_late(void **state)
{
	struct world *t = *state;
	uint64_t id = asks(t);

	wait_ns(t, 60 * MINUTE);
	assert_int_equal(command(t, id, KM_CMD_APPROVE), 0);
	expect_no(t, KM_GUARD_MODE);
	expect_nothing(t);
}

static void an_approval_does_not_open_other_guards(void **state)
{
	struct world *t = *state;
	uint64_t id = asks(t);

	world_policy(t, "{\"version\":1,\"verbs\":[\"restart\"],\"services\":[\"web-*\"]}");
	assert_int_equal(command(t, id, KM_CMD_APPROVE), 0);
	expect_no(t, KM_GUARD_POLICY);
	assert_null(repair(t, leak_rule(t), 0));
}

static void an_approval_of_what_nobody_has_evidence_of_any_more_does_nothing(void **state)
{
	struct world *t = *state;
	uint64_t id = asks(t);

	wait_ns(t, 4 * SECOND);
	assert_int_equal(command(t, id, KM_CMD_APPROVE), 0);
	expect_no(t, KM_GUARD_FRESH);
}

static void a_question_goes_away_with_its_cause(void **state)
{
	struct world *t = *state;
	uint32_t slot = 0;

	asks(t);
	assert_int_equal(silent(t, leak_rule(t), 0, KM_NOT_MEASURED), 0);
	expect_nothing(t);
	assert_non_null(km_decide_waiting(t->decide, &slot));
	assert_int_equal(silent(t, leak_rule(t), 0, KM_FALSE), 0);
	expect_no(t, KM_GUARD_FRESH);
	slot = 0;
	assert_null(km_decide_waiting(t->decide, &slot));
}

static void a_question_about_an_end_stays_until_the_service_is_up(void **state)
{
	struct world *t = *state;
	uint64_t id;

	assert_int_equal(dies(t, 0), 0);
	id = expect(t, KM_ANSWER_ASK)->id;
	assert_int_equal(silent(t, start_rule(t), 0, KM_FALSE), 0);
	expect_nothing(t);
	comes_up(t, 0);
	assert_int_equal(command(t, id, KM_CMD_APPROVE), 0);
	expect_no(t, KM_GUARD_FRESH);
}

static void what_could_not_be_done_is_not_asked_for(void **state)
{
	struct world *t = *state;

	world_policy(t, "{\"version\":1,\"verbs\":[\"restart\"],\"services\":[\"web-*\"]}");
	assert_int_equal(speak(t, leak_rule(t), 0), 0);
	expect_no(t, KM_GUARD_POLICY);
	expect_nothing(t);
}

static void what_waits_is_listed_and_asked_once(void **state)
{
	struct world *t = *state;
	const struct km_decision *d;
	uint32_t slot = 0;
	uint64_t id = asks(t);

	for (unsigned int i = 0; i < 100; i++) {
		wait_ns(t, 10 * SECOND);
		assert_int_equal(speak(t, leak_rule(t), 0), 0);
		assert_int_equal(tick(t), 0);
		expect_nothing(t);
	}
	d = km_decide_waiting(t->decide, &slot);
	assert_non_null(d);
	assert_int_equal(d->id, id);
	assert_null(km_decide_waiting(t->decide, &slot));
}

static void nobody_can_approve_what_does_not_wait(void **state)
{
	struct world *t = *state;

	assert_int_equal(command(t, 99, KM_CMD_APPROVE), -EBADMSG);
	assert_int_equal(command(t, 99, KM_CMD_DENY), -EBADMSG);
	assert_int_equal(command(t, 99, KM_CMD_MAX), -EBADMSG);
}

static void a_rule_that_observes_says_so_once_until_it_stops(void **state)
{
	struct world *t = *state;
	const struct km_decision *d;

	leak_rule(t)->guard.mode = KM_OBSERVE;
	assert_int_equal(speak(t, leak_rule(t), 0), 0);
	d = expect(t, KM_ANSWER_OBSERVE);
	assert_int_equal(d->guard, KM_GUARD_MODE);
	assert_int_equal(d->verb, KM_RESTART);
	wait_ns(t, 10 * MINUTE - 1);
	assert_int_equal(speak(t, leak_rule(t), 0), 0);
	expect_nothing(t);
	wait_ns(t, 1);
	assert_int_equal(speak(t, leak_rule(t), 0), 0);
	expect(t, KM_ANSWER_OBSERVE);
	assert_int_equal(silent(t, leak_rule(t), 0, KM_NOT_MEASURED), 0);
	assert_int_equal(speak(t, leak_rule(t), 0), 0);
	expect_nothing(t);
	assert_int_equal(silent(t, leak_rule(t), 0, KM_FALSE), 0);
	assert_int_equal(speak(t, leak_rule(t), 0), 0);
	expect(t, KM_ANSWER_OBSERVE);
	assert_null(repair(t, leak_rule(t), 0));
}

static void a_rule_that_suggests_names_the_guards_that_would_fail(void **state)
{
	struct world *t = *state;
	const struct km_decision *d;

	leak_rule(t)->guard.mode = KM_SUGGEST;
	world_policy(t, "{\"version\":1,\"verbs\":[\"restart\"],\"services\":[\"web-*\"]}");
	assert_int_equal(speak(t, leak_rule(t), 0), 0);
	d = expect(t, KM_ANSWER_SUGGEST);
	assert_false(d->guards_passed & 1U << KM_GUARD_POLICY);
	assert_true(d->guards_passed & 1U << KM_GUARD_COOLDOWN);
	assert_non_null(strstr(d->reason, "would restart"));
}

static void a_mode_that_was_taken_back_stops_what_waits(void **state)
{
	struct world *t = *state;
	uint64_t id;

	start_rule(t)->guard.mode = KM_AUTO;
	assert_int_equal(dies(t, 0), 0);
	id = expect(t, KM_ANSWER_ACT)->id;
	comes_up(t, 0);
	assert_int_equal(outcome(t, id, KM_OUT_DONE), 0);
	wait_ns(t, SECOND);
	assert_int_equal(dies(t, 0), 0);
	expect(t, KM_ANSWER_LATER);
	start_rule(t)->guard.mode = KM_OBSERVE;
	wait_ns(t, SECOND);
	assert_int_equal(tick(t), 0);
	expect_no(t, KM_GUARD_MODE);
}

static void a_guard_that_opens_with_time_is_waited_for_before_anyone_is_asked(void **state)
{
	struct world *t = *state;
	uint64_t id, due;

	start_rule(t)->guard.cooldown_ns = MINUTE;
	assert_int_equal(dies(t, 0), 0);
	id = expect(t, KM_ANSWER_ASK)->id;
	assert_int_equal(command(t, id, KM_CMD_APPROVE), 0);
	id = expect(t, KM_ANSWER_ACT)->id;
	comes_up(t, 0);
	assert_int_equal(outcome(t, id, KM_OUT_DONE), 0);
	wait_ns(t, SECOND);
	assert_int_equal(dies(t, 0), 0);
	due = expect_no(t, KM_GUARD_COOLDOWN)->due_ns;
	t->w.now_ns = due;
	assert_int_equal(tick(t), 0);
	expect(t, KM_ANSWER_ASK);
}

#define approval_test(f) cmocka_unit_test_setup_teardown(f, setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		approval_test(an_approved_repair_is_acted_on),
		approval_test(a_denied_repair_is_not_asked_for_again_while_the_rule_speaks),
		approval_test(an_approval_expires_at_its_time_and_not_before),
		approval_test(an_approval_that_comes_with_the_deadline_is_too_late),
		approval_test(an_approval_does_not_open_other_guards),
		approval_test(an_approval_of_what_nobody_has_evidence_of_any_more_does_nothing),
		approval_test(a_question_goes_away_with_its_cause),
		approval_test(a_question_about_an_end_stays_until_the_service_is_up),
		approval_test(what_could_not_be_done_is_not_asked_for),
		approval_test(what_waits_is_listed_and_asked_once),
		approval_test(nobody_can_approve_what_does_not_wait),
		approval_test(a_rule_that_observes_says_so_once_until_it_stops),
		approval_test(a_rule_that_suggests_names_the_guards_that_would_fail),
		approval_test(a_mode_that_was_taken_back_stops_what_waits),
		approval_test(a_guard_that_opens_with_time_is_waited_for_before_anyone_is_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
