// SPDX-License-Identifier: Apache-2.0
/* When a level meets its limit: the middle one of the lines that have seen the rise, the chosen
 * scale's and its neighbours', and an interval around all of them. Where they agree it is narrow,
 * where the level bends or jumps it is wide. */
#include <math.h>

#include "predict/internal.h"

/* Of the noise, taken from the room: it meets the limit before the line does. */
#define NOISE 0.5
/* From the soonest to the latest of the lines that have seen the rise, widened by what lines do not
 * know: 10 % of leaks that were laid over recorded memory of hosts came before, 10 % after. */
#define SOONEST 0.55
#define LATEST  1.25

/* When the line of scale I meets the limit: half of the noise before its middle does. */
static double meets(const struct km_look *l, unsigned int i)
{
	const struct km_fit *fit = &l->f->fit[i];

	return fmax(l->f->limit - fit->level - NOISE * fit->noise, 0) / fit->slope;
}

/* The line of a neighbouring scale has seen this rise, and says when. */
static bool neighbour(const struct km_look *l, unsigned int i, unsigned int of)
{
	const struct km_fit *fit = &l->f->fit[i];

	return fit->slope > 0 && fit->weight >= KM_FIT_WEIGHT_MIN &&
	       l->f->fit[of].low_s >= km_scale_s[i];
}

static int sooner(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* The lines of scale I and of its neighbours, soonest first; how many. */
static unsigned int lines(const struct km_look *l, unsigned int i, double ret[3])
{
	unsigned int n = 0;

	ret[n++] = meets(l, i);
	if (i > 0 && neighbour(l, i - 1, i))
		ret[n++] = meets(l, i - 1);
	if (i + 1 < KM_SCALES && neighbour(l, i + 1, i))
		ret[n++] = meets(l, i + 1);
	qsort(ret, n, sizeof(*ret), sooner);
	return n;
}

void km_exhaust_when(const struct km_look *l, unsigned int i, struct km_line *ret)
{
	const struct km_fit *fit = &l->f->fit[i];
	double eta_s[3];
	unsigned int n = lines(l, i, eta_s);

	ret->scale = i;
	ret->eta_s = (eta_s[n / 2] + eta_s[(n - 1) / 2]) / 2;
	ret->lo_s = SOONEST * eta_s[0];
	ret->hi_s = fmin(LATEST * eta_s[n - 1] + fit->noise / fit->slope, l->horizon_s);
}
