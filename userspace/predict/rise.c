// SPDX-License-Identifier: Apache-2.0
/* How a level rose since the bottom of its present rise, and whether that goes on.
 *
 * What has lasted for a time is believed to last about as long again and hardly ten times as long:
 * the odds of a rise going on for the time E after it has gone on for T are (T / (EVEN * E))^3.
 * They are even when 64 % of the way from the bottom to the limit lie behind, and 9 to 1 at 78 %.
 * So a burst, a start-up or a cache that stays below that share of its room is never said to be
 * likely to end, whatever its speed, and a leak is in good time. */
#include <math.h>

#include "predict/internal.h"

#define EVEN 1.75
/* A rise that would come to rest no higher than this above the limit is not a leak. */
#define OVERSHOOT 1.05
/* Of u in 1 - exp(-u): 1 - exp(-40) is 1. */
#define FULL  40.0
#define STEPS 50

/* On a line the newest level, the fitted one and the mean lie in proportion; when the rise slows
 * down the newest one stays behind. The noise is taken for it. */
double km_rise_slope_now(const struct km_features *f, const struct km_fit *fit, double noise)
{
	double expected = fit->level - fit->mean;
	double seen = f->level + noise - fit->mean;

	if (expected <= 0 || seen >= expected)
		return fit->slope;
	return seen > 0 ? fit->slope * seen / expected : 0;
}

void km_rise_of(const struct km_features *f, const struct km_fit *fit, double slope_now,
                struct km_rise *ret)
{
	ret->low = fit->low;
	ret->level = fmin(fit->level, f->level + fit->noise);
	ret->height = fmax(ret->level - fit->low, 0);
	ret->age_s = fit->low_s;
	ret->slope_now = slope_now;
	ret->lasted_s = slope_now > 0 ? fmin(fit->low_s, ret->height / slope_now) : 0;
}

/* U of a rise 1 - exp(-u) whose mean slope so far is RATIO times its slope now:
 * (exp(u) - 1) / u = RATIO > 1. By bisection, the same number of steps everywhere. */
static double levelled(double ratio)
{
	double low = 0, high = FULL;

	for (int i = 0; i < STEPS; i++) {
		double u = (low + high) / 2;

		if (exp(u) - 1 > ratio * u)
			high = u;
		else
			low = u;
	}
	return high;
}

bool km_rise_levels_off(const struct km_rise *r, double limit)
{
	double ratio;

	if (r->age_s <= 0 || r->slope_now <= 0)
		return true;
	ratio = r->height / r->age_s / r->slope_now;
	if (ratio <= 1)
		return false;
	return r->low + r->height / (1 - exp(-levelled(ratio))) < OVERSHOOT * limit;
}

/* A fit knows of the rise only up to about one time constant ago. */
double km_rise_goes_on(const struct km_rise *r, double room, double scale_s)
{
	double lasted_s = r->lasted_s - scale_s;
	double even_s = EVEN * room / r->slope_now, odds;

	if (lasted_s <= 0)
		return 0;
	if (even_s <= 0)
		return 1;
	odds = lasted_s / even_s;
	odds = odds * odds * odds;
	return odds / (1 + odds);
}
