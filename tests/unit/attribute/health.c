// SPDX-License-Identifier: Apache-2.0
/* From single health checks to the health of a service. */
#include "world.h"

static struct km_health_check checks[2] = {
	{ .name = "tcp", .grace_ns = 30 * SECOND },
	{ .name = "http", .grace_ns = 30 * SECOND },
};

static struct world *begin(void **state)
{
	struct world *w = *state;

	world_define(w, "web", KM_BY_CGROUP, "/web");
	w->defs[0].checks = checks;
	w->defs[0].check_count = 2;
	world_cgroup(w, 10, "/web");
	return w;
}

static struct km_service *result(struct world *w, const char *check, enum km_health health)
{
	struct km_signal s = { .type = KM_RAW_HEALTH };

	s.health.health = health;
	s.health.believe_ns = 60 * SECOND;
	s.health.latency_ns = health == KM_HEALTHY ? 1000 : 5000;
	km_copy(s.health.service, sizeof(s.health.service), "web");
	km_copy(s.health.check, sizeof(s.health.check), check);
	return world_feed(w, &s);
}

static void one_failing_check_makes_the_service_unhealthy_once(void **state)
{
	struct world *w = begin(state);
	struct km_service *web;

	world_fork(w, 10, 100, 1);
	web = result(w, "tcp", KM_HEALTHY);
	assert_int_equal(web->health, KM_HEALTH_UNKNOWN);
	result(w, "http", KM_HEALTHY);
	assert_int_equal(web->health, KM_HEALTHY);
	assert_int_equal(w->events[KM_EV_HEALTHY], 0); /* it never was anything else */
	result(w, "http", KM_UNHEALTHY);
	result(w, "tcp", KM_UNHEALTHY);
	assert_int_equal(web->health, KM_UNHEALTHY);
	assert_int_equal(w->events[KM_EV_UNHEALTHY], 1);
	assert_int_equal(web->latency_ns, 5000);
	result(w, "http", KM_HEALTHY);
	assert_int_equal(w->events[KM_EV_HEALTHY], 0);
	result(w, "tcp", KM_HEALTHY);
	assert_int_equal(w->events[KM_EV_HEALTHY], 1);
}

static void a_start_has_its_grace(void **state)
{
	struct world *w = begin(state);
	struct km_service *web;

	result(w, "tcp", KM_UNHEALTHY);
	result(w, "http", KM_UNHEALTHY);
	w->events[KM_EV_UNHEALTHY] = 0;
	web = world_fork(w, 10, 100, 1);
	assert_int_equal(web->health, KM_HEALTH_UNKNOWN);
	w->now_ns += 29 * SECOND;
	result(w, "tcp", KM_UNHEALTHY);
	assert_int_equal(web->health, KM_HEALTH_UNKNOWN);
	w->now_ns += 2 * SECOND;
	result(w, "tcp", KM_UNHEALTHY);
	assert_int_equal(web->health, KM_UNHEALTHY);
	assert_int_equal(w->events[KM_EV_UNHEALTHY], 1);
}

static void grace_ends_with_the_first_good_result(void **state)
{
	struct world *w = begin(state);
	struct km_service *web = world_fork(w, 10, 100, 1);

	w->now_ns += SECOND;
	result(w, "tcp", KM_HEALTHY);
	result(w, "tcp", KM_UNHEALTHY);
	assert_int_equal(web->health, KM_UNHEALTHY);
}

static void a_service_that_is_down_is_not_unhealthy_as_well(void **state)
{
	struct world *w = begin(state);
	struct km_service *web = world_fork(w, 10, 100, 1);

	result(w, "tcp", KM_HEALTHY);
	result(w, "http", KM_HEALTHY);
	w->now_ns += SECOND;
	world_exit(w, 100, web->main_start_ns, 9);
	assert_int_equal(web->state, KM_SERVICE_DOWN);
	result(w, "tcp", KM_UNHEALTHY);
	assert_int_equal(web->health, KM_HEALTH_UNKNOWN);
	assert_int_equal(w->events[KM_EV_UNHEALTHY], 0);
}

static void what_is_not_said_again_is_not_believed(void **state)
{
	struct world *w = begin(state);
	struct km_service *web = world_fork(w, 10, 100, 1);

	result(w, "tcp", KM_HEALTHY);
	result(w, "http", KM_HEALTHY);
	w->now_ns += 59 * SECOND;
	world_task(w, 10, 100, 1, web->main_start_ns);
	world_tick(w);
	assert_int_equal(web->health, KM_HEALTHY);
	world_tick(w);
	assert_int_equal(web->health, KM_HEALTH_UNKNOWN);
	assert_null(km_attribute_check(w->a, web->id, "tcp"));
}

static void checks_that_nobody_defined_are_not_heard(void **state)
{
	struct world *w = begin(state);

	assert_null(result(w, "redis", KM_UNHEALTHY));
	assert_null(km_attribute_check(w->a, world_named(w, "web")->id, "redis"));
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, world_begin, world_end)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		CASE(one_failing_check_makes_the_service_unhealthy_once),
		CASE(a_start_has_its_grace),
		CASE(grace_ends_with_the_first_good_result),
		CASE(a_service_that_is_down_is_not_unhealthy_as_well),
		CASE(what_is_not_said_again_is_not_believed),
		CASE(checks_that_nobody_defined_are_not_heard),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
