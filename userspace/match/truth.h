/* SPDX-License-Identifier: Apache-2.0 */
/* What one condition says at this moment, without memory; nothing outside this folder includes it.
 */
#ifndef KM_TRUTH_H
#define KM_TRUTH_H

#include "match/match.h"

/* A leaf (FORECAST, STATE, LEVEL), its 'for' not yet looked at but for STATE, whose service knows
 * since when. */
enum km_truth km_truth_of(const struct km_cond *c, const struct km_match_input *in);
/* A LEVEL with hysteresis that was true: whether it still is. */
enum km_truth km_truth_still(const struct km_cond *c, const struct km_match_input *in);
/* The event that just happened is of the kind that EVENT asks for; counting is the caller's. */
enum km_truth km_truth_of_event(const struct km_cond *c, const struct km_match_input *in);
/* ENDPOINT; the first of the service's endpoints that it holds for is in *RET_NAME, NULL: none. */
enum km_truth km_truth_of_endpoint(const struct km_cond *c, const struct km_match_input *in,
                                   const char **ret_name);
/* The forecast that FORECAST looks at, or NULL. */
const struct km_forecast *km_truth_forecast(const struct km_cond *c,
                                            const struct km_match_input *in);

/* One look at what several conditions are about, which differ in their bounds, or in how long they
 * must hold, at most. */
struct km_glance {
	bool there; /* measured, in force, in this state, just happened */
	double level, limit;
};
struct km_glance km_truth_glance(const struct km_cond *c, const struct km_match_input *in);
/* False: C does not hold now. Of two levels, or forecasts, the one with the bound that is met first
 * holds whenever the other one does. */
bool km_truth_may(const struct km_cond *c, const struct km_glance *g);

#endif
