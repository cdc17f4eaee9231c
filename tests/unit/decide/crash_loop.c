/* SPDX-License-Identifier: Apache-2.0 */
/* A service that dies 200 ms after each start, with phases 7 and 9 as the pipeline drives them: it
 * is started later and later, then put in quarantine, and is not started again until released. */
#include "world.h"

#include "verify/verify.h"

#define LIVES (200 * KM_NS_PER_MS)

struct loop {
	struct world *t;
	struct km_verify *verify;
	char log[256]; /* one letter a decision */
	uint64_t quarantined_by;
};

static int setup(void **state)
{
	struct loop *l = calloc(1, sizeof(*l));
	void *t = NULL;

	assert_non_null(l);
	world_setup(&t);
	l->t = t;
	assert_int_equal(km_verify_new(&l->verify), 0);
	*state = l;
	return 0;
}

static int teardown(void **state)
{
	struct loop *l = *state;
	void *t = l->t;

	km_verify_free(l->verify);
	world_teardown(&t);
	free(l);
	return 0;
}

static void note(struct loop *l, char c)
{
	size_t n = strlen(l->log);

	assert_true(n + 1 < sizeof(l->log));
	l->log[n] = c;
	l->log[n + 1] = '\0';
}

static void verify_now(struct loop *l, enum km_event event)
{
	struct km_verify_input in = { .now_ns = l->t->w.now_ns,
		                      .service = l->t->service[0],
		                      .event = event };
	const struct km_verdict *v;

	assert_int_equal(km_verify_service(l->verify, l->t->rules, &in), 0);
	while ((v = km_verify_next(l->verify)))
		assert_int_equal(km_decide_verdict(l->t->decide, &l->t->w, v->decision_id, v->kind),
		                 0);
}

/* The actor does what it is told, at once. */
static void done(struct loop *l, const struct km_decision *d)
{
	struct km_raw_outcome o = { .hdr.ktime_ns = l->t->w.now_ns,
		                    .intent_id = d->id,
		                    .state = KM_OUT_DONE };
	const struct km_decision *open;

	if (d->verb == KM_START)
		comes_up(l->t, 0);
	assert_int_equal(km_decide_outcome(l->t->decide, &l->t->w, &o), 0);
	open = km_decide_verifying(l->t->decide, o.intent_id);
	if (open)
		assert_int_equal(km_verify_begin(l->verify, open, &o,
		                                 km_rules_get(l->t->rules, open->rule_key), -1),
		                 0);
}

static void drain(struct loop *l)
{
	static const char letters[KM_ANSWER_MAX] = { 'A', 'n', 's', 'o', '?', 'l', 'Q', 'E', 'R' };
	const struct km_decision *next;

	while ((next = km_decide_next(l->t->decide))) {
		struct km_decision d = *next;

		note(l, d.verb == KM_NOTIFY && d.answer == KM_ANSWER_ACT ? 'N' : letters[d.answer]);
		if (d.answer == KM_ANSWER_QUARANTINE)
			l->quarantined_by = d.id;
		if (d.answer == KM_ANSWER_NO)
			assert_int_equal(d.guard, KM_GUARD_QUARANTINE);
		if (d.answer == KM_ANSWER_ACT)
			done(l, &d);
	}
}

/* The end as the pipeline hands it on: FIRST says whether the verdict or the rule comes first. */
static void crash(struct loop *l, bool verdict_first)
{
	ends(l->t, 0);
	if (verdict_first)
		verify_now(l, KM_EV_ENDED);
	assert_int_equal(speak_ended(l->t, start_rule(l->t), 0), 0);
	if (!verdict_first)
		verify_now(l, KM_EV_ENDED);
	drain(l);
}

static void start_when_due(struct loop *l)
{
	uint64_t due = km_decide_due_ns(l->t->decide);

	if (l->t->service[0]->state == KM_SERVICE_UP)
		return;
	assert_true(due >= l->t->w.now_ns);
	l->t->w.now_ns = due;
	assert_int_equal(tick(l->t), 0);
	drain(l);
	assert_int_equal(l->t->service[0]->state, KM_SERVICE_UP);
}

static void crash_times(struct loop *l, unsigned int n, bool verdict_first)
{
	for (unsigned int i = 0; i < n; i++) {
		crash(l, verdict_first);
		start_when_due(l);
		wait_ns(l->t, LIVES);
	}
}

static void starts_come_later_and_later_whatever_comes_first(void **state)
{
	struct loop *l = *state;

	crash_times(l, 5, true);
	assert_string_equal(l->log, "AlAlAlAlA");
	/* 200 ms each life, and 1 + 2 + 4 + 8 s of patience. */
	assert_int_equal(l->t->w.now_ns, 1000 * SECOND + 15 * SECOND + 5 * LIVES);
}

