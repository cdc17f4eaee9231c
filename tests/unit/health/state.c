// SPDX-License-Identifier: Apache-2.0
/* When checks are due and what their results mean. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include "health/internal.h"

static const struct km_health_check two_of_three = { .rise = 2, .fall = 3 };

static void a_state_changes_only_after_enough_results_in_a_row(void **state)
{
	static const struct {
		enum km_probe_end end;
		enum km_health then;
	} course[] = {
		{ KM_PROBE_BAD, KM_HEALTH_UNKNOWN },
		{ KM_PROBE_GOOD, KM_HEALTHY },
		{ KM_PROBE_BAD, KM_HEALTHY },
		{ KM_PROBE_BAD, KM_HEALTHY },
		{ KM_PROBE_GOOD, KM_HEALTHY },
		{ KM_PROBE_BAD, KM_HEALTHY },
		{ KM_PROBE_BAD, KM_HEALTHY },
		{ KM_PROBE_BAD, KM_UNHEALTHY },
		{ KM_PROBE_GOOD, KM_UNHEALTHY },
		{ KM_PROBE_BAD, KM_UNHEALTHY },
		{ KM_PROBE_GOOD, KM_UNHEALTHY },
		{ KM_PROBE_GOOD, KM_HEALTHY },
		{ KM_PROBE_NOT_MEASURED, KM_HEALTH_UNKNOWN },
		{ KM_PROBE_BAD, KM_HEALTH_UNKNOWN },
		{ KM_PROBE_BAD, KM_HEALTH_UNKNOWN },
		{ KM_PROBE_BAD, KM_UNHEALTHY },
	};
	struct km_probe_state s = { 0 };

	(void)state;
	for (size_t i = 0; i < KM_ARRAY_SIZE(course); i++) {
		enum km_health before = s.health;
		bool changed = km_probe_count(&s, course[i].end, &two_of_three);

		if (s.health != course[i].then)
			fail_msg("after result %zu: %s", i, km_health_names[s.health]);
		assert_int_equal(changed, before != s.health);
	}
}

static void a_check_has_its_own_place_in_the_period_and_keeps_it(void **state)
{
	const uint64_t every = KM_NS_PER_S;
	uint64_t a = km_probe_first_ns("web", "tcp", every, 100 * every + 7);
	uint64_t later = km_probe_first_ns("web", "tcp", every, 200 * every + 11);
	size_t same = 0;

	(void)state;
	assert_true(a >= 100 * every + 7 && a < 101 * every + 7);
	assert_true(a % every == later % every);
	assert_true(km_probe_next_ns(a, every, a + 1) == a + every);
	assert_true(km_probe_next_ns(a, every, a + 5 * every + 3) == a + 6 * every);
	assert_true(km_probe_next_ns(a, every, a + every) == a + 2 * every);
	for (int i = 0; i < 100; i++) {
		char name[16];

		snprintf(name, sizeof(name), "s%d", i);
		same += km_probe_first_ns(name, "tcp", every, 100 * every) / (every / 10) ==
		        a / (every / 10);
	}
	assert_true(same < 30); /* of 100 in one tenth of a second */
}

static void what_is_due_first_comes_first(void **state)
{
	struct km_check checks[64] = { 0 };
	struct km_check *heap[64] = { NULL };
	struct km_prober p = { .heap = heap };
	uint64_t last = 0;

	(void)state;
	for (size_t i = 0; i < KM_ARRAY_SIZE(checks); i++) {
		checks[i].at_ns = 1 + i * 37 % 64;
		km_heap_put(&p, &checks[i]);
	}
	for (size_t i = 0; i < KM_ARRAY_SIZE(checks); i += 3) {
		checks[i].at_ns = 1 + i * 11 % 97;
		km_heap_move(&p, &checks[i]);
	}
	km_heap_drop(&p, &checks[5]);
	for (size_t n = 63; n > 0; n--) {
		assert_int_equal(p.heap_count, n);
		assert_true(heap[0]->at_ns >= last);
		assert_ptr_not_equal(heap[0], &checks[5]);
		last = heap[0]->at_ns;
		km_heap_drop(&p, heap[0]);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_state_changes_only_after_enough_results_in_a_row),
		cmocka_unit_test(a_check_has_its_own_place_in_the_period_and_keeps_it),
		cmocka_unit_test(what_is_due_first_comes_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
