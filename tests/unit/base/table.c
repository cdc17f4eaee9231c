// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/table.h"

struct row {
	uint64_t key[2];
	uint64_t value[2];
};

static bool value_is_small(const void *row)
{
	return ((const struct row *)row)->value[0] < 1000;
}

static struct km_table *new_table(uint32_t rows_max)
{
	struct km_table_opts opts = {
		.name = "test",
		.rows_max = rows_max,
		.row_size = sizeof(struct row),
		.key_size = 16,
		.valid = value_is_small,
	};
	struct km_table *t = NULL;

	assert_int_equal(km_table_new(&opts, &t), 0);
	return t;
}

static struct row *put(struct km_table *t, uint64_t key, int expected)
{
	uint64_t full[2] = { key, ~key };
	struct row *row = NULL;

	assert_int_equal(km_table_put(t, full, &row), expected);
	return row;
}

static struct row *get(const struct km_table *t, uint64_t key)
{
	uint64_t full[2] = { key, ~key };

	return km_table_get(t, full);
}

static void drop(struct km_table *t, uint64_t key)
{
	uint64_t full[2] = { key, ~key };

	km_table_drop(t, full);
}

static void a_new_row_is_zeroed_behind_its_key(void **state)
{
	km_autofree(km_table_freep) struct km_table *t = new_table(8);
	struct row *row;

	(void)state;
	assert_null(get(t, 5));
	row = put(t, 5, 1);
	assert_int_equal(row->key[0], 5);
	assert_int_equal(row->value[0], 0);
	row->value[0] = 7;
	assert_ptr_equal(put(t, 5, 0), row);
	assert_int_equal(get(t, 5)->value[0], 7);
	drop(t, 5);
	assert_null(get(t, 5));
	drop(t, 5);
	assert_int_equal(put(t, 6, 1)->value[0], 0);
	assert_int_equal(km_table_count(t), 1);
}

static void a_full_table_refuses_one_more_and_keeps_what_it_has(void **state)
{
	km_autofree(km_table_freep) struct km_table *t = new_table(130);
	struct row *untouched = (struct row *)t;
	uint64_t key[2] = { 1000, 1000 };
	uint64_t i;

	(void)state;
	for (i = 0; i < 130; i++)
		put(t, i, 1);
	assert_int_equal(km_table_put(t, key, &untouched), -ENOSPC);
	assert_ptr_equal(untouched, t);
	assert_int_equal(km_table_count(t), 130);
	for (i = 0; i < 130; i++)
		put(t, i, 0);
	drop(t, 77);
	assert_int_equal(km_table_put(t, key, &untouched), 1);
}

static void the_lowest_free_slot_is_taken(void **state)
{
	km_autofree(km_table_freep) struct km_table *t = new_table(200);
	struct row *lower, *higher;
	uint64_t i;

	(void)state;
	for (i = 0; i < 200; i++)
		put(t, i, 1);
	lower = get(t, 64);
	higher = get(t, 150);
	drop(t, 150);
	drop(t, 64);
	assert_ptr_equal(put(t, 1000, 1), lower);
	assert_ptr_equal(put(t, 1001, 1), higher);
}

static void iteration_goes_by_slot_and_allows_dropping_the_row(void **state)
{
	km_autofree(km_table_freep) struct km_table *t = new_table(200);
	uint32_t slot = 0, seen = 0;
	struct row *row;
	uint64_t i;

	(void)state;
	assert_null(km_table_next(t, &slot));
	for (i = 0; i < 200; i++)
		put(t, i * 3, 1);
	for (slot = 0; (row = km_table_next(t, &slot)); seen++) {
		assert_int_equal(row->key[0], seen * 3);
		assert_int_equal(slot, seen + 1);
		if (seen % 2)
			drop(t, row->key[0]);
	}
	assert_int_equal(seen, 200);
	assert_int_equal(km_table_count(t), 100);
	for (slot = 0, seen = 0; (row = km_table_next(t, &slot)); seen++)
		assert_int_equal(row->key[0], seen * 6);
	assert_int_equal(seen, 100);
	assert_null(km_table_next(t, &slot));
}

