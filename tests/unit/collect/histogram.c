// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "collect/internal.h"

static void each_bucket_ends_at_most_a_quarter_behind_its_begin(void **state)
{
	(void)state;
	assert_int_equal(km_hist_edge_ns(0), 128);
	assert_int_equal(km_hist_edge_ns(1), 160);
	assert_int_equal(km_hist_edge_ns(4), 256);
	for (uint32_t i = 1; i < KMEND_BUCKETS; i++) {
		assert_true(km_hist_edge_ns(i) > km_hist_edge_ns(i - 1));
		assert_true(4 * km_hist_edge_ns(i) <= 5 * km_hist_edge_ns(i - 1));
	}
	assert_true(km_hist_edge_ns(KMEND_BUCKETS - 1) > 34 * KM_NS_PER_S);
}

static void a_quantile_is_the_end_of_its_bucket(void **state)
{
	struct kmend_hist h = { 0 };

	(void)state;
	assert_int_equal(km_hist_quantile(&h, 0.99), 0);
	h.bucket[10] = 99;
	h.bucket[20] = 1;
	assert_int_equal(km_hist_quantile(&h, 0.99), km_hist_edge_ns(10));
	h.bucket[20] = 2;
	assert_int_equal(km_hist_quantile(&h, 0.99), km_hist_edge_ns(20));
	assert_int_equal(km_hist_quantile(&h, 0.5), km_hist_edge_ns(10));
}

static void counts_that_wrap_are_no_trouble_to_the_sum(void **state)
{
	struct kmend_hist h = { 0 };

	(void)state;
	h.bucket[1] = UINT32_MAX;
	h.bucket[2] = UINT32_MAX;
	assert_int_equal(km_hist_quantile(&h, 0.4), km_hist_edge_ns(1));
	assert_int_equal(km_hist_quantile(&h, 1), km_hist_edge_ns(2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_bucket_ends_at_most_a_quarter_behind_its_begin),
		cmocka_unit_test(a_quantile_is_the_end_of_its_bucket),
		cmocka_unit_test(counts_that_wrap_are_no_trouble_to_the_sum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
