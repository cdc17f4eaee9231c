/* SPDX-License-Identifier: Apache-2.0 */
/* One probability of failure of a service within 15 and within 30 minutes, from all that is
 * forecast of it; and what this host taught about such probabilities.
 *
 * Shipped: each forecast says "not" with what is left of its own probability, and all must be
 * wrong (noisy-or: Pearl, Probabilistic Reasoning in Intelligent Systems, 1988). Own: how often it
 * failed after the same kind had spoken as loud, a beta-binomial mean drawn to the shipped figure,
 * made monotone by pooling neighbours (Ayer et al. 1955; Zadrozny and Elkan 2002). Judged by
 * Brier's score (1950) of what was said before the outcome was known, for both; the own figures
 * are in use only while theirs is the better one. Acting goes by the lower of the two: what is
 * learnt never raises the right to act. */
#ifndef KM_PREDICT_FUSE_H
#define KM_PREDICT_FUSE_H

#include <stdbool.h>
#include <stdint.h>

#define KM_HORIZONS 2
extern const uint32_t km_horizon_min[KM_HORIZONS]; /* 15, 30 */

/* Said once a minute, kept until the longest horizon is over. */
#define KM_FUSE_KEPT 30
/* The kinds of forecasts, and none at all as the last one. */
#define KM_FUSE_KINDS 7
#define KM_FUSE_BINS  8

/* What was said in a minute, in parts of KM_FUSE_ONE. */
#define KM_FUSE_ONE 65535
struct km_fuse_said {
	uint16_t shipped[KM_HORIZONS];
	uint16_t own[KM_HORIZONS];
	uint16_t kind;
};

struct km_fuse {
	uint64_t t_ns; /* newest minute */
	uint32_t kept; /* minutes, the oldest one first */
	uint32_t kind; /* that speaks loudest */
	struct km_fuse_said said[KM_FUSE_KEPT];
	uint32_t pad;
	float shipped[KM_HORIZONS];
	float own[KM_HORIZONS];
};

struct km_fuse_bin {
	float outcomes; /* independent ones: each minute is a horizon's part of one */
	float failures;
};

/* What this host taught: one row. */
struct km_calibration {
	uint64_t key;      /* 1 */
	uint32_t version;  /* counts up when the own figures come into use, or go out of it */
	uint32_t in_use;   /* 1: the own figures are */
	uint64_t failures; /* seen */
	float weight[KM_HORIZONS]; /* of outcomes in the two sums below, fading */
	float brier_shipped[KM_HORIZONS];
	float brier_own[KM_HORIZONS];
	struct km_fuse_bin bin[KM_HORIZONS][KM_FUSE_KINDS][KM_FUSE_BINS];
};

/* What one forecast in force says: SAYS for each horizon. */
struct km_fuse_voice {
	uint32_t kind;
	double says[KM_HORIZONS];
};

/* Whether a minute is over. */
bool km_fuse_due(const struct km_fuse *f, uint64_t t_ns);
/* Once a minute at most; more calls within it change nothing. */
void km_fuse_minute(struct km_fuse *f, struct km_calibration *c, uint64_t t_ns,
                    const struct km_fuse_voice *voice, uint32_t voices);
/* The service failed: every minute kept was right, as far as its horizon reached. */
void km_fuse_failed(struct km_fuse *f, struct km_calibration *c);
/* What was said will not be known: it was ended by request, or acted upon. */
void km_fuse_forget(struct km_fuse *f);
/* Back to the shipped figures. */
void km_calibration_forget(struct km_calibration *c);

/* calibrate.c: what became of one minute, and what such a figure has meant on this host. */
void km_calibration_learn(struct km_calibration *c, const struct km_fuse_said *said,
                          uint32_t horizon, bool failed);
double km_calibration_own(const struct km_calibration *c, uint32_t kind, uint32_t horizon,
                          double shipped);

/* The better estimate, for people; and what may be acted upon. */
double km_fuse_p(const struct km_fuse *f, const struct km_calibration *c, uint32_t horizon);
double km_fuse_p_to_act(const struct km_fuse *f, const struct km_calibration *c, uint32_t horizon);

bool km_fuse_valid(const struct km_fuse *f);
bool km_calibration_valid(const void *row);
/* Counts have no time: they are as true after a reboot. */
bool km_calibration_outlives(void *row, uint64_t now_ns);

#endif
