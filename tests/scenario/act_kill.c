// SPDX-License-Identifier: Apache-2.0
/* kill -9 of the actor before and after every system call of an act's life, and again while it
 * recovers: no intent is lost, none acts twice, what is said of it is true (root).
 *
 * KMEND_LONG=1: every pair of a first and a second kill; else a sample of the pairs. */
#include "lib/actor_sweep.h"

#define NEVER      1000000u
#define TIMEOUT_NS (5 * KM_NS_PER_S)

static unsigned int points, unknown;

static bool at_stop(pid_t pid, void *userdata)
{
	unsigned int *left = userdata;

	(void)pid;
	return --*left == 0;
}

/* One act, the actor killed at its N-th stop, its successor at its M-th. False: the act was over
 * before that. */
static bool one_point(const struct sweep_act *s, unsigned int n, unsigned int m)
{
	struct world *w = &sweep.w;
	pid_t pid = sweep_ask(s, TIMEOUT_NS);
	bool in_time = sweep_run(pid, at_stop, &n, &w->outcomes, w->outcomes + 1, WORLD_MS) ==
	               SWEEP_KILLED;

	assert_true(in_time || w->outcome.state != KM_OUT_REFUSED); /* or nothing is swept */
	km_close(&w->engine);
	if (m > 0) {
		pid = sweep_successor();
		in_time &= sweep_run(pid, at_stop, &m, &w->readies, 1, WORLD_MS) == SWEEP_KILLED;
		km_close(&w->engine);
	}
	sweep_recover(s);
	/* Of a value it is always known what came of it: the value tells. */
	assert_false(s->look && !s->untold && sweep.intents && sweep.state == KM_OUT_UNKNOWN);
	unknown += sweep.intents == 1 && sweep.state == KM_OUT_UNKNOWN;
	points++;
	return in_time;
}

static void each(const struct sweep_act *acts, size_t count)
{
	for (const struct sweep_act *s = acts; s < acts + count; s++) {
		unsigned int n = 1, first = points, before = unknown;

		if (!sweep_can(s))
			continue;
		while (one_point(s, n, 0))
			n++;
		print_message("%s: killed at %u points, %u of them not to be told\n",
		              km_verb_names[s->verb], points - first, unknown - before);
		assert_in_range(n, 10, 1000);
	}
}

static void every_act_survives_kill_9_at_every_system_call(void **state)
{
	(void)state;
	each(sweep_acts, KM_ARRAY_SIZE(sweep_acts));
}

static void every_job_survives_kill_9_at_every_system_call(void **state)
{
	(void)state;
	each(sweep_jobs, KM_ARRAY_SIZE(sweep_jobs));
}

static void every_route_survives_kill_9_at_every_system_call(void **state)
{
	(void)state;
	each(sweep_routes, KM_ARRAY_SIZE(sweep_routes));
}

/* The first kill at N, the second wherever the recovery is. */
static void a_second_kill_while_it_recovers_changes_nothing(void **state)
{
	const struct sweep_act restart = { .verb = KM_RESTART };
	bool all = getenv("KMEND_LONG");
	unsigned int first = points;

	(void)state;
	for (unsigned int n = 3; n < NEVER; n += all ? 1 : 17)
		for (unsigned int m = 1 + n % 7; m < NEVER; m += all ? 1 : 29)
			if (!one_point(&restart, n, m)) {
				n = m == 1 + n % 7 ? NEVER : n;
				break;
			}
	print_message("second kill: %u pairs; %u points in all\n", points - first, points);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_act_survives_kill_9_at_every_system_call),
		cmocka_unit_test(every_job_survives_kill_9_at_every_system_call),
		cmocka_unit_test(every_route_survives_kill_9_at_every_system_call),
		cmocka_unit_test(a_second_kill_while_it_recovers_changes_nothing),
	};

	(void)argc;
	return sweep_main(argv, tests, KM_ARRAY_SIZE(tests));
}
