// SPDX-License-Identifier: Apache-2.0
#include "predict/number.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#define FRACTION_BITS 52
#define EXPONENT_BIAS 1023
#define EXPONENT_MAX  700.0

/* x = m 2^e with m from sqrt(1/2) to sqrt(2); log m = 2 artanh((m - 1) / (m + 1)), five terms. */
double km_number_log(double x)
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

double km_number_asinh(double x)
{
	double a = fabs(x),
	       y = a < 1e150 ? km_number_log(a + sqrt(a * a + 1)) : km_number_log(2 * a);

	return x < 0 ? -y : y;
}

/* exp(x) = 2^e exp(r) with |r| <= ln 2 / 2, nine terms. */
double km_number_exp(double x)
{
	uint64_t bits;
	double e, r, y = 1, scale;

	if (!(x > -EXPONENT_MAX))
		x = -EXPONENT_MAX;
	if (x > EXPONENT_MAX)
		x = EXPONENT_MAX;
	e = floor(x / M_LN2 + 0.5);
	r = x - e * M_LN2;
	for (int k = 9; k > 0; k--)
		y = 1 + y * r / k;
	bits = (uint64_t)((int)e + EXPONENT_BIAS) << FRACTION_BITS;
	memcpy(&scale, &bits, sizeof(scale));
	return y * scale;
}
