/* SPDX-License-Identifier: Apache-2.0 */
/* How often things are said, what they are called and how they look as text. */
#include "world.h"

static void a_refusal_is_said_once_until_ten_minutes_have_passed(void **state)
{
	struct world *t = *state;

	world_policy(t, "{\"version\":1,\"verbs\":[\"start\"],\"services\":[\"app-*\"]}");
	assert_int_equal(speak(t, leak_rule(t), 0), 0);
	expect_no(t, KM_GUARD_POLICY);
	for (unsigned int i = 0; i < 599; i++) {
		wait_ns(t, SECOND);
		assert_int_equal(speak(t, leak_rule(t), 0), 0);
		expect_nothing(t);
	}
	wait_ns(t, SECOND);
	assert_int_equal(speak(t, leak_rule(t), 0), 0);
	expect_no(t, KM_GUARD_POLICY);
}

/* A dependency that is down makes an event with each connection that is tried. */
static void a_rule_that_suggests_at_each_event_keeps_its_cooldown(void **state)
{
	struct world *t = *state;

	leak_rule(t)->guard.mode = KM_SUGGEST;
	leak_rule(t)->guard.cooldown_ns = MINUTE;
	for (unsigned int i = 0; i <= 120; i++) {
		assert_int_equal(speak(t, leak_rule(t), 0), 0);
		if (i % 60 == 0)
			expect(t, KM_ANSWER_SUGGEST);
		else
			expect_nothing(t);
		wait_ns(t, SECOND);
		assert_int_equal(silent(t, leak_rule(t), 0, KM_FALSE), 0);
		expect_nothing(t);
	}
}

static void a_refusal_for_another_reason_is_said(void **state)
{
	struct world *t = *state;

	world_policy(t, "{\"version\":1,\"verbs\":[\"start\"],\"services\":[\"app-*\"]}");
	assert_int_equal(speak(t, leak_rule(t), 0), 0);
	expect_no(t, KM_GUARD_POLICY);
	world_policy(t, "{\"version\":1,\"verbs\":[\"restart\"],\"services\":[\"app-*\"],"
	                "\"pause\":true}");
	assert_int_equal(speak(t, leak_rule(t), 0), 0);
	expect_no(t, KM_GUARD_PAUSE);
}

static void a_refusal_of_one_service_does_not_silence_anothers(void **state)
{
	struct world *t = *state;

	world_policy(t, "{\"version\":1,\"verbs\":[\"start\"],\"services\":[\"app-*\"]}");
	for (unsigned int i = 0; i < SERVICES; i++) {
		assert_int_equal(speak(t, leak_rule(t), i), 0);
		expect_no(t, KM_GUARD_POLICY);
	}
}

static void a_refusal_behind_an_act_is_said_anew(void **state)
{
	struct world *t = *state;
	uint64_t id;

	leak_rule(t)->guard.cooldown_ns = 10 * SECOND;
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(speak(t, leak_rule(t), 0), 0);
		id = expect(t, KM_ANSWER_ACT)->id;
		assert_int_equal(outcome(t, id, KM_OUT_DONE), 0);
		assert_int_equal(km_decide_verdict(t->decide, &t->w, id, KM_HELPED), 0);
		assert_int_equal(speak(t, leak_rule(t), 0), 0);
		expect_no(t, KM_GUARD_COOLDOWN);
		wait_ns(t, 10 * SECOND);
	}
}

static void what_was_said_long_ago_leaves_the_table(void **state)
{
	struct world *t = *state;

	world_policy(t, "{\"version\":1,\"verbs\":[\"start\"],\"services\":[\"app-*\"]}");
	assert_int_equal(speak(t, leak_rule(t), 0), 0);
	expect_no(t, KM_GUARD_POLICY);
	assert_int_equal(km_table_count(t->decide->table[KM_T_SAID]), 1);
	assert_int_equal(km_table_count(t->decide->table[KM_T_INCIDENT]), 1);
	wait_ns(t, 11 * MINUTE);
	assert_int_equal(tick(t), 0);
	assert_int_equal(km_table_count(t->decide->table[KM_T_SAID]), 0);
	assert_int_equal(km_table_count(t->decide->table[KM_T_INCIDENT]), 0);
}

static void ten_minutes_of_quiet_end_an_incident(void **state)
{
	struct world *t = *state;
	uint64_t id;

	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(speak(t, leak_rule(t), 0), 0);
		assert_int_equal(expect(t, KM_ANSWER_ACT)->incident_id, 1);
		id = km_decide_meta(t->decide)->decisions;
		assert_int_equal(outcome(t, id, KM_OUT_DONE), 0);
		assert_int_equal(km_decide_verdict(t->decide, &t->w, id, KM_HELPED), 0);
		wait_ns(t, 10 * MINUTE);
	}
	assert_int_equal(speak(t, leak_rule(t), 1), 0);
	assert_int_equal(expect(t, KM_ANSWER_ACT)->incident_id, 2);
	wait_ns(t, 1);
	assert_int_equal(speak(t, leak_rule(t), 0), 0);
	assert_int_equal(expect(t, KM_ANSWER_ACT)->incident_id, 3);
}

