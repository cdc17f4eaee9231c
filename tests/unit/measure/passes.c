// SPDX-License-Identifier: Apache-2.0
/* What a pass makes of task and level records, and what begins a series anew. */
#include "unit/measure/host.h"

struct task {
	uint32_t tgid;
	uint64_t anon, shmem;
	uint32_t fds;
	uint64_t fds_limit;
	uint32_t threads;
};

static void task(struct host *h, const struct task *t)
{
	struct km_signal s = { .type = KMEND_TASK, .t_ns = h->now_ns, .cgroup_id = 51 };
	const struct km_subject subject = { .service = &h->service };

	s.task.tgid = t->tgid;
	s.task.start_ns = 900 * SECOND;
	s.task.anon_bytes = t->anon;
	s.task.shmem_bytes = t->shmem;
	s.task.file_bytes = 1ULL << 40; /* of the page cache: not counted */
	s.task.fds = t->fds;
	s.task.fds_limit = t->fds_limit;
	s.task.threads = t->threads;
	s.task.has = KMEND_HAS_RSS | KMEND_HAS_THREADS;
	if (t->fds)
		s.task.has |= KMEND_HAS_FDS | KMEND_HAS_LIMITS;
	assert_int_equal(km_measure_signal(h->m, &s, &subject), 0);
}

static void level(struct host *h, uint64_t cgroup_id, enum km_resource r, uint64_t value,
                  uint64_t limit)
{
	struct km_signal s = { .type = KM_RAW_LEVEL, .t_ns = h->now_ns, .cgroup_id = cgroup_id };
	const struct km_subject subject = { .service = &h->service };

	s.level.resource = r;
	s.level.level = value;
	s.level.limit = limit;
	assert_int_equal(km_measure_signal(h->m, &s, &subject), 0);
}

static void event(struct host *h, enum km_event e)
{
	struct km_signal s = { .type = KMEND_EXIT, .t_ns = h->now_ns };
	const struct km_subject subject = { .service = &h->service, .event = e };

	assert_int_equal(km_measure_signal(h->m, &s, &subject), 0);
}

static const struct km_features *features(struct host *h, enum km_resource r)
{
	return km_measure_features(h->m, 7, r);
}

static void assert_level(struct host *h, enum km_resource r, double value, double limit)
{
	const struct km_features *f = features(h, r);

	assert_non_null(f);
	assert_int_equal(f->measured, 1);
	if (fabs(f->level - value) > 0.5 || fabs(f->limit - limit) > 0.5)
		fail_msg("%s: %g of %g, not %g of %g", km_resource_names[r], f->level, f->limit,
		         value, limit);
}

static void a_service_never_seen_has_no_features(void **state)
{
	struct host *h = *state;

	assert_null(features(h, KM_MEMORY));
	assert_null(km_measure_ends(h->m, 7));
}

static void processes_are_summed_without_a_limit(void **state)
{
	struct host *h = *state;

	task(h, &(struct task){ .tgid = 1, .anon = 100, .shmem = 10, .threads = 3 });
	task(h, &(struct task){ .tgid = 2, .anon = 200, .threads = 4 });
	assert_int_equal(features(h, KM_MEMORY)->measured, 0); /* not before the pass is over */
	tick(h);
	assert_level(h, KM_MEMORY, 310, -1);
	assert_level(h, KM_THREADS, 7, -1);
	assert_null(features(h, KM_DESCRIPTORS));
	task(h, &(struct task){ .tgid = 1, .anon = 50, .threads = 1 });
	tick(h);
	assert_level(h, KM_MEMORY, 50, -1);
	assert_int_equal(features(h, KM_MEMORY)->samples, 2);
}

static void the_cgroups_own_figure_goes_before_the_sum(void **state)
{
	struct host *h = *state;

	task(h, &(struct task){ .tgid = 1, .anon = 100, .threads = 3 });
	level(h, 50, KM_MEMORY, 400, 1000);
	level(h, 50, KM_THREADS, 5, 64);
	level(h, 51, KM_MEMORY, 300, 500); /* of a cgroup below: part of the first */
	tick(h);
	assert_level(h, KM_MEMORY, 400, 1000);
	assert_level(h, KM_THREADS, 5, 64);
	/* Missing once: the sum is another quantity and does not fill the gap. */
	task(h, &(struct task){ .tgid = 1, .anon = 100, .threads = 3 });
	tick(h);
	assert_level(h, KM_MEMORY, 400, 1000);
	assert_int_equal(features(h, KM_MEMORY)->samples, 1);
}

static void the_sum_takes_over_when_the_cgroup_stays_silent(void **state)
{
	struct host *h = *state;

	for (int i = 0; i < 3; i++) {
		level(h, 50, KM_MEMORY, 400, 1000);
		tick(h);
	}
	for (int i = 0; i < 10; i++) {
		task(h, &(struct task){ .tgid = 1, .anon = 100, .threads = 3 });
		tick(h);
	}
	assert_level(h, KM_MEMORY, 100, -1);
}

