// SPDX-License-Identifier: Apache-2.0
/* What keeps kmend from acting is not forgotten because the host went down. */
#include "world.h"

/* How long after the boot kmendd comes up, or an update puts a new one in its place. */
#define BOOT_NS (10 * SECOND)

/* Another boot: what outlives is taken over, time begins anew, the services are up. */
static void reboot(struct world *t)
{
	struct km_table *from[KM_T_MAX], *to[KM_T_MAX];
	unsigned char row[4 * KM_HOST_ACTS_KEPT * sizeof(uint64_t)];
	struct km_decide *d;
	const void *p;

	assert_int_equal(km_decide_new(&d), 0);
	assert_int_equal(km_decide_tables(t->decide, from, KM_T_MAX), KM_T_MAX);
	assert_int_equal(km_decide_tables(d, to, KM_T_MAX), KM_T_MAX);
	for (unsigned int i = 0; i < KM_T_MAX; i++) {
		const struct km_table_opts *o = km_table_opts(from[i]);
		uint32_t slot = 0;

		assert_true(o->row_size <= sizeof(row));
		while (o->outlives && (p = km_table_next(from[i], &slot))) {
			memcpy(row, p, o->row_size);
			if (!o->outlives(row, t->w.now_ns))
				continue;
			if (o->returns)
				o->returns(row, BOOT_NS);
			assert_int_equal(km_table_restore(to[i], slot - 1, row), 0);
		}
	}
	km_decide_free(t->decide);
	t->decide = d;
	km_decide_configure(d, &t->config, t->policy, t->rules);
	t->w.now_ns = BOOT_NS;
	for (unsigned int i = 0; i < SERVICES; i++) {
		t->service[i]->state = KM_SERVICE_UP;
		t->service[i]->since_ns = t->w.now_ns - SECOND;
		t->service[i]->last = (struct km_ending){ 0 };
	}
}

/* One act of the leak rule; its decision's incident. */
static uint64_t act(struct world *t, enum km_verdict_kind kind)
{
	const struct km_decision *d;
	uint64_t id, incident;

	assert_int_equal(speak(t, leak_rule(t), 0), 0);
	d = expect(t, KM_ANSWER_ACT);
	id = d->id;
	incident = d->incident_id;
	assert_int_equal(outcome(t, id, KM_OUT_DONE), 0);
	assert_int_equal(km_decide_verdict(t->decide, &t->w, id, kind), 0);
	while (km_decide_next(t->decide))
		;
	return incident;
}

static void rest(struct world *t)
{
	assert_int_equal(silent(t, leak_rule(t), 0, KM_FALSE), 0);
	while (km_decide_next(t->decide))
		;
	wait_ns(t, 11 * MINUTE);
}

static void a_rule_that_lost_its_right_to_act_does_not_get_it_back(void **state)
{
	struct world *t = *state;

	for (int i = 0; i < KM_TRACK_FAILURES; i++) {
		act(t, KM_DID_NOT_HELP);
		rest(t);
	}
	assert_int_equal(km_track_mode(t->decide, leak_rule(t)), KM_SUGGEST);
	reboot(t);
	assert_int_equal(km_track_mode(t->decide, leak_rule(t)), KM_SUGGEST);
	assert_int_equal(speak(t, leak_rule(t), 0), 0);
	expect(t, KM_ANSWER_SUGGEST);
	/* until an operator says its mode anew */
	leak_rule(t)->mode_at_s = 7;
	assert_int_equal(km_track_mode(t->decide, leak_rule(t)), KM_AUTO);
}

static void verdicts_of_before_count_on(void **state)
{
	struct world *t = *state;

	for (int i = 0; i < KM_TRACK_FAILURES - 1; i++) {
		act(t, KM_DID_NOT_HELP);
		rest(t);
	}
	reboot(t);
	assert_int_equal(km_track_mode(t->decide, leak_rule(t)), KM_AUTO);
	act(t, KM_DID_NOT_HELP);
	assert_int_equal(km_track_mode(t->decide, leak_rule(t)), KM_SUGGEST);
}

