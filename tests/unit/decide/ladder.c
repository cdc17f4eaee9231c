/* SPDX-License-Identifier: Apache-2.0 */
/* What follows an act: outcomes, verdicts, the next rung, the end of the ladder. */
#include "world.h"

static uint64_t begin_repair(struct world *t)
{
	assert_int_equal(speak(t, leak_rule(t), 0), 0);
	return expect(t, KM_ANSWER_ACT)->id;
}

static void two_rungs(struct world *t)
{
	plan_of(leak_rule(t))[0].verb = KM_SEND_SIGNAL;
	plan_of(leak_rule(t))[0].signal = 10;
	plan_of(leak_rule(t))[1].verb = KM_RESTART;
	plan_of(leak_rule(t))[1].timeout_ns = 5 * SECOND;
	leak_rule(t)->steps = 2;
}

static void verdict(struct world *t, uint64_t id, enum km_verdict_kind kind)
{
	assert_int_equal(km_decide_verdict(t->decide, &t->w, id, kind), 0);
}

static void a_repair_that_helped_is_over(void **state)
{
	struct world *t = *state;
	uint64_t id = begin_repair(t);

	assert_null(km_decide_verifying(t->decide, id));
	assert_int_equal(outcome(t, id, KM_OUT_DONE), 0);
	assert_int_equal(km_decide_verifying(t->decide, id)->id, id);
	verdict(t, id, KM_HELPED);
	expect_nothing(t);
	assert_null(repair(t, leak_rule(t), 0));
	assert_null(km_decide_verifying(t->decide, id));
}

static void what_was_not_measured_is_over_too(void **state)
{
	struct world *t = *state;
	uint64_t id = begin_repair(t);

	assert_int_equal(outcome(t, id, KM_OUT_DONE), 0);
	verdict(t, id, KM_VERDICT_NOT_MEASURED);
	expect_nothing(t);
	assert_null(repair(t, leak_rule(t), 0));
}

static void the_next_rung_follows_only_what_did_not_help(void **state)
{
	struct world *t = *state;
	const struct km_decision *d;
	uint64_t id;

	two_rungs(t);
	assert_int_equal(speak(t, leak_rule(t), 0), 0);
	d = expect(t, KM_ANSWER_ACT);
	assert_int_equal(d->verb, KM_SEND_SIGNAL);
	assert_int_equal(d->signal, 10);
	assert_int_equal(d->step, 0);
	id = d->id;
	assert_int_equal(outcome(t, id, KM_OUT_DONE), 0);
	expect_nothing(t);
	wait_ns(t, 20 * SECOND);
	verdict(t, id, KM_DID_NOT_HELP);
	d = expect(t, KM_ANSWER_ACT);
	assert_int_equal(d->verb, KM_RESTART);
	assert_int_equal(d->signal, 0);
	assert_int_equal(d->step, 1);
	assert_int_equal(d->attempt, 2);
	assert_int_equal(d->timeout_ns, 5 * SECOND);
	assert_int_equal(d->incident_id, 1);
}

static void behind_the_last_rung_people_are_called_and_nothing_is_done_again(void **state)
{
	struct world *t = *state;
	uint64_t id = begin_repair(t);

	assert_int_equal(outcome(t, id, KM_OUT_DONE), 0);
	verdict(t, id, KM_DID_NOT_HELP);
	expect(t, KM_ANSWER_ESCALATE);
	for (unsigned int i = 0; i < 30; i++) {
		wait_ns(t, MINUTE);
		assert_int_equal(speak(t, leak_rule(t), 0), 0);
		assert_int_equal(tick(t), 0);
		expect_nothing(t);
	}
	/* The cause went away and came back: a new repair. */
	assert_int_equal(silent(t, leak_rule(t), 0, KM_FALSE), 0);
	begin_repair(t);
}

