// SPDX-License-Identifier: Apache-2.0
/* The first and the last value that a word of the language takes, and the one behind it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "match/compile.h"
#include "world.h"

#define SIXTY_THREE "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define FOUR(s)     s "\": \"v\", \"" s "2\": \"v\", \"" s "3\": \"v\", \"" s "4\": \"v"

static bool takes(const char *scope, const char *when, const char *more)
{
	struct km_error err;
	struct km_rule *r = rule_with_error(scope, when, more, &err);
	bool taken = r;

	km_rule_free(r);
	return taken;
}

static void days_are_of_this_century(void **state)
{
	uint64_t s;

	(void)state;
	assert_int_equal(km_parse_day("2000-01-01", &s), 0);
	assert_int_equal(s, 946684800);
	assert_int_equal(km_parse_day("2099-12-31", &s), 0);
	assert_int_equal(s, 4102358400);
	assert_int_equal(km_parse_day("2028-02-29", &s), 0);
	assert_int_equal(s, 1835395200);
	assert_true(km_parse_day("1999-12-31", &s) < 0);
	assert_true(km_parse_day("2100-01-01", &s) < 0);
	assert_true(km_parse_day("2027-00-10", &s) < 0);
	assert_true(km_parse_day("2027-10-00", &s) < 0);
	/* letters behind the digits of ASCII, which would add up to a day */
	assert_true(km_parse_day("202<-01-01", &s) < 0);
	assert_true(km_parse_day("2027-0<-01", &s) < 0);
	assert_true(km_parse_day("2027-01-0<", &s) < 0);
	assert_true(km_parse_day("203/-01-01", &s) < 0);
	assert_true(km_parse_day("2027/01-01", &s) < 0);
	assert_true(km_parse_day("2027-01/01", &s) < 0);
	assert_true(km_parse_day("2027-01-011", &s) < 0);
}

#define WINDOW(from, to) ",\"guard\": {\"windows\": [{\"from\": \"" from "\", \"to\": \"" to "\"}]}"

static void times_are_of_one_day(void **state)
{
	(void)state;
	assert_true(takes(NULL, UP, WINDOW("00:00", "23:59")));
	assert_true(takes(NULL, UP, WINDOW("23:00", "00:59")));
	assert_false(takes(NULL, UP, WINDOW("24:00", "01:00")));
	assert_false(takes(NULL, UP, WINDOW("01:60", "02:00")));
	assert_false(takes(NULL, UP, WINDOW("1.:00", "02:00")));
	assert_false(takes(NULL, UP, WINDOW("01:0.", "02:00")));
	assert_false(takes(NULL, UP, WINDOW("01.00", "02:00")));
	assert_false(takes(NULL, UP, WINDOW("01:0", "02:00")));
	assert_true(takes(NULL, UP,
	                  ",\"guard\": {\"windows\": [{\"days\": [\"mon\", \"sun\"], \"from\": "
	                  "\"01:00\", \"to\": \"02:00\"}]}"));
	assert_false(takes(NULL, UP,
	                   ",\"guard\": {\"windows\": [{\"days\": [\"sun\", \"sun\"], \"from\": "
	                   "\"01:00\", \"to\": \"02:00\"}]}"));
}

/* Over midnight: in its first minute on its own day, and in no minute of the day before. */
static void a_window_over_midnight_opens_in_its_first_minute(void **state)
{
	const struct km_window w = { .days = 1 << 3, .from_min = 1320, .to_min = 120 };
	const uint64_t thursday = 7 * 86400; /* 1970-01-08 */

	(void)state;
	assert_false(km_window_open(&w, thursday + 22 * 3600 - 1));
	assert_true(km_window_open(&w, thursday + 22 * 3600));
	assert_true(km_window_open(&w, thursday + 26 * 3600 - 1));
	assert_false(km_window_open(&w, thursday + 26 * 3600));
}

static void names_end_with_the_alphabet(void **state)
{
	(void)state;
	assert_true(takes("{\"services\": [\"azAZ09._@:-\"]}", UP, NULL));
	assert_false(takes("{\"services\": [\"a`\"]}", UP, NULL));
	assert_false(takes("{\"services\": [\"a{\"]}", UP, NULL));
	assert_false(takes("{\"services\": [\"a[\"]}", UP, NULL));
	assert_false(takes("{\"services\": [\"a;\"]}", UP, NULL));
	assert_true(takes("{\"labels\": {\"" SIXTY_THREE "\": \"" SIXTY_THREE "\"}}", UP, NULL));
	assert_false(takes("{\"labels\": {\"" SIXTY_THREE "x\": \"v\"}}", UP, NULL));
	assert_false(takes("{\"labels\": {\"v\": \"" SIXTY_THREE "x\"}}", UP, NULL));
}

