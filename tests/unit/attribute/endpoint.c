// SPDX-License-Identifier: Apache-2.0
/* How the places of an endpoint are, from connections, checks and the actor's word. */
#include "world.h"

#include <arpa/inet.h>

#include "base/peer.h"

#define MS KM_NS_PER_MS

static struct km_health_check checks[3] = { { .name = "pg", .aside = true },
	                                    { .name = "pg#1", .aside = true },
	                                    { .name = "own" } };
static struct km_endpoint db;

static const struct km_endpoint_state *begin(void **state)
{
	struct world *w = *state;
	struct km_service_def *d = &w->defs[0];

	db = (struct km_endpoint){ .name = "db", .places = 2 };
	assert_int_equal(km_peer_parse("10.0.0.5:5432", &db.place[0].address), 0);
	assert_int_equal(km_peer_parse("10.0.0.6:5432", &db.place[1].address), 0);
	km_copy(db.place[0].check, sizeof(db.place[0].check), "pg");
	km_copy(db.place[1].check, sizeof(db.place[1].check), "pg#1");
	world_define(w, "web", KM_BY_CGROUP, "/web");
	d->checks = checks;
	d->check_count = 3;
	d->endpoints = &db;
	d->endpoint_count = 1;
	assert_int_equal(km_attribute_configure(w->a, &w->config, w->now_ns), 0);
	world_cgroup(w, 10, "/web");
	world_fork(w, 10, 100, 1);
	world_clear(w);
	return km_attribute_endpoint(w->a, km_attribute_service_by_name(w->a, "web")->id, "db");
}

static void connects(struct world *w, const char *host, struct kmend_connects c)
{
	struct km_signal s = { .type = KMEND_CONNECTS, .cgroup_id = 10 };

	c.port = 5432;
	c.family = AF_INET;
	inet_pton(AF_INET, host, c.addr);
	s.connects = c;
	world_feed(w, &s);
}

#define FAILED(n) ((struct kmend_connects){ .failed = (n) })

static void check(struct world *w, const char *name, enum km_health health, uint64_t latency_ns)
{
	struct km_signal s = { .type = KM_RAW_HEALTH };

	s.health.health = health;
	s.health.believe_ns = 10 * SECOND;
	s.health.latency_ns = latency_ns;
	km_copy(s.health.service, sizeof(s.health.service), "web");
	km_copy(s.health.check, sizeof(s.health.check), name);
	world_feed(w, &s);
}

static void route(struct world *w, uint32_t share, uint32_t standby)
{
	struct km_signal s = { .type = KM_RAW_ENDPOINT };

	s.endpoint.share = share;
	s.endpoint.standby = standby;
	s.endpoint.outlives = 1;
	km_copy(s.endpoint.service, sizeof(s.endpoint.service), "web");
	km_copy(s.endpoint.endpoint, sizeof(s.endpoint.endpoint), "db");
	world_feed(w, &s);
}

static void three_failures_in_a_row_make_it_unhealthy_and_one_success_undoes_them(void **state)
{
	const struct km_endpoint_state *e = begin(state);
	struct world *w = *state;

	connects(w, "10.0.0.5", FAILED(2));
	assert_int_equal(e->place[0].health, KM_PLACE_UNKNOWN);
	connects(w, "10.0.0.5", (struct kmend_connects){ .established = 1 });
	connects(w, "10.0.0.5", FAILED(2));
	assert_int_equal(e->place[0].health, KM_PLACE_UNKNOWN);
	connects(w, "10.0.0.5", (struct kmend_connects){ .unanswered = 1 });
	assert_int_equal(e->place[0].health, KM_PLACE_UNHEALTHY);
	assert_int_equal(e->place[1].health, KM_PLACE_UNKNOWN);
	connects(w, "10.0.0.5", (struct kmend_connects){ .established = 1 });
	assert_int_equal(e->place[0].health, KM_PLACE_HEALTHY);
}

static void failures_far_apart_are_no_row(void **state)
{
	const struct km_endpoint_state *e = begin(state);
	struct world *w = *state;

	for (int i = 0; i < 6; i++) {
		connects(w, "10.0.0.5", FAILED(1));
		w->now_ns += 11 * SECOND;
	}
	assert_int_equal(e->place[0].health, KM_PLACE_UNKNOWN);
}