static const char *text_of(const struct km_decision *d, struct km_buf *b)
{
	struct km_json_writer w;

	km_buf_reset(b);
	km_jw_init(&w, b, false);
	km_decision_write(d, &w);
	assert_int_equal(km_buf_error(b), 0);
	return km_buf_text(b);
}

static void a_forecast_is_told_with_its_interval_rule_and_line(void **state)
{
	struct world *t = *state;

	assert_int_equal(speak(t, leak_rule(t), 0), 0);
	assert_string_equal(expect(t, KM_ANSWER_ACT)->reason,
	                    "exhaustion of memory in 18 s (15 to 24), 50 % or more; rule leak "
	                    "line 9");
}

static void a_far_forecast_is_told_in_hours(void **state)
{
	struct world *t = *state;
	struct km_forecast f = forecast_now(t, 0);
	struct km_match m = { .rule = leak_rule(t),
		              .service_id = t->service[0]->id,
		              .spoke = KM_TRUE,
		              .line = 3,
		              .scoped = true,
		              .forecast = &f };

	f.eta_s = 7200;
	f.eta_lo_s = 3600;
	f.eta_hi_s = 1e300;
	when_of(leak_rule(t))[0] =
		(struct km_cond){ .op = KM_COND_FORECAST, .line = 3, .span = 1, .p = 0.8 };
	assert_int_equal(km_decide_match(t->decide, &t->w, &m), 0);
	assert_non_null(strstr(expect(t, KM_ANSWER_ACT)->reason,
	                       "exhaustion of memory in 2h00m (1h00m to "));
}

static void a_killer_is_named(void **state)
{
	struct world *t = *state;

	ends(t, 0);
	t->service[0]->last.signal = 9;
	t->service[0]->last.sender_tgid = 4242;
	t->service[0]->last.sender_uid = 1000;
	t->service[0]->last.start_ns = t->w.now_ns - 90 * SECOND;
	km_copy(t->service[0]->last.sender_comm, KMEND_COMM_LEN, "rude\n\x1b[0m");
	assert_int_equal(speak_ended(t, start_rule(t), 0), 0);
	assert_string_equal(expect(t, KM_ANSWER_ACT)->reason,
	                    "ended by signal 9 from 'rude\n\x1b[0m' (pid 4242, uid 1000) after "
	                    "1m30s; rule start line 4");
}

static void ends_are_told_as_they_were(void **state)
{
	struct world *t = *state;
	static const struct {
		struct km_ending last;
		const char *says;
	} cases[] = {
		{ { .known = 1, .exit_code = 3 << 8 }, "ended with code 3" },
		{ { .known = 1, .exit_code = 11 }, "ended by signal 11" },
		{ { .known = 1, .exit_code = 9, .oom = 1 }, "ended by the OOM killer" },
		{ { .known = 0 }, "is gone" },
	};

	start_rule(t)->guard.mode = KM_OBSERVE;
	for (unsigned int i = 0; i < KM_ARRAY_SIZE(cases); i++) {
		ends(t, 0);
		t->service[0]->last = cases[i].last;
		assert_int_equal(speak_ended(t, start_rule(t), 0), 0);
		assert_memory_equal(expect(t, KM_ANSWER_OBSERVE)->reason, cases[i].says,
		                    strlen(cases[i].says));
		assert_int_equal(silent(t, start_rule(t), 0, KM_FALSE), 0);
	}
}

