// SPDX-License-Identifier: Apache-2.0
#include "base/exact.h"

#include <math.h>

/* ln 2 as a sum whose first part times any exponent is exact. */
#define LN2_HIGH 0x1.62e42feep-1
#define LN2_LOW  1.90821492927058770002e-10

/* Up to here, the fade of a second's sample, five terms are enough. */
#define SMALL 0x1p-10

/* exp(-x) = 2^-n * exp(r) with r within half of ln 2 of 0, there by its series: the 14th term is
 * below the last bit. */
double km_exact_fade(double x)
{
	/* 1 / i! */
	static const double term[] = {
		1.0,
		1.0,
		1.0 / 2,
		1.0 / 6,
		1.0 / 24,
		1.0 / 120,
		1.0 / 720,
		1.0 / 5040,
		1.0 / 40320,
		1.0 / 362880,
		1.0 / 3628800,
		1.0 / 39916800,
		1.0 / 479001600,
		1.0 / 6227020800.0,
	};
	double n, r, sum = term[13];

	if (x <= SMALL)
		return 1 - x * (1 - x * (0.5 - x * (1.0 / 6 - x / 24)));
	if (!(x < 700))
		return 0;
	n = floor(x * M_LOG2E + 0.5);
	r = n * LN2_HIGH - x + n * LN2_LOW;
	for (int i = 12; i >= 0; i--)
		sum = term[i] + sum * r;
	return ldexp(sum, -(int)n);
}

/* ln(m * 2^n) = n * ln 2 + 2 * atanh((m - 1) / (m + 1)) with m within sqrt(2) of 1, so that the
 * series' argument is at most 0.172. */
double km_exact_ln(double x)
{
	int n;
	double m = frexp(x, &n), z, sum = 0;

	if (m < M_SQRT1_2) {
		m *= 2;
		n--;
	}
	z = (m - 1) / (m + 1);
	for (int i = 21; i > 0; i -= 2)
		sum = 1.0 / i + sum * z * z;
	return n * M_LN2 + 2 * z * sum;
}

/* Newton's, from above, where it falls to the root and then stays. */
double km_exact_cbrt(double x)
{
	double y = 1;

	if (x <= 0)
		return 0;
	for (int i = 0; i < 64; i++) {
		double next = (2 * y + x / (y * y)) / 3;

		if (!(next < y))
			break;
		y = next;
	}
	return y;
}
