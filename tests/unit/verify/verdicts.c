/* SPDX-License-Identifier: Apache-2.0 */
/* Helped, did not help, or not measured: never a guess. */
#include "look.h"

static void up_for_helps_when_it_has_been_up_for_so_long(void **state)
{
	struct look *l = *state;
	const struct km_verdict *v;

	l->rule->verify.up = true;
	l->rule->verify.up_for_ns = 5 * SECOND;
	begin(l);
	look_at(l, 5 * SECOND - 1);
	expect_nothing(l);
	look_at(l, 5 * SECOND);
	v = expect(l, KM_HELPED);
	assert_int_equal(v->took_ns, 5 * SECOND);
	assert_int_equal(v->t_ns, BEGIN + 5 * SECOND);
	assert_string_equal(v->reason, "held: up");
	look_at(l, 6 * SECOND);
	expect_nothing(l);
}

static void a_service_is_helped_when_its_checks_say_so(void **state)
{
	struct look *l = *state;

	l->rule->verify.healthy = true;
	begin(l);
	look_at(l, SECOND);
	expect_nothing(l);
	l->service.health = KM_HEALTHY;
	look_at(l, 2 * SECOND);
	assert_string_equal(expect(l, KM_HELPED)->reason, "held: healthy");
}

static void one_whose_checks_still_fail_was_not(void **state)
{
	struct look *l = *state;

	l->rule->verify.healthy = true;
	l->service.health = KM_UNHEALTHY;
	begin(l);
	look_at(l, 19 * SECOND);
	expect_nothing(l);
	look_at(l, 20 * SECOND);
	assert_string_equal(expect(l, KM_DID_NOT_HELP)->reason, "did not hold: healthy");
}

/* It was started, and was over before the actor's word of it was here. */
static void an_end_between_decision_and_outcome_did_not_help(void **state)
{
	struct look *l = *state;

	l->rule->verify.up = true;
	l->now_ns = BEGIN + 3;
	l->service.state = KM_SERVICE_DOWN;
	l->service.last.t_ns = BEGIN + 1;
	begin(l);
	look_at(l, 3);
	assert_string_equal(expect(l, KM_DID_NOT_HELP)->reason, "it ended again");
}

static void the_end_that_led_to_the_act_does_not_count(void **state)
{
	struct look *l = *state;

	l->rule->verify.up = true;
	l->service.last.t_ns = BEGIN;
	begin(l);
	look_at(l, 3);
	expect(l, KM_HELPED);
}

static void time_up_before_the_outcome_does_not_count(void **state)
{
	struct look *l = *state;

	l->rule->verify.up = true;
	l->rule->verify.up_for_ns = 5 * SECOND;
	l->service.since_ns = 1;
	begin(l);
	look_at(l, 5 * SECOND - 1);
	expect_nothing(l);
	look_at(l, 5 * SECOND);
	expect(l, KM_HELPED);
}

static void a_service_that_ends_again_was_not_helped(void **state)
{
	struct look *l = *state;

	l->rule->verify.up = true;
	l->rule->verify.up_for_ns = 5 * SECOND;
	begin(l);
	l->now_ns += SECOND;
	l->service.state = KM_SERVICE_DOWN;
	l->service.last.t_ns = l->now_ns;
	look_now(l, KM_EV_ENDED);
	assert_string_equal(expect(l, KM_DID_NOT_HELP)->reason, "it ended again");
}

static void an_end_that_kmend_asked_for_is_no_verdict(void **state)
{
	struct look *l = *state;

	l->rule->verify.no_end = true;
	begin(l);
	l->now_ns += SECOND;
	l->service.last.t_ns = l->now_ns;
	l->service.last.asked = 1;
	look_now(l, KM_EV_ENDED);
	expect_nothing(l);
	look_at(l, 20 * SECOND);
	expect(l, KM_HELPED);
}

static void an_end_before_the_outcome_is_no_verdict(void **state)
{
	struct look *l = *state;

	l->rule->verify.up = true;
	l->service.last.t_ns = BEGIN;
	begin(l);
	look_at(l, 1);
	expect(l, KM_HELPED);
}

