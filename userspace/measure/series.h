/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of phase 4: one series of levels, summed up over the ladder of time constants. */
#ifndef KM_SERIES_H
#define KM_SERIES_H

#include "measure/features.h"

/* All sums are about the weighted mean time and level, and mean_t is relative to the newest
 * sample: neither nanoseconds since boot nor levels of 10^12 are ever squared. */
struct km_scale {
	double weight; /* sum of weights; the newest sample has 1 */
	double mean_t; /* seconds, at most 0 */
	double mean;   /* level */
	double sxx;    /* weighted sums of products of deviations */
	double sxy;
	double syy;
	float weight2;  /* sum of squared weights */
	float residual; /* of the newest sample, from the line before it */
	float square;   /* weighted means of residual^2 and of residual * the one before */
	float product;
	float low;       /* mean at the bottom of the present rise */
	float top;       /* highest mean of the present rise */
	float peak;      /* highest mean before it, decaying */
	uint32_t low_cs; /* hundredths of a second since the bottom; stops at its maximum */
};

struct km_series {
	uint64_t t_ns; /* newest sample */
	uint64_t since_ns;
	uint64_t samples;
	double level;
	double limit; /* < 0: none */
	double max;
	struct km_scale scale[KM_SCALES];
};

/* A table of them stays small: 2,048 services with 3 series each in 3 MiB. */
_Static_assert(sizeof(struct km_series) <= 512, "a series grew too large");

/* For restored rows. */
bool km_series_valid(const struct km_series *s);

#endif
