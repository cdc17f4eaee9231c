// SPDX-License-Identifier: Apache-2.0
/* Who is an outsider, with what phase 3 knows of the service's own processes. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "match/match.h"
#include "support.h"
#include "unit/attribute/world.h"

#define OWN   5
#define OTHER 6

/* A service with main process 100 and worker 101, and process 200 elsewhere. */
static struct km_service *host(struct world *w)
{
	world_define(w, "web", KM_BY_PIDFILE, "/run/web.pid");
	world_cgroup(w, OWN, "/system.slice/web.service");
	world_cgroup(w, OTHER, "/user.slice/user-1000.slice/session-1.scope");
	world_fork(w, OTHER, 200, 1);
	world_pidfile(w, OWN, 100, w->now_ns, "web");
	world_fork(w, OWN, 101, 100);
	return world_named(w, "web");
}

/* Whether it was an outsider that killed the main process: SENDER did. */
static enum km_truth killed_by(struct world *w, uint32_t sender)
{
	struct km_rule *r =
		rule_with("{\"all\": true}",
	                  "{\"event\": {\"is\": \"ended\", \"how\": \"outsider\"}}", NULL);
	struct km_service *s = host(w);
	struct km_match_input in = { .event = KM_EV_ENDED, .attribute = w->a };
	struct km_matcher *m = NULL;
	uint64_t start_ns = w->now_ns;
	struct km_match match;

	assert_non_null(s);
	w->now_ns += SECOND;
	world_kill(w, 100, start_ns, SIGKILL, sender);
	world_exit(w, 100, start_ns, SIGKILL);
	assert_int_equal(s->last.sender_tgid, sender);
	in.now_ns = w->now_ns;
	in.service = s;
	assert_int_equal(km_matcher_new(&m), 0);
	assert_int_equal(km_matcher_rule(m, r, &in, &match), 0);
	km_matcher_free(m);
	km_rule_free(r);
	return match.spoke;
}

static void a_process_of_somebody_else_is_one(void **state)
{
	assert_int_equal(killed_by(*state, 200), KM_TRUE);
}

static void a_worker_of_the_service_is_none(void **state)
{
	assert_int_equal(killed_by(*state, 101), KM_FALSE);
}

static void the_process_itself_is_none(void **state)
{
	assert_int_equal(killed_by(*state, 100), KM_FALSE);
}

static void init_is_none(void **state)
{
	assert_int_equal(killed_by(*state, 1), KM_FALSE);
}

static void a_process_that_nobody_has_heard_of_is_one(void **state)
{
	assert_int_equal(killed_by(*state, 4711), KM_TRUE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, world_begin, world_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_process_of_somebody_else_is_one),
		TEST(a_worker_of_the_service_is_none),
		TEST(the_process_itself_is_none),
		TEST(init_is_none),
		TEST(a_process_that_nobody_has_heard_of_is_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