static void rows_do_not_move_while_others_come_and_go(void **state)
{
	km_autofree(km_table_freep) struct km_table *t = new_table(5000);
	struct row *row = put(t, 1, 1);
	uint64_t i;

	(void)state;
	for (i = 2; i < 5000; i++)
		put(t, i, 1);
	for (i = 2; i < 5000; i += 2)
		drop(t, i);
	assert_ptr_equal(get(t, 1), row);
}

/* A plain array says what the table must say, over many random puts and drops. */
static void it_agrees_with_a_plain_array_after_many_changes(void **state)
{
	km_autofree(km_table_freep) struct km_table *t = new_table(512);
	bool there[1024] = { false };
	uint32_t random = 1, count = 0, i;

	(void)state;
	for (i = 0; i < 200000; i++) {
		uint32_t key;

		random = random * 1664525 + 1013904223;
		key = random >> 22;
		if (random >> 21 & 1) {
			drop(t, key);
			count -= there[key];
			there[key] = false;
		} else if (there[key] || count < 512) {
			put(t, key, !there[key]);
			count += !there[key];
			there[key] = true;
		}
		assert_int_equal(km_table_count(t), count);
		assert_int_equal(get(t, key) != NULL, there[key]);
	}
	for (i = 0; i < 1024; i++)
		assert_int_equal(get(t, i) != NULL, there[i]);
}

static void the_largest_process_table_can_be_filled(void **state)
{
	struct km_table_opts opts = {
		.name = "processes", .rows_max = KM_PROCESSES_MAX, .row_size = 256, .key_size = 16
	};
	km_autofree(km_table_freep) struct km_table *t = NULL;
	uint64_t i;

	(void)state;
	assert_int_equal(km_table_new(&opts, &t), 0);
	for (i = 0; i < KM_PROCESSES_MAX; i++)
		put(t, i, 1);
	put(t, KM_PROCESSES_MAX, -ENOSPC);
	for (i = 0; i < KM_PROCESSES_MAX; i++)
		assert_non_null(get(t, i));
}

static void a_cleared_table_is_as_new(void **state)
{
	km_autofree(km_table_freep) struct km_table *t = new_table(100);
	struct row *first = put(t, 1, 1);
	uint32_t slot = 0;
	uint64_t i;

	(void)state;
	for (i = 2; i <= 100; i++)
		put(t, i, 1);
	km_table_clear(t);
	assert_int_equal(km_table_count(t), 0);
	assert_null(km_table_next(t, &slot));
	assert_null(get(t, 1));
	assert_ptr_equal(put(t, 50, 1), first);
}

static void a_copy_by_restore_has_the_same_order_and_the_same_future(void **state)
{
	km_autofree(km_table_freep) struct km_table *a = new_table(100);
	km_autofree(km_table_freep) struct km_table *b = new_table(100);
	uint32_t slot = 0, other = 0;
	struct row *row;
	uint64_t i;

	(void)state;
	for (i = 0; i < 80; i++)
		put(a, i, 1)->value[0] = i;
	for (i = 0; i < 80; i += 3)
		drop(a, i);
	while ((row = km_table_next(a, &slot)))
		assert_int_equal(km_table_restore(b, slot - 1, row), 0);
	for (i = 200; i < 240; i++) {
		put(a, i, 1);
		put(b, i, 1);
	}
	for (slot = 0; (row = km_table_next(a, &slot));)
		assert_memory_equal(km_table_next(b, &other), row, sizeof(*row));
	assert_int_equal(km_table_count(a), km_table_count(b));
}

