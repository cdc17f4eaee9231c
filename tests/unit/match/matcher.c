// SPDX-License-Identifier: Apache-2.0
/* Which rule speaks: conditions, their combinations, and what decided. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "world.h"

static void a_service_outside_the_scope_is_not_looked_at(void **state)
{
	struct km_rule *r = rule_with("{\"services\": [\"db-*\"]}", UP, NULL);
	struct world w;

	(void)state;
	world_new(&w);
	w.service.state = KM_SERVICE_UP;
	assert_int_equal(ask(&w, r, T0), KM_FALSE);
	assert_false(w.last.scoped);
	km_copy(w.service.name, sizeof(w.service.name), "db-1");
	assert_int_equal(ask(&w, r, T0), KM_TRUE);
	assert_true(w.last.scoped);
	assert_int_equal(w.last.service_id, 7);
	km_rule_free(r);
	world_free(&w);
}

static void a_forecast_speaks_if_sure_enough_and_soon_enough(void **state)
{
	struct km_rule *r = rule_with(NULL, MEMORY_WITHIN_10S, NULL);
	struct world w;

	(void)state;
	world_new(&w);
	in_force(&w, T0, 0.5, 10);
	assert_int_equal(ask(&w, r, T0), KM_TRUE);
	in_force(&w, T0, 0.49, 10);
	assert_int_equal(ask(&w, r, T0), KM_FALSE);
	in_force(&w, T0, 0.9, 10.5);
	assert_int_equal(ask(&w, r, T0), KM_FALSE);
	km_rule_free(r);
	world_free(&w);
}

static void the_time_left_counts_from_now_not_from_when_the_forecast_was_made(void **state)
{
	struct km_rule *r = rule_with(NULL, MEMORY_WITHIN_10S, NULL);
	struct world w;

	(void)state;
	world_new(&w);
	in_force(&w, T0, 0.9, 12);
	assert_int_equal(ask(&w, r, T0 + S), KM_FALSE);
	assert_int_equal(ask(&w, r, T0 + 2 * S), KM_TRUE);
	km_rule_free(r);
	world_free(&w);
}

static void a_forecast_that_spoke_is_handed_on(void **state)
{
	struct km_rule *r = rule_with(NULL, ANY(DOWN, MEMORY_WITHIN_10S), NULL);
	struct km_forecast *f;
	struct world w;

	(void)state;
	world_new(&w);
	f = in_force(&w, T0, 0.9, 5);
	w.service.state = KM_SERVICE_DOWN;
	assert_int_equal(ask(&w, r, T0), KM_TRUE);
	assert_ptr_equal(w.last.forecast, f);
	assert_int_equal(w.last.line, RULE_WHEN_LINE + 1);
	f->p = 0.1;
	assert_int_equal(ask(&w, r, T0), KM_TRUE);
	assert_null(w.last.forecast);
	assert_int_equal(w.last.line, RULE_WHEN_LINE);
	km_rule_free(r);
	world_free(&w);
}

static void a_refused_forecast_is_false_and_an_unmeasured_one_is_neither(void **state)
{
	struct km_rule *plain = rule_with(NULL, MEMORY_WITHIN_10S, NULL);
	struct km_rule *not = rule_with(NULL, NOT(MEMORY_WITHIN_10S), NULL);
	struct km_forecast *f;
	struct world w;

	(void)state;
	world_new(&w);
	assert_int_equal(ask(&w, plain, T0), KM_NOT_MEASURED);
	assert_int_equal(ask(&w, not, T0), KM_NOT_MEASURED);
	f = in_force(&w, T0, 0, 0);
	for (int why = KM_WHY_NONE + 1; why < KM_WHY_MAX; why++) {
		bool unseen = why == KM_WHY_NOT_MEASURED;

		f->why = (uint32_t)why;
		assert_int_equal(ask(&w, plain, T0), unseen ? KM_NOT_MEASURED : KM_FALSE);
		assert_int_equal(ask(&w, not, T0), unseen ? KM_NOT_MEASURED : KM_TRUE);
	}
	w.in.predict = NULL;
	assert_int_equal(ask(&w, plain, T0), KM_NOT_MEASURED);
	km_rule_free(plain);
	km_rule_free(not );
	world_free(&w);
}

static void a_crash_loop_speaks_by_its_probability(void **state)
{
	struct km_rule *r =
		rule_with(NULL,
	                  "{\"forecast\": {\"kind\": \"crash_loop\", \"probability\": \"50%\"}}",
	                  NULL);
	struct km_forecast *f;
	struct world w;

	(void)state;
	world_new(&w);
	f = forecast(&w, KM_CRASH_LOOP, KM_RESOURCE_MAX);
	f->p = 0.7;
	f->eta_s = 1e6;
	assert_int_equal(ask(&w, r, T0), KM_TRUE);
	f->p = 0.3;
	assert_int_equal(ask(&w, r, T0), KM_FALSE);
	km_rule_free(r);
	world_free(&w);
}

static void a_level_speaks_above_its_share_of_the_limit(void **state)
{
	struct km_rule *r = rule_with(NULL, FILES_90, NULL);
	struct world w;

	(void)state;
	world_new(&w);
	assert_int_equal(ask(&w, r, T0), KM_NOT_MEASURED);
	level(&w, KM_DESCRIPTORS, 0.9);
	assert_int_equal(ask(&w, r, T0), KM_FALSE);
	level(&w, KM_DESCRIPTORS, 0.901);
	assert_int_equal(ask(&w, r, T0), KM_TRUE);
	w.features[KM_DESCRIPTORS].limit = -1;
	assert_int_equal(ask(&w, r, T0), KM_FALSE);
	w.in.features[KM_DESCRIPTORS] = NULL;
	assert_int_equal(ask(&w, r, T0), KM_NOT_MEASURED);
	km_rule_free(r);
	world_free(&w);
}

static void a_state_that_is_not_known_is_neither(void **state)
{
	struct km_rule *r = rule_with(NULL, DOWN, NULL);
	struct world w;

	(void)state;
	world_new(&w);
	assert_int_equal(ask(&w, r, T0), KM_NOT_MEASURED);
	w.service.state = KM_SERVICE_UP;
	assert_int_equal(ask(&w, r, T0), KM_FALSE);
	w.service.state = KM_SERVICE_DOWN;
	assert_int_equal(ask(&w, r, T0), KM_TRUE);
	km_rule_free(r);
	world_free(&w);
}

static void health_has_its_own_time(void **state)
{
	struct km_rule *r =
		rule_with(NULL, "{\"state\":{\"is\":\"unhealthy\",\"for\":\"5s\"}}", NULL);
	struct world w;

	(void)state;
	world_new(&w);
	w.service.state = KM_SERVICE_UP;
	assert_int_equal(ask(&w, r, T0), KM_NOT_MEASURED);
	w.service.health = KM_HEALTHY;
	assert_int_equal(ask(&w, r, T0), KM_FALSE);
	w.service.health = KM_UNHEALTHY;
	w.service.health_ns = T0;
	assert_int_equal(ask(&w, r, T0 + 4 * KM_NS_PER_S), KM_FALSE);
	assert_int_equal(ask(&w, r, T0 + 5 * KM_NS_PER_S), KM_TRUE);
	km_rule_free(r);
	world_free(&w);
}

/* DOWN and FILES_90 take each of the three values. */
static void set_both(struct world *w, enum km_truth down, enum km_truth files)
{
	static const uint32_t states[] = { [KM_FALSE] = KM_SERVICE_UP,
		                           [KM_TRUE] = KM_SERVICE_DOWN,
		                           [KM_NOT_MEASURED] = KM_SERVICE_UNKNOWN };

	w->service.state = states[down];
	level(w, KM_DESCRIPTORS, files == KM_TRUE ? 0.95 : 0.5);
	w->features[KM_DESCRIPTORS].measured = files != KM_NOT_MEASURED;
}