static void no_limit_is_written_in_many_ways(void **state)
{
	struct host *h = *state;

	level(h, 50, KM_MEMORY, 400, KM_UNKNOWN);
	tick(h);
	assert_level(h, KM_MEMORY, 400, -1);
	level(h, 50, KM_MEMORY, 400, 9223372036854771712ULL);
	tick(h);
	assert_level(h, KM_MEMORY, 400, -1);
	level(h, 50, KM_MEMORY, KM_UNKNOWN, 1000);
	tick(h);
	assert_int_equal(features(h, KM_MEMORY)->samples, 2);
}

static void descriptors_are_the_fullest_processs(void **state)
{
	struct host *h = *state;

	task(h, &(struct task){ .tgid = 1, .fds = 500, .fds_limit = 100000 });
	task(h, &(struct task){ .tgid = 2, .fds = 50, .fds_limit = 100 });
	task(h, &(struct task){ .tgid = 3, .fds = 9000, .fds_limit = UINT64_MAX });
	tick(h);
	assert_level(h, KM_DESCRIPTORS, 50, 100);
	assert_int_equal(features(h, KM_DESCRIPTORS)->subject_tgid, 2);
	assert_int_equal(features(h, KM_DESCRIPTORS)->subject_start_ns, 900 * SECOND);
}

static void a_little_fuller_does_not_change_whose_descriptors_are_followed(void **state)
{
	struct host *h = *state;

	for (int i = 0; i < 10; i++) {
		task(h, &(struct task){ .tgid = 1, .fds = 50, .fds_limit = 100 });
		task(h, &(struct task){ .tgid = 2, .fds = 40 + 3 * (uint32_t)i, .fds_limit = 100 });
		tick(h);
	}
	assert_int_equal(features(h, KM_DESCRIPTORS)->subject_tgid, 1);
	assert_int_equal(features(h, KM_DESCRIPTORS)->samples, 10);
	task(h, &(struct task){ .tgid = 1, .fds = 50, .fds_limit = 100 });
	task(h, &(struct task){ .tgid = 2, .fds = 76, .fds_limit = 100 });
	tick(h);
	assert_int_equal(features(h, KM_DESCRIPTORS)->subject_tgid, 2);
	assert_int_equal(features(h, KM_DESCRIPTORS)->samples, 1);
}

static void another_process_follows_when_the_fullest_is_gone(void **state)
{
	struct host *h = *state;

	for (int i = 0; i < 3; i++) {
		task(h, &(struct task){ .tgid = 1, .fds = 50, .fds_limit = 100 });
		tick(h);
	}
	for (int i = 0; i < 8; i++) {
		task(h, &(struct task){ .tgid = 2, .fds = 5, .fds_limit = 100 });
		tick(h);
	}
	assert_int_equal(features(h, KM_DESCRIPTORS)->subject_tgid, 2);
	assert_level(h, KM_DESCRIPTORS, 5, 100);
}

static void a_tick_between_two_passes_adds_nothing(void **state)
{
	struct host *h = *state;

	task(h, &(struct task){ .tgid = 1, .anon = 100, .fds = 5, .fds_limit = 100 });
	tick(h);
	tick(h);
	assert_int_equal(features(h, KM_MEMORY)->samples, 1);
	assert_int_equal(features(h, KM_DESCRIPTORS)->samples, 1);
}

static void what_stays_silent_is_not_measured(void **state)
{
	struct host *h = *state;

	for (int i = 0; i < 10; i++) {
		task(h, &(struct task){ .tgid = 1, .anon = 100 });
		tick(h);
	}
	for (int i = 0; i < 6; i++)
		tick(h);
	assert_int_equal(features(h, KM_MEMORY)->measured, 0);
	task(h, &(struct task){ .tgid = 1, .anon = 100 });
	tick(h);
	assert_int_equal(features(h, KM_MEMORY)->measured, 1);
}

static void a_restarted_service_does_not_inherit_the_slope_of_the_old_one(void **state)
{
	struct host *h = *state;

	for (uint64_t i = 0; i < 20; i++) {
		level(h, 50, KM_MEMORY, 1000 * i, 100000);
		tick(h);
	}
	event(h, KM_EV_ENDED);
	assert_int_equal(features(h, KM_MEMORY)->measured, 0);
	event(h, KM_EV_STARTED);
	level(h, 50, KM_MEMORY, 10, 100000);
	tick(h);
	assert_int_equal(features(h, KM_MEMORY)->samples, 1);
	assert_true(fabs(features(h, KM_MEMORY)->fit[0].slope) < 1e-9);
	assert_true(features(h, KM_MEMORY)->fit[0].peak <= 10);
}

static void an_end(struct host *h, uint64_t lived_ns, uint32_t asked, uint32_t known)
{
	h->now_ns += 10 * SECOND;
	h->service.last = (struct km_ending){
		.t_ns = h->now_ns,
		.start_ns = h->now_ns - lived_ns,
		.exit_code = 256,
		.known = known,
		.asked = asked,
	};
	event(h, KM_EV_ENDED);
}

