/* SPDX-License-Identifier: Apache-2.0 */
/* Each guard refuses for its own reason, and for no other. */
#include "world.h"

static void refuses(struct world *t, enum km_guard guard)
{
	assert_int_equal(speak(t, leak_rule(t), 0), 0);
	expect_no(t, guard);
	expect_nothing(t);
}

static void acts(struct world *t)
{
	const struct km_decision *d;

	assert_int_equal(speak(t, leak_rule(t), 0), 0);
	d = expect(t, KM_ANSWER_ACT);
	assert_int_equal(d->guard, KM_GUARD_MAX);
	assert_int_equal(d->guards_passed, (1U << KM_GUARD_MAX) - 1);
}

static void with_nothing_against_it_a_rule_acts(void **state)
{
	struct world *t = *state;
	const struct km_decision *d;

	assert_int_equal(speak(t, leak_rule(t), 0), 0);
	d = expect(t, KM_ANSWER_ACT);
	assert_int_equal(d->id, 1);
	assert_int_equal(d->incident_id, 1);
	assert_int_equal(d->verb, KM_RESTART);
	assert_int_equal(d->timeout_ns, 30 * SECOND);
	assert_int_equal(d->tgid, t->service[0]->main_tgid);
	assert_int_equal(d->start_ns, t->service[0]->main_start_ns);
	assert_string_equal(d->service, "app-a");
	assert_string_equal(d->rule, "leak");
	assert_int_equal(d->has_forecast, 1);
}

static void what_an_operator_ended_is_left_to_him_for_its_time(void **state)
{
	struct world *t = *state;

	t->config.settings.leave_alone_ns = 10 * MINUTE;
	ends(t, 0);
	t->service[0]->last.signal = 15;
	t->service[0]->last.sender = KM_SENDER_OPERATOR;
	assert_int_equal(speak_ended(t, start_rule(t), 0), 0);
	assert_non_null(
		strstr(expect_no(t, KM_GUARD_INTENT)->reason, "left to the operator who ended it"));
	wait_ns(t, 10 * MINUTE - 1);
	tick(t);
	expect_nothing(t);
	wait_ns(t, 1);
	tick(t);
	expect(t, KM_ANSWER_ACT);
}

static void what_any_other_process_ended_is_started(void **state)
{
	struct world *t = *state;

	t->config.settings.leave_alone_ns = 10 * MINUTE;
	ends(t, 0);
	t->service[0]->last.signal = 9;
	t->service[0]->last.sender = KM_SENDER_OUTSIDER;
	assert_int_equal(speak_ended(t, start_rule(t), 0), 0);
	expect(t, KM_ANSWER_ACT);
}

static void pause_refuses_all_but_notify(void **state)
{
	struct world *t = *state;

	world_policy(t, "{\"version\":1,\"verbs\":[\"restart\"],\"services\":[\"app-*\"],"
	                "\"pause\":true}");
	refuses(t, KM_GUARD_PAUSE);
	assert_int_equal(speak(t, loop_rule(t), 0), 0);
	assert_int_equal(expect(t, KM_ANSWER_ACT)->verb, KM_NOTIFY);
}

static void a_verb_that_the_policy_does_not_name_is_refused(void **state)
{
	struct world *t = *state;

	world_policy(t, "{\"version\":1,\"verbs\":[\"start\"],\"services\":[\"app-*\"]}");
	refuses(t, KM_GUARD_POLICY);
}

static void a_service_out_of_the_policys_scope_is_refused(void **state)
{
	struct world *t = *state;

	world_policy(t, "{\"version\":1,\"verbs\":[\"restart\"],\"services\":[\"web-*\"]}");
	refuses(t, KM_GUARD_POLICY);
}

static void what_is_no_service_is_never_repaired(void **state)
{
	struct world *t = *state;

	for (uint32_t kind = KM_IS_ENDPOINT; kind < KM_SERVICE_KIND_MAX; kind++) {
		t->service[0]->kind = kind;
		assert_int_equal(speak(t, leak_rule(t), 0), 0);
	}
	expect_no(t, KM_GUARD_PROTECTED);
	expect_nothing(t);
	assert_int_equal(speak(t, loop_rule(t), 0), 0);
	assert_int_equal(expect(t, KM_ANSWER_ACT)->verb, KM_NOTIFY);
}

