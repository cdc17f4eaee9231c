/* SPDX-License-Identifier: Apache-2.0 */
/* Phase 5: what will fail, when, how sure, from which evidence. Predictors are const vtables in one
 * array; adding one is a row there. Deterministic: no clock, no chance. */
#ifndef KM_PREDICT_H
#define KM_PREDICT_H

#include "measure/features.h"
#include "predict/watch.h"

enum km_forecast_kind {
	KM_EXHAUSTION = 0, /* a level meets its limit */
	KM_CRASH_LOOP = 1, /* it will end again, soon, whatever is done to start it */
	KM_ANOMALY = 2,    /* unlike its own past, its signals together: a hint, not a failure */
	KM_HANG = 3, /* alive and wanted, without progress, and nobody keeps it from running */
	KM_DEGRADATION = 4, /* slowly worse: retransmits, resets, waits */
	KM_DEPENDENCY = 5,  /* what it needs does not answer */
	KM_FAILURE = 6,     /* it fails within 30 minutes: all of the above together */
	KM_FORECAST_KIND_MAX
};

extern const char *const km_forecast_kind_names[KM_FORECAST_KIND_MAX + 1];

/* Why there is no forecast, for people and tests. */
enum km_no_forecast {
	KM_WHY_NONE = 0,
	KM_WHY_NOT_MEASURED,
	KM_WHY_NO_LIMIT,
	KM_WHY_TOO_SHORT, /* too few samples or too short a span */
	KM_WHY_FLAT,      /* no slope that stands out of the noise */
	KM_WHY_DISAGREE,  /* the scales do not agree */
	KM_WHY_FAR,       /* beyond what the evidence or the horizon carries */
	KM_WHY_SETTLED,   /* below its own earlier maximum: seen before, and it went back */
	KM_WHY_FEW_ENDS,  /* crash loop: too few ends */
	KM_WHY_USUAL,     /* nothing that it does not usually do */
	KM_WHY_STARVED,   /* hang: others keep it from running */
	KM_WHY_BEYOND,    /* above the limit all the time: that is none of this level */
	KM_WHY_MAX
};

extern const char *const km_no_forecast_names[KM_WHY_MAX + 1];

/* What the last km_predict_service() made of a forecast. */
enum km_change { KM_SAME = 0, KM_APPEARED, KM_CHANGED, KM_GONE, KM_CHANGE_MAX };

struct km_forecast {
	uint64_t service_id;
	uint32_t kind;       /* enum km_forecast_kind */
	uint32_t resource;   /* enum km_resource; KM_RESOURCE_MAX for a crash loop */
	uint64_t t_ns;       /* made at */
	uint64_t since_ns;   /* in force without interruption since */
	double eta_s;        /* from t_ns */
	double eta_lo_s;     /* 10 % */
	double eta_hi_s;     /* 90 % */
	double p;            /* of happening within the horizon */
	uint32_t calibrated; /* 0: P has not been checked against outcomes on this host yet: say so
			      */
	uint32_t why;        /* enum km_no_forecast when there is none */
	uint32_t scale;      /* evidence: which fit of the ladder */
	uint32_t predictor;  /* index in km_predictors */
	double level, limit;
	uint32_t subject_tgid;
	uint32_t ends;    /* evidence: crash loop: ends counted */
	uint64_t span_ns; /* evidence: how long was looked at */
	uint32_t change;  /* enum km_change: worth saying if not SAME */
	uint32_t parts;   /* evidence: signals that speak, the loudest first; 0: exhaustion */
	union {
		struct km_fit fit;                                /* evidence: exhaustion */
		struct km_anomaly_part part[KM_ANOMALY_TOGETHER]; /* else; an enum km_sig each */
	};
	double p_within[KM_HORIZONS]; /* failure: best estimates; p is what may be acted upon */
};

struct km_predict_input {
	uint64_t now_ns;
	uint64_t wall_s; /* of now_ns, since 1970; 0: not known */
	uint64_t horizon_ns;
	const struct km_service *service;
	const struct km_features *features[KM_RESOURCE_MAX]; /* each may be NULL */
	const struct km_ends *ends;                          /* may be NULL */
	/* Of each signal in km_watched, NaN: not measured. NULL: nothing is learnt now. */
	const double *values;
	/* Filled in by km_predict_service(). */
	struct km_watch *watch;
	const struct km_calibration *calibration;
};

struct km_predictor {
	const char *name;
	enum km_forecast_kind kind;
	/* 1: *RET holds a forecast; 0: none, ret->why says why not. RESOURCE is ignored by kinds
	 * without one. */
	int (*forecast)(const struct km_predict_input *in, enum km_resource resource,
	                struct km_forecast *ret);
	bool per_resource;
	bool learns; /* reads in->watch: asked only where there is one */
};

extern const struct km_predictor *const km_predictors[]; /* NULL-terminated */

struct km_predict; /* forecasts in force: a table keyed by (service, kind, resource) */

int km_predict_new(struct km_predict **ret);
struct km_predict *km_predict_free(struct km_predict *p);
KM_DEFINE_FREEP(struct km_predict, km_predict_free)

/* Runs every predictor for one service. Returns how many forecasts appeared, or went, or changed
 * enough to be said again (see predict.c); negative errno on failure. */
int km_predict_service(struct km_predict *p, const struct km_predict_input *in);
/* The I-th of the forecasts that the last km_predict_service() returned a count of; a forecast that
 * went has why != NONE. NULL behind the last. */
const struct km_forecast *km_predict_said(const struct km_predict *p, size_t i);
/* Forecast in force, or the last refusal (why != NONE, p == 0); NULL: never looked at. */
const struct km_forecast *km_predict_get(const struct km_predict *p, uint64_t service_id,
                                         enum km_forecast_kind kind, enum km_resource r);
const struct km_forecast *km_predict_next(const struct km_predict *p, uint32_t *slot);
/* The service was restarted or is gone: what was forecast of its old life is void. */
void km_predict_forget(struct km_predict *p, uint64_t service_id);

/* The service ended or was chosen by the OOM killer. FAILED: nobody asked for it, and it was no
 * orderly end; else what would have come of it is not known. */
void km_predict_outcome(struct km_predict *p, uint64_t service_id, bool failed);

/* A connect of the service was not answered, the newest of IN_A_ROW. True: that settles that what
 * it needs fails; km_predict_service() will say so. */
bool km_predict_unanswered(struct km_predict *p, uint64_t service_id, uint64_t now_ns,
                           uint32_t in_a_row);

/* An operator does not believe what was learnt: probabilities are the shipped ones again, and what
 * comes of those said from now on is learnt anew. */
void km_predict_forget_calibration(struct km_predict *p);

/* One whole JSON object. SERVICE is its name. */
void km_forecast_write(const struct km_forecast *f, const char *service, struct km_json_writer *w);

size_t km_predict_tables(struct km_predict *p, struct km_table **ret, size_t max);

#endif
