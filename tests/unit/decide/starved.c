// SPDX-License-Identifier: Apache-2.0
/* A service that is held up is not restarted for it, and what holds it up is named. */
#include "lib/value.h"
#include "world.h"

static void measure(struct world *t)
{
	assert_int_equal(km_measure_new(&t->w.measure), 0);
}

/* SIG of the service is VALUE now, per second if it is an amount. */
static void is(struct world *t, const struct km_service *s, enum km_sig sig, double value)
{
	struct km_subject subject = { .service = (struct km_service *)s };
	struct value_record r;
	struct km_raw_value *v = value_make(&r, sig, KM_ENTITY_SERVICE, "", value);
	struct km_signal signal = { .type = KM_RAW_VALUE, .t_ns = t->w.now_ns, .value = v };

	v->period_ns = v->window_ns = SECOND;
	assert_int_equal(km_measure_signal(t->w.measure, &signal, &subject), 0);
}

/* The rule speaks because its condition holds. */
static int holds(struct world *t)
{
	struct km_match m = { .rule = leak_rule(t),
		              .service_id = t->service[0]->id,
		              .t_ns = t->w.now_ns,
		              .spoke = KM_TRUE,
		              .scoped = true };

	return km_decide_match(t->decide, &t->w, &m);
}

static void refuses(struct world *t, const char *why)
{
	const struct km_decision *d;

	assert_int_equal(holds(t), 0);
	d = expect_no(t, KM_GUARD_STARVED);
	if (!strstr(d->reason, why))
		fail_msg("%s", d->reason);
	wait_ns(t, 11 * MINUTE); /* a refusal is said again */
}

static void what_is_held_up_is_not_restarted(void **state)
{
	struct world *t = *state;
	const struct km_service *s = t->service[0];
	struct km_service host = { .id = km_attribute_host_id() };

	measure(t);
	is(t, s, KM_SIG_SCHED_FROZEN, 1);
	refuses(t, "somebody froze its cgroup");
	is(t, s, KM_SIG_SCHED_FROZEN, 0);
	is(t, s, KM_SIG_SCHED_STOPPED, 3);
	refuses(t, "stopped it by a signal");
	is(t, s, KM_SIG_SCHED_STOPPED, 0);
	is(t, s, KM_SIG_SCHED_THROTTLED, 300000);
	refuses(t, "its own CPU quota");
	is(t, s, KM_SIG_SCHED_THROTTLED, 0);
	is(t, s, KM_SIG_SCHED_BLOCKED, 2);
	is(t, &host, KM_SIG_PSI_IO_FULL, 500000);
	refuses(t, "starved of storage");
	is(t, s, KM_SIG_SCHED_BLOCKED, 0);
	is(t, s, KM_SIG_MAJOR_FAULTS, 100);
	is(t, &host, KM_SIG_PSI_MEMORY_FULL, 500000);
	refuses(t, "starved of memory");
	km_measure_free(t->w.measure);
}

static void the_neighbour_that_takes_the_cpu_is_named(void **state)
{
	struct world *t = *state;

	measure(t);
	is(t, t->service[0], KM_SIG_SCHED_RUN_DELAY, 800000);
	is(t, t->service[0], KM_SIG_SCHED_CPU, 50000);
	is(t, t->service[1], KM_SIG_SCHED_CPU, 600000);
	is(t, t->service[2], KM_SIG_SCHED_CPU, 1430000);
	refuses(t, "it is starved of CPU: app-c uses 143 % of one, throttle that");
	km_measure_free(t->w.measure);
}

static void one_that_only_works_hard_is_not_starved(void **state)
{
	struct world *t = *state;

	measure(t);
	is(t, t->service[0], KM_SIG_SCHED_RUN_DELAY, 600000);
	is(t, t->service[0], KM_SIG_SCHED_CPU, 900000);
	assert_int_equal(holds(t), 0);
	expect(t, KM_ANSWER_ACT);
	km_measure_free(t->w.measure);
}

static void a_leak_is_no_matter_of_cpu(void **state)
{
	struct world *t = *state;

	measure(t);
	is(t, t->service[0], KM_SIG_SCHED_FROZEN, 1);
	assert_int_equal(speak(t, leak_rule(t), 0), 0);
	expect(t, KM_ANSWER_ACT);
	km_measure_free(t->w.measure);
}

static void one_that_is_down_is_dead_not_starved(void **state)
{
	struct world *t = *state;

	measure(t);
	is(t, t->service[0], KM_SIG_SCHED_FROZEN, 1);
	assert_int_equal(dies(t, 0), 0);
	expect(t, KM_ANSWER_ACT);
	km_measure_free(t->w.measure);
}

static void what_is_not_measured_refuses_nothing(void **state)
{
	struct world *t = *state;

	assert_int_equal(holds(t), 0);
	expect(t, KM_ANSWER_ACT);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		world_test(what_is_held_up_is_not_restarted),
		world_test(the_neighbour_that_takes_the_cpu_is_named),
		world_test(one_that_only_works_hard_is_not_starved),
		world_test(a_leak_is_no_matter_of_cpu),
		world_test(one_that_is_down_is_dead_not_starved),
		world_test(what_is_not_measured_refuses_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