static void without_a_policy_only_notify_is_allowed(void **state)
{
	struct world *t = *state;

	km_decide_configure(t->decide, &t->config, NULL, t->rules);
	refuses(t, KM_GUARD_PAUSE);
	assert_int_equal(speak(t, loop_rule(t), 0), 0);
	assert_int_equal(expect(t, KM_ANSWER_ACT)->verb, KM_NOTIFY);
}

static void a_protected_service_is_refused_though_in_scope(void **state)
{
	struct world *t = *state;

	world_policy(t, "{\"version\":1,\"verbs\":[\"restart\"],\"services\":[\"app-*\"],"
	                "\"protect\":[\"app-a\"]}");
	refuses(t, KM_GUARD_PROTECTED);
}

static void a_harmless_name_does_not_open_a_protected_program(void **state)
{
	static char *argv[] = { (char *)"/lib/systemd/systemd", NULL };
	struct world *t = *state;

	t->def[0].argv = argv;
	refuses(t, KM_GUARD_PROTECTED);
}

static void a_second_rule_does_not_act_on_a_service_at_work(void **state)
{
	struct world *t = *state;

	acts(t);
	assert_int_equal(speak(t, start_rule(t), 0), 0);
	expect_no(t, KM_GUARD_BUSY);
	assert_int_equal(outcome(t, 1, KM_OUT_DONE), 0);
	/* Still looked at: the service is up, so there is no hurry. */
	assert_int_equal(speak(t, start_rule(t), 0), 0);
	expect_nothing(t);
	assert_int_equal(speak(t, start_rule(t), 1), 0);
	expect(t, KM_ANSWER_ACT);
}

static void a_service_that_dies_while_another_repair_is_looked_at_is_started(void **state)
{
	struct world *t = *state;

	acts(t);
	assert_int_equal(outcome(t, 1, KM_OUT_DONE), 0);
	wait_ns(t, SECOND);
	assert_int_equal(dies(t, 0), 0);
	assert_int_equal(expect(t, KM_ANSWER_ACT)->verb, KM_START);
}

static void what_was_held_by_another_repair_is_looked_at_when_that_is_over(void **state)
{
	struct world *t = *state;

	acts(t);
	assert_int_equal(dies(t, 0), 0);
	assert_int_equal(expect_no(t, KM_GUARD_BUSY)->due_ns, t->w.now_ns + KM_LOOK_AGAIN_NS);
	wait_ns(t, SECOND);
	assert_int_equal(outcome(t, 1, KM_OUT_FAILED), 0);
	expect(t, KM_ANSWER_ESCALATE);
	assert_int_equal(km_decide_due_ns(t->decide), t->w.now_ns);
	assert_int_equal(tick(t), 0);
	assert_int_equal(expect(t, KM_ANSWER_ACT)->verb, KM_START);
}

static void end_as(struct world *t, enum km_service_kind kind, const struct km_ending *last)
{
	ends(t, 0);
	t->service[0]->kind = kind;
	t->service[0]->last = *last;
	assert_int_equal(speak_ended(t, start_rule(t), 0), 0);
}

static void a_unit_that_its_manager_stopped_is_left_alone(void **state)
{
	struct world *t = *state;
	const struct km_ending by_pid_1 = { .t_ns = 1, .known = 1, .signal = 15, .sender_tgid = 1 };

	end_as(t, KM_BY_UNIT, &by_pid_1);
	expect_no(t, KM_GUARD_MANAGER);
}

static void a_container_that_its_manager_stopped_is_left_alone(void **state)
{
	struct world *t = *state;
	const struct km_ending by_pid_1 = { .t_ns = 1, .known = 1, .signal = 9, .sender_tgid = 1 };

	end_as(t, KM_BY_CONTAINER, &by_pid_1);
	expect_no(t, KM_GUARD_MANAGER);
}

static void a_unit_that_ended_well_is_left_alone(void **state)
{
	struct world *t = *state;
	const struct km_ending clean = { .t_ns = 1, .known = 1 };

	end_as(t, KM_BY_UNIT, &clean);
	expect_no(t, KM_GUARD_MANAGER);
}

static void a_unit_that_failed_is_mended(void **state)
{
	struct world *t = *state;
	const struct km_ending crash = { .t_ns = 1, .known = 1, .exit_code = 11 };

	end_as(t, KM_BY_UNIT, &crash);
	expect(t, KM_ANSWER_ACT);
}

static void a_command_that_ended_well_is_the_rules_business(void **state)
{
	struct world *t = *state;
	const struct km_ending clean = { .t_ns = 1, .known = 1 };

	end_as(t, KM_BY_COMMAND, &clean);
	expect(t, KM_ANSWER_ACT);
}

