// SPDX-License-Identifier: Apache-2.0
/* Budgets, back-off and guards asked one by one, at the edge of each of their times and counts. */
#include "world.h"

#define POLICY(service, host)                                                                 \
	"{\"version\":1,\"verbs\":[\"start\",\"stop\",\"restart\"],\"services\":[\"app-*\"]," \
	"\"budget\":{\"service\":" service ",\"host\":" host "}}"
#define ONE_A_MINUTE "{\"count\":1,\"per\":\"60s\"}"
#define ONE_IN_TWO   "{\"count\":1,\"per\":\"120s\"}"

/* A repair of RULE on the first service that is only looked at. */
static struct km_move move_of(struct world *t, struct km_repair *r, const struct km_rule *rule)
{
	struct km_move m;

	memset(r, 0, sizeof(*r));
	r->service_id = t->service[0]->id;
	r->rule_key = rule->key;
	r->planned_ns = t->w.now_ns;
	r->evidence_ns = t->w.now_ns;
	r->last.service_id = r->service_id;
	r->last.rule_key = rule->key;
	km_copy(r->last.service, sizeof(r->last.service), t->service[0]->name);
	km_plan_move(t->decide, &t->w, r, &m);
	assert_ptr_equal(m.rule, rule);
	return m;
}

static void each_budget_says_when_it_is_free_again(void **state)
{
	struct world *t = *state;
	struct km_rule *rule = leak_rule(t);
	struct km_repair r;
	struct km_move m;
	uint64_t now = t->w.now_ns;

	world_policy(t, POLICY(ONE_A_MINUTE, ONE_IN_TWO));
	rule->guard.budget = (struct km_budget){ 1, 100 * SECOND };
	m = move_of(t, &r, rule);
	assert_int_equal(km_budget_guard_until(&m, KM_GUARD_BUDGET_RULE), 0);
	assert_int_equal(km_budget_guard_until(&m, KM_GUARD_BUDGET_HOST), 0);
	assert_true(km_budget_rule(&m) && km_budget_service(&m) && km_budget_host(&m));
	km_budget_note(&m);
	assert_int_equal(km_budget_guard_until(&m, KM_GUARD_BUDGET_RULE), now + 100 * SECOND);
	assert_int_equal(km_budget_guard_until(&m, KM_GUARD_BUDGET_SERVICE), now + 60 * SECOND);
	assert_int_equal(km_budget_guard_until(&m, KM_GUARD_BUDGET_HOST), now + 120 * SECOND);
	assert_int_equal(km_budget_guard_until(&m, KM_GUARD_COOLDOWN), 0);
	/* each is free at its moment, not before */
	wait_ns(t, 60 * SECOND - 1);
	assert_false(km_budget_service(&m));
	wait_ns(t, 1);
	assert_true(km_budget_service(&m));
	assert_false(km_budget_rule(&m) || km_budget_host(&m));
	wait_ns(t, 40 * SECOND);
	assert_true(km_budget_rule(&m));
	wait_ns(t, 20 * SECOND);
	assert_true(km_budget_host(&m));
	/* without a rule or a policy nothing is known */
	m.rule = NULL;
	assert_int_equal(km_budget_guard_until(&m, KM_GUARD_BUDGET_RULE), 0);
	km_decide_configure(t->decide, &t->config, NULL, t->rules);
	assert_int_equal(km_budget_guard_until(&m, KM_GUARD_BUDGET_SERVICE), 0);
	assert_int_equal(km_budget_guard_until(&m, KM_GUARD_BUDGET_HOST), 0);
}

static void a_budget_of_none_lets_nobody_act(void **state)
{
	struct world *t = *state;
	struct km_repair r;
	struct km_move m;

	world_policy(t, POLICY("{\"count\":0,\"per\":\"60s\"}", "{\"count\":0,\"per\":\"60s\"}"));
	m = move_of(t, &r, leak_rule(t));
	assert_false(km_budget_service(&m));
	assert_false(km_budget_host(&m));
	/* a rule without a budget of its own has none to spend */
	assert_true(km_budget_rule(&m));
}

