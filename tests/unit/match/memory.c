// SPDX-License-Identifier: Apache-2.0
/* What a matcher remembers: 'for', events, windows, checkpoints, full tables. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "world.h"

#define FILES_90_FOR_10S \
	"{\"level\": {\"resource\": \"descriptors\", \"above\": \"90%\", \"for\": \"10s\"}}"
#define THREE_IN_1M "{\"event\": {\"is\": \"ended\", \"count\": 3, \"within\": \"1m\"}}"

static void a_level_must_hold_without_a_break(void **state)
{
	struct km_rule *r = rule_with(NULL, FILES_90_FOR_10S, NULL);
	struct world w;

	(void)state;
	world_new(&w);
	level(&w, KM_DESCRIPTORS, 0.95);
	assert_int_equal(ask(&w, r, T0), KM_FALSE);
	assert_int_equal(ask(&w, r, T0 + 10 * S - 1), KM_FALSE);
	assert_int_equal(ask(&w, r, T0 + 10 * S), KM_TRUE);
	assert_int_equal(ask(&w, r, T0 + 11 * S), KM_TRUE);
	level(&w, KM_DESCRIPTORS, 0.5);
	assert_int_equal(ask(&w, r, T0 + 12 * S), KM_FALSE);
	level(&w, KM_DESCRIPTORS, 0.95);
	assert_int_equal(ask(&w, r, T0 + 13 * S), KM_FALSE);
	assert_int_equal(ask(&w, r, T0 + 22 * S), KM_FALSE);
	assert_int_equal(ask(&w, r, T0 + 23 * S), KM_TRUE);
	km_rule_free(r);
	world_free(&w);
}

static void what_was_not_measured_in_between_is_a_break(void **state)
{
	struct km_rule *r = rule_with(NULL, FILES_90_FOR_10S, NULL);
	struct world w;

	(void)state;
	world_new(&w);
	level(&w, KM_DESCRIPTORS, 0.95);
	ask(&w, r, T0);
	w.features[KM_DESCRIPTORS].measured = 0;
	assert_int_equal(ask(&w, r, T0 + 5 * S), KM_NOT_MEASURED);
	w.features[KM_DESCRIPTORS].measured = 1;
	assert_int_equal(ask(&w, r, T0 + 10 * S), KM_FALSE);
	assert_int_equal(ask(&w, r, T0 + 20 * S), KM_TRUE);
	km_rule_free(r);
	world_free(&w);
}

static void a_condition_that_nobody_looked_at_did_not_hold(void **state)
{
	struct km_rule *r = rule_with(NULL, FILES_90_FOR_10S, NULL);
	struct world w;

	(void)state;
	world_new(&w);
	level(&w, KM_DESCRIPTORS, 0.95);
	ask(&w, r, T0);
	assert_int_equal(ask(&w, r, T0 + 180 * S), KM_TRUE);
	assert_int_equal(ask(&w, r, T0 + 361 * S), KM_FALSE);
	km_rule_free(r);
	world_free(&w);
}

static void a_forecast_must_hold_without_a_break(void **state)
{
	struct km_rule *r =
		rule_with(NULL,
	                  "{\"forecast\": {\"kind\": \"exhaustion\", \"resource\": \"memory\", "
	                  "\"probability\": \"50%\", \"within\": \"1h\", \"for\": \"3s\"}}",
	                  NULL);
	struct km_forecast *f;
	struct world w;

	(void)state;
	world_new(&w);
	f = in_force(&w, T0, 0.9, 600);
	assert_int_equal(ask(&w, r, T0), KM_FALSE);
	f->p = 0.4;
	assert_int_equal(ask(&w, r, T0 + 2 * S), KM_FALSE);
	f->p = 0.9;
	assert_int_equal(ask(&w, r, T0 + 4 * S), KM_FALSE);
	assert_int_equal(ask(&w, r, T0 + 7 * S), KM_TRUE);
	km_rule_free(r);
	world_free(&w);
}

static void a_state_counts_from_when_the_service_entered_it(void **state)
{
	struct km_rule *r =
		rule_with(NULL, "{\"state\": {\"is\": \"down\", \"for\": \"5s\"}}", NULL);
	struct world w;

	(void)state;
	world_new(&w);
	w.service.state = KM_SERVICE_DOWN;
	w.service.since_ns = T0;
	assert_int_equal(ask(&w, r, T0 + 5 * S - 1), KM_FALSE);
	assert_int_equal(ask(&w, r, T0 + 5 * S), KM_TRUE);
	w.service.since_ns = T0 + 6 * S;
	assert_int_equal(ask(&w, r, T0 + 7 * S), KM_FALSE);
	km_rule_free(r);
	world_free(&w);
}

static void memory_does_not_depend_on_the_order_of_conditions(void **state)
{
	struct km_rule *r = rule_with(NULL, ANY(UP, FILES_90_FOR_10S), NULL);
	struct world w;

	(void)state;
	world_new(&w);
	level(&w, KM_DESCRIPTORS, 0.95);
	w.service.state = KM_SERVICE_UP;
	assert_int_equal(ask(&w, r, T0), KM_TRUE);
	w.service.state = KM_SERVICE_DOWN;
	assert_int_equal(ask(&w, r, T0 + 10 * S), KM_TRUE);
	assert_int_equal(w.last.line, RULE_WHEN_LINE + 1);
	km_rule_free(r);
	world_free(&w);
}

static void services_and_rules_are_remembered_apart(void **state)
{
	struct km_rule *r = rule_with("{\"all\": true}", FILES_90_FOR_10S, NULL);
	struct world w;

	(void)state;
	world_new(&w);
	level(&w, KM_DESCRIPTORS, 0.95);
	ask(&w, r, T0);
	w.service.id = 8;
	assert_int_equal(ask(&w, r, T0 + 10 * S), KM_FALSE);
	w.service.id = 7;
	assert_int_equal(ask(&w, r, T0 + 10 * S), KM_TRUE);
	km_rule_free(r);
	world_free(&w);
}

static void an_event_speaks_once_and_a_tick_later_no_more(void **state)
{
	struct km_rule *r = rule_with(NULL, ENDED, NULL);
	struct world w;

	(void)state;
	world_new(&w);
	ending(&w, T0, 0);
	assert_int_equal(ask_event(&w, r, T0, KM_EV_ENDED), KM_TRUE);
	assert_int_equal(w.last.event, KM_EV_ENDED);
	assert_int_equal(w.last.line, RULE_WHEN_LINE);
	assert_int_equal(ask(&w, r, T0), KM_FALSE);
	assert_int_equal(w.last.event, KM_EV_NONE);
	assert_int_equal(ask_event(&w, r, T0, KM_EV_STARTED), KM_FALSE);
	km_rule_free(r);
	world_free(&w);
}

static void an_end_that_kmend_asked_for_is_no_event(void **state)
{
	struct km_rule *r = rule_with(NULL, ENDED, NULL);
	struct km_rule *three = rule_with(NULL, THREE_IN_1M, NULL);
	struct world w;

	(void)state;
	world_new(&w);
	ending(&w, T0, SIGTERM);
	w.service.last.asked = 1;
	for (int i = 0; i < 5; i++) {
		assert_int_equal(ask_event(&w, r, T0 + (uint64_t)i, KM_EV_ENDED), KM_FALSE);
		assert_int_equal(ask_event(&w, three, T0 + (uint64_t)i, KM_EV_ENDED), KM_FALSE);
	}
	km_rule_free(r);
	km_rule_free(three);
	world_free(&w);
}

static void the_event_that_completes_the_count_speaks(void **state)
{
	struct km_rule *r = rule_with(NULL, THREE_IN_1M, NULL);
	struct world w;

	(void)state;
	world_new(&w);
	ending(&w, T0, 1 << 8);
	assert_int_equal(ask_event(&w, r, T0, KM_EV_ENDED), KM_FALSE);
	assert_int_equal(ask_event(&w, r, T0 + 30 * S, KM_EV_ENDED), KM_FALSE);
	assert_int_equal(ask(&w, r, T0 + 31 * S), KM_FALSE);
	assert_int_equal(ask_event(&w, r, T0 + 60 * S, KM_EV_ENDED), KM_TRUE);
	assert_int_equal(ask(&w, r, T0 + 60 * S), KM_FALSE);
	/* 30 s and 60 s are within a minute of 90 s, the first is not */
	assert_int_equal(ask_event(&w, r, T0 + 90 * S, KM_EV_ENDED), KM_TRUE);
	assert_int_equal(ask_event(&w, r, T0 + 151 * S, KM_EV_ENDED), KM_FALSE);
	km_rule_free(r);
	world_free(&w);
}

