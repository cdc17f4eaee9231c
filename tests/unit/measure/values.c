/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of values, events and host records: one newest value a signal. */
#include "lib/value.h"
#include "unit/measure/host.h"

static void feed(struct host *h, const struct km_signal *s)
{
	const struct km_subject subject = { .service = &h->service };

	assert_int_equal(km_measure_signal(h->m, s, &subject), 0);
}

static void event(struct host *h, uint16_t type)
{
	feed(h, &(struct km_signal){ .type = type, .t_ns = h->now_ns });
}

static void value(struct host *h, struct km_raw_value *v)
{
	feed(h, &(struct km_signal){ .type = KM_RAW_VALUE, .t_ns = h->now_ns, .value = v });
}

/* The end of a listing: of all, or without those that did not run. */
static void look(struct host *h, bool partial)
{
	const struct km_subject none = { 0 };
	struct km_signal s = { .type = KMEND_LISTED, .t_ns = h->now_ns };

	s.listed.partial = partial;
	assert_int_equal(km_measure_signal(h->m, &s, &none), 0);
}

static const struct km_value *get(struct host *h, enum km_sig sig)
{
	return km_measure_value(h->m, 7, sig);
}

static void what_was_never_seen_is_not_zero(void **state)
{
	struct host *h = *state;

	tick(h);
	assert_null(get(h, KM_SIG_EXITS));
	assert_null(get(h, KM_SIG_HOST_MEMORY));
	assert_null(get(h, KM_SIG_MAX));
}

static void events_become_a_rate_at_the_tick(void **state)
{
	struct host *h = *state;

	for (int i = 0; i < 3; i++)
		event(h, KMEND_EXIT);
	tick(h);
	assert_float_equal(get(h, KM_SIG_EXITS)->value, 3, 1e-9);
	tick(h);
	assert_float_equal(get(h, KM_SIG_EXITS)->value, 0, 1e-9);
	assert_int_equal(get(h, KM_SIG_EXITS)->measured, 1);
	assert_float_equal(get(h, KM_SIG_EXITS)->total, 3, 1e-9);
}

static void a_failed_connect_is_no_reset(void **state)
{
	struct host *h = *state;
	struct km_signal s = { .type = KMEND_TCP_STATE, .t_ns = h->now_ns };

	s.tcp_state.from = 2;
	feed(h, &s);
	s.tcp_state.from = 1;
	feed(h, &s);
	feed(h, &s);
	tick(h);
	assert_float_equal(get(h, KM_SIG_CONNECT_FAILURES)->value, 1, 1e-9);
	assert_float_equal(get(h, KM_SIG_RESETS)->value, 2, 1e-9);
}

static void the_memory_of_tasks_is_summed_a_pass(void **state)
{
	struct host *h = *state;
	struct km_signal s = { .type = KMEND_TASK, .t_ns = h->now_ns };

	s.task.has = KMEND_HAS_RSS;
	s.task.anon_bytes = 100;
	s.task.swap_bytes = 5;
	for (int pass = 0; pass < 2; pass++) {
		for (s.task.tgid = 1; s.task.tgid <= 2; s.task.tgid++)
			feed(h, &s);
		tick(h);
		assert_float_equal(get(h, KM_SIG_MEMORY_ANON)->value, 200, 1e-9);
		assert_float_equal(get(h, KM_SIG_MEMORY_SWAP)->value, 10, 1e-9);
	}
	tick(h); /* a pass that looked at no task says nothing new */
	assert_float_equal(get(h, KM_SIG_MEMORY_ANON)->value, 200, 1e-9);
}

static void what_processes_used_is_told_a_second_since_the_last_look(void **state)
{
	struct host *h = *state;
	struct km_signal s = { .type = KMEND_SCHED, .t_ns = h->now_ns };
	struct km_subject subject = { .service = &h->service };

	subject.use.cpu_ns = SECOND / 2;
	s.sched.blocked = 3;
	for (s.sched.tgid = 1; s.sched.tgid <= 2; s.sched.tgid++)
		assert_int_equal(km_measure_signal(h->m, &s, &subject), 0);
	look(h, true);
	tick(h);
	assert_float_equal(get(h, KM_SIG_SCHED_CPU)->value, 1e6, 1);
	assert_float_equal(get(h, KM_SIG_SCHED_BLOCKED)->value, 6, 1e-9);
	assert_float_equal(get(h, KM_SIG_ZOMBIES)->value, 0, 1e-9);
	tick(h); /* passes without a look change nothing */
	tick(h);
	assert_float_equal(get(h, KM_SIG_SCHED_CPU)->value, 1e6, 1);
	subject.use.cpu_ns = 4 * SECOND;
	assert_int_equal(km_measure_signal(h->m, &s, &subject), 0);
	look(h, true);
	tick(h);
	assert_float_equal(get(h, KM_SIG_SCHED_CPU)->value, 4e6 / 3, 1);
}