static void what_is_kept_lasts_as_long_as_the_longest_window_it_was_kept_for(void **state)
{
	struct world *t = *state;
	struct km_rule *rule = leak_rule(t);
	struct km_repair r;
	struct km_move m = move_of(t, &r, rule);
	uint64_t key[2] = { t->service[0]->id, rule->key }, host = 1;
	const struct km_acts *a;

	km_budget_note(&m);
	assert_null(km_table_get(t->decide->table[KM_T_ACTS], key));
	rule->guard.budget = (struct km_budget){ 5, 100 * SECOND };
	km_budget_note(&m);
	rule->guard.budget.per_ns = 50 * SECOND;
	world_policy(t, POLICY(ONE_A_MINUTE, ONE_IN_TWO));
	km_budget_note(&m);
	a = km_table_get(t->decide->table[KM_T_ACTS], key);
	assert_non_null(a);
	assert_int_equal(a->keep_ns, 100 * SECOND);
	assert_int_equal(a->count, 2);
	/* of the policy's first window, ten minutes */
	assert_int_equal(
		((struct km_host_acts *)km_table_get(t->decide->table[KM_T_HOST], &host))->keep_ns,
		10 * MINUTE);
	km_budget_sweep(t->decide, t->w.now_ns + 100 * SECOND - 1);
	assert_non_null(km_table_get(t->decide->table[KM_T_ACTS], key));
	km_budget_sweep(t->decide, t->w.now_ns + 100 * SECOND);
	assert_null(km_table_get(t->decide->table[KM_T_ACTS], key));
}

static void as_many_acts_as_are_kept_are_kept_and_no_more(void **state)
{
	struct world *t = *state;
	struct km_repair r;
	struct km_move m = move_of(t, &r, leak_rule(t));
	uint64_t key[2] = { t->service[0]->id, 0 };
	const struct km_table_opts *opts = km_table_opts(t->decide->table[KM_T_ACTS]);
	const struct km_acts *a;

	for (int i = 0; i < KM_ACTS_KEPT + 3; i++) {
		km_budget_note(&m);
		wait_ns(t, SECOND);
	}
	a = km_table_get(t->decide->table[KM_T_ACTS], key);
	assert_int_equal(a->count, KM_ACTS_KEPT);
	assert_true(opts->valid(a));
	assert_int_equal(a->t_ns[0], t->w.now_ns - SECOND);
	assert_int_equal(a->t_ns[KM_ACTS_KEPT - 1], t->w.now_ns - KM_ACTS_KEPT * SECOND);
}

static void the_last_room_for_acts_is_used_and_none_beyond(void **state)
{
	struct world *t = *state;
	struct km_repair r;
	struct km_move m = move_of(t, &r, leak_rule(t));
	void *row;

	/* an act takes two places: of the rule on the service, and of the service */
	for (uint64_t i = 1; i <= KM_ACTORS_MAX - 2; i++)
		assert_int_equal(km_table_put(t->decide->table[KM_T_ACTS],
		                              (uint64_t[]){ 100000 + i, 0 }, &row),
		                 1);
	assert_true(km_budget_service(&m));
	assert_int_equal(km_table_put(t->decide->table[KM_T_ACTS], (uint64_t[]){ 7, 7 }, &row), 1);
	assert_false(km_budget_service(&m));
	for (uint64_t i = 1; i < KM_ACTORS_MAX; i++)
		assert_int_equal(km_table_put(t->decide->table[KM_T_PACE],
		                              (uint64_t[]){ 100000 + i, 1 }, &row),
		                 1);
	assert_true(km_backoff_room(&m));
	assert_int_equal(km_table_put(t->decide->table[KM_T_PACE], (uint64_t[]){ 7, 7 }, &row), 1);
	assert_false(km_backoff_room(&m));
}

static void a_notification_spends_no_budget_but_of_a_rule_that_only_tells(void **state)
{
	struct world *t = *state;
	struct km_rule *rule = loop_rule(t);
	uint64_t key[2] = { t->service[0]->id, 0 };
	struct km_repair r;
	struct km_move m;

	rule->guard.budget = (struct km_budget){ 1, 100 * SECOND };
	m = move_of(t, &r, rule);
	km_budget_note(&m);
	assert_null(km_table_get(t->decide->table[KM_T_ACTS], key));
	assert_false(km_budget_rule(&m));
	assert_true(km_budget_service(&m) && km_budget_host(&m));
}

static void the_pace_is_forgotten_only_when_it_can_matter_no_more(void **state)
{
	struct world *t = *state;
	struct km_rule *rule = start_rule(t);
	uint64_t key[2] = { t->service[0]->id, rule->key };
	struct km_repair r;
	struct km_move m;

	rule->guard.cooldown_ns = 10 * MINUTE;
	m = move_of(t, &r, rule);
	assert_int_equal(km_backoff_cooldown_until(&m), 0);
	km_backoff_note(&m);
	assert_int_equal(km_backoff_cooldown_until(&m), t->w.now_ns + 10 * MINUTE);
	assert_int_equal(km_backoff_allowed_ns(&m), r.planned_ns + SECOND);
	/* up for a minute: its back-off is forgotten, its cooldown is not */
	t->service[0]->since_ns = t->w.now_ns;
	wait_ns(t, MINUTE - 1);
	assert_int_equal(km_backoff_allowed_ns(&m), r.planned_ns + SECOND);
	wait_ns(t, 1);
	assert_int_equal(km_backoff_allowed_ns(&m), r.planned_ns);
	wait_ns(t, 9 * MINUTE - 1);
	km_backoff_sweep(t->decide, &t->w);
	assert_non_null(km_table_get(t->decide->table[KM_T_PACE], key));
	wait_ns(t, 1);
	km_backoff_sweep(t->decide, &t->w);
	assert_null(km_table_get(t->decide->table[KM_T_PACE], key));
}

