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
/* What it has to be above of: its bottom, and what was reached before. */
double km_rise_base(const struct km_fit *fit);

/* A line through fewer effective samples says nothing of its own error: 8 on the shortest scale at
 * one a second. */
#define KM_FIT_WEIGHT_MIN 5.5

/* One series, looked at for exhaustion. */
struct km_look {
	const struct km_features *f;
	double horizon_s;
	double age_s;      /* of the series */
	double interval_s; /* between samples, on average */
};

/* What the fit of one scale says. */
struct km_line {
	double eta_s, lo_s, hi_s;
	double p;
	struct km_rise rise;
	unsigned int scale;
};

double km_rise_watched(const struct km_look *l, const struct km_fit *fit);
/* That it goes on until its room is used up. */
double km_rise_goes_on(const struct km_look *l, unsigned int scale, const struct km_rise *r);
/* Fills in scale and times. */
void km_exhaust_when(const struct km_look *l, unsigned int scale, struct km_line *ret);

/* watch.c */
void km_watch_tick(struct km_watch *w, const struct km_predict_input *in);
void km_watch_new_life(struct km_watch *w);

/* voice.c: what is in force says of failure, for km_fuse_minute(). Returns how many. */
uint32_t km_voices(const struct km_predict *p, const struct km_predict_input *in,
                   struct km_fuse_voice *ret, uint32_t max);

extern const struct km_predictor km_predictor_exhaust;
extern const struct km_predictor km_predictor_crash;
extern const struct km_predictor km_predictor_anomaly;
extern const struct km_predictor km_predictor_hang;
extern const struct km_predictor km_predictor_degrade;
extern const struct km_predictor km_predictor_depend;
extern const struct km_predictor km_predictor_failure; /* the last one: it hears the others */

#endif
