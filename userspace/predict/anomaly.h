/* SPDX-License-Identifier: Apache-2.0 */
/* What is unlike a service's own past: learnt sample by sample, no training run, no look-ahead,
 * O(1) a sample. One metric is watched by itself (anomaly_metric.c); what all of a service's
 * metrics say together, and the alarm, is anomaly.c. Rows of tables: fixed size, no pointers.
 *
 * One or few metrics: an event. How surprising the sample is, times how long ago anything as
 * surprising was (its return period: Gumbel, Statistics of Extremes, 1958). What happens each
 * day, or goes on, comes back soon and counts for little.
 * Many metrics: a state. The mean of the metrics furthest from their usual values, smoothed.
 * Of both counts what is more than usual at that hour of the day and of the week (season.h). */
#ifndef KM_PREDICT_ANOMALY_H
#define KM_PREDICT_ANOMALY_H

#include <stdbool.h>
#include <stdint.h>

#include "predict/season.h"

/* Means of the last samples over so many lengths, beside the newest sample: 3, 9 ... 243. */
#define KM_ANOMALY_MEANS 5
/* Mean step from sample to sample over so many lengths: 3, 9, 27. */
#define KM_ANOMALY_STEPS 3
/* The newest sample and the means, how rare its value is, and the steps. */
#define KM_ANOMALY_VIEWS (1 + KM_ANOMALY_MEANS + 1 + KM_ANOMALY_STEPS)
/* Values seen so far, by distance from the mean: linear near it, logarithmic far off. */
#define KM_ANOMALY_BINS 32
/* Degrees of surprise that are told apart: four for each factor of e. */
#define KM_ANOMALY_GRADES 48
/* So many metrics, at least, make a state, and so many are named. */
#define KM_ANOMALY_TOGETHER 5
/* Faster samples are averaged over this time first: a service's days and weeks are to be learnt,
 * not its seconds, and the cost is a sixtieth. */
#define KM_ANOMALY_STEP_S 60

/* Usual value and spread of one view. */
struct km_anomaly_norm {
	float mean;
	float variance;
};

struct km_anomaly_metric {
	double sum; /* of this step */
	double mean;
	double variance;
	uint32_t gathered; /* in sum */
	float low, high;   /* seen so far */
	float last;
	float z;        /* of the newest sample: spreads from the mean */
	float surprise; /* ... and how unlike the past it is in all, from 0 */
	uint32_t samples;
	uint32_t counted; /* in bins */
	float means[KM_ANOMALY_MEANS];
	float steps[KM_ANOMALY_STEPS];
	struct km_anomaly_norm view[KM_ANOMALY_VIEWS];
	uint16_t bin[KM_ANOMALY_BINS];
};

/* X: of the present step; what is not finite counts as missing. */
void km_anomaly_metric_add(struct km_anomaly_metric *m, double x);
/* The step is over: its mean against the past, and then part of it. */
void km_anomaly_metric_step(struct km_anomaly_metric *m);
bool km_anomaly_metric_valid(const struct km_anomaly_metric *m);
/* Time goes on elsewhere: the step that was begun is dropped. */
void km_anomaly_metric_rests(struct km_anomaly_metric *m);

/* Which metrics speak, the loudest first. */
struct km_anomaly_part {
	uint32_t metric; /* index */
	float share;     /* of what all speakers say, 0 to 1 */
};

struct km_anomaly_verdict {
	double score;   /* 0 to 1; 0.5 at least when an alarm starts */
	uint32_t alarm; /* 1: yes */
	uint32_t parts; /* how many speak */
	struct km_anomaly_part part[KM_ANOMALY_TOGETHER];
};

struct km_anomaly {
	uint64_t t_ns;                    /* end of the newest step */
	uint32_t samples;                 /* steps */
	uint32_t alarm;                   /* 1: of a state, that goes on */
	uint32_t last[KM_ANOMALY_GRADES]; /* AGE_S at which this grade came last */
	uint32_t age_s;                   /* see anomaly.c */
	float state;                      /* smoothed */
	float bar;      /* what it takes more than usual to alarm: 0 nothing, 1 as much again */
	uint32_t quiet; /* steps since the newest alarm */
	struct km_season season;
	uint32_t pad;
	struct km_anomaly_verdict verdict; /* of the newest step */
};

/* After what was measured at T_NS, which never goes back, was added to the COUNT metrics at M; one
 * that was never measured does not count. WALL_S: as km_season_hear().
 * The verdict is that of the newest step, and stays A's own. */
const struct km_anomaly_verdict *km_anomaly_judge(struct km_anomaly *a, uint64_t t_ns,
                                                  uint64_t wall_s, struct km_anomaly_metric *m,
                                                  uint32_t count);
/* Time begins anew: what is usual remains, no alarm does. */
void km_anomaly_rests(struct km_anomaly *a);
/* COUNT: how many metrics it may name. */
bool km_anomaly_valid(const struct km_anomaly *a, uint32_t count);

#endif
