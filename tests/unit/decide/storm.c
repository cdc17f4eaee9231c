// SPDX-License-Identifier: Apache-2.0
/* A hundred services that die of one: the cause first, never too much at a time, all back in time.
 */
#include <stdio.h>

#include "world.h"

#define MANY      101 /* the first is what all others need */
#define AT_ONCE   4
#define ACT_NS    (50 * KM_NS_PER_MS) /* that the actor takes */
#define VERIFY_NS SECOND

struct many {
	struct km_service_def def[MANY];
	struct km_config config;
	struct km_service *service[MANY];
	uint64_t act[MANY]; /* id of what is under way, 0 none */
	uint64_t done_ns[MANY], verdict_ns[MANY];
	unsigned int under_way, most, up, acts, escalated;
	bool root_first;
};

static size_t root_place[] = { 0 };

/* Sorted by name, as a configuration is. */
static void define(struct world *t, struct many *n, bool by_one)
{
	for (unsigned int i = 0; i < MANY; i++) {
		struct km_service_def *d = &n->def[i];

		snprintf(d->name, sizeof(d->name), "app-%03u", i);
		snprintf(d->match, sizeof(d->match), "/app/%u", i);
		d->kind = KM_BY_CGROUP;
		if (i > 0 && by_one) {
			d->needs = root_place;
			d->need_count = 1;
			d->rank = 1;
		}
	}
	n->config = t->config;
	n->config.services = n->def;
	n->config.service_count = MANY;
	assert_int_equal(km_attribute_configure(t->attribute, &n->config, t->w.now_ns), 0);
	world_policy(t, "{\"version\":1,\"verbs\":[\"start\"],\"services\":[\"app-*\"],"
	                "\"budget\":{\"host\":{\"count\":200,\"per\":\"10m\"}},\"concurrent\":4}");
	km_decide_configure(t->decide, &n->config, t->policy, t->rules);
	for (unsigned int i = 0; i < MANY; i++) {
		n->service[i] = km_attribute_service_by_name(t->attribute, n->def[i].name);
		n->service[i]->state = KM_SERVICE_UP;
	}
}

static unsigned int index_of(const char *name)
{
	return (unsigned int)strtoul(name + strlen("app-"), NULL, 10);
}

static void take(struct world *t, struct many *n)
{
	const struct km_decision *d;

	while ((d = km_decide_next(t->decide))) {
		unsigned int i = index_of(d->service);

		n->escalated += d->answer == KM_ANSWER_ESCALATE;
		assert_int_equal(d->incident_id,
		                 1 + (n->def[1].need_count ? 0 : d->incident_id - 1));
		if (d->answer != KM_ANSWER_ACT)
			continue;
		if (n->acts++ == 0)
			n->root_first = i == 0;
		assert_int_equal(n->act[i], 0);
		n->act[i] = d->id;
		n->done_ns[i] = t->w.now_ns + ACT_NS;
		n->under_way++;
		if (n->under_way > n->most)
			n->most = n->under_way;
	}
}

static void die(struct world *t, struct many *n, unsigned int i)
{
	struct km_match m = { .rule = start_rule(t),
		              .service_id = n->service[i]->id,
		              .t_ns = t->w.now_ns,
		              .spoke = KM_TRUE,
		              .scoped = true,
		              .event = KM_EV_ENDED };

	n->service[i]->last = (struct km_ending){ .t_ns = t->w.now_ns, .known = 1, .exit_code = 9 };
	n->service[i]->state = KM_SERVICE_DOWN;
	n->service[i]->since_ns = t->w.now_ns;
	assert_int_equal(km_decide_match(t->decide, &t->w, &m), 0);
	take(t, n);
}

/* The world answers: acts end, verdicts come. */
static void answer(struct world *t, struct many *n)
{
	for (unsigned int i = 0; i < MANY; i++) {
		if (n->done_ns[i] && n->done_ns[i] <= t->w.now_ns) {
			n->done_ns[i] = 0;
			n->verdict_ns[i] = t->w.now_ns + VERIFY_NS;
			n->under_way--;
			n->service[i]->state = KM_SERVICE_UP;
			n->service[i]->since_ns = t->w.now_ns;
			assert_int_equal(outcome(t, n->act[i], KM_OUT_DONE), 0);
			take(t, n);
		}
		if (n->verdict_ns[i] && n->verdict_ns[i] <= t->w.now_ns) {
			n->verdict_ns[i] = 0;
			n->up++;
			assert_int_equal(km_decide_verdict(t->decide, &t->w, n->act[i], KM_HELPED),
			                 0);
			take(t, n);
		}
	}
}

/* Seconds until all are back; 60 if they are not. */
static double run(struct world *t, struct many *n)
{
	uint64_t begin = t->w.now_ns;

	while (n->up < MANY && t->w.now_ns < begin + MINUTE) {
		wait_ns(t, 10 * KM_NS_PER_MS);
		answer(t, n);
		tick(t);
		take(t, n);
	}
	return (double)(t->w.now_ns - begin) / SECOND;
}

static void a_hundred_services_that_die_of_one_are_one_incident(void **state)
{
	struct world *t = *state;
	struct many *n = calloc(1, sizeof(*n));
	double s;

	define(t, n, true);
	for (unsigned int i = MANY; i-- > 0;) /* the cause is heard last */
		die(t, n, i);
	s = run(t, n);
	print_message("%u services back after %.1f s, at most %u acts at a time\n", n->up, s,
	              n->most);
	assert_int_equal(n->up, MANY);
	assert_true(n->root_first);
	assert_true(s < 60);
	assert_int_equal(n->most, AT_ONCE);
	assert_int_equal(n->acts, MANY);
	assert_int_equal(n->escalated, 1);
	free(n);
}

static void without_a_known_cause_they_come_back_one_by_one(void **state)
{
	struct world *t = *state;
	struct many *n = calloc(1, sizeof(*n));
	double s;

	define(t, n, false);
	for (unsigned int i = 0; i < MANY; i++)
		die(t, n, i);
	/* Those before the tenth were begun before anyone could know. */
	assert_int_equal(n->most, AT_ONCE);
	n->most = 0;
	n->under_way -= AT_ONCE;
	s = run(t, n);
	n->under_way += AT_ONCE;
	print_message("%u services back after %.1f s\n", n->up, s);
	assert_int_equal(n->up, MANY);
	assert_int_equal(n->escalated, 1);
	free(n);
}

static void a_few_failures_are_no_storm(void **state)
{
	struct world *t = *state;
	struct many *n = calloc(1, sizeof(*n));

	define(t, n, false);
	for (unsigned int i = 0; i < 9; i++)
		die(t, n, i);
	assert_false(km_storm_is(t->decide, t->w.now_ns));
	die(t, n, 8); /* again */
	assert_false(km_storm_is(t->decide, t->w.now_ns));
	wait_ns(t, 11 * SECOND);
	die(t, n, 9);
	assert_false(km_storm_is(t->decide, t->w.now_ns));
	assert_int_equal(n->escalated, 0);
	free(n);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		world_test(a_hundred_services_that_die_of_one_are_one_incident),
		world_test(without_a_known_cause_they_come_back_one_by_one),
		world_test(a_few_failures_are_no_storm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