static void the_order_of_verdict_and_rule_makes_no_difference(void **state)
{
	struct loop *l = *state;

	crash_times(l, 5, false);
	assert_string_equal(l->log, "AlAlAlAlA");
	assert_int_equal(l->t->w.now_ns, 1000 * SECOND + 15 * SECOND + 5 * LIVES);
}

static void quarantine(struct loop *l)
{
	crash_times(l, 3, true);
	crash(l, true);
	assert_string_equal(l->log, "AlAlAl");
	l->log[0] = '\0';
	assert_int_equal(speak(l->t, loop_rule(l->t), 0), 0);
	drain(l);
}

static void the_loop_ends_in_quarantine_and_what_waits_is_cancelled(void **state)
{
	struct loop *l = *state;

	quarantine(l);
	assert_string_equal(l->log, "NQEn");
	assert_true(km_decide_quarantined(l->t->decide, l->t->service[0]->id));
	assert_null(repair(l->t, start_rule(l->t), 0));
	assert_int_equal(km_decide_due_ns(l->t->decide), 0);
}

static void nothing_starts_a_service_in_quarantine(void **state)
{
	struct loop *l = *state;

	quarantine(l);
	l->log[0] = '\0';
	for (unsigned int i = 0; i < 300; i++) {
		wait_ns(l->t, SECOND);
		assert_int_equal(speak(l->t, loop_rule(l->t), 0), 0);
		assert_int_equal(tick(l->t), 0);
		drain(l);
	}
	assert_string_equal(l->log, "");
	/* Someone starts it by hand, and it dies again. */
	comes_up(l->t, 0);
	wait_ns(l->t, LIVES);
	crash(l, true);
	assert_int_equal(km_decide_absent(l->t->decide, &l->t->w, l->t->service[0]), 0);
	drain(l);
	assert_string_equal(l->log, "n"); /* the definition's; the rule's was said before */
	assert_int_equal(l->t->service[0]->state, KM_SERVICE_DOWN);
}

static void an_operator_ends_the_quarantine_and_the_service_is_started(void **state)
{
	struct loop *l = *state;

	quarantine(l);
	l->log[0] = '\0';
	assert_int_equal(command(l->t, l->quarantined_by, KM_CMD_DENY), -EBADMSG);
	assert_int_equal(command(l->t, l->quarantined_by, KM_CMD_APPROVE), 0);
	drain(l);
	assert_string_equal(l->log, "RA");
	assert_false(km_decide_quarantined(l->t->decide, l->t->service[0]->id));
	assert_int_equal(l->t->service[0]->state, KM_SERVICE_UP);
	assert_int_equal(command(l->t, l->quarantined_by, KM_CMD_APPROVE), -EBADMSG);
	/* And is helped like any other, from the first rung of patience. */
	wait_ns(l->t, LIVES);
	crash(l, true);
	assert_string_equal(l->log, "RAA");
}

static void all_of_it_is_one_incident(void **state)
{
	struct loop *l = *state;
	uint64_t key;
	struct km_incident *i;

	quarantine(l);
	key = l->t->service[0]->id;
	i = km_table_get(l->t->decide->table[KM_T_INCIDENT], &key);
	assert_non_null(i);
	assert_int_equal(i->id, 1);
	assert_int_equal(km_decide_meta(l->t->decide)->incidents, 1);
}

static void a_loop_without_a_rule_about_loops_ends_with_its_budget(void **state)
{
	struct loop *l = *state;

	start_rule(l->t)->guard.budget = (struct km_budget){ .count = 3, .per_ns = 10 * MINUTE };
	crash_times(l, 3, true);
	assert_string_equal(l->log, "AlAlA");
	ends(l->t, 0);
	verify_now(l, KM_EV_ENDED);
	expect_no(l->t, KM_GUARD_BUDGET_RULE);
	expect(l->t, KM_ANSWER_ESCALATE);
	expect_nothing(l->t);
}

static void a_start_that_lasts_ends_the_repair(void **state)
{
	struct loop *l = *state;

	crash_times(l, 2, true);
	wait_ns(l->t, 5 * SECOND);
	verify_now(l, KM_EV_NONE);
	drain(l);
	assert_string_equal(l->log, "AlA");
	assert_null(repair(l->t, start_rule(l->t), 0));
}

#define loop_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		loop_test(starts_come_later_and_later_whatever_comes_first),
		loop_test(the_order_of_verdict_and_rule_makes_no_difference),
		loop_test(the_loop_ends_in_quarantine_and_what_waits_is_cancelled),
		loop_test(nothing_starts_a_service_in_quarantine),
		loop_test(an_operator_ends_the_quarantine_and_the_service_is_started),
		loop_test(all_of_it_is_one_incident),
		loop_test(a_loop_without_a_rule_about_loops_ends_with_its_budget),
		loop_test(a_start_that_lasts_ends_the_repair),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
