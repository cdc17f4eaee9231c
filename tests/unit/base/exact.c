// SPDX-License-Identifier: Apache-2.0
/* As good as libm, and the same bits on every machine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <float.h>
#include <math.h>
#include <string.h>

#include "base/base.h"
#include "base/exact.h"

static void assert_close(double is, double should)
{
	if (!(fabs(is - should) <= 4e-15 * fabs(should)))
		fail_msg("%.17g is not %.17g", is, should);
}

static void they_are_what_libm_says(void **state)
{
	(void)state;
	for (int i = 0; i <= 4000; i++) {
		double x = i * 0.0173;

		assert_close(km_exact_fade(x), exp(-x));
		assert_close(km_exact_fade(x / 70000), exp(-x / 70000));
		x = km_exact_cbrt(i / 4000.0);
		assert_close(x * x * x, i / 4000.0);
	}
}

static void logarithms_are_near_to_libm(void **state)
{
	double x = 1e-300;

	(void)state;
	for (int i = 0; i < 4100; i++, x *= 1.4) {
		assert_true(fabs(km_exact_log(x) - log(x)) <= 1e-8 * fmax(1, fabs(log(x))));
		assert_true(fabs(km_exact_asinh(x) - asinh(x)) <= 1e-7);
		assert_true(km_exact_asinh(-x) == -km_exact_asinh(x));
	}
}

static void nonsense_gives_a_number(void **state)
{
	static const double odd[] = { 0, -1, NAN, INFINITY, -INFINITY, DBL_MIN / 4 };

	(void)state;
	for (size_t i = 0; i < KM_ARRAY_SIZE(odd); i++)
		assert_true(km_exact_log(odd[i]) == km_exact_log(DBL_MIN));
	assert_true(isfinite(km_exact_asinh(DBL_MAX)));
}

static void the_ends_are_sound(void **state)
{
	(void)state;
	assert_true(km_exact_fade(0) == 1);
	assert_true(km_exact_fade(INFINITY) == 0);
	assert_true(km_exact_fade(NAN) == 0);
	assert_true(km_exact_fade(699.9) > 0);
	assert_true(km_exact_log(1) == 0);
	assert_true(km_exact_cbrt(1) == 1);
	assert_true(km_exact_cbrt(0) == 0);
	assert_true(km_exact_cbrt(1e-300) > 0);
}

/* Bits of all results together, as they came out on x86-64. */
static void the_bits_are_the_same_on_every_machine(void **state)
{
	uint64_t hash = 0;

	(void)state;
	for (int i = 1; i <= 4000; i++) {
		double r[] = { km_exact_fade(i * 0.0173), km_exact_fade(i * 2.4e-7),
			       km_exact_log(i * 0.37), km_exact_asinh(i * 0.37 - 700),
			       km_exact_cbrt(i / 4001.0) };
		uint64_t bits[5];

		memcpy(bits, r, sizeof(bits));
		for (int k = 0; k < 5; k++)
			hash = (hash ^ bits[k]) * 1099511628211ULL;
	}
	if (hash != 0x8668a83e36fe9431ULL)
		fail_msg("0x%llxULL", (unsigned long long)hash);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(they_are_what_libm_says),
		cmocka_unit_test(logarithms_are_near_to_libm),
		cmocka_unit_test(nonsense_gives_a_number),
		cmocka_unit_test(the_ends_are_sound),
		cmocka_unit_test(the_bits_are_the_same_on_every_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