static void a_service_that_never_comes_up_was_not_helped_when_the_time_is_over(void **state)
{
	struct look *l = *state;

	l->rule->verify.up = true;
	l->service.state = KM_SERVICE_DOWN;
	begin(l);
	look_at(l, 20 * SECOND - 1);
	expect_nothing(l);
	look_at(l, 20 * SECOND);
	assert_string_equal(expect(l, KM_DID_NOT_HELP)->reason, "did not hold: up");
}

static void a_service_nobody_has_seen_is_not_measured(void **state)
{
	struct look *l = *state;

	l->rule->verify.up = true;
	l->service.state = KM_SERVICE_UNKNOWN;
	begin(l);
	look_at(l, 20 * SECOND);
	assert_string_equal(expect(l, KM_VERDICT_NOT_MEASURED)->reason, "not measured: up");
}

static void no_end_alone_is_known_only_at_the_end_of_the_time(void **state)
{
	struct look *l = *state;

	l->rule->verify.no_end = true;
	begin(l);
	look_at(l, 20 * SECOND - 1);
	expect_nothing(l);
	look_at(l, 20 * SECOND);
	expect(l, KM_HELPED);
}

static void no_end_with_a_time_to_be_up_is_known_when_that_is_over(void **state)
{
	struct look *l = *state;

	l->rule->verify.no_end = true;
	l->rule->verify.up = true;
	l->rule->verify.up_for_ns = 2 * SECOND;
	begin(l);
	look_at(l, 2 * SECOND);
	assert_string_equal(expect(l, KM_HELPED)->reason, "held: up, no end");
}

static void a_level_counts_only_when_it_was_measured_since(void **state)
{
	struct look *l = *state;
	const struct km_verdict *v;

	l->rule->verify.below_resource = KM_MEMORY;
	l->rule->verify.below = 0.5;
	l->memory.measured = 1;
	l->memory.level = 10;
	l->memory.t_ns = BEGIN - 1;
	begin(l);
	look_at(l, SECOND);
	expect_nothing(l);
	l->memory.t_ns = BEGIN + SECOND;
	look_at(l, SECOND);
	v = expect(l, KM_HELPED);
	assert_true(v->level_before == 90);
	assert_true(v->level_after == 10);
}

static void a_level_that_stays_high_did_not_help(void **state)
{
	struct look *l = *state;

	l->rule->verify.below_resource = KM_MEMORY;
	l->rule->verify.below = 0.5;
	l->memory.measured = 1;
	l->memory.level = 50;
	l->memory.t_ns = BEGIN + SECOND;
	begin(l);
	look_at(l, 19 * SECOND);
	expect_nothing(l);
	look_at(l, 20 * SECOND);
	assert_string_equal(expect(l, KM_DID_NOT_HELP)->reason, "did not hold: level below");
}

static void a_level_nobody_measures_is_not_measured(void **state)
{
	struct look *l = *state;
	const struct km_verdict *v;

	l->rule->verify.below_resource = KM_MEMORY;
	l->rule->verify.below = 0.5;
	begin(l);
	look_at(l, 20 * SECOND);
	v = expect(l, KM_VERDICT_NOT_MEASURED);
	assert_true(v->level_after < 0);
}

static void a_level_without_a_limit_is_not_measured(void **state)
{
	struct look *l = *state;

	l->rule->verify.below_resource = KM_MEMORY;
	l->rule->verify.below = 0.5;
	l->memory = (struct km_features){ .measured = 1, .t_ns = BEGIN, .level = 1, .limit = -1 };
	begin(l);
	look_at(l, 20 * SECOND);
	expect(l, KM_VERDICT_NOT_MEASURED);
}

static void one_thing_that_does_not_hold_outweighs_what_is_not_measured(void **state)
{
	struct look *l = *state;

	l->rule->verify.below_resource = KM_MEMORY;
	l->rule->verify.below = 0.5;
	l->rule->verify.up = true;
	l->service.state = KM_SERVICE_DOWN;
	begin(l);
	look_at(l, 20 * SECOND);
	assert_string_equal(expect(l, KM_DID_NOT_HELP)->reason, "did not hold: up");
}