static void a_process_that_did_not_run_has_what_it_had(void **state)
{
	struct host *h = *state;
	struct km_signal t = { .type = KMEND_TASK, .t_ns = h->now_ns };
	struct km_signal d = { .type = KMEND_SCHED, .t_ns = h->now_ns };
	struct km_signal end = { .type = KMEND_EXIT, .t_ns = h->now_ns, .exit.tgid = 2 };

	t.task.has = KMEND_HAS_RSS;
	t.task.anon_bytes = 100;
	d.sched.blocked = 1;
	for (uint32_t tgid = 1; tgid <= 3; tgid++) {
		t.task.tgid = d.sched.tgid = tgid;
		feed(h, &t);
		feed(h, &d);
	}
	look(h, false);
	tick(h);
	t.task.tgid = 1;
	t.task.anon_bytes = 150;
	feed(h, &t);
	look(h, true);
	tick(h);
	assert_float_equal(get(h, KM_SIG_MEMORY_ANON)->value, 350, 1e-9);
	assert_float_equal(get(h, KM_SIG_SCHED_BLOCKED)->value, 3, 1e-9);
	assert_float_equal(get(h, KM_SIG_SCHED_CPU)->value, 0, 1e-9);
	/* One has ended; */
	feed(h, &end);
	look(h, true);
	tick(h);
	assert_float_equal(get(h, KM_SIG_MEMORY_ANON)->value, 250, 1e-9);
	/* and who is missing when all are listed is gone. */
	feed(h, &t);
	look(h, false);
	tick(h);
	assert_float_equal(get(h, KM_SIG_MEMORY_ANON)->value, 150, 1e-9);
}

static void a_zombie_counts_as_long_as_it_is_listed(void **state)
{
	struct host *h = *state;
	struct km_signal d = { .type = KMEND_SCHED, .t_ns = h->now_ns };

	d.sched.tgid = 7;
	d.sched.zombie = 1;
	feed(h, &d);
	look(h, true);
	tick(h);
	assert_float_equal(get(h, KM_SIG_ZOMBIES)->value, 1, 1e-9);
	d.sched.tgid = 8;
	d.sched.zombie = 0;
	feed(h, &d);
	look(h, true);
	tick(h);
	assert_float_equal(get(h, KM_SIG_ZOMBIES)->value, 0, 1e-9);
}

static void an_amount_is_told_a_second_with_its_error(void **state)
{
	struct host *h = *state;
	struct value_record r;
	struct km_raw_value *v = value_make(&r, KM_SIG_RETRANSMITS, KM_ENTITY_SERVICE, "", 60);

	v->error = 6;
	v->period_ns = 2 * SECOND;
	v->window_ns = SECOND / 2;
	/* Values of signals that records count as well would mix: another one stands in. */
	v->signal = KM_SIG_PSI_CPU_SOME;
	value(h, v);
	assert_float_equal(get(h, KM_SIG_PSI_CPU_SOME)->value, 60, 1e-9);
	assert_float_equal(get(h, KM_SIG_PSI_CPU_SOME)->error, 6, 1e-9);
	assert_int_equal(get(h, KM_SIG_PSI_CPU_SOME)->window_ns, SECOND / 2);
}

static void a_level_with_a_limit_is_a_series(void **state)
{
	struct host *h = *state;
	struct km_signal s = { .type = KM_RAW_HOST, .t_ns = h->now_ns };
	uint32_t slot = 0;

	s.host.memory_total_bytes = 1000;
	s.host.memory_available_bytes = 400;
	s.host.files_open = 5;
	s.host.files_max = 50;
	s.host.psi_measured = 1;
	s.host.psi_io_full_ppm = 77;
	feed(h, &s);
	tick(h);
	assert_float_equal(get(h, KM_SIG_HOST_MEMORY)->value, 600, 1e-9);
	assert_float_equal(get(h, KM_SIG_HOST_MEMORY)->limit, 1000, 1e-9);
	assert_float_equal(km_measure_features(h->m, 7, KM_HOST_FILES)->level, 5, 1e-9);
	assert_float_equal(get(h, KM_SIG_PSI_IO_FULL)->value, 77, 1e-9);
	assert_int_equal(km_measure_next_value(h->m, &slot)->service_id, 7);
}

