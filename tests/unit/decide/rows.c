/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of a checkpoint come from a file: nonsense is refused. And the first start by definition. */
#include <math.h>

#include "world.h"

/* A repair as a live one lies in its table. */
static struct km_repair live_repair(struct world *t)
{
	struct km_repair r;

	assert_int_equal(speak(t, leak_rule(t), 0), 0);
	expect(t, KM_ANSWER_ACT);
	memcpy(&r, repair(t, leak_rule(t), 0), sizeof(r));
	km_table_clear(t->decide->table[KM_T_REPAIR]);
	return r;
}

static int restore(struct world *t, enum km_decide_table table, const void *row)
{
	int r = km_table_restore(t->decide->table[table], 0, row);

	km_table_clear(t->decide->table[table]);
	return r;
}

#define refuses_repair(t, good, change)                                   \
	do {                                                              \
		struct km_repair bad;                                     \
                                                                          \
		memcpy(&bad, good, sizeof(bad));                          \
		change;                                                   \
		assert_int_equal(restore(t, KM_T_REPAIR, &bad), -EINVAL); \
	} while (0)

static void a_repair_that_cannot_be_is_refused(void **state)
{
	struct world *t = *state;
	const struct km_repair good = live_repair(t);

	assert_int_equal(restore(t, KM_T_REPAIR, &good), 0);
	refuses_repair(t, &good, bad.service_id = 0);
	refuses_repair(t, &good, bad.state = KM_R_PLANNED);
	refuses_repair(t, &good, bad.state = KM_REPAIR_STATE_MAX);
	refuses_repair(t, &good, bad.step = KM_STEPS_MAX);
	refuses_repair(t, &good, bad.held = KM_GUARD_MAX + 1);
	refuses_repair(t, &good, bad.concluded = 2);
	refuses_repair(t, &good, bad.last.service_id++);
	refuses_repair(t, &good, bad.last.rule_key++);
	refuses_repair(t, &good, bad.last.answer = KM_ANSWER_MAX);
	refuses_repair(t, &good, bad.last.verb = KM_VERB_MAX);
	refuses_repair(t, &good, bad.last.guard = KM_GUARD_MAX + 1);
	refuses_repair(t, &good, bad.last.guards_passed = 1U << KM_GUARD_MAX);
	refuses_repair(t, &good, bad.last.event = KM_EV_MAX);
	refuses_repair(t, &good, bad.last.has_forecast = 2);
}

static void a_repair_with_impossible_evidence_is_refused(void **state)
{
	struct world *t = *state;
	const struct km_repair good = live_repair(t);

	refuses_repair(t, &good, bad.last.forecast.kind = KM_FORECAST_KIND_MAX);
	refuses_repair(t, &good, bad.last.forecast.resource = KM_RESOURCE_MAX + 1);
	refuses_repair(t, &good, bad.last.forecast.why = KM_WHY_MAX);
	refuses_repair(t, &good, bad.last.forecast.eta_s = NAN);
	refuses_repair(t, &good, bad.last.forecast.eta_lo_s = INFINITY);
	refuses_repair(t, &good, bad.last.forecast.eta_hi_s = -INFINITY);
	refuses_repair(t, &good, bad.last.forecast.p = NAN);
	refuses_repair(t, &good, bad.last.forecast.level = NAN);
	refuses_repair(t, &good, bad.last.forecast.limit = NAN);
	refuses_repair(t, &good, bad.last.forecast.fit.slope = NAN);
	refuses_repair(t, &good, memset(bad.last.service, 'x', KM_NAME_MAX));
	refuses_repair(t, &good, memset(bad.last.rule, 'x', KM_NAME_MAX));
	refuses_repair(t, &good, memset(bad.last.reason, 'x', KM_NAME_MAX));
	refuses_repair(t, &good, memset(bad.last.ending.sender_comm, 'x', KMEND_COMM_LEN));
}