static void a_forecast_that_is_forgotten_is_gone(void **state)
{
	struct look *l = *state;

	l->rule->verify.forecast_gone = true;
	begin(l);
	look_at(l, 1);
	assert_string_equal(expect(l, KM_HELPED)->reason, "held: forecast gone");
}

/* A level that rises towards its limit, long enough to be forecast at END_NS. */
static void leak_until(struct look *l, uint64_t end_ns)
{
	const struct km_fit fit = {
		.level = 80, .slope = 1, .slope_se = 0.01, .noise = 0.1, .weight = 64
	};
	struct km_predict_input in = { .now_ns = end_ns,
		                       .horizon_ns = 3600 * SECOND,
		                       .service = &l->service,
		                       .features = { [KM_MEMORY] = &l->memory } };

	l->memory.measured = 1;
	l->memory.t_ns = end_ns;
	l->memory.since_ns = end_ns - 3600 * SECOND;
	l->memory.samples = 3600;
	l->memory.level = 80;
	for (unsigned int i = 0; i < KM_SCALES; i++)
		l->memory.fit[i] = fit;
	assert_true(km_predict_service(l->predict, &in) >= 0);
}

static void what_was_forecast_before_the_outcome_does_not_count(void **state)
{
	struct look *l = *state;

	l->rule->verify.forecast_gone = true;
	leak_until(l, BEGIN - 1);
	assert_non_null(km_predict_get(l->predict, 42, KM_EXHAUSTION, KM_MEMORY));
	begin(l);
	look_at(l, SECOND);
	expect_nothing(l);
	look_at(l, 20 * SECOND);
	assert_string_equal(expect(l, KM_VERDICT_NOT_MEASURED)->reason,
	                    "not measured: forecast gone");
}

/* Whatever the predictor makes of these figures: it is in force, or refused because of WHY. */
static void forecast_as(struct look *l, enum km_no_forecast why)
{
	const struct km_forecast *f;
	struct km_forecast *row;

	leak_until(l, BEGIN + SECOND);
	f = km_predict_get(l->predict, 42, KM_EXHAUSTION, KM_MEMORY);
	assert_non_null(f);
	memcpy(&row, &f, sizeof(row));
	row->why = why;
}

static void a_forecast_that_stays_in_force_did_not_help(void **state)
{
	struct look *l = *state;

	l->rule->verify.forecast_gone = true;
	begin(l);
	forecast_as(l, KM_WHY_NONE);
	look_at(l, 20 * SECOND);
	assert_string_equal(expect(l, KM_DID_NOT_HELP)->reason, "did not hold: forecast gone");
}

static void a_forecast_that_was_looked_for_and_refused_is_gone(void **state)
{
	struct look *l = *state;

	l->rule->verify.forecast_gone = true;
	begin(l);
	forecast_as(l, KM_WHY_FLAT);
	look_at(l, 2 * SECOND);
	expect(l, KM_HELPED);
}

static void a_forecast_that_nobody_made_cannot_be_gone(void **state)
{
	struct look *l = *state;

	l->rule->verify.forecast_gone = true;
	l->decision.has_forecast = 0;
	begin(l);
	look_at(l, 20 * SECOND);
	expect(l, KM_VERDICT_NOT_MEASURED);
}

static void a_rule_that_asks_for_nothing_is_not_measured(void **state)
{
	struct look *l = *state;

	l->rule->verify.none = true;
	begin(l);
	look_at(l, 0);
	expect(l, KM_VERDICT_NOT_MEASURED);
	l->rule->verify.none = false;
	begin(l);
	look_at(l, 1);
	expect(l, KM_VERDICT_NOT_MEASURED);
}

static void a_rule_removed_meanwhile_is_not_measured(void **state)
{
	struct look *l = *state;
	struct km_rules none = { 0 };
	struct km_verify_input in = { .now_ns = BEGIN + 1, .service = &l->service };

	l->rule->verify.up = true;
	begin(l);
	assert_int_equal(km_verify_service(l->v, &none, &in), 0);
	assert_string_equal(expect(l, KM_VERDICT_NOT_MEASURED)->reason, "the rule was removed");
}

