// SPDX-License-Identifier: Apache-2.0
/* A rule whose acts do not help loses the right to act. */
#include "world.h"

/* One act of RULE on the service, and what verification says of it. */
static void act_and_judge(struct world *t, const struct km_rule *rule, enum km_verdict_kind kind)
{
	const struct km_decision *d;
	uint64_t id;

	assert_int_equal(speak(t, rule, 0), 0);
	d = expect(t, KM_ANSWER_ACT);
	id = d->id;
	assert_int_equal(outcome(t, id, KM_OUT_DONE), 0);
	assert_int_equal(km_decide_verdict(t->decide, &t->w, id, kind), 0);
}

/* The rule falls silent, so that it may speak anew; what it said meanwhile is dropped. */
static void rest(struct world *t, const struct km_rule *rule)
{
	assert_int_equal(silent(t, rule, 0, KM_FALSE), 0);
	while (km_decide_next(t->decide))
		;
	wait_ns(t, 11 * MINUTE);
}

static void three_of_five_acts_that_do_not_help_are_one_too_many(void **state)
{
	static const enum km_verdict_kind kinds[] = { KM_DID_NOT_HELP, KM_HELPED, KM_DID_NOT_HELP,
		                                      KM_HELPED, KM_DID_NOT_HELP };
	struct world *t = *state;
	const struct km_decision *d;

	for (size_t i = 0; i < KM_ARRAY_SIZE(kinds); i++) {
		assert_int_equal(km_track_mode(t->decide, leak_rule(t)), KM_AUTO);
		act_and_judge(t, leak_rule(t), kinds[i]);
		if (i + 1 < KM_ARRAY_SIZE(kinds))
			rest(t, leak_rule(t));
	}
	d = expect(t, KM_ANSWER_ESCALATE);
	assert_non_null(strstr(d->reason, "only suggests from now on"));
	assert_true(d->incident_id > 0);
	rest(t, leak_rule(t));
	assert_int_equal(speak(t, leak_rule(t), 0), 0);
	expect(t, KM_ANSWER_SUGGEST);
	expect_nothing(t);
	/* the others go on */
	assert_int_equal(km_track_mode(t->decide, start_rule(t)), KM_AUTO);
}

static void two_of_five_are_not_and_what_was_not_measured_does_not_count(void **state)
{
	static const enum km_verdict_kind kinds[] = {
		KM_DID_NOT_HELP,         KM_DID_NOT_HELP, KM_HELPED,       KM_HELPED,
		KM_VERDICT_NOT_MEASURED, KM_HELPED,       KM_DID_NOT_HELP, KM_VERDICT_NOT_MEASURED,
	};
	struct world *t = *state;

	for (size_t i = 0; i < KM_ARRAY_SIZE(kinds); i++) {
		act_and_judge(t, leak_rule(t), kinds[i]);
		rest(t, leak_rule(t));
	}
	assert_int_equal(km_track_mode(t->decide, leak_rule(t)), KM_AUTO);
	assert_int_equal(km_decide_track(t->decide, leak_rule(t))->count, KM_TRACK_VERDICTS);
	act_and_judge(t, leak_rule(t), KM_DID_NOT_HELP);
	rest(t, leak_rule(t));
	assert_int_equal(km_track_mode(t->decide, leak_rule(t)), KM_AUTO);
	act_and_judge(t, leak_rule(t), KM_DID_NOT_HELP);
	assert_int_equal(km_track_mode(t->decide, leak_rule(t)), KM_SUGGEST);
}

static void demote(struct world *t)
{
	for (int i = 0; i < KM_TRACK_FAILURES; i++) {
		act_and_judge(t, leak_rule(t), KM_DID_NOT_HELP);
		rest(t, leak_rule(t));
	}
	assert_int_equal(km_track_mode(t->decide, leak_rule(t)), KM_SUGGEST);
}

