/* SPDX-License-Identifier: Apache-2.0 */
/* What the predictors that learn keep of one service: a row of a table, brought forward once a
 * tick, before any of them is asked. */
#ifndef KM_PREDICT_WATCH_H
#define KM_PREDICT_WATCH_H

#include "base/catalogue.h"
#include "predict/anomaly.h"
#include "predict/fuse.h"

/* Signals that are looked at, by their place in km_watched; the first so many for anomalies. */
enum km_watched {
	KM_W_CPU = 0,
	KM_W_RUN_DELAY,
	KM_W_INVOLUNTARY,
	KM_W_THREADS,
	KM_W_DESCRIPTORS,
	KM_W_MEMORY_ANON,
	KM_W_MEMORY_FILE,
	KM_W_MEMORY_SWAP,
	KM_W_MAJOR_FAULTS,
	KM_W_WRITTEN,
	KM_W_RETRANSMITS,
	KM_W_CONNECT_FAILURES,
	KM_W_RESETS,
	KM_W_FORKS,
	KM_W_BLOCKED,
	KM_W_PSI_IO,
	KM_W_ANOMALY_MAX,
	KM_W_STOPPED = KM_W_ANOMALY_MAX,
	KM_W_FROZEN,
	KM_W_THROTTLED,
	KM_W_PEER_FAILURES, /* of endpoints */
	KM_W_PEER_LATENCY,
	KM_W_PEER_RETRANSMITS,
	KM_W_RETRANSMIT_SHARE,
	KM_W_MAX
};

extern const enum km_sig km_watched[KM_W_MAX];

/* Alive without progress: hang.c. */
struct km_hang {
	uint64_t since_ns; /* no progress since; 0: there is */
	double queue;      /* that waited then */
	float usual_cpu;   /* us/s while it works */
	uint32_t samples;  /* in usual_cpu */
	uint32_t starved;  /* 1: others keep it from running */
	uint32_t known;    /* 1: what it needs for a judgement is measured */
};

/* Growing worse, slowly: degrade.c. */
#define KM_CREEPS 6
struct km_creep {
	float mean;   /* of the logarithm */
	float spread; /* mean distance from it */
	float sum;    /* of what was above, Page's */
	uint32_t samples;
};

struct km_degrade {
	double pending[KM_CREEPS];
	uint32_t gathered[KM_CREEPS];
	uint64_t t_ns;                /* end of the newest step */
	uint64_t lossy_ns;            /* more is lost than any network may, since; 0: not so */
	uint64_t since_ns[KM_CREEPS]; /* the sum is above 0 since */
	struct km_creep creep[KM_CREEPS];
};

/* Others do not answer it: depend.c. */
struct km_depend {
	uint64_t since_ns; /* of the trouble; 0: none */
	uint64_t bad_ns;   /* newest failure */
	float usual;       /* failures a second, slowly */
	float failed;      /* since since_ns */
	uint32_t known;    /* 1: failures were ever measured */
	uint32_t peer;     /* 1: they are an endpoint's */
	uint64_t burst_ns; /* the present burst of connects without an answer began */
	uint32_t burst;    /* how many they are */
	uint32_t pad;
};

struct km_watch {
	uint64_t service_id;
	uint64_t t_ns; /* newest tick */
	struct km_anomaly anomaly;
	struct km_anomaly_metric metric[KM_W_ANOMALY_MAX];
	struct km_hang hang;
	struct km_degrade degrade;
	struct km_depend depend;
	struct km_fuse fuse;
	uint8_t none[8]; /* by kind: 1 + why nothing is said, as the table has it; 0 else */
};

bool km_watch_valid(const void *row);
/* What is usual is as true after a reboot; what happened just now is over. */
bool km_watch_outlives(void *row, uint64_t now_ns);

/* What one tick brought; VALUE: one for each km_watched, NaN not measured. */
struct km_watch_tick {
	uint64_t t_ns;
	double elapsed_s; /* since the one before, at most 60 */
	const double *value;
	double queue; /* connections that wait to be accepted, NaN not known */
	bool silent;  /* its health checks fail, and what it needs answers */
};

void km_hang_tick(struct km_hang *h, const struct km_watch_tick *t);
void km_degrade_tick(struct km_degrade *d, const struct km_watch_tick *t);
void km_depend_tick(struct km_depend *d, const struct km_watch_tick *t);
/* A connect was not answered, the newest of IN_A_ROW. Whether that settles it. */
bool km_depend_unanswered(struct km_depend *d, uint64_t t_ns, uint32_t in_a_row);

/* Only what is usual remains. */
void km_degrade_rests(struct km_degrade *d);

bool km_hang_valid(const struct km_hang *h);
bool km_degrade_valid(const struct km_degrade *d);
bool km_depend_valid(const struct km_depend *d);

#endif