static void a_service_nobody_asks_about_is_given_up_behind_its_time(void **state)
{
	struct look *l = *state;
	struct km_service other = { .id = 43, .state = KM_SERVICE_UP };
	struct km_verify_input in = { .service = &other };

	l->rule->verify.up = true;
	begin(l);
	in.now_ns = BEGIN + 20 * SECOND + KM_LOOK_GRACE_NS;
	assert_int_equal(km_verify_service(l->v, l->rules, &in), 0);
	expect_nothing(l);
	in.now_ns++;
	assert_int_equal(km_verify_service(l->v, l->rules, &in), 0);
	assert_string_equal(expect(l, KM_VERDICT_NOT_MEASURED)->reason, "the service is gone");
}

static void a_first_start_helped_when_it_is_up(void **state)
{
	struct look *l = *state;
	struct km_raw_outcome o = { .hdr.ktime_ns = BEGIN };
	const struct km_verdict *v;

	l->decision.rule_key = 0;
	l->decision.has_forecast = 0;
	assert_int_equal(km_verify_begin(l->v, &l->decision, &o, NULL, NAN), 0);
	look_at(l, 1);
	v = expect(l, KM_HELPED);
	assert_true(v->level_before < 0);
}

static void a_notification_is_not_looked_at(void **state)
{
	struct look *l = *state;

	l->decision.verb = KM_NOTIFY;
	begin(l);
	look_at(l, 100 * SECOND);
	expect_nothing(l);
}

static void a_verdict_is_written_in_one_fixed_order(void **state)
{
	struct look *l = *state;
	km_autofree(km_buf_freep) struct km_buf *b = NULL;
	struct km_json_writer w;

	assert_int_equal(km_buf_new(4096, &b), 0);
	l->rule->verify.up = true;
	begin(l);
	look_at(l, SECOND);
	km_jw_init(&w, b, false);
	km_verdict_write(expect(l, KM_HELPED), &w);
	assert_string_equal(km_buf_text(b),
	                    "{\"decision\":7,\"incident\":3,\"t_ns\":101000000000,"
	                    "\"took_ns\":1000000000,\"service\":\"app\",\"rule\":\"leak\","
	                    "\"verdict\":\"helped\",\"level_before\":90,\"level_after\":null,"
	                    "\"reason\":\"held: up\"}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		verify_test(up_for_helps_when_it_has_been_up_for_so_long),
		verify_test(a_service_is_helped_when_its_checks_say_so),
		verify_test(one_whose_checks_still_fail_was_not),
		verify_test(an_end_between_decision_and_outcome_did_not_help),
		verify_test(the_end_that_led_to_the_act_does_not_count),
		verify_test(time_up_before_the_outcome_does_not_count),
		verify_test(a_service_that_ends_again_was_not_helped),
		verify_test(an_end_that_kmend_asked_for_is_no_verdict),
		verify_test(an_end_before_the_outcome_is_no_verdict),
		verify_test(a_service_that_never_comes_up_was_not_helped_when_the_time_is_over),
		verify_test(a_service_nobody_has_seen_is_not_measured),
		verify_test(no_end_alone_is_known_only_at_the_end_of_the_time),
		verify_test(no_end_with_a_time_to_be_up_is_known_when_that_is_over),
		verify_test(a_level_counts_only_when_it_was_measured_since),
		verify_test(a_level_that_stays_high_did_not_help),
		verify_test(a_level_nobody_measures_is_not_measured),
		verify_test(a_level_without_a_limit_is_not_measured),
		verify_test(one_thing_that_does_not_hold_outweighs_what_is_not_measured),
		verify_test(a_forecast_that_is_forgotten_is_gone),
		verify_test(what_was_forecast_before_the_outcome_does_not_count),
		verify_test(a_forecast_that_stays_in_force_did_not_help),
		verify_test(a_forecast_that_was_looked_for_and_refused_is_gone),
		verify_test(a_forecast_that_nobody_made_cannot_be_gone),
		verify_test(a_rule_that_asks_for_nothing_is_not_measured),
		verify_test(a_rule_removed_meanwhile_is_not_measured),
		verify_test(a_service_nobody_asks_about_is_given_up_behind_its_time),
		verify_test(a_first_start_helped_when_it_is_up),
		verify_test(a_notification_is_not_looked_at),
		verify_test(a_verdict_is_written_in_one_fixed_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