static void next_with_nothing_left_escalates(void **state)
{
	struct world *t = *state;
	uint64_t id;

	leak_rule(t)->otherwise = KM_ELSE_NEXT;
	id = begin_repair(t);
	assert_int_equal(outcome(t, id, KM_OUT_DONE), 0);
	verdict(t, id, KM_DID_NOT_HELP);
	expect(t, KM_ANSWER_ESCALATE);
	expect_nothing(t);
}

static void a_failed_act_leads_to_the_next_rung(void **state)
{
	struct world *t = *state;
	uint64_t id;

	two_rungs(t);
	id = begin_repair(t);
	assert_int_equal(outcome(t, id, KM_OUT_FAILED), 0);
	assert_int_equal(expect(t, KM_ANSWER_ACT)->step, 1);
	assert_int_equal(outcome(t, id + 1, KM_OUT_FAILED), 0);
	assert_non_null(strstr(expect(t, KM_ANSWER_ESCALATE)->reason, "failed, detail"));
}

static void a_rung_that_must_cool_down_is_held_not_dropped(void **state)
{
	struct world *t = *state;
	uint64_t id, due;

	two_rungs(t);
	leak_rule(t)->guard.cooldown_ns = 30 * SECOND;
	id = begin_repair(t);
	assert_int_equal(outcome(t, id, KM_OUT_DONE), 0);
	wait_ns(t, 20 * SECOND);
	verdict(t, id, KM_DID_NOT_HELP);
	due = expect_no(t, KM_GUARD_COOLDOWN)->due_ns;
	assert_int_equal(due, t->w.now_ns + 10 * SECOND);
	for (; t->w.now_ns < due; wait_ns(t, SECOND)) {
		assert_int_equal(speak(t, leak_rule(t), 0), 0);
		assert_int_equal(tick(t), 0);
		expect_nothing(t);
	}
	assert_int_equal(tick(t), 0);
	assert_int_equal(expect(t, KM_ANSWER_ACT)->step, 1);
}

static void a_refusal_of_the_actor_is_escalated_once(void **state)
{
	struct world *t = *state;
	uint64_t id = begin_repair(t);

	assert_int_equal(outcome(t, id, KM_OUT_REFUSED), 0);
	expect(t, KM_ANSWER_ESCALATE);
	assert_int_equal(speak(t, leak_rule(t), 0), 0);
	expect_nothing(t);
	assert_int_equal(silent(t, leak_rule(t), 0, KM_FALSE), 0);
	id = begin_repair(t);
	assert_int_equal(outcome(t, id, KM_OUT_REFUSED), 0);
	expect_nothing(t);
}

static void what_may_have_happened_is_never_repeated_by_itself(void **state)
{
	struct world *t = *state;
	uint64_t id;

	two_rungs(t);
	id = begin_repair(t);
	assert_int_equal(outcome(t, id, KM_OUT_UNKNOWN), 0);
	expect(t, KM_ANSWER_ESCALATE);
	assert_int_equal(speak(t, leak_rule(t), 0), 0);
	wait_ns(t, MINUTE);
	assert_int_equal(tick(t), 0);
	expect_nothing(t);
}

static void an_actor_that_does_not_answer_is_given_up_at_its_deadline(void **state)
{
	struct world *t = *state;
	uint64_t id = begin_repair(t);

	assert_int_equal(km_decide_due_ns(t->decide), t->w.now_ns + 40 * SECOND);
	wait_ns(t, 40 * SECOND - 1);
	assert_int_equal(tick(t), 0);
	expect_nothing(t);
	wait_ns(t, 1);
	assert_int_equal(tick(t), 0);
	expect(t, KM_ANSWER_ESCALATE);
	/* An answer after all changes nothing. */
	assert_int_equal(outcome(t, id, KM_OUT_DONE), 0);
	assert_int_equal(speak(t, leak_rule(t), 0), 0);
	expect_nothing(t);
}

