// SPDX-License-Identifier: Apache-2.0
/* Records that do not fit are counted, to the last one. */
#include "bpf/world.h"

static int stop(void **state)
{
	struct world *w = *state;

	world_stop(w, true);
	world_forget(w);
	return 0;
}

static void storm(int n)
{
	for (int i = 0; i < n; i++)
		reap(CHILD(_exit(0)));
}

/* No program runs any more when the counts stand still: the links are gone. */
static void silence(struct world *w)
{
	uint64_t before, now = UINT64_MAX;

	for (int i = 0; i < KM_PROG_MAX; i++)
		km_close(&w->collect->bpf.progs[i].link_fd);
	do {
		before = now;
		now = 0;
		usleep(50000);
		for (int ring = 0; ring < KMEND_RING_MAX; ring++)
			for (uint32_t t = 0; t < KMEND_TYPE_MAX; t++)
				now += km_bpf_count(&w->collect->bpf, ring, t).seen;
	} while (now != before);
}

static uint64_t delivered(const struct world *w, uint32_t type)
{
	uint64_t n = 0;

	for (size_t i = 0; i < w->count; i++)
		n += world_record(w, i)->type == type;
	return n;
}

static void told(const struct world *w, uint32_t type, uint64_t *seen, uint64_t *lost)
{
	*seen = *lost = 0;
	for (size_t i = 0; i < w->count; i++) {
		const struct km_raw_loss *l = (const void *)w->records[i];

		if (l->hdr.type != KM_RAW_LOSS || l->type != type)
			continue;
		*seen += l->seen;
		*lost += l->lost;
	}
}

static void check_exact(struct world *w, bool must_lose)
{
	uint64_t any = 0;

	for (uint32_t type = 1; type < KMEND_TASK; type++) {
		struct kmend_count must = km_bpf_count(&w->collect->bpf, KMEND_MUST, type);
		struct kmend_count bulk = km_bpf_count(&w->collect->bpf, KMEND_BULK, type);
		uint64_t seen, lost, lost_now = must.lost + bulk.lost;

		if (type == KMEND_RETRANSMIT)
			continue;
		assert_int_equal(must.seen + bulk.seen, delivered(w, type) + lost_now);
		told(w, type, &seen, &lost);
		assert_int_equal(lost, lost_now);
		assert_true(!lost || seen >= lost);
		any += lost;
	}
	assert_int_equal(any > 0, must_lose);
}

static void a_ring_of_one_page_loses_and_says_how_much(void **state)
{
	struct world *w = *state;
	struct km_collect_opts opts = { .bulk_bytes = 4096, .must_bytes = 4096 };

	world_start(w, &opts);
	storm(300); /* nobody reads */
	silence(w);
	assert_int_equal(km_rings_drain(w->collect), 0);
	assert_int_equal(km_losses_emit(w->collect), 0);
	check_exact(w, true);
}

static void what_fits_is_delivered_whole(void **state)
{
	struct world *w = *state;
	struct km_collect_opts opts = { 0 };

	world_start(w, &opts);
	storm(300);
	silence(w);
	assert_int_equal(km_rings_drain(w->collect), 0);
	assert_int_equal(km_losses_emit(w->collect), 0);
	check_exact(w, false);
	assert_true(delivered(w, KMEND_EXIT) >= 300);
}

static void a_loss_is_told_once(void **state)
{
	struct world *w = *state;
	struct km_collect_opts opts = { .bulk_bytes = 4096, .must_bytes = 4096 };
	size_t before;

	world_start(w, &opts);
	storm(100);
	silence(w);
	km_rings_drain(w->collect);
	assert_int_equal(km_losses_emit(w->collect), 0);
	before = w->count;
	assert_int_equal(km_losses_emit(w->collect), 0);
	assert_int_equal(w->count, before);
}

static void the_next_reader_is_told_what_was_lost_without_one(void **state)
{
	struct world *w = *state;
	struct km_collect_opts opts = { .pin_dir = w->pins,
		                        .bulk_bytes = 4096,
		                        .must_bytes = 4096 };
	uint64_t seen, lost;

	world_start(w, &opts);
	world_stop(w, false);
	storm(200);
	world_start(w, &opts);
	assert_true(w->collect->bpf.taken_over);
	world_forget(w);
	assert_int_equal(km_losses_emit(w->collect), 0);
	told(w, KMEND_EXIT, &seen, &lost);
	assert_true(lost > 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(a_ring_of_one_page_loses_and_says_how_much, stop),
		cmocka_unit_test_teardown(what_fits_is_delivered_whole, stop),
		cmocka_unit_test_teardown(a_loss_is_told_once, stop),
		cmocka_unit_test_teardown(the_next_reader_is_told_what_was_lost_without_one, stop),
	};

	if (!world_possible())
		return 0;
	return cmocka_run_group_tests(tests, world_enter, world_leave);
}