static void a_scope_has_sixteen_labels_at_most(void **state)
{
	(void)state;
	assert_true(takes("{\"labels\": {\"" FOUR("a") "\", \"" FOUR("b") "\", \"" FOUR(
				  "c") "\", \"" FOUR("d") "\"}}",
	                  UP, NULL));
	assert_false(takes("{\"labels\": {\"" FOUR("a") "\", \"" FOUR("b") "\", \"" FOUR(
				   "c") "\", \"" FOUR("d") "\", \"e\": \"v\"}}",
	                   UP, NULL));
}

#define ENDPOINT(members) "{\"endpoint\": {" members ", \"for\": \"10s\"}}"

static void whatever_is_known_of_an_endpoint_may_last(void **state)
{
	(void)state;
	assert_true(takes(NULL, ENDPOINT("\"primary\": \"healthy\""), NULL));
	assert_true(takes(NULL, ENDPOINT("\"standby\": \"healthy\""), NULL));
	assert_true(takes(NULL, ENDPOINT("\"traffic\": \"primary\""), NULL));
	assert_false(takes(NULL, ENDPOINT("\"forecast\": \"dependency\", \"probability\": \"50%\""),
	                   NULL));
}

static void health_counts_from_its_first_moment_and_not_before(void **state)
{
	struct km_rule *well = rule_with(NULL, "{\"state\": {\"is\": \"healthy\"}}", NULL);
	struct km_rule *ill = rule_with(NULL, "{\"state\": {\"is\": \"unhealthy\"}}", NULL);
	struct world w;

	(void)state;
	world_new(&w);
	w.service.state = KM_SERVICE_UP;
	assert_int_equal(ask(&w, well, T0), KM_NOT_MEASURED);
	w.service.health = KM_HEALTHY;
	w.service.health_ns = T0;
	assert_int_equal(ask(&w, well, T0 - 1), KM_FALSE);
	assert_int_equal(ask(&w, well, T0), KM_TRUE);
	assert_int_equal(ask(&w, ill, T0), KM_FALSE);
	w.service.health = KM_UNHEALTHY;
	assert_int_equal(ask(&w, well, T0), KM_FALSE);
	assert_int_equal(ask(&w, ill, T0), KM_TRUE);
	km_rule_free(well);
	km_rule_free(ill);
	world_free(&w);
}

/* Also where so little time has passed since the boot that "never" would be recent. */
static void what_was_never_deployed_is_not_new(void **state)
{
	struct km_rule *r = rule_with(NULL, "{\"deployed\": {\"within\": \"10m\"}}", NULL);
	struct world w;

	(void)state;
	world_new(&w);
	w.service.images = 1;
	assert_int_equal(ask(&w, r, 300 * S), KM_FALSE);
	km_rule_free(r);
	world_free(&w);
}

static void the_line_is_the_forecasts_whatever_else_holds(void **state)
{
	struct km_rule *r = rule_with(NULL, ALL(MEMORY_WITHIN_10S, FILES_90), NULL);
	struct world w;

	(void)state;
	world_new(&w);
	in_force(&w, T0, 0.9, 5);
	level(&w, KM_DESCRIPTORS, 0.95);
	assert_int_equal(ask(&w, r, T0), KM_TRUE);
	assert_int_equal(w.last.line, RULE_WHEN_LINE);
	km_rule_free(r);
	world_free(&w);
}

static uint32_t rows(const struct world *w)
{
	struct km_table *t[3];
	uint32_t n = 0;

	assert_int_equal(km_matcher_tables(w->matcher, t, 3), 3);
	for (int i = 0; i < 3; i++)
		n += km_table_count(t[i]);
	return n;
}

static void one_event_needs_no_memory(void **state)
{
	struct km_rule *one = rule_with(NULL, ENDED, NULL);
	struct km_rule *two =
		rule_with(NULL,
	                  "{\"event\": {\"is\": \"ended\", \"count\": 2, \"within\": \"1m\"}}",
	                  NULL);
	struct world w;

	(void)state;
	world_new(&w);
	ending(&w, T0, 256);
	assert_int_equal(ask_event(&w, one, T0, KM_EV_ENDED), KM_TRUE);
	assert_int_equal(rows(&w), 0);
	assert_int_equal(ask_event(&w, two, T0, KM_EV_ENDED), KM_FALSE);
	assert_true(rows(&w) > 0);
	km_rule_free(one);
	km_rule_free(two);
	world_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(days_are_of_this_century),
		cmocka_unit_test(times_are_of_one_day),
		cmocka_unit_test(a_window_over_midnight_opens_in_its_first_minute),
		cmocka_unit_test(names_end_with_the_alphabet),
		cmocka_unit_test(a_scope_has_sixteen_labels_at_most),
		cmocka_unit_test(whatever_is_known_of_an_endpoint_may_last),
		cmocka_unit_test(health_counts_from_its_first_moment_and_not_before),
		cmocka_unit_test(what_was_never_deployed_is_not_new),
		cmocka_unit_test(the_line_is_the_forecasts_whatever_else_holds),
		cmocka_unit_test(one_event_needs_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