static void what_did_not_happen_is_planned_anew_while_its_cause_is_there(void **state)
{
	struct world *t = *state;
	uint64_t id;

	assert_int_equal(dies(t, 0), 0);
	id = expect(t, KM_ANSWER_ACT)->id;
	assert_int_equal(outcome(t, id, KM_OUT_NOT_DONE), 0);
	assert_int_equal(expect(t, KM_ANSWER_LATER)->due_ns, t->w.now_ns + SECOND);
}

static void what_did_not_happen_is_dropped_when_its_cause_is_gone(void **state)
{
	struct world *t = *state;
	uint64_t id;

	assert_int_equal(dies(t, 0), 0);
	id = expect(t, KM_ANSWER_ACT)->id;
	comes_up(t, 0);
	assert_int_equal(outcome(t, id, KM_OUT_NOT_DONE), 0);
	expect_nothing(t);
	assert_null(repair(t, start_rule(t), 0));
}

static void an_outcome_that_comes_twice_is_refused_and_counted(void **state)
{
	struct world *t = *state;
	uint64_t id = begin_repair(t);

	assert_int_equal(outcome(t, id, KM_OUT_DONE), 0);
	assert_int_equal(outcome(t, id, KM_OUT_DONE), -EBADMSG);
	assert_int_equal(km_decide_meta(t->decide)->impossible, 1);
	assert_int_equal(repair(t, leak_rule(t), 0)->state, KM_R_VERIFYING);
}

static void ids_given_out_before_are_not_used_again(void **state)
{
	struct world *t = *state;

	assert_int_equal(outcome(t, 41, KM_OUT_DONE), 0);
	expect_nothing(t);
	assert_int_equal(begin_repair(t), 42);
	assert_int_equal(command(t, 100, KM_CMD_IDS_USED), 0);
	assert_int_equal(speak(t, leak_rule(t), 1), 0);
	assert_int_equal(expect(t, KM_ANSWER_ACT)->id, 101);
	assert_int_equal(command(t, 7, KM_CMD_IDS_USED), 0);
	assert_int_equal(speak(t, leak_rule(t), 2), 0);
	assert_int_equal(expect(t, KM_ANSWER_ACT)->id, 102);
}

static void a_notification_before_a_repair_is_not_waited_for(void **state)
{
	struct world *t = *state;
	uint64_t id;

	plan_of(leak_rule(t))[1] = plan_of(leak_rule(t))[0];
	plan_of(leak_rule(t))[0].verb = KM_NOTIFY;
	leak_rule(t)->steps = 2;
	leak_rule(t)->guard.cooldown_ns = MINUTE;
	id = begin_repair(t);
	assert_int_equal(outcome(t, id, KM_OUT_DONE), 0);
	assert_null(km_decide_verifying(t->decide, id));
	assert_int_equal(expect(t, KM_ANSWER_ACT)->verb, KM_RESTART);
}

static void a_rule_that_only_notifies_does_so_once_while_it_speaks(void **state)
{
	struct world *t = *state;
	uint64_t id;

	plan_of(leak_rule(t))[0].verb = KM_NOTIFY;
	leak_rule(t)->otherwise = KM_ELSE_NEXT;
	id = begin_repair(t);
	expect_nothing(t);
	assert_int_equal(outcome(t, id, KM_OUT_DONE), 0);
	wait_ns(t, SECOND);
	assert_int_equal(speak(t, leak_rule(t), 0), 0);
	expect_nothing(t);
	assert_int_equal(silent(t, leak_rule(t), 0, KM_FALSE), 0);
	begin_repair(t);
}