static void a_restore_refuses_nonsense(void **state)
{
	km_autofree(km_table_freep) struct km_table *t = new_table(100);
	struct row row = { .key = { 1, ~1ULL } }, bad = { .key = { 2, 2 }, .value = { 1000, 0 } };

	(void)state;
	assert_int_equal(km_table_restore(t, 100, &row), -EINVAL);
	assert_int_equal(km_table_restore(t, UINT32_MAX, &row), -EINVAL);
	assert_int_equal(km_table_restore(t, 99, &row), 0);
	assert_int_equal(km_table_restore(t, 98, &row), -EINVAL);
	row.key[0] = 3;
	assert_int_equal(km_table_restore(t, 99, &row), -EINVAL);
	assert_int_equal(km_table_restore(t, 0, &bad), -EINVAL);
	assert_int_equal(km_table_count(t), 1);
	assert_non_null(get(t, 1));
}

static void options_that_break_a_rule_are_refused(void **state)
{
	static const struct km_table_opts bad[] = {
		{ "no rows", 0, 16, 8, .valid = NULL },
		{ "no size", 1, 0, 0, .valid = NULL },
		{ "odd row", 1, 12, 8, .valid = NULL },
		{ "odd key", 1, 16, 4, .valid = NULL },
		{ "no key", 1, 16, 0, .valid = NULL },
		{ "key over row", 1, 8, 16, .valid = NULL },
		{ "over the maximum", KM_TABLE_ROWS_MAX + 1, 8, 8, .valid = NULL },
	};
	struct km_table *t = NULL;
	size_t i;

	(void)state;
	for (i = 0; i < KM_ARRAY_SIZE(bad); i++)
		assert_int_equal(km_table_new(&bad[i], &t), -EINVAL);
	assert_null(t);
	assert_null(km_table_free(NULL));
}

static void the_largest_table_costs_nothing_until_it_is_used(void **state)
{
	struct km_table_opts opts = {
		.name = "large", .rows_max = KM_TABLE_ROWS_MAX, .row_size = 8, .key_size = 8
	};
	km_autofree(km_table_freep) struct km_table *t = NULL;
	uint64_t key = 7, *row = NULL;

	(void)state;
	assert_int_equal(km_table_new(&opts, &t), 0);
	assert_int_equal(km_table_put(t, &key, &row), 1);
	assert_int_equal(*row, 7);
	assert_string_equal(km_table_opts(t)->name, "large");
}

static void the_generation_changes_when_a_row_comes_or_goes(void **state)
{
	km_autofree(km_table_freep) struct km_table *t = new_table(8);
	uint64_t before = km_table_generation(t);

	(void)state;
	put(t, 1, 1);
	assert_int_not_equal(km_table_generation(t), before);
	before = km_table_generation(t);
	put(t, 1, 0);
	assert_int_equal(km_table_generation(t), before);
	drop(t, 1);
	assert_int_not_equal(km_table_generation(t), before);
	before = km_table_generation(t);
	drop(t, 1);
	assert_int_equal(km_table_generation(t), before);
	km_table_clear(t);
	assert_int_not_equal(km_table_generation(t), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_row_is_zeroed_behind_its_key),
		cmocka_unit_test(a_full_table_refuses_one_more_and_keeps_what_it_has),
		cmocka_unit_test(the_lowest_free_slot_is_taken),
		cmocka_unit_test(iteration_goes_by_slot_and_allows_dropping_the_row),
		cmocka_unit_test(rows_do_not_move_while_others_come_and_go),
		cmocka_unit_test(it_agrees_with_a_plain_array_after_many_changes),
		cmocka_unit_test(the_largest_process_table_can_be_filled),
		cmocka_unit_test(a_cleared_table_is_as_new),
		cmocka_unit_test(a_copy_by_restore_has_the_same_order_and_the_same_future),
		cmocka_unit_test(a_restore_refuses_nonsense),
		cmocka_unit_test(the_generation_changes_when_a_row_comes_or_goes),
		cmocka_unit_test(options_that_break_a_rule_are_refused),
		cmocka_unit_test(the_largest_table_costs_nothing_until_it_is_used),
	};

	return cmocka_run_group_tests_name("base/table", tests, NULL, NULL);
}
