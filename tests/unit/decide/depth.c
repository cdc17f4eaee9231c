// SPDX-License-Identifier: Apache-2.0
/* When a service is looked at closely without anybody asking. */
#include "world.h"

#define ANY (KM_DEPTH_CALLS | KM_DEPTH_LATENCY)

static int look(struct world *t, int i, struct km_depth_ask *ret)
{
	t->service[i]->cgroup_id = 1000 + (uint64_t)i;
	return km_decide_depth(t->decide, t->service[i], ANY, t->w.now_ns, ret);
}

static void a_suspicion_is_looked_at_for_a_minute_then_not_again_for_a_while(void **state)
{
	struct world *t = *state;
	struct km_depth_ask ask;

	assert_int_equal(look(t, 0, &ask), 1);
	assert_int_equal(ask.service_id, t->service[0]->id);
	assert_int_equal(ask.cgroup_id, 1000);
	assert_int_equal(ask.depths, ANY);
	assert_true(ask.until_ns == t->w.now_ns + MINUTE);
	t->w.now_ns += 9 * MINUTE;
	assert_int_equal(look(t, 0, &ask), 0);
	t->w.now_ns += 2 * MINUTE;
	assert_int_equal(look(t, 0, &ask), 1);
}

static void what_has_no_cgroup_or_needs_no_depth_is_left_alone(void **state)
{
	struct world *t = *state;
	struct km_depth_ask ask;

	t->service[0]->cgroup_id = 0;
	assert_int_equal(km_decide_depth(t->decide, t->service[0], ANY, t->w.now_ns, &ask), 0);
	t->service[0]->cgroup_id = 1;
	assert_int_equal(km_decide_depth(t->decide, t->service[0], 0, t->w.now_ns, &ask), 0);
	assert_int_equal(km_depth_of_forecast[KM_EXHAUSTION], 0);
	assert_int_equal(km_depth_of_answer[KM_ANSWER_ACT], 0);
}

static void half_of_the_room_is_left_to_people(void **state)
{
	struct world *t = *state;
	struct km_service many[KMEND_LEASES_MAX / 2 + 1];
	struct km_depth_ask ask;
	size_t n = KM_ARRAY_SIZE(many), i;

	for (i = 0; i < n; i++) {
		many[i] = *t->service[0];
		many[i].id = 77 + i;
		many[i].cgroup_id = 7 + i;
		assert_int_equal(km_decide_depth(t->decide, &many[i], ANY, t->w.now_ns, &ask),
		                 i + 1 < n);
	}
}

static void what_is_refused_makes_room_but_is_not_asked_for_again_at_once(void **state)
{
	struct world *t = *state;
	struct km_raw_lease l = { .state = KM_LEASE_REFUSED, .depths = ANY };
	struct km_service other = *t->service[1];
	struct km_depth_ask ask;

	assert_int_equal(look(t, 0, &ask), 1);
	km_decide_lease(t->decide, t->service[0], &l);
	assert_int_equal(look(t, 0, &ask), 0);
	for (uint64_t i = 0; i < KMEND_LEASES_MAX / 2; i++) {
		other.id = 88 + i;
		other.cgroup_id = 8 + i;
		assert_int_equal(km_decide_depth(t->decide, &other, ANY, t->w.now_ns, &ask), 1);
	}
	km_decide_lease(t->decide, NULL, &l);
}

static void what_a_person_asked_for_is_no_matter_of_suspicion(void **state)
{
	struct world *t = *state;
	struct km_raw_lease l = { .state = KM_LEASE_ENDED, .depths = ANY, .person = 1 };
	const struct km_depth_row *row;
	struct km_depth_ask ask;

	assert_int_equal(look(t, 0, &ask), 1);
	km_decide_lease(t->decide, t->service[0], &l);
	row = km_table_get(t->decide->table[KM_T_DEPTH], &t->service[0]->id);
	assert_non_null(row);
	assert_true(row->until_ns == ask.until_ns);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		world_test(a_suspicion_is_looked_at_for_a_minute_then_not_again_for_a_while),
		world_test(what_has_no_cgroup_or_needs_no_depth_is_left_alone),
		world_test(half_of_the_room_is_left_to_people),
		world_test(what_is_refused_makes_room_but_is_not_asked_for_again_at_once),
		world_test(what_a_person_asked_for_is_no_matter_of_suspicion),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
