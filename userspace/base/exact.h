/* SPDX-License-Identifier: Apache-2.0 */
/* Functions of libm that differ in the last digit from one library and machine to the next, made of
 * additions, products, quotients and exact scaling, which do not: for state and decisions that must
 * come out the same everywhere. Good to a few units in the last place, if nothing else is said. */
#ifndef KM_EXACT_H
#define KM_EXACT_H

/* exp(-x) for x >= 0; 0 for NaN and from 700 on. */
double km_exact_fade(double x);
/* Natural logarithm, right to 1e-8. X <= 0, denormal, infinite or NaN: that of the least normal
 * number. */
double km_exact_log(double x);
/* Inverse hyperbolic sine, right to 1e-7: linear around 0, logarithmic far from it. */
double km_exact_asinh(double x);
/* Cube root of a number from 0 to 1. */
double km_exact_cbrt(double x);

#endif