static void a_window_holds_sixteen_events_and_forgets_the_oldest(void **state)
{
	struct km_rule *r =
		rule_with(NULL,
	                  "{\"event\": {\"is\": \"started\", \"count\": 16, \"within\": \"30s\"}}",
	                  NULL);
	struct world w;

	(void)state;
	world_new(&w);
	for (uint64_t i = 0; i < 15; i++)
		assert_int_equal(ask_event(&w, r, T0 + i * S, KM_EV_STARTED), KM_FALSE);
	for (uint64_t i = 15; i < 40; i++)
		assert_int_equal(ask_event(&w, r, T0 + i * S, KM_EV_STARTED), KM_TRUE);
	assert_int_equal(ask_event(&w, r, T0 + 60 * S, KM_EV_STARTED), KM_FALSE);
	km_rule_free(r);
	world_free(&w);
}

/* CODE as wait(2), SENDER of signal SIG, chosen by the OOM killer, seen by an exit record. */
struct how_case {
	uint32_t code, signal, sender, oom, known;
	enum km_truth clean, failed, signaled, outsider, by_oom;
};

static void check_how(const struct how_case *c, struct km_rule *const rules[5])
{
	const enum km_truth expected[] = { c->clean, c->failed, c->signaled, c->outsider,
		                           c->by_oom };
	struct world w;

	world_new(&w);
	ending(&w, T0, c->code);
	w.service.last.signal = c->signal;
	w.service.last.sender_tgid = c->sender;
	w.service.last.oom = c->oom;
	w.service.last.known = c->known;
	for (int i = 0; i < 5; i++)
		assert_int_equal(ask_event(&w, rules[i], T0, KM_EV_ENDED), expected[i]);
	world_free(&w);
}