static void a_decision_is_written_in_one_fixed_order(void **state)
{
	km_autofree(km_buf_freep) struct km_buf *b = NULL;
	struct world *t = *state;

	assert_int_equal(km_buf_new(65536, &b), 0);
	memset(t->rules->digest, 0xab, sizeof(t->rules->digest));
	ends(t, 0);
	t->service[0]->last.start_ns = t->w.now_ns - SECOND;
	t->w.lossy = 1;
	t->service[0]->last.known = 0;
	assert_int_equal(speak_ended(t, start_rule(t), 0), 0);
	assert_string_equal(
		text_of(expect(t, KM_ANSWER_NO), b),
		"{\"id\":1,\"incident\":1,\"t_ns\":1000000000000,\"service\":\"app-a\","
		"\"rule\":\"start\",\"line\":4,\"answer\":\"no\",\"verb\":\"start\",\"step\":0,"
		"\"attempt\":1,\"timeout_ns\":30000000000,\"due_ns\":1010000000000,\"tgid\":0,"
		"\"start_ns\":0,\"guard\":\"loss\",\"passed\":[\"mode\",\"pause\",\"policy\","
		"\"protected\",\"quarantine\",\"busy\",\"manager\",\"fresh\",\"cooldown\","
		"\"budget_rule\",\"budget_service\",\"budget_host\",\"min_healthy\",\"window\","
		"\"maintenance\",\"needs\",\"starved\",\"intent\",\"concurrent\"],"
		"\"failed\":[\"loss\"],\"event\":\"ended\",\"ending\":{\"t_ns\":1000000000000,"
		"\"tgid\":100,\"start_ns\":999000000000,\"known\":false,\"exit_code\":256,"
		"\"oom\":false,\"signal\":0,\"sender_tgid\":0,\"sender_uid\":0,"
		"\"sender_comm\":\"\"},\"forecast\":null,\"rules\":\"abababababababab\","
		"\"reason\":\"records were lost: is gone after 1s; rule start line 4\"}");
}

static void hostile_names_do_not_change_the_structure(void **state)
{
	km_autofree(km_buf_freep) struct km_buf *b = NULL;
	km_autofree(km_json_freep) struct km_json *doc = NULL;
	struct world *t = *state;
	static struct km_error err;
	const char *text;

	assert_int_equal(km_buf_new(65536, &b), 0);
	ends(t, 0);
	t->service[0]->last.signal = 9;
	t->service[0]->last.sender_tgid = 2;
	km_copy(t->service[0]->last.sender_comm, KMEND_COMM_LEN, "\",\"x\":1\n\xff\x9b\x1b");
	assert_int_equal(speak_ended(t, start_rule(t), 0), 0);
	text = text_of(expect(t, KM_ANSWER_ACT), b);
	assert_int_equal(km_json_parse(text, strlen(text), "decision", &err, &doc), 0);
	assert_null(cJSON_GetObjectItem(km_json_root(doc), "x"));
	assert_null(strchr(text, '\n'));
	assert_null(strchr(text, '\x1b'));
}

static void verbs_carry_what_they_need(void **state)
{
	km_autofree(km_buf_freep) struct km_buf *b = NULL;
	struct world *t = *state;

	assert_int_equal(km_buf_new(65536, &b), 0);
	world_policy(t, "{\"version\":1,\"verbs\":[\"signal\",\"raise_limit\"],"
	                "\"services\":[\"app-*\"]}");
	plan_of(leak_rule(t))[0].verb = KM_SEND_SIGNAL;
	plan_of(leak_rule(t))[0].signal = 10;
	assert_int_equal(speak(t, leak_rule(t), 0), 0);
	assert_non_null(strstr(text_of(expect(t, KM_ANSWER_ACT), b), "\"signal\":10,"));
	plan_of(leak_rule(t))[0].verb = KM_RAISE_LIMIT;
	plan_of(leak_rule(t))[0].args.amount = 4096;
	assert_int_equal(speak(t, leak_rule(t), 1), 0);
	assert_non_null(strstr(text_of(expect(t, KM_ANSWER_ACT), b), "\"amount\":4096,"));
}

static void a_reason_that_is_too_long_is_cut_at_a_characters_end(void **state)
{
	struct world *t = *state;
	const struct km_decision *d;
	char id[KM_NAME_MAX];

	for (size_t i = 0; i + 3 < KM_NAME_MAX; i += 2)
		memcpy(id + i, "\xc3\xa4", 3);
	leak_rule(t)->id = id;
	assert_int_equal(speak(t, leak_rule(t), 0), 0);
	d = expect(t, KM_ANSWER_ACT);
	assert_true(strlen(d->reason) >= KM_NAME_MAX - 2);
	assert_true(km_utf8_valid(d->reason, strlen(d->reason)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		world_test(a_refusal_is_said_once_until_ten_minutes_have_passed),
		world_test(a_rule_that_suggests_at_each_event_keeps_its_cooldown),
		world_test(a_refusal_for_another_reason_is_said),
		world_test(a_refusal_of_one_service_does_not_silence_anothers),
		world_test(a_refusal_behind_an_act_is_said_anew),
		world_test(what_was_said_long_ago_leaves_the_table),
		world_test(ten_minutes_of_quiet_end_an_incident),
		world_test(a_forecast_is_told_with_its_interval_rule_and_line),
		world_test(a_far_forecast_is_told_in_hours),
		world_test(a_killer_is_named),
		world_test(ends_are_told_as_they_were),
		world_test(a_decision_is_written_in_one_fixed_order),
		world_test(hostile_names_do_not_change_the_structure),
		world_test(verbs_carry_what_they_need),
		world_test(a_reason_that_is_too_long_is_cut_at_a_characters_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
