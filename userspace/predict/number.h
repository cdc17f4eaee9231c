/* SPDX-License-Identifier: Apache-2.0 */
/* Figures that come out the same on every machine: plain arithmetic and square roots, which IEEE
 * 754 rounds correctly, and nothing whose last digit is a libm's own. */
#ifndef KM_PREDICT_NUMBER_H
#define KM_PREDICT_NUMBER_H

/* Natural logarithm, right to 1e-8. X <= 0, denormal, infinite or NaN: that of the least normal
 * number. */
double km_number_log(double x);
/* Inverse hyperbolic sine: linear around 0, logarithmic far from it. */
double km_number_asinh(double x);
/* exp(X), right to 1e-8 of itself; X is taken as within +-700. */
double km_number_exp(double x);

#endif