static void a_service_that_is_gone_keeps_its_pace_for_a_while(void **state)
{
	struct world *t = *state;
	struct km_rule *rule = start_rule(t);
	struct km_repair r;
	struct km_move m;
	uint64_t key[2];

	m = move_of(t, &r, rule);
	r.service_id = 4711;
	km_backoff_note(&m);
	key[0] = 4711;
	key[1] = rule->key;
	wait_ns(t, MINUTE + KM_QUIET_NS - 1);
	km_backoff_sweep(t->decide, &t->w);
	assert_non_null(km_table_get(t->decide->table[KM_T_PACE], key));
	wait_ns(t, 1);
	km_backoff_sweep(t->decide, &t->w);
	assert_null(km_table_get(t->decide->table[KM_T_PACE], key));
}

static bool passes(struct world *t, struct km_move *m, enum km_guard guard)
{
	m->service = t->service[0];
	km_guard_look(m);
	return m->passed & 1U << guard;
}

static void who_wants_it_down_is_looked_at_only_before_a_start(void **state)
{
	static const struct {
		enum km_verb verb;
		enum km_service_kind kind;
		struct km_ending end;
		bool passes;
	} cases[] = {
		{ KM_START, KM_BY_UNIT, { .known = 1 }, false },
		{ KM_RESTART, KM_BY_UNIT, { .known = 1 }, false },
		{ KM_STOP, KM_BY_UNIT, { .known = 1 }, true },
		{ KM_START, KM_BY_COMMAND, { .known = 1 }, true },
		/* a container that ended well has nobody who says so */
		{ KM_START, KM_BY_CONTAINER, { .known = 1 }, true },
		{ KM_START,
		  KM_BY_CONTAINER,
		  { .known = 1, .signal = 15, .sender_tgid = 1 },
		  false },
		{ KM_START, KM_BY_UNIT, { .known = 1, .exit_code = 256 }, true },
		{ KM_START, KM_BY_UNIT, { .known = 0 }, true },
		{ KM_START, KM_BY_UNIT, { .known = 1, .oom = 1 }, true },
		{ KM_START, KM_BY_UNIT, { .known = 1, .exit_code = 15, .signal = 15 }, true },
		{ KM_START, KM_BY_UNIT, { .known = 1, .exit_code = 15, .sender_tgid = 1 }, true },
	};
	struct world *t = *state;
	struct km_repair r;
	struct km_move m = move_of(t, &r, leak_rule(t));

	for (size_t i = 0; i < KM_ARRAY_SIZE(cases); i++) {
		plan_of(leak_rule(t))[0].verb = cases[i].verb;
		t->service[0]->kind = cases[i].kind;
		t->service[0]->last = cases[i].end;
		t->service[0]->state = KM_SERVICE_DOWN;
		if (passes(t, &m, KM_GUARD_MANAGER) != cases[i].passes)
			fail_msg("case %zu", i);
		/* who is up has not been taken down */
		t->service[0]->state = KM_SERVICE_UP;
		assert_true(passes(t, &m, KM_GUARD_MANAGER));
	}
	t->service[0]->kind = KM_BY_COMMAND;
}

static void only_what_takes_a_service_down_needs_others_that_are_healthy(void **state)
{
	static const struct {
		enum km_verb verb;
		bool passes;
	} cases[] = {
		{ KM_STOP, false }, { KM_RESTART, false }, { KM_START, true }, { KM_NOTIFY, true }
	};
	struct world *t = *state;
	struct km_repair r;
	struct km_move m = move_of(t, &r, leak_rule(t));

	leak_rule(t)->guard.min_healthy = SERVICES; /* itself does not count */
	for (size_t i = 0; i < KM_ARRAY_SIZE(cases); i++) {
		plan_of(leak_rule(t))[0].verb = cases[i].verb;
		if (passes(t, &m, KM_GUARD_MIN_HEALTHY) != cases[i].passes)
			fail_msg("case %zu", i);
	}
	plan_of(leak_rule(t))[0].verb = KM_RESTART;
	leak_rule(t)->guard.min_healthy = SERVICES - 1;
	assert_true(passes(t, &m, KM_GUARD_MIN_HEALTHY));
	leak_rule(t)->guard.min_healthy = 0;
	assert_true(passes(t, &m, KM_GUARD_MIN_HEALTHY));
	/* one that is in no group has nobody to stand in */
	leak_rule(t)->guard.min_healthy = 1;
	t->def[0].group[0] = '\0';
	assert_false(passes(t, &m, KM_GUARD_MIN_HEALTHY));
	t->config.service_count = 0;
	assert_false(passes(t, &m, KM_GUARD_MIN_HEALTHY));
	t->config.service_count = SERVICES;
}