static void times_of_acts_must_be_newest_first_and_fit(void **state)
{
	struct world *t = *state;
	struct km_acts a = { .service_id = 1, .count = 2, .t_ns = { 5, 4 } };
	struct km_host_acts *h = calloc(1, sizeof(*h));

	assert_non_null(h);
	assert_int_equal(restore(t, KM_T_ACTS, &a), 0);
	a.t_ns[1] = 6;
	assert_int_equal(restore(t, KM_T_ACTS, &a), -EINVAL);
	a.t_ns[1] = 5;
	a.count = KM_ACTS_KEPT + 1;
	assert_int_equal(restore(t, KM_T_ACTS, &a), -EINVAL);
	a.count = 0;
	assert_int_equal(restore(t, KM_T_ACTS, &a), -EINVAL);
	h->key = 1;
	assert_int_equal(restore(t, KM_T_HOST, h), 0);
	h->count = KM_HOST_ACTS_KEPT + 1;
	assert_int_equal(restore(t, KM_T_HOST, h), -EINVAL);
	h->count = 0;
	h->key = 2;
	assert_int_equal(restore(t, KM_T_HOST, h), -EINVAL);
	free(h);
}

static void rows_without_the_keys_they_need_are_refused(void **state)
{
	struct world *t = *state;
	struct km_meta meta = { .key = 1 };
	struct km_pace pace = { .service_id = 1, .rule_key = 1 };
	struct km_quarantine q = { .service_id = 1, .decision_id = 1 };
	struct km_incident i = { .service_id = 1, .id = 1 };
	struct km_said_row said = { .service_id = 1 };

	assert_int_equal(restore(t, KM_T_META, &meta), 0);
	assert_int_equal(restore(t, KM_T_PACE, &pace), 0);
	assert_int_equal(restore(t, KM_T_QUARANTINE, &q), 0);
	assert_int_equal(restore(t, KM_T_INCIDENT, &i), 0);
	assert_int_equal(restore(t, KM_T_SAID, &said), 0);
	meta.key = 2;
	pace.rule_key = 0;
	q.decision_id = 0;
	i.id = 0;
	said.service_id = 0;
	assert_int_equal(restore(t, KM_T_META, &meta), -EINVAL);
	assert_int_equal(restore(t, KM_T_PACE, &pace), -EINVAL);
	assert_int_equal(restore(t, KM_T_QUARANTINE, &q), -EINVAL);
	assert_int_equal(restore(t, KM_T_INCIDENT, &i), -EINVAL);
	assert_int_equal(restore(t, KM_T_SAID, &said), -EINVAL);
}

static void fewer_places_than_tables_are_filled_as_far_as_they_go(void **state)
{
	struct world *t = *state;
	struct km_table *ret[KM_T_MAX] = { 0 };

	assert_int_equal(km_decide_tables(t->decide, ret, 2), 2);
	assert_null(ret[2]);
}

static void absent(struct world *t, unsigned int service)
{
	assert_int_equal(km_decide_absent(t->decide, &t->w, t->service[service]), 0);
}

static void an_absent_command_is_started_by_its_definition(void **state)
{
	struct world *t = *state;
	const struct km_decision *d;

	t->service[0]->state = KM_SERVICE_UNKNOWN;
	absent(t, 0);
	d = expect(t, KM_ANSWER_ACT);
	assert_int_equal(d->verb, KM_START);
	assert_int_equal(d->rule_key, 0);
	assert_string_equal(d->rule, "definition");
	assert_string_equal(d->reason, "not found running");
	absent(t, 0); /* said again by an actor that came back: it is under way */
	expect_nothing(t);
}

