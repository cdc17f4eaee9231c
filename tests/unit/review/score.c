// SPDX-License-Identifier: Apache-2.0
/* Acts held against failures: which were near one, which were needless, what was missed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "review/score.h"

#define S KM_NS_PER_S
#define M (60 * S)

static const char rule_text[] =
	"{\"version\":1,\"id\":\"r\",\"summary\":\"s\",\"why\":\"w\",\"owner\":\"o\","
	"\"maturity\":\"experimental\",\"scope\":{\"services\":[\"web\"]},\"when\":{\"forecast\":"
	"{\"kind\":\"exhaustion\",\"resource\":\"memory\",\"probability\":\"50%\",\"within\":"
	"\"30m\"}},"
	"\"plan\":[{\"do\":\"restart\"}],\"verify\":{\"within\":\"5s\",\"that\":{\"up\":true}}}";

struct world {
	struct km_rules *rules;
	struct km_score score;
};

static int begin(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct km_rule *rule = NULL;
	struct km_error err;

	assert_non_null(w);
	assert_int_equal(km_rule_compile(rule_text, strlen(rule_text), "x/r.json", &err, &rule), 0);
	assert_int_equal(km_rules_new(&rule, 1, &err, &w->rules), 0);
	assert_int_equal(km_score_begin(&w->score, w->rules), 0);
	*state = w;
	return 0;
}

static int end(void **state)
{
	struct world *w = *state;

	km_score_clear(&w->score);
	km_rules_free(w->rules);
	free(w);
	return 0;
}

static void event(struct world *w, uint64_t t_ns, enum km_event e, uint32_t code)
{
	const struct km_service s = { .id = 5,
		                      .name = "web",
		                      .last = { .known = 1, .exit_code = code } };
	const struct km_output o = {
		.kind = KM_OUT_EVENT, .t_ns = t_ns, .service = &s, .event = e
	};

	km_score_output(&w->score, &o);
}

static void decision(struct world *w, uint64_t t_ns, enum km_answer answer, enum km_guard guard)
{
	const struct km_decision d = { .t_ns = t_ns,
		                       .rule_key = w->rules->rule[0]->key,
		                       .service_id = 5,
		                       .answer = answer,
		                       .guard = guard };
	const struct km_output o = { .kind = KM_OUT_DECISION, .t_ns = t_ns, .decision = &d };

	km_score_output(&w->score, &o);
}

static void an_act_before_a_failure_foresaw_it(void **state)
{
	struct world *w = *state;

	decision(w, 10 * M, KM_ANSWER_ACT, KM_GUARD_MAX);
	event(w, 25 * M, KM_EV_ENDED, 1 << 8);
	event(w, 27 * M, KM_EV_STARTED, 0);
	/* too long ago for this one, and another life */
	event(w, 60 * M, KM_EV_ENDED, 9);
	km_score_end(&w->score, 61 * M);
	assert_int_equal(w->score.foreseen, 1);
	assert_int_equal(w->score.missed, 1);
	assert_int_equal(w->score.justified, 1);
	assert_int_equal(w->score.rule[0].needless, 0);
	assert_int_equal(w->score.lead_ns, 15 * M);
	assert_int_equal(w->score.down_ns, 3 * M);
	assert_int_equal(w->score.saved_ns, 2 * M - S);
}

static void an_act_without_a_failure_was_needless(void **state)
{
	struct world *w = *state;

	decision(w, 10 * M, KM_ANSWER_ACT, KM_GUARD_MAX);
	/* asked for, or orderly: no failure */
	event(w, 20 * M, KM_EV_ENDED, 0);
	km_score_end(&w->score, 90 * M);
	assert_int_equal(w->score.failures, 0);
	assert_int_equal(w->score.rule[0].needless, 1);
	assert_int_equal(w->score.justified, 0);
}

static void who_came_back_by_itself_needed_nobody(void **state)
{
	struct world *w = *state;

	event(w, 10 * M, KM_EV_ENDED, 9);
	decision(w, 10 * M, KM_ANSWER_ACT, KM_GUARD_MAX);
	event(w, 10 * M + 9 * S, KM_EV_STARTED, 0);
	km_score_end(&w->score, 20 * M);
	assert_int_equal(w->score.rule[0].needless, 1);
	assert_int_equal(w->score.answered, 1);
}

static void who_stayed_down_was_answered(void **state)
{
	struct world *w = *state;

	event(w, 10 * M, KM_EV_ENDED, 9);
	decision(w, 10 * M, KM_ANSWER_ACT, KM_GUARD_MAX);
	km_score_end(&w->score, 20 * M);
	assert_int_equal(w->score.rule[0].needless, 0);
	assert_int_equal(w->score.answered, 1);
	assert_int_equal(w->score.saved_ns, 10 * M - S);
}

static void what_was_refused_is_counted_by_guard_and_saves_nothing(void **state)
{
	struct world *w = *state;

	decision(w, 10 * M, KM_ANSWER_NO, KM_GUARD_POLICY);
	decision(w, 11 * M, KM_ANSWER_NO, KM_GUARD_POLICY);
	/* its cause is gone: no wish to act */
	decision(w, 12 * M, KM_ANSWER_NO, KM_GUARD_FRESH);
	event(w, 15 * M, KM_EV_ENDED, 9);
	km_score_end(&w->score, 20 * M);
	assert_int_equal(w->score.rule[0].blocked[KM_GUARD_POLICY], 2);
	assert_int_equal(w->score.rule[0].alarms, 1);
	assert_int_equal(w->score.rule[0].acted, 0);
	assert_int_equal(w->score.foreseen, 1);
	assert_int_equal(w->score.saved_ns, 0);
}

static void an_alarm_is_over_when_it_is_silent_or_has_come_true(void **state)
{
	struct world *w = *state;

	decision(w, 10 * M, KM_ANSWER_SUGGEST, KM_GUARD_MODE);
	decision(w, 20 * M, KM_ANSWER_SUGGEST, KM_GUARD_MODE);
	assert_int_equal(w->score.rule[0].alarms, 1);
	decision(w, 30 * M + S, KM_ANSWER_SUGGEST, KM_GUARD_MODE);
	assert_int_equal(w->score.rule[0].alarms, 2);
	event(w, 31 * M, KM_EV_ENDED, 9);
	decision(w, 32 * M, KM_ANSWER_SUGGEST, KM_GUARD_MODE);
	assert_int_equal(w->score.rule[0].alarms, 3);
}

static void what_finds_no_room_is_counted(void **state)
{
	struct world *w = *state;

	for (uint64_t i = 0; i < KM_SCORE_FAILURES_MAX + 1; i++)
		event(w, (i + 1) * M, KM_EV_ENDED, 9);
	assert_int_equal(w->score.failures, KM_SCORE_FAILURES_MAX);
	assert_int_equal(w->score.dropped, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_act_before_a_failure_foresaw_it),
		TEST(an_act_without_a_failure_was_needless),
		TEST(who_came_back_by_itself_needed_nobody),
		TEST(who_stayed_down_was_answered),
		TEST(what_was_refused_is_counted_by_guard_and_saves_nothing),
		TEST(an_alarm_is_over_when_it_is_silent_or_has_come_true),
		TEST(what_finds_no_room_is_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
