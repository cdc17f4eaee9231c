// SPDX-License-Identifier: Apache-2.0
/* Who ended a service: told by parentage and cgroup, never by a name. */
#include "world.h"

#define SHELL    700
#define SERVICED 500

static struct km_service *killed_by(struct world *w, uint32_t victim, uint32_t sender)
{
	struct km_service *web = world_named(w, "web");

	world_kill(w, victim, web->main_start_ns, 9, sender);
	w->now_ns += SECOND;
	world_exit(w, victim, web->main_start_ns, 9);
	assert_int_equal(web->state, KM_SERVICE_DOWN);
	return web;
}

static struct world *begin(void **state, uint32_t parent)
{
	struct world *w = *state;

	world_define(w, "web", KM_BY_CGROUP, "/web");
	world_cgroup(w, 10, "/web");
	world_cgroup(w, 20, "/user.slice/user-1000.slice/session-3.scope");
	world_cgroup(w, 30, "/system.slice/other");
	world_fork(w, 20, SHELL, 1);
	world_fork(w, 30, SERVICED, 1);
	world_fork(w, 10, 100, parent);
	return w;
}

static void somebody_in_a_login_session_is_an_operator(void **state)
{
	struct world *w = begin(state, 1);

	world_fork(w, 20, 701, SHELL); /* the program kill */
	assert_int_equal(killed_by(w, 100, 701)->last.sender, KM_SENDER_OPERATOR);
}

static void the_process_that_started_it_is_a_supervisor(void **state)
{
	struct world *w = begin(state, SERVICED);

	assert_int_equal(killed_by(w, 100, SERVICED)->last.sender, KM_SENDER_SUPERVISOR);
}

static void init_is_init(void **state)
{
	struct world *w = begin(state, 1);

	assert_int_equal(killed_by(w, 100, 1)->last.sender, KM_SENDER_INIT);
}

static void a_process_of_its_own_is_itself(void **state)
{
	struct world *w = begin(state, 1);

	world_fork(w, 10, 101, 100);
	world_kill(w, 100, world_named(w, "web")->main_start_ns, 15, 101);
	w->now_ns += SECOND;
	world_exit(w, 101, w->now_ns - SECOND, 0);
	world_exit(w, 100, world_named(w, "web")->main_start_ns, 15);
	assert_int_equal(world_named(w, "web")->last.sender, KM_SENDER_ITSELF);
}

static void anybody_else_is_an_outsider(void **state)
{
	struct world *w = begin(state, 1);

	assert_int_equal(killed_by(w, 100, SERVICED)->last.sender, KM_SENDER_OUTSIDER);
}

static void nobody_is_unknown(void **state)
{
	struct world *w = begin(state, 1);

	assert_int_equal(killed_by(w, 100, 0)->last.sender, KM_SENDER_UNKNOWN);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, world_begin, world_end)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		CASE(somebody_in_a_login_session_is_an_operator),
		CASE(the_process_that_started_it_is_a_supervisor),
		CASE(init_is_init),
		CASE(a_process_of_its_own_is_itself),
		CASE(anybody_else_is_an_outsider),
		CASE(nobody_is_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
