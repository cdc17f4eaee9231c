/* SPDX-License-Identifier: Apache-2.0 */
/* Every cell of the life cycle: where it leads, what is said on the way, and that what cannot
 * happen is refused and counted. */
#include "world.h"

#define GONE KM_REPAIR_STATE_MAX

/* Where a cell leads with everything around as start_cell() makes it, and the letters of the
 * answers that are said. A cell that is not here cannot happen. */
struct cell {
	enum km_repair_state state;
	enum km_repair_event event;
	int leads;
	const char *says;
};

static const struct cell cells[] = {
	{ KM_R_PLANNED, KM_E_GRANTED, KM_R_ACTING, "a" },
	{ KM_R_PLANNED, KM_E_DENIED, GONE, "n" },
	{ KM_R_PLANNED, KM_E_ASKED, KM_R_APPROVAL, "?" },
	{ KM_R_PLANNED, KM_E_HELD, KM_R_BACKOFF, "l" },
	{ KM_R_PLANNED, KM_E_SPENT, KM_R_RESTING, "ne" },
	{ KM_R_PLANNED, KM_E_CANCELLED, GONE, "" },
	{ KM_R_APPROVAL, KM_E_GRANTED, KM_R_ACTING, "a" },
	{ KM_R_APPROVAL, KM_E_DENIED, GONE, "n" },
	{ KM_R_APPROVAL, KM_E_SPENT, KM_R_RESTING, "ne" },
	{ KM_R_APPROVAL, KM_E_DEADLINE, GONE, "n" },
	{ KM_R_APPROVAL, KM_E_CANCELLED, GONE, "n" },
	{ KM_R_APPROVAL, KM_E_AGAIN, KM_R_APPROVAL, "" },
	{ KM_R_BACKOFF, KM_E_GRANTED, KM_R_ACTING, "a" },
	{ KM_R_BACKOFF, KM_E_DENIED, GONE, "n" },
	{ KM_R_BACKOFF, KM_E_ASKED, KM_R_APPROVAL, "?" },
	{ KM_R_BACKOFF, KM_E_HELD, KM_R_BACKOFF, "l" },
	{ KM_R_BACKOFF, KM_E_SPENT, KM_R_RESTING, "ne" },
	{ KM_R_BACKOFF, KM_E_DUE, KM_R_ACTING, "a" },
	{ KM_R_BACKOFF, KM_E_CANCELLED, GONE, "n" },
	{ KM_R_BACKOFF, KM_E_AGAIN, KM_R_BACKOFF, "" },
	{ KM_R_ACTING, KM_E_DONE, KM_R_VERIFYING, "" },
	{ KM_R_ACTING, KM_E_FAILED, KM_R_RESTING, "e" },
	{ KM_R_ACTING, KM_E_REFUSED, KM_R_RESTING, "e" },
	{ KM_R_ACTING, KM_E_UNSURE, KM_R_RESTING, "e" },
	{ KM_R_ACTING, KM_E_NOT_DONE, KM_R_ACTING, "a" },
	{ KM_R_ACTING, KM_E_DEADLINE, KM_R_RESTING, "e" },
	{ KM_R_ACTING, KM_E_AGAIN, KM_R_ACTING, "" },
	{ KM_R_VERIFYING, KM_E_HELPFUL, GONE, "" },
	{ KM_R_VERIFYING, KM_E_NOT_HELPFUL, KM_R_RESTING, "e" },
	{ KM_R_VERIFYING, KM_E_UNMEASURED, GONE, "" },
	{ KM_R_VERIFYING, KM_E_DEADLINE, GONE, "" },
	{ KM_R_VERIFYING, KM_E_AGAIN, KM_R_RESTING, "e" },
	{ KM_R_RESTING, KM_E_CANCELLED, GONE, "" },
	{ KM_R_RESTING, KM_E_AGAIN, KM_R_RESTING, "" },
};

static const struct cell *find(enum km_repair_state state, enum km_repair_event event)
{
	for (unsigned int i = 0; i < KM_ARRAY_SIZE(cells); i++)
		if (cells[i].state == state && cells[i].event == event)
			return &cells[i];
	return NULL;
}