static void an_operators_new_word_or_another_text_begins_anew(void **state)
{
	struct world *t = *state;
	uint8_t digest = leak_rule(t)->digest[0];

	demote(t);
	leak_rule(t)->mode_at_s = 7;
	assert_int_equal(km_track_mode(t->decide, leak_rule(t)), KM_AUTO);
	leak_rule(t)->mode_at_s = 0;
	assert_int_equal(km_track_mode(t->decide, leak_rule(t)), KM_SUGGEST);
	leak_rule(t)->digest[0] ^= 1;
	assert_int_equal(km_track_mode(t->decide, leak_rule(t)), KM_AUTO);
	/* the old record is dropped, and does not come back with the old text */
	wait_ns(t, 2 * MINUTE);
	assert_int_equal(tick(t), 0);
	leak_rule(t)->digest[0] = digest;
	assert_int_equal(km_track_mode(t->decide, leak_rule(t)), KM_AUTO);
}

static void attempts_of_one_repair_are_one_case(void **state)
{
	struct world *t = *state;
	const struct km_decision *d;

	/* a crash loop: back-off, one repair */
	ends(t, 0);
	assert_int_equal(speak_ended(t, start_rule(t), 0), 0);
	for (int i = 0; i < 4; i++) {
		d = expect(t, KM_ANSWER_ACT);
		assert_int_equal(outcome(t, d->id, KM_OUT_DONE), 0);
		assert_int_equal(km_decide_verdict(t->decide, &t->w, d->id, KM_DID_NOT_HELP), 0);
		expect(t, KM_ANSWER_LATER);
		wait_ns(t, MINUTE);
		assert_int_equal(tick(t), 0);
	}
	assert_int_equal(km_decide_track(t->decide, start_rule(t))->count, 1);
	assert_int_equal(km_track_mode(t->decide, start_rule(t)), KM_AUTO);
	/* and in the end it helped */
	d = expect(t, KM_ANSWER_ACT);
	assert_int_equal(outcome(t, d->id, KM_OUT_DONE), 0);
	assert_int_equal(km_decide_verdict(t->decide, &t->w, d->id, KM_HELPED), 0);
	assert_int_equal(km_decide_track(t->decide, start_rule(t))->count, 1);
	assert_int_equal(km_decide_track(t->decide, start_rule(t))->verdict[0], KM_HELPED);
}

static void a_rule_below_suggest_is_not_raised_by_it(void **state)
{
	struct world *t = *state;

	demote(t);
	leak_rule(t)->guard.mode = KM_OBSERVE;
	assert_int_equal(km_track_mode(t->decide, leak_rule(t)), KM_OBSERVE);
}

static void a_record_that_cannot_be_is_refused(void **state)
{
	struct world *t = *state;
	const struct km_track good = {
		.rule_key = 1, .count = 2, .verdict = { KM_DID_NOT_HELP }, .service_id = { 5, 6 }
	};
	struct km_table *table = t->decide->table[KM_T_TRACK];
	struct km_track bad;

	assert_int_equal(km_table_restore(table, 0, &good), 0);
	km_table_clear(table);
	bad = good;
	bad.count = KM_TRACK_VERDICTS + 1;
	assert_int_equal(km_table_restore(table, 0, &bad), -EINVAL);
	bad = good;
	bad.demoted = 2;
	assert_int_equal(km_table_restore(table, 0, &bad), -EINVAL);
	bad = good;
	bad.verdict[1] = KM_VERDICT_NOT_MEASURED;
	assert_int_equal(km_table_restore(table, 0, &bad), -EINVAL);
	bad = good;
	bad.verdict[2] = KM_DID_NOT_HELP;
	assert_int_equal(km_table_restore(table, 0, &bad), -EINVAL);
	bad = good;
	bad.service_id[1] = 0;
	assert_int_equal(km_table_restore(table, 0, &bad), -EINVAL);
	bad = good;
	bad.service_id[2] = 7;
	assert_int_equal(km_table_restore(table, 0, &bad), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		world_test(three_of_five_acts_that_do_not_help_are_one_too_many),
		world_test(two_of_five_are_not_and_what_was_not_measured_does_not_count),
		world_test(an_operators_new_word_or_another_text_begins_anew),
		world_test(attempts_of_one_repair_are_one_case),
		world_test(a_rule_below_suggest_is_not_raised_by_it),
		world_test(a_record_that_cannot_be_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
