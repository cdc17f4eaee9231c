// SPDX-License-Identifier: Apache-2.0
/* Own logarithm, exponential and area sine: near enough to libm's, and to the last bit what they
 * were when this was written, on every machine and at every optimisation. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/base.h"
#include "predict/number.h"

/* Of all results. */
#define SUM 0x1d60c6fe3a032b6cU

static void they_are_near_to_libm(void **state)
{
	double x = 1e-300;

	(void)state;
	for (int i = 0; i < 4100; i++, x *= 1.4) {
		assert_true(fabs(km_number_log(x) - log(x)) <= 1e-8 * fmax(1, fabs(log(x))));
		assert_true(fabs(km_number_asinh(x) - asinh(x)) <= 1e-7);
		assert_true(km_number_asinh(-x) == -km_number_asinh(x));
	}
	for (int i = -690; i < 690; i++) {
		x = i + 0.37;
		assert_true(fabs(km_number_exp(x) / exp(x) - 1) <= 1e-8);
	}
}

static void nonsense_gives_a_number(void **state)
{
	static const double odd[] = { 0, -1, NAN, INFINITY, -INFINITY, DBL_MIN / 4 };

	(void)state;
	for (size_t i = 0; i < KM_ARRAY_SIZE(odd); i++) {
		assert_true(km_number_log(odd[i]) == km_number_log(DBL_MIN));
		assert_true(isfinite(km_number_exp(odd[i])));
	}
	assert_true(isfinite(km_number_asinh(DBL_MAX)));
}

static void they_are_the_same_to_the_last_bit(void **state)
{
	uint64_t sum = 14695981039346656037U, bits;
	double x = 1e-9;

	(void)state;
	for (int i = 0; i < 4859; i++, x *= 1.01) {
		double y = km_number_log(x) + km_number_asinh(x) + km_number_exp(x / 1e10);

		memcpy(&bits, &y, sizeof(bits));
		sum = (sum ^ bits) * 1099511628211U;
	}
	if (sum != SUM)
		fail_msg("%#llx", (unsigned long long)sum);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(they_are_near_to_libm),
		cmocka_unit_test(nonsense_gives_a_number),
		cmocka_unit_test(they_are_the_same_to_the_last_bit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