static void a_loss_stops_all_but_a_start_after_a_known_end(void **state)
{
	static const struct {
		enum km_verb verb;
		bool down, known, passes;
	} cases[] = {
		{ KM_START, true, true, true },   { KM_RESTART, true, true, true },
		{ KM_START, true, false, false }, { KM_START, false, true, false },
		{ KM_STOP, true, true, false },   { KM_NOTIFY, false, false, true },
	};
	struct world *t = *state;
	struct km_repair r;
	struct km_move m = move_of(t, &r, leak_rule(t));

	for (size_t i = 0; i < KM_ARRAY_SIZE(cases); i++) {
		plan_of(leak_rule(t))[0].verb = cases[i].verb;
		t->service[0]->state = cases[i].down ? KM_SERVICE_DOWN : KM_SERVICE_UP;
		t->service[0]->last =
			(struct km_ending){ .known = cases[i].known, .exit_code = 256 };
		t->w.lossy = 1;
		if (passes(t, &m, KM_GUARD_LOSS) != cases[i].passes)
			fail_msg("case %zu", i);
		t->w.lossy = 0;
		assert_true(passes(t, &m, KM_GUARD_LOSS));
	}
	/* a first start has nothing to break */
	plan_of(leak_rule(t))[0].verb = KM_RESTART;
	t->w.lossy = 1;
	r.rule_key = 0;
	assert_true(passes(t, &m, KM_GUARD_LOSS));
}

static void a_guard_that_no_time_opens_is_looked_at_again_later(void **state)
{
	struct world *t = *state;
	struct km_repair r;
	struct km_move m = move_of(t, &r, leak_rule(t));

	leak_rule(t)->guard.cooldown_ns = 100 * SECOND;
	km_backoff_note(&m);
	m.guard = KM_GUARD_MAX;
	assert_int_equal(km_guard_until(&m), 0);
	m.guard = KM_GUARD_MODE;
	assert_int_equal(km_guard_until(&m), 0);
	m.guard = KM_GUARD_COOLDOWN;
	assert_int_equal(km_guard_until(&m), t->w.now_ns + 100 * SECOND);
	m.guard = KM_GUARD_BUSY;
	assert_int_equal(km_guard_until(&m), t->w.now_ns + KM_LOOK_AGAIN_NS);
	/* a time that has just come is none */
	m.guard = KM_GUARD_COOLDOWN;
	wait_ns(t, 100 * SECOND);
	assert_int_equal(km_guard_until(&m), t->w.now_ns + KM_LOOK_AGAIN_NS);
}

static void without_rule_or_service_no_trigger_holds(void **state)
{
	struct world *t = *state;
	struct km_repair r;
	struct km_move m = move_of(t, &r, leak_rule(t));

	assert_true(km_guard_trigger_holds(&m));
	m.rule = NULL;
	assert_false(km_guard_trigger_holds(&m));
	assert_false(passes(t, &m, KM_GUARD_MODE));
	m = move_of(t, &r, leak_rule(t));
	m.service = NULL;
	assert_false(km_guard_trigger_holds(&m));
	m = move_of(t, &r, leak_rule(t));
	m.by_operator = true;
	assert_false(passes(t, &m, KM_GUARD_MODE));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		world_test(each_budget_says_when_it_is_free_again),
		world_test(a_budget_of_none_lets_nobody_act),
		world_test(what_is_kept_lasts_as_long_as_the_longest_window_it_was_kept_for),
		world_test(as_many_acts_as_are_kept_are_kept_and_no_more),
		world_test(the_last_room_for_acts_is_used_and_none_beyond),
		world_test(a_notification_spends_no_budget_but_of_a_rule_that_only_tells),
		world_test(the_pace_is_forgotten_only_when_it_can_matter_no_more),
		world_test(a_service_that_is_gone_keeps_its_pace_for_a_while),
		world_test(who_wants_it_down_is_looked_at_only_before_a_start),
		world_test(only_what_takes_a_service_down_needs_others_that_are_healthy),
		world_test(a_loss_stops_all_but_a_start_after_a_known_end),
		world_test(a_guard_that_no_time_opens_is_looked_at_again_later),
		world_test(without_rule_or_service_no_trigger_holds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