static void a_notification_behind_repairs_ends_the_ladder(void **state)
{
	struct world *t = *state;
	uint64_t id;

	plan_of(leak_rule(t))[1].verb = KM_NOTIFY;
	leak_rule(t)->steps = 2;
	leak_rule(t)->otherwise = KM_ELSE_NEXT;
	id = begin_repair(t);
	assert_int_equal(outcome(t, id, KM_OUT_DONE), 0);
	verdict(t, id, KM_DID_NOT_HELP);
	assert_int_equal(expect(t, KM_ANSWER_ACT)->verb, KM_NOTIFY);
	assert_int_equal(outcome(t, id + 1, KM_OUT_DONE), 0);
	expect(t, KM_ANSWER_ESCALATE);
}

/* Whatever becomes of a notification behind which `otherwise` was said at once. */
static void a_concluding_notification_is_over_with_any_outcome(void **state)
{
	static const enum km_outcome_state states[] = { KM_OUT_DONE, KM_OUT_FAILED, KM_OUT_REFUSED,
		                                        KM_OUT_UNKNOWN, KM_OUT_NOT_DONE };

	(void)state;
	for (unsigned int i = 0; i < KM_ARRAY_SIZE(states); i++) {
		struct world *t;
		void *s = NULL;

		assert_int_equal(world_setup(&s), 0);
		t = s;
		plan_of(leak_rule(t))[0].verb = KM_NOTIFY;
		assert_int_equal(speak(t, leak_rule(t), 0), 0);
		assert_int_equal(expect(t, KM_ANSWER_ACT)->id, 1);
		expect(t, KM_ANSWER_ESCALATE);
		assert_int_equal(outcome(t, 1, states[i]), 0);
		expect_nothing(t);
		assert_int_equal(repair(t, leak_rule(t), 0)->state, KM_R_RESTING);
		world_teardown(&s);
	}
}

static void a_rule_that_was_removed_ends_its_repairs(void **state)
{
	struct world *t = *state;
	struct km_rules none = { 0 };
	uint64_t id = begin_repair(t);

	assert_int_equal(speak(t, leak_rule(t), 1), 0);
	expect(t, KM_ANSWER_ACT);
	assert_int_equal(outcome(t, id + 1, KM_OUT_REFUSED), 0);
	expect(t, KM_ANSWER_ESCALATE);
	km_decide_configure(t->decide, &t->config, t->policy, &none);
	assert_int_equal(tick(t), 0);
	assert_null(repair(t, leak_rule(t), 1)); /* it rested */
	assert_int_equal(outcome(t, id, KM_OUT_DONE), 0);
	verdict(t, id, KM_DID_NOT_HELP);
	expect_nothing(t);
	assert_null(repair(t, leak_rule(t), 0));
}

static void a_plan_that_became_shorter_ends_the_repair(void **state)
{
	struct world *t = *state;
	uint64_t id;

	two_rungs(t);
	leak_rule(t)->guard.cooldown_ns = 30 * SECOND;
	id = begin_repair(t);
	assert_int_equal(outcome(t, id, KM_OUT_DONE), 0);
	verdict(t, id, KM_DID_NOT_HELP);
	expect_no(t, KM_GUARD_COOLDOWN);
	leak_rule(t)->steps = 1;
	for (unsigned int i = 0; i < 30; i++) {
		wait_ns(t, SECOND);
		assert_int_equal(speak(t, leak_rule(t), 0), 0);
	}
	assert_int_equal(tick(t), 0);
	expect_no(t, KM_GUARD_MODE);
	assert_null(repair(t, leak_rule(t), 0));
}

static void a_step_says_what_comes_when_it_fails(void **state)
{
	struct world *t = *state;
	uint64_t id;

	two_rungs(t);
	plan_of(leak_rule(t))[0].on_failure = KM_ELSE_ESCALATE;
	id = begin_repair(t);
	assert_int_equal(outcome(t, id, KM_OUT_FAILED), 0);
	expect(t, KM_ANSWER_ESCALATE);
	expect_nothing(t);
}