/* Repaired a while ago and in order since, it ended with kmendd: the next one starts it at once. */
static void what_was_in_order_does_not_wait_for_its_backoff_behind_a_restart_of_kmendd(void **state)
{
	struct world *t = *state;
	const struct km_decision *d;
	uint64_t id;

	assert_int_equal(dies(t, 0), 0);
	id = expect(t, KM_ANSWER_ACT)->id;
	comes_up(t, 0);
	assert_int_equal(outcome(t, id, KM_OUT_DONE), 0);
	assert_int_equal(km_decide_verdict(t->decide, &t->w, id, KM_HELPED), 0);
	wait_ns(t, 10 * SECOND);
	assert_int_equal(dies(t, 0), 0);
	expect(t, KM_ANSWER_LATER);
	absent(t, 0);
	d = expect(t, KM_ANSWER_ACT);
	assert_int_equal(d->rule_key, 0);
	comes_up(t, 0);
	assert_int_equal(outcome(t, d->id, KM_OUT_DONE), 0);
	/* What the rule had in mind is not done as well. */
	t->w.now_ns = km_decide_due_ns(t->decide);
	tick(t);
	expect_no(t, KM_GUARD_FRESH);
}

/* One that did not last is the rule's. */
static void what_was_not_in_order_waits_behind_a_restart_of_kmendd_too(void **state)
{
	struct world *t = *state;
	uint64_t id;

	assert_int_equal(dies(t, 0), 0);
	id = expect(t, KM_ANSWER_ACT)->id;
	comes_up(t, 0);
	assert_int_equal(outcome(t, id, KM_OUT_DONE), 0);
	ends(t, 0);
	assert_int_equal(km_decide_verdict(t->decide, &t->w, id, KM_DID_NOT_HELP), 0);
	expect(t, KM_ANSWER_LATER);
	absent(t, 0);
	expect_nothing(t);
}

static void first_starts_of_a_whole_host_cost_no_budget(void **state)
{
	struct world *t = *state;

	world_policy(t, "{\"version\":1,\"verbs\":[\"start\"],\"services\":[\"app-*\"],"
	                "\"budget\":{\"host\":{\"count\":1,\"per\":\"10m\"}}}");
	for (unsigned int i = 0; i < SERVICES; i++) {
		t->service[i]->state = KM_SERVICE_UNKNOWN;
		absent(t, i);
		expect(t, KM_ANSWER_ACT);
	}
}

static void a_first_start_needs_the_policys_leave(void **state)
{
	struct world *t = *state;

	world_policy(t, "{\"version\":1,\"verbs\":[\"restart\"],\"services\":[\"app-*\"]}");
	t->service[0]->state = KM_SERVICE_UNKNOWN;
	absent(t, 0);
	expect_no(t, KM_GUARD_POLICY);
	absent(t, 0);
	expect_nothing(t);
}

static void what_runs_is_not_a_command_or_is_not_wanted_is_not_started(void **state)
{
	struct world *t = *state;

	absent(t, 0);
	t->service[1]->state = KM_SERVICE_UNKNOWN;
	t->def[1].kind = KM_BY_UNIT;
	absent(t, 1);
	t->service[2]->state = KM_SERVICE_UNKNOWN;
	t->def[2].autostart = false;
	absent(t, 2);
	expect_nothing(t);
}

static void a_first_start_does_not_overtake_a_backoff(void **state)
{
	struct world *t = *state;
	uint64_t id;

	assert_int_equal(dies(t, 0), 0);
	id = expect(t, KM_ANSWER_ACT)->id;
	comes_up(t, 0);
	assert_int_equal(outcome(t, id, KM_OUT_DONE), 0);
	wait_ns(t, SECOND);
	assert_int_equal(dies(t, 0), 0);
	expect(t, KM_ANSWER_LATER);
	absent(t, 0);
	expect_nothing(t);
}

static void a_first_start_that_does_not_last_is_the_rules_business(void **state)
{
	struct world *t = *state;
	uint64_t id;

	t->service[0]->state = KM_SERVICE_UNKNOWN;
	absent(t, 0);
	id = expect(t, KM_ANSWER_ACT)->id;
	comes_up(t, 0);
	assert_int_equal(outcome(t, id, KM_OUT_DONE), 0);
	assert_int_equal(dies(t, 0), 0);
	expect(t, KM_ANSWER_ACT);
	assert_int_equal(km_decide_verdict(t->decide, &t->w, id, KM_DID_NOT_HELP), 0);
	expect_nothing(t);
	assert_null(repair(t, NULL, 0));
}

