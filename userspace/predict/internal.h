/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the predictors only. */
#ifndef KM_PREDICT_INTERNAL_H
#define KM_PREDICT_INTERNAL_H

#include "predict/predict.h"

/* Three significant digits: what decisions and words are made from does not hang on the last bits
 * of a floating-point unit or a libm. */
double km_predict_round(double x);

/* A rise since its bottom, in the unit of the level. */
struct km_rise {
	double low;
	double level; /* now; where a line overshoots, what was seen */
	double height;
	double age_s;     /* since the bottom */
	double lasted_s;  /* at the present slope: less if it got steeper */
	double slope_now; /* per second; the least that the evidence allows */
};

double km_rise_slope_now(const struct km_features *f, const struct km_fit *fit, double noise);
void km_rise_of(const struct km_features *f, const struct km_fit *fit, double slope_now,
                struct km_rise *ret);
/* Where it would come to rest, if its slope goes on to fall as it did since the bottom, lies below
 * the limit. A straight line never comes to rest. */
bool km_rise_levels_off(const struct km_rise *r, double limit);
/* That it goes on until ROOM is used up. */
double km_rise_goes_on(const struct km_rise *r, double room, double scale_s);

extern const struct km_predictor km_predictor_exhaust;
extern const struct km_predictor km_predictor_crash;

#endif
