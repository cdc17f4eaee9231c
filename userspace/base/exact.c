// SPDX-License-Identifier: Apache-2.0
#include "base/exact.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#define FRACTION_BITS 52
#define EXPONENT_BIAS 1023

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

/* x = m 2^e with m from sqrt(1/2) to sqrt(2); log m = 2 artanh((m - 1) / (m + 1)), six terms. */
double km_exact_log(double x)
{
	const uint64_t one = (uint64_t)EXPONENT_BIAS << FRACTION_BITS;
	uint64_t bits;
	double m, s, s2;
	int e;

	if (!(x >= DBL_MIN && x <= DBL_MAX))
		x = DBL_MIN;
	memcpy(&bits, &x, sizeof(bits));
	e = (int)(bits >> FRACTION_BITS) - EXPONENT_BIAS;
	bits = (bits & ((1ULL << FRACTION_BITS) - 1)) | one;
	memcpy(&m, &bits, sizeof(m));
	if (m > M_SQRT2) {
		m /= 2;
		e++;
	}
	s = (m - 1) / (m + 1);
	s2 = s * s;
	s *= 2 + s2 * (2.0 / 3 + s2 * (2.0 / 5 + s2 * (2.0 / 7 + s2 * (2.0 / 9 + s2 * 2 / 11))));
	return (double)e * M_LN2 + s;
}

double km_exact_asinh(double x)
{
	double a = fabs(x), y = a < 1e150 ? km_exact_log(a + sqrt(a * a + 1)) : km_exact_log(2 * a);

	return x < 0 ? -y : y;
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
