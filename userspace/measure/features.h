/* SPDX-License-Identifier: Apache-2.0 */
/* Phase 4: rates, levels and slopes of each service; O(1) a sample, bounded memory, no clock.
 *
 * Method: exponentially weighted least squares with irregular sampling over a ladder of time
 * constants (West 1979 for the weighted updates); see README.md of this folder. */
#ifndef KM_FEATURES_H
#define KM_FEATURES_H

#include "attribute/attribute.h"

/* Time constants of the ladder, seconds: each four times the one before. */
#define KM_SCALES 5
extern const double km_scale_s[KM_SCALES]; /* 4, 16, 64, 256, 1024 */

/* One line fit over one scale. Level units are the resource's. Slope, errors, noise and weight are
 * 0 while nothing has risen. */
struct km_fit {
	double level;    /* fitted value now */
	double slope;    /* per second */
	double slope_se; /* standard error of the slope, were the residuals independent */
	double noise;    /* standard deviation of the residuals */
	double weight;   /* effective number of samples */
	double mean;     /* weighted mean level, without the fit's overshoot */
	double low;      /* mean at the bottom of the present rise */
	double low_s;    /* seconds since then */
	double peak;     /* highest mean before the present rise, fading; LOW if there was none */
	double swing;    /* highest rise that went back, fading; 0 if there was none */
};

/* What phase 5 gets: one service, one resource. Const; valid until the next km_measure_*() call. */
struct km_features {
	uint64_t service_id;
	uint32_t resource; /* enum km_resource */
	uint32_t measured; /* 0: not measured, nothing below means anything */
	uint64_t t_ns;     /* of the newest sample */
	uint64_t since_ns; /* of the oldest sample of this series (a restart, another process or a
	                      long gap begin anew) */
	uint64_t samples;
	double level;
	double limit;          /* < 0: none */
	uint32_t subject_tgid; /* descriptors: the fullest process */
	uint32_t risen;        /* 1: some mean is above what it was before; else no line is drawn */
	uint64_t subject_start_ns;
	struct km_fit fit[KM_SCALES];
};

/* Times between ends of a service that nobody asked for, newest first. */
#define KM_ENDS_KEPT 16
struct km_ends {
	uint64_t service_id;
	uint32_t count; /* kept here */
	uint32_t total;
	uint64_t t_ns[KM_ENDS_KEPT];      /* when it ended */
	uint64_t lived_ns[KM_ENDS_KEPT];  /* how long it had been up */
	uint32_t exit_code[KM_ENDS_KEPT]; /* as wait(2); UINT32_MAX: not known */
};

/* The newest value of one signal of one service or other entity. */
struct km_value {
	uint64_t service_id;
	uint64_t signal;    /* enum km_sig */
	uint64_t t_ns;      /* end of the time it stands for */
	uint64_t period_ns; /* that it stands for; of a level: until the next one, 0 not told */
	uint64_t window_ns; /* of this was looked at */
	double value;       /* level now; per second; 99th percentile */
	double limit;       /* < 0: none */
	double error;       /* standard error of value; 0: all was looked at */
	double total;       /* events or amount since it was first seen */
	double pending;     /* what this pass has gathered so far */
	uint32_t gathered;  /* pieces in it */
	uint32_t measured;  /* 0: it was, but not lately: value means nothing now */
};

struct km_measure;

int km_measure_new(struct km_measure **ret);
struct km_measure *km_measure_free(struct km_measure *m);
KM_DEFINE_FREEP(struct km_measure, km_measure_free)

/* Takes levels from task and level signals, and events from SUBJECT. */
int km_measure_signal(struct km_measure *m, const struct km_signal *s,
                      const struct km_subject *subject);
/* End of a pass: closes the per-service sums. Call at KM_RAW_TICK, before asking for features. */
void km_measure_tick(struct km_measure *m, uint64_t now_ns);

/* NULL: nothing known of this pair. One result for each resource is kept, so that all of a service
 * can be looked at together. */
const struct km_features *km_measure_features(struct km_measure *m, uint64_t service_id,
                                              enum km_resource r);
/* The newest sample of a series, without what it takes to look back. */
struct km_sample {
	uint64_t service_id;
	uint32_t resource; /* enum km_resource */
	uint64_t t_ns;
	double level;
	double limit; /* < 0: none */
};
/* Of all services, by slot, those that are measured; false at the end. */
bool km_measure_next_sample(const struct km_measure *m, uint32_t *slot, struct km_sample *ret);
/* Newest value of a signal, by the catalogue; what has a limit comes from its series. NULL: never
 * seen of this service, which is not zero. Valid until the next km_measure_*() call. */
const struct km_value *km_measure_value(struct km_measure *m, uint64_t service_id, enum km_sig sig);
/* Until this number changes, a value of a signal without a limit stays where it was found, and one
 * that was not found is not there. */
uint64_t km_measure_values_generation(const struct km_measure *m);
/* Of all services, by slot; without those that have a limit. */
const struct km_value *km_measure_next_value(const struct km_measure *m, uint32_t *slot);
const struct km_ends *km_measure_ends(const struct km_measure *m, uint64_t service_id);

/* A series by itself, without services: for tests and `kmend replay --csv`. */
struct km_series; /* fixed size, no pointers: a part of the table's row */
size_t km_series_size(void);
void km_series_reset(struct km_series *s);
/* -EINVAL: time goes back, level or limit is not finite or past 2^64. */
int km_series_add(struct km_series *s, uint64_t t_ns, double level, double limit);
void km_series_features(const struct km_series *s, struct km_features *ret);

size_t km_measure_tables(struct km_measure *m, struct km_table **ret, size_t max);

#endif