static void a_first_start_that_fails_is_escalated(void **state)
{
	struct world *t = *state;
	uint64_t id;

	t->service[0]->state = KM_SERVICE_UNKNOWN;
	absent(t, 0);
	id = expect(t, KM_ANSWER_ACT)->id;
	assert_int_equal(outcome(t, id, KM_OUT_FAILED), 0);
	expect(t, KM_ANSWER_ESCALATE);
	assert_null(repair(t, NULL, 0));
}

static void a_paused_first_start_is_made_when_the_pause_is_over(void **state)
{
	struct world *t = *state;

	world_policy(t, "{\"version\":1,\"verbs\":[\"start\"],\"services\":[\"app-*\"],"
	                "\"pause\":true}");
	t->service[0]->state = KM_SERVICE_UNKNOWN;
	absent(t, 0);
	expect_no(t, KM_GUARD_PAUSE);
	world_policy(t, POLICY_TEXT);
	wait_ns(t, KM_LOOK_AGAIN_NS);
	assert_int_equal(tick(t), 0);
	expect(t, KM_ANSWER_ACT);
}

static void an_adopted_service_needs_no_decision(void **state)
{
	struct world *t = *state;

	assert_int_equal(outcome(t, 0, KM_OUT_ADOPTED), 0);
	assert_int_equal(outcome(t, 0, KM_OUT_ABSENT), 0);
	expect_nothing(t);
}

static void a_resting_repair_of_a_service_that_is_gone_goes(void **state)
{
	struct world *t = *state;
	struct km_repair *r;
	uint64_t key[2] = { 4711, leak_rule(t)->key };

	assert_int_equal(km_table_put(t->decide->table[KM_T_REPAIR], key, &r), 1);
	r->state = KM_R_RESTING;
	assert_int_equal(tick(t), 0);
	expect_nothing(t);
	assert_int_equal(km_table_count(t->decide->table[KM_T_REPAIR]), 0);
}

static void a_rule_that_no_longer_covers_a_service_lets_go_of_it(void **state)
{
	struct world *t = *state;
	struct km_match m = { .rule = start_rule(t), .service_id = t->service[0]->id };
	uint64_t id;

	assert_int_equal(dies(t, 0), 0);
	id = expect(t, KM_ANSWER_ACT)->id;
	comes_up(t, 0);
	assert_int_equal(outcome(t, id, KM_OUT_DONE), 0);
	wait_ns(t, SECOND);
	assert_int_equal(dies(t, 0), 0);
	expect(t, KM_ANSWER_LATER);
	assert_int_equal(km_decide_match(t->decide, &t->w, &m), 0);
	expect_no(t, KM_GUARD_FRESH);
	assert_null(repair(t, start_rule(t), 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		world_test(a_repair_that_cannot_be_is_refused),
		world_test(a_repair_with_impossible_evidence_is_refused),
		world_test(times_of_acts_must_be_newest_first_and_fit),
		world_test(rows_without_the_keys_they_need_are_refused),
		world_test(fewer_places_than_tables_are_filled_as_far_as_they_go),
		world_test(an_absent_command_is_started_by_its_definition),
		world_test(
			what_was_in_order_does_not_wait_for_its_backoff_behind_a_restart_of_kmendd),
		world_test(what_was_not_in_order_waits_behind_a_restart_of_kmendd_too),
		world_test(first_starts_of_a_whole_host_cost_no_budget),
		world_test(a_first_start_needs_the_policys_leave),
		world_test(what_runs_is_not_a_command_or_is_not_wanted_is_not_started),
		world_test(a_first_start_does_not_overtake_a_backoff),
		world_test(a_first_start_that_does_not_last_is_the_rules_business),
		world_test(a_first_start_that_fails_is_escalated),
		world_test(a_paused_first_start_is_made_when_the_pause_is_over),
		world_test(an_adopted_service_needs_no_decision),
		world_test(a_resting_repair_of_a_service_that_is_gone_goes),
		world_test(a_rule_that_no_longer_covers_a_service_lets_go_of_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