/* A segment is lost on any day; a check says what it was. */
static void what_happens_on_any_day_only_raises_a_doubt(void **state)
{
	const struct km_endpoint_state *e = begin(state);
	struct world *w = *state;

	check(w, "pg", KM_HEALTHY, MS);
	world_clear(w);
	connects(w, "10.0.0.5", (struct kmend_connects){ .retransmits = 9, .reset = 9 });
	assert_int_equal(e->place[0].health, KM_PLACE_HEALTHY);
	assert_true(e->place[0].doubt_ns == w->now_ns);
	assert_int_equal(w->events[KM_EV_ENDPOINT], 1);
	/* not one event for each segment */
	connects(w, "10.0.0.5", (struct kmend_connects){ .retransmits = 9 });
	assert_int_equal(w->events[KM_EV_ENDPOINT], 1);
	w->now_ns += 200 * MS;
	connects(w, "10.0.0.5", (struct kmend_connects){ .retransmits = 9 });
	assert_int_equal(w->events[KM_EV_ENDPOINT], 2);
	check(w, "pg", KM_UNHEALTHY, MS);
	assert_int_equal(e->place[0].health, KM_PLACE_UNHEALTHY);
}

static void a_later_check_refutes_failures(void **state)
{
	const struct km_endpoint_state *e = begin(state);
	struct world *w = *state;

	check(w, "pg", KM_HEALTHY, MS);
	w->now_ns += MS;
	connects(w, "10.0.0.5", FAILED(3));
	assert_int_equal(e->place[0].health, KM_PLACE_UNHEALTHY);
	w->now_ns += MS;
	check(w, "pg", KM_HEALTHY, MS);
	assert_int_equal(e->place[0].health, KM_PLACE_HEALTHY);
}

static void an_endpoints_check_says_nothing_of_the_service(void **state)
{
	struct world *w = *state;
	struct km_service *web;

	begin(state);
	web = km_attribute_service_by_name(w->a, "web");
	check(w, "own", KM_HEALTHY, MS);
	assert_int_equal(web->health, KM_HEALTHY);
	check(w, "pg", KM_UNHEALTHY, MS);
	assert_int_equal(web->health, KM_HEALTHY);
	assert_int_equal(w->events[KM_EV_UNHEALTHY], 0);
}

static void slow_is_many_times_the_usual_time_again_and_again(void **state)
{
	const struct km_endpoint_state *e = begin(state);
	struct world *w = *state;

	for (int i = 0; i < 8; i++)
		check(w, "pg", KM_HEALTHY, 2 * MS);
	assert_int_equal(e->place[0].usual_ns, 2 * MS);
	check(w, "pg", KM_HEALTHY, 40 * MS);
	check(w, "pg", KM_HEALTHY, 40 * MS);
	check(w, "pg", KM_HEALTHY, 2 * MS);
	check(w, "pg", KM_HEALTHY, 40 * MS);
	check(w, "pg", KM_HEALTHY, 40 * MS);
	assert_int_equal(e->place[0].health, KM_PLACE_HEALTHY);
	check(w, "pg", KM_HEALTHY, 40 * MS);
	assert_int_equal(e->place[0].health, KM_PLACE_SLOW);
	assert_int_equal(e->place[0].usual_ns, 2 * MS); /* it does not become usual */
	for (int i = 0; i < 3; i++)
		check(w, "pg", KM_HEALTHY, 2 * MS);
	assert_int_equal(e->place[0].health, KM_PLACE_HEALTHY);
}

/* A host without CPU is slow with all that it talks to: no reason to go elsewhere. */
static void where_the_standby_is_as_slow_the_primary_is_not(void **state)
{
	const struct km_endpoint_state *e = begin(state);
	struct world *w = *state;

	for (int i = 0; i < 8; i++) {
		check(w, "pg", KM_HEALTHY, 2 * MS);
		check(w, "pg#1", KM_HEALTHY, 2 * MS);
	}
	for (int i = 0; i < 8; i++) {
		check(w, "pg#1", KM_HEALTHY, 30 * MS);
		check(w, "pg", KM_HEALTHY, 60 * MS);
	}
	assert_int_equal(e->place[0].health, KM_PLACE_HEALTHY);
	check(w, "pg#1", KM_HEALTHY, 2 * MS);
	for (int i = 0; i < 3; i++)
		check(w, "pg", KM_HEALTHY, 60 * MS);
	assert_int_equal(e->place[0].health, KM_PLACE_SLOW);
	assert_int_equal(e->place[1].health, KM_PLACE_HEALTHY);
}

