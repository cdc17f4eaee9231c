/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of a series: a part of a table's row, so fixed in size and without pointers. */
#ifndef KM_SERIES_H
#define KM_SERIES_H

#include "measure/features.h"

/* Exponentially weighted moments of (time, level) over one time constant. Times are seconds before
 * the newest sample, levels relative to their own mean: nothing large is ever subtracted from
 * something large. Floats hold what is only compared. */
struct km_moments {
	double weight;               /* sum of weights */
	double weight_sq;            /* sum of squared weights */
	double mean_t;               /* <= 0 */
	double mean;                 /* of the level */
	double tt, ty, yy;           /* central second moments, weighted sums */
	float low, low_s, top, peak; /* of the mean: see km_fit; top: highest of the present rise */
	float error, error_sq, error_lag; /* of predicting the next sample: last, squared, lag 1 */
	float pad;
};

struct km_series {
	uint64_t t_ns, since_ns, samples;
	double level, limit, max;
	struct km_moments scale[KM_SCALES];
};
_Static_assert(sizeof(struct km_series) <= 512, "a series is at most 512 bytes");

/* False: not a series that km_series_add() could have made. */
bool km_series_valid(const struct km_series *s);

#endif