static void an_end_is_told_by_how_it_came(void **state)
{
	static const enum km_truth F = KM_FALSE, T = KM_TRUE, N = KM_NOT_MEASURED;
	static const struct how_case cases[] = {
		/* exit 0, exit 3 */
		{ 0, 0, 0, 0, 1, T, F, F, F, F },
		{ 3 << 8, 0, 0, 0, 1, F, T, F, F, F },
		/* killed by 4711; by init; by itself; core dumped */
		{ SIGKILL, SIGKILL, 4711, 0, 1, F, F, T, T, F },
		{ SIGTERM, SIGTERM, 1, 0, 1, F, F, T, F, F },
		{ SIGABRT | 0x80, SIGABRT, 100, 0, 1, F, F, T, F, F },
		{ SIGSEGV | 0x80, SIGSEGV, 4711, 0, 1, F, F, T, T, F },
		/* the sender was not seen, or is outside; or it sent something else */
		{ SIGKILL, 0, 0, 0, 1, F, F, T, N, F },
		{ SIGKILL, SIGKILL, 0, 0, 1, F, F, T, N, F },
		{ SIGKILL, SIGTERM, 4711, 0, 1, F, F, T, N, F },
		/* the OOM killer's is nobody's */
		{ SIGKILL, SIGKILL, 4711, 1, 1, F, F, T, F, T },
		/* only that it is gone */
		{ 0, 0, 0, 0, 0, N, N, N, N, N },
		{ 0, 0, 0, 1, 0, N, N, N, N, T },
	};
	struct km_rule *rules[] = { rule_with(NULL, HOW("clean"), NULL),
		                    rule_with(NULL, HOW("failed"), NULL),
		                    rule_with(NULL, HOW("signaled"), NULL),
		                    rule_with(NULL, HOW("outsider"), NULL),
		                    rule_with(NULL, HOW("oom"), NULL) };

	(void)state;
	for (size_t i = 0; i < KM_ARRAY_SIZE(cases); i++)
		check_how(&cases[i], rules);
	for (size_t i = 0; i < KM_ARRAY_SIZE(rules); i++)
		km_rule_free(rules[i]);
}

static void every_other_event_has_its_own_word(void **state)
{
	static const enum km_event events[] = { KM_EV_STARTED, KM_EV_OOM, KM_EV_SIGNALED,
		                                KM_EV_CONNECT_FAILED };

	(void)state;
	for (size_t i = 0; i < KM_ARRAY_SIZE(events); i++) {
		char when[64];
		struct km_rule *r;
		struct world w;

		snprintf(when, sizeof(when), "{\"event\": {\"is\": \"%s\"}}",
		         km_event_names[events[i]]);
		r = rule_with(NULL, when, NULL);
		world_new(&w);
		for (int e = KM_EV_NONE; e < KM_EV_MAX; e++)
			assert_int_equal(ask_event(&w, r, T0, (enum km_event)e),
			                 e == (int)events[i] ? KM_TRUE : KM_FALSE);
		km_rule_free(r);
		world_free(&w);
	}
}