/* Ten times of nearly nothing is nothing that anybody notices. */
static void a_few_milliseconds_are_never_slow(void **state)
{
	const struct km_endpoint_state *e = begin(state);
	struct world *w = *state;

	for (int i = 0; i < 8; i++)
		check(w, "pg", KM_HEALTHY, MS / 10);
	for (int i = 0; i < 8; i++)
		check(w, "pg", KM_HEALTHY, 19 * MS);
	assert_int_equal(e->place[0].health, KM_PLACE_HEALTHY);
}

static void the_actor_says_where_traffic_goes(void **state)
{
	const struct km_endpoint_state *e = begin(state);
	struct world *w = *state;

	assert_false(e->said);
	route(w, 0, 0);
	assert_true(e->said);
	assert_int_equal(km_endpoint_traffic(e), KM_TO_PRIMARY);
	route(w, KMEND_SHARE_ALL, 1);
	assert_int_equal(km_endpoint_traffic(e), KM_TO_STANDBY);
	assert_true(e->traffic_ns == w->now_ns);
	w->now_ns += SECOND;
	route(w, KMEND_SHARE_ALL, 1);
	assert_true(e->traffic_ns < w->now_ns); /* said again, not changed */
	route(w, 200, 1);
	assert_int_equal(km_endpoint_traffic(e), KM_TO_BOTH);
	assert_int_equal(w->events[KM_EV_ENDPOINT], 3);
}

static void the_first_standby_that_is_well_takes_over(void **state)
{
	struct km_endpoint def = { .places = 4 };
	struct km_endpoint_state e = { 0 };

	(void)state;
	assert_int_equal(km_endpoint_choose(&e, &def), 1);
	e.place[3].health = KM_PLACE_HEALTHY;
	assert_int_equal(km_endpoint_choose(&e, &def), 3);
	e.place[2].health = KM_PLACE_HEALTHY;
	assert_int_equal(km_endpoint_choose(&e, &def), 2);
	e.place[1].health = e.place[2].health = KM_PLACE_UNHEALTHY;
	e.place[3].health = KM_PLACE_SLOW;
	assert_int_equal(km_endpoint_choose(&e, &def), 0);
}

static void other_addresses_are_another_endpoint(void **state)
{
	const struct km_endpoint_state *e = begin(state);
	struct world *w = *state;
	uint64_t id = e->service_id;

	route(w, KMEND_SHARE_ALL, 1);
	assert_int_equal(km_attribute_configure(w->a, &w->config, w->now_ns), 0);
	assert_int_equal(km_attribute_endpoint(w->a, id, "db")->share, KMEND_SHARE_ALL);
	db.place[1].address.port = 0;
	assert_int_equal(km_attribute_configure(w->a, &w->config, w->now_ns), 0);
	assert_int_equal(km_attribute_endpoint(w->a, id, "db")->share, 0);
	w->defs[0].endpoint_count = 0;
	assert_int_equal(km_attribute_configure(w->a, &w->config, w->now_ns), 0);
	assert_null(km_attribute_endpoint(w->a, id, "db"));
}

static void what_nobody_sees_any_more_is_not_known(void **state)
{
	const struct km_endpoint_state *e = begin(state);
	struct km_signal tick = { .type = KM_RAW_TICK };
	struct world *w = *state;

	connects(w, "10.0.0.6", (struct kmend_connects){ .established = 1 });
	connects(w, "10.0.0.5", FAILED(3));
	assert_int_equal(e->place[1].health, KM_PLACE_HEALTHY);
	tick.t_ns = w->now_ns += 31 * SECOND;
	world_feed(w, &tick);
	assert_int_equal(e->place[1].health, KM_PLACE_UNKNOWN);
	assert_int_equal(e->place[0].health, KM_PLACE_UNHEALTHY);
	tick.t_ns = w->now_ns += 600 * SECOND;
	world_feed(w, &tick);
	assert_int_equal(e->place[0].health, KM_PLACE_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_begin, world_end)
		TEST(three_failures_in_a_row_make_it_unhealthy_and_one_success_undoes_them),
		TEST(failures_far_apart_are_no_row),
		TEST(what_happens_on_any_day_only_raises_a_doubt),
		TEST(a_later_check_refutes_failures),
		TEST(an_endpoints_check_says_nothing_of_the_service),
		TEST(slow_is_many_times_the_usual_time_again_and_again),
		TEST(where_the_standby_is_as_slow_the_primary_is_not),
		TEST(a_few_milliseconds_are_never_slow),
		TEST(the_actor_says_where_traffic_goes),
		TEST(the_first_standby_that_is_well_takes_over),
		TEST(other_addresses_are_another_endpoint),
		TEST(what_nobody_sees_any_more_is_not_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