static void a_cooldown_and_a_budget_begin_anew_with_the_boot(void **state)
{
	struct world *t = *state;

	leak_rule(t)->guard.cooldown_ns = 5 * MINUTE;
	act(t, KM_HELPED);
	reboot(t);
	assert_int_equal(speak(t, leak_rule(t), 0), 0);
	expect_no(t, KM_GUARD_COOLDOWN);
	leak_rule(t)->guard.cooldown_ns = 0;
	leak_rule(t)->guard.budget = (struct km_budget){ .count = 1, .per_ns = 8 * MINUTE };
	rest(t);
	act(t, KM_HELPED);
	reboot(t);
	wait_ns(t, 7 * MINUTE);
	assert_int_equal(speak(t, leak_rule(t), 0), 0);
	expect_no(t, KM_GUARD_BUDGET_RULE);
	wait_ns(t, MINUTE);
	assert_int_equal(silent(t, leak_rule(t), 0, KM_FALSE), 0);
	assert_int_equal(speak(t, leak_rule(t), 0), 0);
	expect(t, KM_ANSWER_ACT);
}

static void acts_that_counted_no_more_do_not_come_back(void **state)
{
	struct world *t = *state;

	leak_rule(t)->guard.budget = (struct km_budget){ .count = 1, .per_ns = 8 * MINUTE };
	act(t, KM_HELPED);
	assert_int_equal(silent(t, leak_rule(t), 0, KM_FALSE), 0);
	wait_ns(t, 12 * MINUTE);
	reboot(t);
	assert_int_equal(speak(t, leak_rule(t), 0), 0);
	expect(t, KM_ANSWER_ACT);
}

static void a_quarantine_stands_until_an_operator_ends_it(void **state)
{
	struct world *t = *state;
	uint64_t id;

	ends(t, 0);
	assert_int_equal(speak_ended(t, loop_rule(t), 0), 0);
	expect(t, KM_ANSWER_ACT);
	id = expect(t, KM_ANSWER_QUARANTINE)->id;
	reboot(t);
	assert_true(km_decide_quarantined(t->decide, t->service[0]->id));
	assert_int_equal(speak(t, leak_rule(t), 0), 0);
	expect_no(t, KM_GUARD_QUARANTINE);
	assert_int_equal(command(t, id, KM_CMD_APPROVE), 0);
	assert_false(km_decide_quarantined(t->decide, t->service[0]->id));
}

static void operate(struct world *t, enum km_operator operation, uint64_t for_ns)
{
	struct km_raw_operator o = { .operation = operation, .for_ns = for_ns };

	if (operation == KM_OP_MAINTAIN)
		km_copy(o.service, sizeof(o.service), t->service[0]->name);
	assert_int_equal(km_decide_operator(t->decide, &t->w, &o), 0);
}

static void what_operators_said_holds(void **state)
{
	struct world *t = *state;
	uint64_t until_ns = 0;

	operate(t, KM_OP_PAUSE, 0);
	operate(t, KM_OP_MAINTAIN, 10 * MINUTE);
	wait_ns(t, 4 * MINUTE);
	reboot(t);
	assert_true(km_decide_paused_ns(t->decide) > 0);
	/* what was left of it; how long the host was down nobody knows */
	assert_true(km_decide_maintained(t->decide, t->service[0]->id, t->w.now_ns, &until_ns));
	assert_int_equal(until_ns, BOOT_NS + 6 * MINUTE);
	operate(t, KM_OP_RESUME, 0);
	wait_ns(t, 7 * MINUTE);
	reboot(t);
	assert_int_equal(km_decide_paused_ns(t->decide), 0);
	assert_false(km_decide_maintained(t->decide, t->service[0]->id, t->w.now_ns, NULL));
}

static void no_two_incidents_share_a_number_and_repairs_end_with_the_boot(void **state)
{
	struct world *t = *state;
	uint64_t first = act(t, KM_HELPED);

	wait_ns(t, MINUTE);
	assert_int_equal(silent(t, leak_rule(t), 0, KM_FALSE), 0);
	assert_int_equal(speak(t, leak_rule(t), 0), 0);
	expect(t, KM_ANSWER_ACT);
	assert_non_null(repair(t, leak_rule(t), 0));
	reboot(t);
	assert_null(repair(t, leak_rule(t), 0));
	assert_true(act(t, KM_HELPED) > first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		world_test(a_rule_that_lost_its_right_to_act_does_not_get_it_back),
		world_test(verdicts_of_before_count_on),
		world_test(a_cooldown_and_a_budget_begin_anew_with_the_boot),
		world_test(acts_that_counted_no_more_do_not_come_back),
		world_test(a_quarantine_stands_until_an_operator_ends_it),
		world_test(what_operators_said_holds),
		world_test(no_two_incidents_share_a_number_and_repairs_end_with_the_boot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