static void combinations_follow_the_three_valued_tables(void **state)
{
	static const enum km_truth F = KM_FALSE, T = KM_TRUE, N = KM_NOT_MEASURED;
	static const struct {
		enum km_truth a, b, all, any, not_a;
	} table[] = {
		{ F, F, F, F, T }, { F, T, F, T, T }, { F, N, F, N, T },
		{ T, F, F, T, F }, { T, T, T, T, F }, { T, N, N, T, F },
		{ N, F, F, N, N }, { N, T, N, T, N }, { N, N, N, N, N },
	};
	struct km_rule *all = rule_with(NULL, ALL(DOWN, FILES_90), NULL);
	struct km_rule *any = rule_with(NULL, ANY(DOWN, FILES_90), NULL);
	struct km_rule *not_a = rule_with(NULL, NOT(DOWN), NULL);
	struct world w;

	(void)state;
	world_new(&w);
	for (size_t i = 0; i < KM_ARRAY_SIZE(table); i++) {
		set_both(&w, table[i].a, table[i].b);
		assert_int_equal(ask(&w, all, T0), table[i].all);
		assert_int_equal(ask(&w, any, T0), table[i].any);
		assert_int_equal(ask(&w, not_a, T0), table[i].not_a);
	}
	km_rule_free(all);
	km_rule_free(any);
	km_rule_free(not_a);
	world_free(&w);
}

