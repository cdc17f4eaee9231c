// SPDX-License-Identifier: Apache-2.0
/* The matcher's tables at the edge of each of their times and counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "match/memory.h"

#define S       KM_NS_PER_S
#define GAP     (180 * S)
#define SWEEP   (60 * S)
#define SINCE   (32 * KM_SERVICES_MAX)
#define WINDOWS (8 * KM_SERVICES_MAX)

static struct km_memory_at at(uint64_t service, uint64_t now_ns)
{
	return (struct km_memory_at){ .key = { .rule_key = 1, .service_id = service },
		                      .text = 5,
		                      .now_ns = now_ns };
}

static int begin(void **state)
{
	struct km_memory *m = calloc(1, sizeof(*m));

	assert_non_null(m);
	assert_int_equal(km_memory_init(m), 0);
	*state = m;
	return 0;
}

static int end(void **state)
{
	km_memory_done(*state);
	free(*state);
	return 0;
}

static int holds(struct km_memory *m, uint64_t service, uint64_t now_ns, uint64_t for_ns)
{
	const struct km_memory_at a = at(service, now_ns);

	return km_memory_holds(m, &a, for_ns);
}

static int counts(struct km_memory *m, uint64_t service, uint64_t now_ns, uint64_t within_ns)
{
	const struct km_memory_at a = at(service, now_ns);

	return km_memory_counts(m, &a, within_ns);
}

static void a_gap_of_its_whole_length_is_no_break_yet(void **state)
{
	struct km_memory *m = *state;
	struct km_memory_at a = at(1, 1000 * S);

	assert_int_equal(holds(m, 1, 1000 * S, 10 * S), 0);
	assert_int_equal(holds(m, 1, 1000 * S + GAP, 10 * S), 1);
	assert_int_equal(holds(m, 1, 1001 * S + 2 * GAP, 10 * S), 0);
	/* the same of a latch */
	assert_false(km_memory_latched(m, &(struct km_memory_at){ .key = { .service_id = 9 } }));
	a.now_ns = 1001 * S + 3 * GAP;
	assert_true(km_memory_latched(m, &a));
	a.now_ns++;
	assert_false(km_memory_latched(m, &a));
}

static void an_event_counts_to_the_end_of_its_window(void **state)
{
	struct km_memory *m = *state;

	/* soon after the start of the machine: what is not there did not happen at time 0 */
	assert_int_equal(counts(m, 1, S, 60 * S), 1);
	assert_int_equal(counts(m, 1, 61 * S, 60 * S), 2);
	assert_int_equal(counts(m, 1, 61 * S + 1, 60 * S), 2);
}

static void more_events_than_are_kept_are_as_many_as_are_kept(void **state)
{
	struct km_memory *m = *state;
	uint32_t slot = 0;

	for (int i = 1; i <= 3 * KM_EVENTS_MAX; i++)
		assert_int_equal(counts(m, 1, 1000 * S, 60 * S),
		                 i < KM_EVENTS_MAX ? i : KM_EVENTS_MAX);
	/* and nothing was written behind them: the row is still good */
	assert_int_equal(km_table_opts(m->windows)->valid(km_table_next(m->windows, &slot)), true);
}

/* As in memory.c: what a checkpoint holds. */
struct window {
	struct km_memory_key key;
	uint64_t text, expires_ns;
	uint32_t count, pad;
	uint64_t t_ns[KM_EVENTS_MAX];
};

static void windows_are_taken_from_a_checkpoint_up_to_their_bounds(void **state)
{
	struct km_memory *m = *state;
	bool (*valid)(const void *row) = km_table_opts(m->windows)->valid;
	struct window w = {
		.key = { .service_id = 1 }, .expires_ns = 100, .count = 1, .t_ns = { 100 }
	};

	assert_int_equal(km_table_opts(m->windows)->row_size, sizeof(w));
	assert_true(valid(&w));
	w.expires_ns = 99;
	assert_false(valid(&w));
	w.expires_ns = 100;
	w.count = 0;
	assert_false(valid(&w));
	/* two at one moment, and as many as are kept */
	w.count = KM_EVENTS_MAX;
	for (int i = 0; i < KM_EVENTS_MAX; i++)
		w.t_ns[i] = 100;
	assert_true(valid(&w));
	w.t_ns[3] = 101;
	assert_false(valid(&w));
	w.t_ns[3] = 100;
	w.count = KM_EVENTS_MAX + 1;
	assert_false(valid(&w));
	w.count = KM_EVENTS_MAX - 1;
	assert_false(valid(&w));
	w.count = KM_EVENTS_MAX;
	w.pad = 1;
	assert_false(valid(&w));
}

static void fill_since(struct km_memory *m, uint64_t now_ns)
{
	for (uint64_t i = 1; i <= SINCE; i++)
		assert_int_equal(holds(m, i, now_ns, S), 0);
}

static void a_full_table_is_searched_for_what_was_left_alone_for_longer_than_the_gap(void **state)
{
	struct km_memory *m = *state;

	fill_since(m, 1000 * S);
	assert_int_equal(holds(m, SINCE + 1, 1000 * S + GAP, S), -ENOSPC);
	assert_int_equal(km_memory_full(m), 1);
	/* a second search only after its time, however old the rows are by then */
	assert_int_equal(holds(m, SINCE + 1, 1000 * S + GAP + SWEEP - 1, S), -ENOSPC);
	assert_int_equal(km_memory_full(m), 2);
	assert_int_equal(holds(m, SINCE + 1, 1000 * S + GAP + SWEEP, S), 0);
	assert_int_equal(km_memory_full(m), 2);
}

static void a_full_table_of_windows_gives_up_those_that_are_over(void **state)
{
	struct km_memory *m = *state;

	for (uint64_t i = 1; i <= WINDOWS; i++)
		assert_int_equal(counts(m, i, 1000 * S, 10 * S), 1);
	assert_int_equal(counts(m, WINDOWS + 1, 1010 * S, 10 * S), -ENOSPC);
	assert_int_equal(counts(m, WINDOWS + 1, 1010 * S + SWEEP, 10 * S), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_gap_of_its_whole_length_is_no_break_yet),
		TEST(an_event_counts_to_the_end_of_its_window),
		TEST(more_events_than_are_kept_are_as_many_as_are_kept),
		TEST(windows_are_taken_from_a_checkpoint_up_to_their_bounds),
		TEST(a_full_table_is_searched_for_what_was_left_alone_for_longer_than_the_gap),
		TEST(a_full_table_of_windows_gives_up_those_that_are_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
