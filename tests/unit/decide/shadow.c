// SPDX-License-Identifier: Apache-2.0
/* A share of the repairs begins with nothing being done, and is done when that did not help. */
#include <stdio.h>

#include "world.h"

static void shadows(struct world *t, const char *share)
{
	char text[512];

	snprintf(text, sizeof(text),
	         "{\"version\":1,\"verbs\":[\"start\",\"restart\"],\"services\":[\"app-*\"],"
	         "\"shadow\":\"%s\",\"budget\":{\"service\":{\"count\":1000,\"per\":\"1s\"},"
	         "\"host\":{\"count\":1000,\"per\":\"1s\"}}}",
	         share);
	world_policy(t, text);
}

static void verdict(struct world *t, uint64_t id, enum km_verdict_kind kind)
{
	assert_int_equal(km_decide_verdict(t->decide, &t->w, id, kind), 0);
}

static void by_default_nothing_is_a_shadow(void **state)
{
	struct world *t = *state;

	assert_int_equal(speak(t, leak_rule(t), 0), 0);
	expect(t, KM_ANSWER_ACT);
}

static void what_goes_away_alone_is_left_alone(void **state)
{
	struct world *t = *state;
	const struct km_decision *d;

	shadows(t, "100%");
	assert_int_equal(speak(t, leak_rule(t), 0), 0);
	d = expect(t, KM_ANSWER_SHADOW);
	assert_int_equal(d->verb, KM_RESTART);
	assert_int_equal(d->attempt, 1);
	assert_non_null(km_decide_verifying(t->decide, d->id));
	verdict(t, d->id, KM_HELPED);
	expect_nothing(t);
	assert_null(repair(t, leak_rule(t), 0));
}

static void what_does_not_go_away_alone_is_repaired_then(void **state)
{
	struct world *t = *state;

	shadows(t, "100%");
	assert_int_equal(dies(t, 0), 0);
	verdict(t, expect(t, KM_ANSWER_SHADOW)->id, KM_DID_NOT_HELP);
	assert_int_equal(expect(t, KM_ANSWER_ACT)->attempt, 1);
	/* That nothing helped says nothing of the rule. */
	assert_null(km_decide_track(t->decide, start_rule(t)));
}

static void what_came_back_meanwhile_is_not_repaired(void **state)
{
	struct world *t = *state;
	uint64_t id;

	shadows(t, "100%");
	assert_int_equal(dies(t, 0), 0);
	id = expect(t, KM_ANSWER_SHADOW)->id;
	comes_up(t, 0);
	verdict(t, id, KM_DID_NOT_HELP);
	expect_nothing(t);
	assert_null(repair(t, start_rule(t), 0));
}

static void a_shadow_uses_up_no_budget(void **state)
{
	struct world *t = *state;

	shadows(t, "100%");
	leak_rule(t)->guard.budget = (struct km_budget){ 1, MINUTE };
	assert_int_equal(speak(t, leak_rule(t), 0), 0);
	verdict(t, expect(t, KM_ANSWER_SHADOW)->id, KM_DID_NOT_HELP);
	expect(t, KM_ANSWER_ACT);
}

static void what_people_agreed_to_and_notifications_are_no_shadows(void **state)
{
	struct world *t = *state;

	shadows(t, "100%");
	leak_rule(t)->guard.mode = KM_APPROVE;
	assert_int_equal(speak(t, leak_rule(t), 0), 0);
	assert_int_equal(command(t, expect(t, KM_ANSWER_ASK)->id, KM_CMD_APPROVE), 0);
	expect(t, KM_ANSWER_ACT);
	assert_int_equal(speak(t, loop_rule(t), 1), 0);
	assert_int_equal(expect(t, KM_ANSWER_ACT)->verb, KM_NOTIFY);
}

/* By a hash: the same each time, and about the share over many. */
static unsigned int counted(const char *share)
{
	unsigned int n = 0;
	struct world *t;
	void *s = NULL;

	assert_int_equal(world_setup(&s), 0);
	t = s;
	shadows(t, share);
	for (unsigned int i = 0; i < 1000; i++) {
		const struct km_decision *d;
		bool is;

		wait_ns(t, 11 * MINUTE); /* an incident of its own */
		assert_int_equal(speak(t, leak_rule(t), 0), 0);
		d = km_decide_next(t->decide);
		assert_non_null(d);
		is = d->answer == KM_ANSWER_SHADOW;
		n += is;
		if (!is)
			assert_int_equal(outcome(t, d->id, KM_OUT_DONE), 0);
		verdict(t, d->id, KM_HELPED);
	}
	world_teardown(&s);
	return n;
}

static void the_share_is_kept_and_always_the_same(void **state)
{
	unsigned int n = counted("10%");

	(void)state;
	assert_in_range(n, 70, 130);
	assert_int_equal(counted("10%"), n);
	assert_int_equal(counted("0%"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		world_test(by_default_nothing_is_a_shadow),
		world_test(what_goes_away_alone_is_left_alone),
		world_test(what_does_not_go_away_alone_is_repaired_then),
		world_test(what_came_back_meanwhile_is_not_repaired),
		world_test(a_shadow_uses_up_no_budget),
		world_test(what_people_agreed_to_and_notifications_are_no_shadows),
		cmocka_unit_test(the_share_is_kept_and_always_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
