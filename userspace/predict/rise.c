// SPDX-License-Identifier: Apache-2.0
/* How a level rose since the bottom of its present rise, and whether that goes on.
 *
 * What has lasted for a time is believed to last about as long again and hardly ten times as long:
 * the odds of a rise going on until all of its room is used up are (HEIGHT / (EVEN * ROOM))^3. Of a
 * level that was hardly watched before, anything may be usual: they are even when 66 % of the way
 * from the bottom to the limit lie behind, so that a start-up or a cache that stays below is never
 * said to be likely to end, whatever its speed. The longer it was watched without a rise like this
 * one, the stranger that is: even at 17 % of the way from its highest level to the limit. */
#include <math.h>

#include "base/exact.h"
#include "predict/internal.h"

#define EVEN_NEW     1.9
#define EVEN_WATCHED 0.2
/* Half of the way between them is gone when it was watched for this share of the rise's length and
 * of the time in which services change what they do. */
#define HALF_WATCHED 0.25
#define HABIT_S      1800.0
/* Somebody may always stop it. */
#define SURE 0.98
/* A rise that would come to rest no higher than this above the limit is not a leak. */
#define OVERSHOOT 1.05
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

/* A rise LOW + REST * (1 - exp(-u)) has a mean slope of (exp(u) - 1) / u times its slope now. It
 * comes to rest below TOP if its ratio of the two is above that of the one that rests at TOP. */
bool km_rise_levels_off(const struct km_rise *r, double limit)
{
	double ratio, share;

	if (r->age_s <= 0 || r->slope_now <= 0)
		return true;
	ratio = r->height / r->age_s / r->slope_now;
	share = r->height / (OVERSHOOT * limit - r->low);
	if (ratio <= 1 || share >= 1)
		return false;
	return ratio > share / (1 - share) / -km_exact_log(1 - share);
}

double km_rise_base(const struct km_fit *fit)
{
	return fmax(fit->peak, fit->low);
}

/* How well the series is known: how many times the rise, and no less than HABIT_S, it was watched
 * before. */
double km_rise_watched(const struct km_look *l, const struct km_fit *fit)
{
	return fmax(l->age_s - fit->low_s, 0) / (fit->low_s + HABIT_S);
}

double km_rise_goes_on(const struct km_look *l, unsigned int scale, const struct km_rise *r)
{
	const struct km_fit *fit = &l->f->fit[scale];
	double known = km_rise_watched(l, fit) / HALF_WATCHED, room = l->f->limit - r->level, odds;
	double even = EVEN_WATCHED + (EVEN_NEW - EVEN_WATCHED) / (1 + known * known);

	if (room <= 0)
		return 1;
	odds = fmin(fit->mean - km_rise_base(fit), r->age_s * r->slope_now) / (even * room);
	odds = odds * odds * odds;
	return fmin(odds / (1 + odds), SURE);
}
