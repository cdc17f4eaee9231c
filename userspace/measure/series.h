/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of phase 4: one series of levels, summed up over the ladder of time constants. */
#ifndef KM_SERIES_H
#define KM_SERIES_H

#include "measure/features.h"

/* All sums are about the weighted mean time and level, and mean_t is relative to the newest sample:
 * neither nanoseconds since boot nor levels of 10^12 are ever squared. What is summed or compared
 * has enough of single precision, in units of 2^32 where it is squared; only the mean, which small
 * steps must still move when it is large, has not. */
struct km_scale {
	double mean;  /* level */
	float weight; /* sum of weights; the newest sample has 1 */
	float mean_t; /* seconds, at most 0 */
	float sxx;    /* weighted sums of products of deviations, level in units of 2^32 */
	float sxy;
	float syy;
	float low;       /* mean at the bottom of the present rise */
	float top;       /* highest mean of the present rise */
	float peak;      /* highest mean before it, sinking to the mean; LOW if there was none */
	float swing;     /* highest rise that went back, fading */
	uint32_t low_cs; /* hundredths of a second since the bottom; stops at its maximum */
};

struct km_series {
	uint64_t t_ns; /* newest sample */
	uint64_t since_ns;
	uint64_t samples;
	double level;
	double limit; /* < 0: none */
	struct km_scale scale[KM_SCALES];
};

/* With what the other predictors keep of a series it stays below 512 bytes. */
_Static_assert(sizeof(struct km_series) <= 280, "a series grew too large");

/* For restored rows. */
bool km_series_valid(const struct km_series *s);

#endif