static void a_step_that_did_not_help_may_lead_to_quarantine(void **state)
{
	struct world *t = *state;
	uint64_t id;

	two_rungs(t);
	plan_of(leak_rule(t))[0].on_failure = KM_ELSE_QUARANTINE;
	id = begin_repair(t);
	assert_int_equal(outcome(t, id, KM_OUT_DONE), 0);
	verdict(t, id, KM_DID_NOT_HELP);
	expect(t, KM_ANSWER_QUARANTINE);
	expect(t, KM_ANSWER_ESCALATE);
	assert_true(km_decide_quarantined(t->decide, t->service[0]->id));
}

static void without_a_verdict_a_repair_ends_by_itself(void **state)
{
	struct world *t = *state;
	uint64_t id = begin_repair(t);

	assert_int_equal(outcome(t, id, KM_OUT_DONE), 0);
	wait_ns(t, 80 * SECOND);
	assert_int_equal(tick(t), 0);
	expect_nothing(t);
	assert_null(repair(t, leak_rule(t), 0));
	verdict(t, id, KM_DID_NOT_HELP); /* too late */
	expect_nothing(t);
}

static void an_end_before_the_outcome_waits_for_it_and_its_verdict(void **state)
{
	struct world *t = *state;
	uint64_t id;

	assert_int_equal(dies(t, 0), 0);
	id = expect(t, KM_ANSWER_ACT)->id;
	comes_up(t, 0);
	wait_ns(t, KM_NS_PER_MS);
	assert_int_equal(dies(t, 0), 0);
	expect_nothing(t);
	assert_int_equal(outcome(t, id, KM_OUT_DONE), 0);
	expect_nothing(t);
	verdict(t, id, KM_DID_NOT_HELP);
	assert_int_equal(expect(t, KM_ANSWER_LATER)->attempt, 2);
}

static void a_new_end_is_a_new_cause_for_a_rule_that_rests(void **state)
{
	struct world *t = *state;
	uint64_t id = begin_repair(t);

	assert_int_equal(outcome(t, id, KM_OUT_FAILED), 0);
	expect(t, KM_ANSWER_ESCALATE);
	ends(t, 0);
	assert_int_equal(speak_ended(t, leak_rule(t), 0), 0);
	assert_int_equal(expect(t, KM_ANSWER_ACT)->attempt, 1);
}

static void no_verdict_of_another_kind_is_taken(void **state)
{
	struct world *t = *state;

	assert_int_equal(km_decide_verdict(t->decide, &t->w, 1, KM_VERDICT_MAX), -EINVAL);
}

/* A throttle that did not help, and a restart behind it. */
static uint64_t throttled(struct world *t)
{
	uint64_t id;

	two_rungs(t);
	plan_of(leak_rule(t))[0].verb = KM_THROTTLE;
	plan_of(leak_rule(t))[0].args.amount = 500000;
	id = begin_repair(t);
	assert_int_equal(outcome(t, id, KM_OUT_DONE), 0);
	wait_ns(t, 20 * SECOND);
	verdict(t, id, KM_DID_NOT_HELP);
	return id;
}

static void what_did_not_help_is_taken_back_before_the_next_rung(void **state)
{
	struct world *t = *state;
	uint64_t id = throttled(t);
	const struct km_decision *d = expect(t, KM_ANSWER_ACT);

	assert_int_equal(d->verb, KM_UNDO);
	assert_int_equal(d->args.amount, id);
	assert_int_equal(d->step, 0);
	assert_non_null(strstr(d->reason, "taken back, it did not help"));
	id = d->id;
	expect_nothing(t);
	assert_int_equal(outcome(t, id, KM_OUT_DONE), 0);
	assert_null(km_decide_verifying(t->decide, id));
	d = expect(t, KM_ANSWER_ACT);
	assert_int_equal(d->verb, KM_RESTART);
	assert_int_equal(d->step, 1);
	assert_int_equal(d->attempt, 2);
}