static void after_a_loss_nothing_disruptive_is_done(void **state)
{
	struct world *t = *state;

	t->w.lossy = 1;
	refuses(t, KM_GUARD_LOSS);
	assert_int_equal(speak(t, loop_rule(t), 0), 0);
	expect(t, KM_ANSWER_ACT);
}

static void after_a_loss_what_surely_ended_is_started_all_the_same(void **state)
{
	struct world *t = *state;

	t->w.lossy = 1;
	assert_int_equal(dies(t, 0), 0);
	expect(t, KM_ANSWER_ACT);
	ends(t, 1);
	t->service[1]->last.known = 0;
	assert_int_equal(speak_ended(t, start_rule(t), 1), 0);
	expect_no(t, KM_GUARD_LOSS);
}

static void a_forecast_older_than_three_periods_is_not_acted_on(void **state)
{
	struct world *t = *state;
	struct km_forecast f = forecast_now(t, 0);
	struct km_match m = { .rule = leak_rule(t),
		              .service_id = t->service[0]->id,
		              .spoke = KM_TRUE,
		              .scoped = true,
		              .forecast = &f };

	wait_ns(t, 3 * SECOND + 1);
	assert_int_equal(km_decide_match(t->decide, &t->w, &m), 0);
	expect_no(t, KM_GUARD_FRESH);
	f.t_ns = t->w.now_ns - 3 * SECOND;
	assert_int_equal(km_decide_match(t->decide, &t->w, &m), 0);
	expect(t, KM_ANSWER_ACT);
}

static void so_many_of_a_group_must_stay_up(void **state)
{
	struct world *t = *state;

	leak_rule(t)->guard.min_healthy = 2;
	t->service[1]->state = KM_SERVICE_DOWN;
	refuses(t, KM_GUARD_MIN_HEALTHY);
	t->service[1]->state = KM_SERVICE_UP;
	acts(t);
}

static void an_instance_that_is_being_restarted_does_not_count_as_up(void **state)
{
	struct world *t = *state;

	leak_rule(t)->guard.min_healthy = 2;
	acts(t);
	assert_int_equal(speak(t, leak_rule(t), 1), 0);
	expect_no(t, KM_GUARD_MIN_HEALTHY);
}

static void a_service_that_is_down_may_be_started_whatever_its_group(void **state)
{
	struct world *t = *state;

	start_rule(t)->guard.min_healthy = 2;
	plan_of(start_rule(t))[0].verb = KM_RESTART;
	t->service[1]->state = KM_SERVICE_DOWN;
	t->service[2]->state = KM_SERVICE_DOWN;
	assert_int_equal(dies(t, 0), 0);
	expect(t, KM_ANSWER_ACT);
}

static void a_service_without_a_group_has_nobody_to_stand_in(void **state)
{
	struct world *t = *state;

	leak_rule(t)->guard.min_healthy = 1;
	t->def[0].group[0] = '\0';
	refuses(t, KM_GUARD_MIN_HEALTHY);
}

static void what_kmend_ended_itself_is_no_cause(void **state)
{
	struct world *t = *state;

	ends(t, 0);
	t->service[0]->last.asked = 1;
	assert_int_equal(speak_ended(t, start_rule(t), 0), 0);
	expect_nothing(t);
	assert_null(repair(t, start_rule(t), 0));
}

static void all_guards_are_asked_and_the_first_is_the_reason(void **state)
{
	struct world *t = *state;
	const struct km_decision *d;

	t->w.lossy = 1;
	world_policy(t, "{\"version\":1,\"verbs\":[\"restart\"],\"services\":[\"web-*\"],"
	                "\"pause\":true}");
	assert_int_equal(speak(t, leak_rule(t), 0), 0);
	d = expect_no(t, KM_GUARD_PAUSE);
	assert_false(d->guards_passed & 1U << KM_GUARD_POLICY);
	assert_false(d->guards_passed & 1U << KM_GUARD_LOSS);
	assert_true(d->guards_passed & 1U << KM_GUARD_MODE);
	assert_true(d->guards_passed & 1U << KM_GUARD_COOLDOWN);
}

/* Thursday, 1970-01-08. */
#define THURSDAY (7 * 86400ULL)