static uint32_t rows(struct world *w)
{
	struct km_table *t[8];
	size_t n = km_matcher_tables(w->matcher, t, 8);
	uint32_t count = 0;

	assert_int_equal(n, 3);
	for (size_t i = 0; i < n; i++)
		count += km_table_count(t[i]);
	return count;
}

static struct km_rules *set_of(struct km_rule *r)
{
	struct km_rules *set = NULL;
	struct km_error err;

	assert_int_equal(km_rules_new(&r, r ? 1 : 0, &err, &set), 0);
	return set;
}

static void a_rule_that_went_or_was_edited_leaves_nothing_behind(void **state)
{
	static const char *const both = ANY(FILES_90_FOR_10S, THREE_IN_1M);
	struct km_rules *same = set_of(rule_with(NULL, both, NULL)), *edited, *none = set_of(NULL);
	struct world w;

	(void)state;
	world_new(&w);
	edited = set_of(rule_with(NULL, ANY(UP, FILES_90_FOR_10S), NULL));
	for (int i = 0; i < 2; i++) {
		level(&w, KM_DESCRIPTORS, 0.95);
		ending(&w, T0, 0);
		ask_event(&w, same->rule[0], T0, KM_EV_ENDED);
		assert_int_equal(rows(&w), 2);
		km_matcher_rules_changed(w.matcher, same);
		assert_int_equal(rows(&w), 2);
		km_matcher_rules_changed(w.matcher, i ? edited : none);
		assert_int_equal(rows(&w), 0);
	}
	km_rules_free(same);
	km_rules_free(edited);
	km_rules_free(none);
	world_free(&w);
}

/* Every row of A into B, as a checkpoint does. */
static void copy_tables(struct km_matcher *a, struct km_matcher *b)
{
	struct km_table *from[3], *to[3];
	uint32_t slot;
	void *row;

	km_matcher_tables(a, from, 3);
	km_matcher_tables(b, to, 3);
	for (int i = 0; i < 3; i++)
		for (slot = 0; (row = km_table_next(from[i], &slot));)
			assert_int_equal(km_table_restore(to[i], slot - 1, row), 0);
}

static void a_restored_matcher_goes_on_where_the_saved_one_was(void **state)
{
	struct km_rule *r = rule_with(NULL, ANY(FILES_90_FOR_10S, THREE_IN_1M), NULL);
	struct world w, v;

	(void)state;
	world_new(&w);
	world_new(&v);
	level(&w, KM_DESCRIPTORS, 0.95);
	level(&v, KM_DESCRIPTORS, 0.95);
	ending(&w, T0, 0);
	ending(&v, T0, 0);
	ask_event(&w, r, T0, KM_EV_ENDED);
	ask_event(&w, r, T0 + S, KM_EV_ENDED);
	copy_tables(w.matcher, v.matcher);
	assert_int_equal(ask_event(&v, r, T0 + 2 * S, KM_EV_ENDED), KM_TRUE);
	assert_int_equal(v.last.event, KM_EV_ENDED);
	assert_int_equal(ask(&v, r, T0 + 10 * S), KM_TRUE);
	km_rule_free(r);
	world_free(&w);
	world_free(&v);
}

/* A checkpoint is a file: what it holds is not trusted. */
static void nonsense_in_a_checkpoint_is_refused(void **state)
{
	uint64_t row[24] = {
		1, 7, 0, 99, 50, 49
	}; /* rule, service, condition, text, since, seen */
	struct km_table *t[3];
	struct world w;

	(void)state;
	world_new(&w);
	km_matcher_tables(w.matcher, t, 3);
	assert_int_equal(km_table_restore(t[0], 0, row), -EINVAL);
	row[5] = 50;
	row[2] = 4;
	assert_int_equal(km_table_restore(t[0], 0, row), -EINVAL);
	row[2] = (uint64_t)KM_CONDITIONS_MAX << 32;
	assert_int_equal(km_table_restore(t[0], 0, row), -EINVAL);
	row[2] = 0;
	row[1] = 0;
	assert_int_equal(km_table_restore(t[0], 0, row), -EINVAL);
	row[1] = 7;
	assert_int_equal(km_table_restore(t[0], 0, row), 0);
	/* a window: text, expires, count and pad, times */
	row[4] = 60;
	row[5] = 0;
	row[6] = 50;
	assert_int_equal(km_table_restore(t[1], 0, row), -EINVAL);
	row[5] = KM_EVENTS_MAX + 1;
	assert_int_equal(km_table_restore(t[1], 0, row), -EINVAL);
	row[5] = 1ULL << 32 | 1;
	assert_int_equal(km_table_restore(t[1], 0, row), -EINVAL);
	row[5] = 1;
	row[7] = 1; /* behind count */
	assert_int_equal(km_table_restore(t[1], 0, row), -EINVAL);
	row[5] = 2;
	row[7] = 51; /* older is newer */
	assert_int_equal(km_table_restore(t[1], 0, row), -EINVAL);
	row[7] = 49;
	row[4] = 49; /* expires before its newest */
	assert_int_equal(km_table_restore(t[1], 0, row), -EINVAL);
	row[4] = 60;
	assert_int_equal(km_table_restore(t[1], 0, row), 0);
	row[0] = 1;
	assert_int_equal(km_table_restore(t[2], 0, row), -EINVAL);
	world_free(&w);
}