static void silence_is_not_measured_and_then_forgotten(void **state)
{
	struct host *h = *state;
	struct value_record r;

	value(h, value_make(&r, KM_SIG_PSI_CPU_SOME, KM_ENTITY_HOST, "", 9));
	h->now_ns += 120 * SECOND;
	tick(h);
	assert_int_equal(get(h, KM_SIG_PSI_CPU_SOME)->measured, 1);
	h->now_ns += 10 * SECOND;
	tick(h);
	assert_int_equal(get(h, KM_SIG_PSI_CPU_SOME)->measured, 0);
	h->now_ns += 3600 * SECOND;
	tick(h);
	assert_null(get(h, KM_SIG_PSI_CPU_SOME));
}

static void nonsense_in_a_restored_row_is_refused(void **state)
{
	struct host *h = *state;
	struct km_table *t[3];
	struct km_value row = { .service_id = 7, .signal = KM_SIG_EXITS, .limit = -1 };

	assert_int_equal(km_measure_tables(h->m, t, 3), 3);
	row.value = NAN;
	assert_int_equal(km_table_restore(t[2], 0, &row), -EINVAL);
	row.value = 1;
	row.signal = KM_SIG_MAX;
	assert_int_equal(km_table_restore(t[2], 0, &row), -EINVAL);
	row.signal = KM_SIG_MEMORY; /* its place is the series */
	assert_int_equal(km_table_restore(t[2], 0, &row), -EINVAL);
	row.signal = KM_SIG_EXITS;
	assert_int_equal(km_table_restore(t[2], 0, &row), 0);
	assert_int_equal(km_table_restore(t[2], km_table_opts(t[2])->rows_max, &row), -EINVAL);
}

#define ROW(fn) cmocka_unit_test_setup_teardown(fn, begin, end)

static void health_checks_say_how_long_they_take_and_how_long_a_certificate_lasts(void **state)
{
	struct host *h = *state;
	struct km_signal s = { .type = KM_RAW_HEALTH, .t_ns = h->now_ns };
	const struct km_value *v;

	s.health.believe_ns = 60 * SECOND;
	h->service.latency_ns = 5 * KM_NS_PER_MS;
	feed(h, &s);
	v = km_measure_value(h->m, 7, KM_SIG_HEALTH_LATENCY);
	assert_non_null(v);
	assert_true(v->measured && v->value == 5000);
	assert_null(km_measure_value(h->m, 7, KM_SIG_CERTIFICATE_LEFT));
	h->service.certificate_life_s = 1000;
	h->service.certificate_used_s = 400;
	feed(h, &s);
	assert_true(km_measure_value(h->m, 7, KM_SIG_CERTIFICATE_LEFT)->value == 600);
	h->service.certificate_used_s = 2000;
	feed(h, &s);
	assert_true(km_measure_value(h->m, 7, KM_SIG_CERTIFICATE_LEFT)->value == 0);
	/* believed for so long, and no longer */
	h->now_ns += 60 * SECOND;
	km_measure_tick(h->m, h->now_ns);
	assert_true(km_measure_value(h->m, 7, KM_SIG_HEALTH_LATENCY)->measured);
	h->now_ns += SECOND;
	km_measure_tick(h->m, h->now_ns);
	assert_false(km_measure_value(h->m, 7, KM_SIG_HEALTH_LATENCY)->measured);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(what_was_never_seen_is_not_zero),
		ROW(events_become_a_rate_at_the_tick),
		ROW(a_failed_connect_is_no_reset),
		ROW(the_memory_of_tasks_is_summed_a_pass),
		ROW(what_processes_used_is_told_a_second_since_the_last_look),
		ROW(a_process_that_did_not_run_has_what_it_had),
		ROW(a_zombie_counts_as_long_as_it_is_listed),
		ROW(an_amount_is_told_a_second_with_its_error),
		ROW(a_level_with_a_limit_is_a_series),
		ROW(silence_is_not_measured_and_then_forgotten),
		ROW(nonsense_in_a_restored_row_is_refused),
		ROW(health_checks_say_how_long_they_take_and_how_long_a_certificate_lasts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