static void outside_its_windows_a_rule_does_not_act(void **state)
{
	struct world *t = *state;

	leak_rule(t)->guard.windows = 1;
	leak_rule(t)->guard.window[0] =
		(struct km_window){ .days = 1 << 3, .from_min = 60, .to_min = 120 };
	refuses(t, KM_GUARD_WINDOW); /* nobody knows what time it is */
	t->w.realtime_s = THURSDAY + 7200;
	wait_ns(t, 601 * SECOND);
	refuses(t, KM_GUARD_WINDOW);
	t->w.realtime_s = THURSDAY + 3600;
	acts(t);
}

static void what_ended_outside_a_window_is_started_when_it_opens(void **state)
{
	struct world *t = *state;

	start_rule(t)->guard.windows = 2;
	start_rule(t)->guard.window[0] =
		(struct km_window){ .days = 1 << 3, .from_min = 90, .to_min = 120 };
	start_rule(t)->guard.window[1] =
		(struct km_window){ .days = 1 << 3, .from_min = 60, .to_min = 70 };
	t->w.realtime_s = THURSDAY + 3500;
	assert_int_equal(dies(t, 0), 0);
	assert_int_equal(expect_no(t, KM_GUARD_WINDOW)->due_ns, t->w.now_ns + 100 * SECOND);
	wait_ns(t, 100 * SECOND);
	t->w.realtime_s += 100;
	assert_int_equal(tick(t), 0);
	expect(t, KM_ANSWER_ACT);
}

static void an_incident_is_open_for_other_rules_than_the_one_that_asks(void **state)
{
	struct world *t = *state;
	uint64_t id = t->service[0]->id;

	assert_false(km_decide_incident_open(t->decide, id, 0, t->w.now_ns));
	acts(t);
	assert_true(km_decide_incident_open(t->decide, id, start_rule(t)->key, t->w.now_ns));
	assert_false(km_decide_incident_open(t->decide, id, leak_rule(t)->key, t->w.now_ns));
	assert_false(km_decide_incident_open(t->decide, t->service[1]->id, 0, t->w.now_ns));
	wait_ns(t, 300 * SECOND);
	assert_int_equal(speak(t, loop_rule(t), 0), 0);
	assert_true(km_decide_incident_open(t->decide, id, leak_rule(t)->key, t->w.now_ns));
	assert_true(km_decide_incident_open(t->decide, id, loop_rule(t)->key, t->w.now_ns));
	/* ten minutes of quiet after the first rule's part: the second is alone in it */
	wait_ns(t, 301 * SECOND);
	assert_false(km_decide_incident_open(t->decide, id, loop_rule(t)->key, t->w.now_ns));
	assert_true(km_decide_incident_open(t->decide, id, start_rule(t)->key, t->w.now_ns));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		world_test(with_nothing_against_it_a_rule_acts),
		world_test(what_an_operator_ended_is_left_to_him_for_its_time),
		world_test(what_any_other_process_ended_is_started),
		world_test(pause_refuses_all_but_notify),
		world_test(a_verb_that_the_policy_does_not_name_is_refused),
		world_test(a_service_out_of_the_policys_scope_is_refused),
		world_test(what_is_no_service_is_never_repaired),
		world_test(without_a_policy_only_notify_is_allowed),
		world_test(a_protected_service_is_refused_though_in_scope),
		world_test(a_harmless_name_does_not_open_a_protected_program),
		world_test(a_second_rule_does_not_act_on_a_service_at_work),
		world_test(a_service_that_dies_while_another_repair_is_looked_at_is_started),
		world_test(what_was_held_by_another_repair_is_looked_at_when_that_is_over),
		world_test(a_unit_that_its_manager_stopped_is_left_alone),
		world_test(a_container_that_its_manager_stopped_is_left_alone),
		world_test(a_unit_that_ended_well_is_left_alone),
		world_test(a_unit_that_failed_is_mended),
		world_test(a_command_that_ended_well_is_the_rules_business),
		world_test(after_a_loss_nothing_disruptive_is_done),
		world_test(after_a_loss_what_surely_ended_is_started_all_the_same),
		world_test(a_forecast_older_than_three_periods_is_not_acted_on),
		world_test(so_many_of_a_group_must_stay_up),
		world_test(an_instance_that_is_being_restarted_does_not_count_as_up),
		world_test(a_service_that_is_down_may_be_started_whatever_its_group),
		world_test(a_service_without_a_group_has_nobody_to_stand_in),
		world_test(what_kmend_ended_itself_is_no_cause),
		world_test(outside_its_windows_a_rule_does_not_act),
		world_test(what_ended_outside_a_window_is_started_when_it_opens),
		world_test(an_incident_is_open_for_other_rules_than_the_one_that_asks),
		world_test(all_guards_are_asked_and_the_first_is_the_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
