/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"
#include "predict/internal.h"

static void write_parts(const struct km_forecast *f, struct km_json_writer *w)
{
	km_jw_key(w, "contributions");
	km_jw_array(w);
	for (uint32_t i = 0; i < f->parts; i++) {
		km_jw_object(w);
		km_jw_kstring(w, "signal", km_catalogue[f->part[i].metric].name);
		km_jw_kdouble(w, "share", km_predict_round((double)f->part[i].share));
		km_jw_end_object(w);
	}
	km_jw_end_array(w);
}

static void write_evidence(const struct km_forecast *f, struct km_json_writer *w)
{
	const struct km_fit *fit = &f->fit;

	km_jw_key(w, "evidence");
	km_jw_object(w);
	km_jw_kdouble(w, "span_s", km_predict_round((double)f->span_ns / (double)KM_NS_PER_S));
	if (f->kind == KM_CRASH_LOOP) {
		km_jw_ku64(w, "ends", f->ends);
	} else if (f->kind == KM_FAILURE) {
		km_jw_kdouble(w, "within_15_min", f->p_within[0]);
		km_jw_kdouble(w, "within_30_min", f->p_within[1]);
	} else if (f->kind != KM_EXHAUSTION) {
		km_jw_kdouble(w, "level", km_predict_round(f->level));
		write_parts(f, w);
	} else {
		km_jw_kdouble(w, "scale_s", km_scale_s[f->scale]);
		km_jw_kdouble(w, "slope_per_s", km_predict_round(fit->slope));
		km_jw_kdouble(w, "slope_error", km_predict_round(fit->slope_se));
		km_jw_kdouble(w, "noise", km_predict_round(fit->noise));
		km_jw_kdouble(w, "samples", km_predict_round(fit->weight));
		km_jw_kdouble(w, "risen_for_s", km_predict_round(fit->low_s));
		km_jw_kdouble(w, "line_now", km_predict_round(fit->level));
		km_jw_kdouble(w, "highest_before", km_predict_round(fit->peak));
		km_jw_kdouble(w, "swing", km_predict_round(fit->swing));
	}
	km_jw_end_object(w);
}

void km_forecast_write(const struct km_forecast *f, const char *service, struct km_json_writer *w)
{
	static const char *const changes[KM_CHANGE_MAX] = { "same", "appeared", "changed", "gone" };
	bool in_force = f->why == KM_WHY_NONE;

	km_jw_object(w);
	km_jw_kstring(w, "service", service);
	km_jw_kstring(w, "kind", km_forecast_kind_names[f->kind]);
	km_jw_kstring(w, "resource",
	              f->resource < KM_RESOURCE_MAX ? km_resource_names[f->resource] : NULL);
	km_jw_ku64(w, "t_ns", f->t_ns);
	km_jw_kstring(w, "change", changes[f->change]);
	km_jw_kstring(w, "why", in_force ? NULL : km_no_forecast_names[f->why]);
	if (in_force) {
		km_jw_ku64(w, "since_ns", f->since_ns);
		km_jw_kdouble(w, "eta_s", f->eta_s);
		km_jw_kdouble(w, "eta_lo_s", f->eta_lo_s);
		km_jw_kdouble(w, "eta_hi_s", f->eta_hi_s);
		km_jw_kdouble(w, "p", f->p);
		km_jw_kbool(w, "calibrated", f->calibrated);
	}
	if (f->resource < KM_RESOURCE_MAX && f->why != KM_WHY_NOT_MEASURED) {
		km_jw_kdouble(w, "level", f->level);
		km_jw_key(w, "limit");
		if (f->limit > 0)
			km_jw_double(w, f->limit);
		else
			km_jw_null(w);
	}
	if (in_force) {
		km_jw_ku64(w, "pid", f->subject_tgid);
		km_jw_kstring(w, "predictor", km_predictors[f->predictor]->name);
		write_evidence(f, w);
	}
	km_jw_end_object(w);
}