/* A rule speaks only if "unless" is known not to hold. */
static void unless_silences_a_rule_also_when_it_is_not_measured(void **state)
{
	static const enum km_truth F = KM_FALSE, T = KM_TRUE, N = KM_NOT_MEASURED;
	static const struct {
		enum km_truth when, unless, spoke;
	} table[] = {
		{ F, F, F }, { F, T, F }, { F, N, F }, { T, F, T }, { T, T, F },
		{ T, N, N }, { N, F, N }, { N, T, F }, { N, N, N },
	};
	struct km_rule *r = rule_with(NULL, DOWN, ",\n\"unless\": " FILES_90);
	struct world w;

	(void)state;
	world_new(&w);
	for (size_t i = 0; i < KM_ARRAY_SIZE(table); i++) {
		set_both(&w, table[i].when, table[i].unless);
		assert_int_equal(ask(&w, r, T0), table[i].spoke);
	}
	set_both(&w, T, T);
	ask(&w, r, T0);
	assert_int_equal(w.last.line, RULE_WHEN_LINE + 3);
	km_rule_free(r);
	world_free(&w);
}

static void the_line_is_that_of_the_condition_that_decided(void **state)
{
	struct km_rule *all = rule_with(NULL, ALL(DOWN, FILES_90), NULL);
	struct km_rule *any = rule_with(NULL, ANY(DOWN, FILES_90), NULL);
	struct km_rule *not = rule_with(NULL, NOT("\n" DOWN), NULL);
	struct world w;

	(void)state;
	world_new(&w);
	set_both(&w, KM_TRUE, KM_FALSE);
	ask(&w, all, T0);
	assert_int_equal(w.last.line, RULE_WHEN_LINE + 1);
	ask(&w, any, T0);
	assert_int_equal(w.last.line, RULE_WHEN_LINE);
	ask(&w, not, T0);
	assert_int_equal(w.last.line, RULE_WHEN_LINE + 1);
	set_both(&w, KM_NOT_MEASURED, KM_TRUE);
	ask(&w, all, T0);
	assert_int_equal(w.last.line, RULE_WHEN_LINE);
	ask(&w, any, T0);
	assert_int_equal(w.last.line, RULE_WHEN_LINE + 1);
	km_rule_free(all);
	km_rule_free(any);
	km_rule_free(not );
	world_free(&w);
}

static void what_stands_below_a_not_is_no_cause(void **state)
{
	struct km_rule *r = rule_with(NULL, ALL(NOT(MEMORY_WITHIN_10S), DOWN), NULL);
	struct world w;

	(void)state;
	world_new(&w);
	in_force(&w, T0, 0.1, 5);
	w.service.state = KM_SERVICE_DOWN;
	assert_int_equal(ask(&w, r, T0), KM_TRUE);
	assert_null(w.last.forecast);
	assert_int_equal(w.last.event, KM_EV_NONE);
	km_rule_free(r);
	world_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_service_outside_the_scope_is_not_looked_at),
		cmocka_unit_test(a_forecast_speaks_if_sure_enough_and_soon_enough),
		cmocka_unit_test(the_time_left_counts_from_now_not_from_when_the_forecast_was_made),
		cmocka_unit_test(a_forecast_that_spoke_is_handed_on),
		cmocka_unit_test(a_refused_forecast_is_false_and_an_unmeasured_one_is_neither),
		cmocka_unit_test(a_crash_loop_speaks_by_its_probability),
		cmocka_unit_test(a_level_speaks_above_its_share_of_the_limit),
		cmocka_unit_test(health_has_its_own_time),
		cmocka_unit_test(a_state_that_is_not_known_is_neither),
		cmocka_unit_test(combinations_follow_the_three_valued_tables),
		cmocka_unit_test(unless_silences_a_rule_also_when_it_is_not_measured),
		cmocka_unit_test(the_line_is_that_of_the_condition_that_decided),
		cmocka_unit_test(what_stands_below_a_not_is_no_cause),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
