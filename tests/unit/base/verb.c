// SPDX-License-Identifier: Apache-2.0
/* What verbs take: the rows themselves, and what they refuse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/verb.h"

static void every_row_can_be_used_and_is_told_apart(void **state)
{
	(void)state;
	for (size_t i = 0; i < km_verb_use_count; i++) {
		const struct km_verb_use *u = &km_verb_uses[i];

		assert_in_range(u->verb, KM_VERB_NONE + 1, KM_VERB_MAX - 1);
		assert_int_equal(u->amount != KM_AMOUNT_NONE, u->max != 0);
		assert_true(u->min <= u->max);
		assert_true(u->key || !u->object);
		assert_true(!u->object || km_verb_is_object(u->object));
		assert_ptr_equal(km_verb_use(u->verb, u->object ? u->object
		                                      : u->key  ? "any"
		                                                : ""),
		                 u);
		if (u->implied)
			assert_ptr_equal(km_verb_use(u->verb, ""), u);
	}
}

static void names_of_objects_are_no_paths_and_no_options(void **state)
{
	static const char *const bad[] = { "",    ".",   "..",    "-f", ".hidden",
		                           "a/b", "a b", "a\xc3", "a;b" };
	char longest[KM_OBJECT_MAX + 1];

	(void)state;
	for (size_t i = 0; i < KM_ARRAY_SIZE(bad); i++)
		assert_false(km_verb_is_object(bad[i]));
	assert_true(km_verb_is_object("var-log_1.2"));
	memset(longest, 'a', sizeof(longest));
	assert_false(km_verb_is_object(longest));
	longest[KM_OBJECT_MAX - 1] = '\0';
	assert_true(km_verb_is_object(longest));
}

static void what_is_out_of_range_is_a_fault(void **state)
{
	struct km_verb_args a = { 0 };

	(void)state;
	assert_null(km_verb_fault(KM_STOP, &a));
	assert_non_null(km_verb_fault(KM_RAISE_LIMIT, &a));
	a.amount = 1;
	assert_non_null(km_verb_fault(KM_STOP, &a));
	assert_null(km_verb_fault(KM_RAISE_LIMIT, &a));
	a.amount = (1ULL << 30) + 1;
	assert_non_null(km_verb_fault(KM_RAISE_LIMIT, &a));
	a.amount = 1;
	a.duration_ns = KM_FOR_MIN_NS;
	assert_non_null(km_verb_fault(KM_RAISE_LIMIT, &a));
}

/* The rule says what becomes of it, the engine adds which standby. */
static void a_failover_says_what_becomes_of_it_and_where_it_goes(void **state)
{
	struct km_verb_args a = { .object = "db" };

	(void)state;
	assert_non_null(km_verb_fault(KM_FAIL_OVER, &a));
	a.amount = 1;
	assert_null(km_verb_fault(KM_FAIL_OVER, &a));
	a.amount = 2 | 4 << 8;
	assert_null(km_verb_fault(KM_FAIL_OVER, &a));
	a.amount = 3;
	assert_non_null(km_verb_fault(KM_FAIL_OVER, &a));
	a.amount = 1 << 8;
	assert_non_null(km_verb_fault(KM_FAIL_OVER, &a));
	a.amount = 1 | 1 << 16;
	assert_non_null(km_verb_fault(KM_FAIL_OVER, &a));
	a.amount = 100000;
	assert_null(km_verb_fault(KM_FAIL_BACK, &a));
	a.amount = 1000001;
	assert_non_null(km_verb_fault(KM_FAIL_BACK, &a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_can_be_used_and_is_told_apart),
		cmocka_unit_test(names_of_objects_are_no_paths_and_no_options),
		cmocka_unit_test(what_is_out_of_range_is_a_fault),
		cmocka_unit_test(a_failover_says_what_becomes_of_it_and_where_it_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