static void ends_are_kept_newest_first_and_only_if_unasked(void **state)
{
	struct host *h = *state;
	const struct km_ends *e;

	an_end(h, 5 * SECOND, 0, 1);
	an_end(h, 6 * SECOND, 1, 1);
	an_end(h, 7 * SECOND, 0, 0);
	e = km_measure_ends(h->m, 7);
	assert_int_equal(e->count, 2);
	assert_int_equal(e->lived_ns[0], 7 * SECOND);
	assert_int_equal(e->exit_code[0], UINT32_MAX);
	assert_int_equal(e->lived_ns[1], 5 * SECOND);
	assert_int_equal(e->exit_code[1], 256);
	for (int i = 0; i < 40; i++)
		an_end(h, SECOND, 0, 1);
	assert_int_equal(e->count, KM_ENDS_KEPT);
	assert_int_equal(e->total, 42);
}

static void old_ends_and_silent_series_are_forgotten(void **state)
{
	struct host *h = *state;

	an_end(h, SECOND, 0, 1);
	task(h, &(struct task){ .tgid = 1, .anon = 100 });
	tick(h);
	h->now_ns += 3600 * SECOND;
	tick(h);
	assert_null(features(h, KM_MEMORY));
	assert_non_null(km_measure_ends(h->m, 7));
	h->now_ns += 31ULL * 86400 * SECOND;
	tick(h);
	assert_null(km_measure_ends(h->m, 7));
}

static void a_full_table_of_ends_forgets_the_oldest(void **state)
{
	struct host *h = *state;

	for (uint64_t id = 1; id <= KM_SERVICES_MAX + 5; id++) {
		h->service.id = id;
		an_end(h, SECOND, 0, 1);
	}
	assert_null(km_measure_ends(h->m, 5));
	assert_non_null(km_measure_ends(h->m, 6));
	assert_non_null(km_measure_ends(h->m, KM_SERVICES_MAX + 5));
}

static void a_full_table_of_series_is_said(void **state)
{
	struct host *h = *state;
	struct km_signal s = { .type = KMEND_TASK, .t_ns = h->now_ns };
	struct km_subject subject = { .service = &h->service };
	unsigned int full = 0;

	s.task.has = KMEND_HAS_RSS | KMEND_HAS_THREADS | KMEND_HAS_FDS;
	s.task.tgid = 1;
	/* Three series each. */
	for (uint64_t id = 1; id <= KM_SERVICES_MAX * KM_RESOURCE_MAX / 3 + 4; id++) {
		h->service.id = id;
		full += km_measure_signal(h->m, &s, &subject) == -ENOSPC;
	}
	assert_int_equal(full, 4);
}

static void nonsense_in_a_restored_row_is_refused(void **state)
{
	struct host *h = *state;
	struct km_table *t[2];
	struct km_measure_row row;
	struct km_ends ends;
	uint32_t slot = 0;

	task(h, &(struct task){ .tgid = 1, .anon = 100 });
	an_end(h, SECOND, 0, 1);
	tick(h);
	assert_int_equal(km_measure_tables(h->m, t, 2), 2);
	memcpy(&row, km_table_next(t[0], &slot), sizeof(row));
	km_table_clear(t[0]);
	row.key.resource = KM_RESOURCE_MAX;
	assert_int_equal(km_table_restore(t[0], 0, &row), -EINVAL);
	row.key.resource = KM_MEMORY;
	row.series.scale[0].mean = NAN;
	assert_int_equal(km_table_restore(t[0], 0, &row), -EINVAL);
	row.series.scale[0].mean = 1;
	assert_int_equal(km_table_restore(t[0], 0, &row), 0);
	memcpy(&ends, km_measure_ends(h->m, 7), sizeof(ends));
	km_table_clear(t[1]);
	ends.count = KM_ENDS_KEPT + 1;
	assert_int_equal(km_table_restore(t[1], 0, &ends), -EINVAL);
	ends.count = 1;
	ends.exit_code[0] = 0x10000;
	assert_int_equal(km_table_restore(t[1], 0, &ends), -EINVAL);
}

#define ROW(fn) cmocka_unit_test_setup_teardown(fn, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(a_service_never_seen_has_no_features),
		ROW(processes_are_summed_without_a_limit),
		ROW(the_cgroups_own_figure_goes_before_the_sum),
		ROW(the_sum_takes_over_when_the_cgroup_stays_silent),
		ROW(no_limit_is_written_in_many_ways),
		ROW(descriptors_are_the_fullest_processs),
		ROW(a_little_fuller_does_not_change_whose_descriptors_are_followed),
		ROW(another_process_follows_when_the_fullest_is_gone),
		ROW(a_tick_between_two_passes_adds_nothing),
		ROW(what_stays_silent_is_not_measured),
		ROW(a_restarted_service_does_not_inherit_the_slope_of_the_old_one),
		ROW(ends_are_kept_newest_first_and_only_if_unasked),
		ROW(old_ends_and_silent_series_are_forgotten),
		ROW(a_full_table_of_ends_forgets_the_oldest),
		ROW(a_full_table_of_series_is_said),
		ROW(nonsense_in_a_restored_row_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
