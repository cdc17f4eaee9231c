/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the predictors only. */
#ifndef KM_PREDICT_INTERNAL_H
#define KM_PREDICT_INTERNAL_H

#include "predict/predict.h"

/* Three significant digits: what decisions and words are made from does not hang on the last bits of
 * a floating-point unit or a libm. */
double km_predict_round(double x);

extern const struct km_predictor km_predictor_exhaust;
extern const struct km_predictor km_predictor_crash;

#endif
