/* SPDX-License-Identifier: Apache-2.0 */
/* Functions of libm that differ in the last digit from one library and machine to the next, made of
 * additions, products, quotients and exact scaling, which do not: for state and decisions that must
 * come out the same everywhere. Good to a few units in the last place. */
#ifndef KM_EXACT_H
#define KM_EXACT_H

/* exp(-x) for x >= 0; 0 for NaN and from 700 on. */
double km_exact_fade(double x);
/* Natural logarithm of a normal number above 0. */
double km_exact_ln(double x);
/* Cube root of a number from 0 to 1. */
double km_exact_cbrt(double x);

#endif