/* One row each until the table is full. */
static void fill(struct world *w, const struct km_rule *r, uint64_t t_ns, enum km_event event)
{
	struct km_table *t[3];
	const struct km_table_opts *o;

	km_matcher_tables(w->matcher, t, 3);
	o = km_table_opts(t[event == KM_EV_NONE ? 0 : 1]);
	for (uint32_t i = 0; i < o->rows_max; i++) {
		w->service.id = 1000 + i;
		assert_int_equal(ask_event(w, r, t_ns, event), KM_FALSE);
	}
	w->service.id = 7;
}

static void a_full_table_makes_a_condition_not_measured_and_is_counted(void **state)
{
	struct km_rule *r = rule_with("{\"all\": true}", FILES_90_FOR_10S, NULL);
	struct world w;

	(void)state;
	world_new(&w);
	level(&w, KM_DESCRIPTORS, 0.95);
	fill(&w, r, T0, KM_EV_NONE);
	assert_int_equal(km_matcher_full(w.matcher), 0);
	assert_int_equal(ask(&w, r, T0), KM_NOT_MEASURED);
	assert_int_equal(ask(&w, r, T0 + S), KM_NOT_MEASURED);
	assert_int_equal(km_matcher_full(w.matcher), 2);
	/* the others were not looked at for so long that their services must be gone */
	assert_int_equal(ask(&w, r, T0 + 181 * S), KM_FALSE);
	assert_int_equal(km_matcher_full(w.matcher), 2);
	assert_int_equal(rows(&w), 2);
	km_rule_free(r);
	world_free(&w);
}

static void windows_that_are_over_make_room(void **state)
{
	struct km_rule *r = rule_with("{\"all\": true}", THREE_IN_1M, NULL);
	struct world w;

	(void)state;
	world_new(&w);
	ending(&w, T0, 0);
	fill(&w, r, T0, KM_EV_ENDED);
	assert_int_equal(ask_event(&w, r, T0, KM_EV_ENDED), KM_NOT_MEASURED);
	assert_int_equal(ask_event(&w, r, T0 + 61 * S, KM_EV_ENDED), KM_FALSE);
	assert_int_equal(km_matcher_full(w.matcher), 1);
	km_rule_free(r);
	world_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_level_must_hold_without_a_break),
		cmocka_unit_test(what_was_not_measured_in_between_is_a_break),
		cmocka_unit_test(a_condition_that_nobody_looked_at_did_not_hold),
		cmocka_unit_test(a_forecast_must_hold_without_a_break),
		cmocka_unit_test(a_state_counts_from_when_the_service_entered_it),
		cmocka_unit_test(memory_does_not_depend_on_the_order_of_conditions),
		cmocka_unit_test(services_and_rules_are_remembered_apart),
		cmocka_unit_test(an_event_speaks_once_and_a_tick_later_no_more),
		cmocka_unit_test(an_end_that_kmend_asked_for_is_no_event),
		cmocka_unit_test(the_event_that_completes_the_count_speaks),
		cmocka_unit_test(a_window_holds_sixteen_events_and_forgets_the_oldest),
		cmocka_unit_test(an_end_is_told_by_how_it_came),
		cmocka_unit_test(every_other_event_has_its_own_word),
		cmocka_unit_test(a_rule_that_went_or_was_edited_leaves_nothing_behind),
		cmocka_unit_test(a_restored_matcher_goes_on_where_the_saved_one_was),
		cmocka_unit_test(nonsense_in_a_checkpoint_is_refused),
		cmocka_unit_test(a_full_table_makes_a_condition_not_measured_and_is_counted),
		cmocka_unit_test(windows_that_are_over_make_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