static void what_helped_is_not_taken_back(void **state)
{
	struct world *t = *state;
	uint64_t id;

	plan_of(leak_rule(t))[0].verb = KM_THROTTLE;
	id = begin_repair(t);
	assert_int_equal(outcome(t, id, KM_OUT_DONE), 0);
	verdict(t, id, KM_HELPED);
	expect_nothing(t);
	assert_null(repair(t, leak_rule(t), 0));
}

static void what_cannot_be_taken_back_is_for_people(void **state)
{
	static const enum km_outcome_state states[] = { KM_OUT_FAILED, KM_OUT_REFUSED,
		                                        KM_OUT_UNKNOWN, KM_OUT_NOT_DONE };

	(void)state;
	for (unsigned int i = 0; i < KM_ARRAY_SIZE(states); i++) {
		struct world *t;
		void *s = NULL;

		assert_int_equal(world_setup(&s), 0);
		t = s;
		throttled(t);
		assert_int_equal(outcome(t, expect(t, KM_ANSWER_ACT)->id, states[i]), 0);
		expect(t, KM_ANSWER_ESCALATE);
		expect_nothing(t);
		assert_int_equal(repair(t, leak_rule(t), 0)->state, KM_R_RESTING);
		world_teardown(&s);
	}
}

static void nothing_is_taken_back_while_kmend_is_paused(void **state)
{
	struct km_raw_operator pause = { .operation = KM_OP_PAUSE };
	struct world *t = *state;
	uint64_t id;

	two_rungs(t);
	plan_of(leak_rule(t))[0].verb = KM_THROTTLE;
	id = begin_repair(t);
	assert_int_equal(outcome(t, id, KM_OUT_DONE), 0);
	assert_int_equal(km_decide_operator(t->decide, &t->w, &pause), 0);
	verdict(t, id, KM_DID_NOT_HELP);
	expect_no(t, KM_GUARD_PAUSE);
	expect_nothing(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		world_test(a_repair_that_helped_is_over),
		world_test(what_was_not_measured_is_over_too),
		world_test(the_next_rung_follows_only_what_did_not_help),
		world_test(behind_the_last_rung_people_are_called_and_nothing_is_done_again),
		world_test(next_with_nothing_left_escalates),
		world_test(a_failed_act_leads_to_the_next_rung),
		world_test(a_rung_that_must_cool_down_is_held_not_dropped),
		world_test(a_refusal_of_the_actor_is_escalated_once),
		world_test(what_may_have_happened_is_never_repeated_by_itself),
		world_test(an_actor_that_does_not_answer_is_given_up_at_its_deadline),
		world_test(what_did_not_happen_is_planned_anew_while_its_cause_is_there),
		world_test(what_did_not_happen_is_dropped_when_its_cause_is_gone),
		world_test(an_outcome_that_comes_twice_is_refused_and_counted),
		world_test(ids_given_out_before_are_not_used_again),
		world_test(a_notification_before_a_repair_is_not_waited_for),
		world_test(a_rule_that_only_notifies_does_so_once_while_it_speaks),
		world_test(a_notification_behind_repairs_ends_the_ladder),
		cmocka_unit_test(a_concluding_notification_is_over_with_any_outcome),
		world_test(a_rule_that_was_removed_ends_its_repairs),
		world_test(a_plan_that_became_shorter_ends_the_repair),
		world_test(a_step_says_what_comes_when_it_fails),
		world_test(a_step_that_did_not_help_may_lead_to_quarantine),
		world_test(without_a_verdict_a_repair_ends_by_itself),
		world_test(an_end_before_the_outcome_waits_for_it_and_its_verdict),
		world_test(a_new_end_is_a_new_cause_for_a_rule_that_rests),
		world_test(no_verdict_of_another_kind_is_taken),
		world_test(what_did_not_help_is_taken_back_before_the_next_rung),
		world_test(what_helped_is_not_taken_back),
		cmocka_unit_test(what_cannot_be_taken_back_is_for_people),
		world_test(nothing_is_taken_back_while_kmend_is_paused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