/* A repair of service 0 by the rule "leak" in STATE, with fresh evidence. */
static void start_cell(struct world *t, enum km_repair_state state, struct km_move *m)
{
	uint64_t key[2] = { t->service[0]->id, leak_rule(t)->key };
	struct km_repair *r;

	assert_int_equal(km_table_put(t->decide->table[KM_T_REPAIR], key, &r), 1);
	r->state = state;
	r->held = KM_GUARD_MAX;
	r->planned_ns = t->w.now_ns;
	r->evidence_ns = t->w.now_ns;
	r->acted_id = 77;
	r->last.service_id = key[0];
	r->last.rule_key = key[1];
	r->last.verb = KM_RESTART;
	r->last.has_forecast = 1;
	r->last.forecast = forecast_now(t, 0);
	km_copy(r->last.service, sizeof(r->last.service), t->service[0]->name);
	km_copy(r->last.rule, sizeof(r->last.rule), leak_rule(t)->id);
	km_plan_move(t->decide, &t->w, r, m);
	m->until_ns = t->w.now_ns + SECOND;
}

static void heard(struct world *t, char *said, size_t size)
{
	static const char letters[KM_ANSWER_MAX] = { 'a', 'n', 's', 'o', '?',
		                                     'l', 'q', 'e', 'r', 'S' };
	const struct km_decision *d;
	size_t n = 0;

	while ((d = km_decide_next(t->decide)) && n + 1 < size)
		said[n++] = letters[d->answer];
	said[n] = '\0';
}

static void fire_cell(struct world *t, enum km_repair_state state, enum km_repair_event event)
{
	const struct cell *c = find(state, event);
	const struct km_repair *r;
	struct km_move m;
	char said[8];
	int ret;

	start_cell(t, state, &m);
	km_guard_look(&m);
	/* What is denied or spent is so because of a guard. */
	if (event == KM_E_DENIED || event == KM_E_SPENT)
		m.guard = KM_GUARD_BUDGET_RULE;
	ret = km_repair_fire(&m, event);
	heard(t, said, sizeof(said));
	assert_int_equal(km_repair_known(state, event), c != NULL);
	assert_int_equal(ret, c ? 0 : -EBADMSG);
	assert_int_equal(km_decide_meta(t->decide)->impossible, c ? 0 : 1);
	assert_string_equal(said, c ? c->says : "");
	r = repair(t, leak_rule(t), 0);
	assert_int_equal(r ? (int)r->state : (int)GONE, c ? c->leads : (int)state);
}

static void every_cell_leads_where_it_should_or_is_refused_and_counted(void **state)
{
	(void)state;
	for (int s = 0; s < KM_REPAIR_STATE_MAX; s++) {
		for (int e = 0; e < KM_REPAIR_EVENT_MAX; e++) {
			void *t = NULL;

			assert_int_equal(world_setup(&t), 0);
			fire_cell(t, (enum km_repair_state)s, (enum km_repair_event)e);
			world_teardown(&t);
		}
	}
}

static void everything_has_a_name(void **state)
{
	(void)state;
	for (int i = 0; i < KM_REPAIR_STATE_MAX; i++)
		assert_non_null(km_repair_state_names[i]);
	for (int i = 0; i < KM_GUARD_MAX; i++)
		assert_non_null(km_guard_names[i]);
	for (int i = 0; i < KM_ANSWER_MAX; i++)
		assert_non_null(km_answer_names[i]);
	for (int i = 0; i < KM_VERDICT_MAX; i++)
		assert_non_null(km_verdict_names[i]);
	assert_null(km_repair_state_names[KM_REPAIR_STATE_MAX]);
	assert_null(km_guard_names[KM_GUARD_MAX]);
	assert_null(km_answer_names[KM_ANSWER_MAX]);
	assert_null(km_verdict_names[KM_VERDICT_MAX]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_cell_leads_where_it_should_or_is_refused_and_counted),
		cmocka_unit_test(everything_has_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
