/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of phase 4: rows of its tables. */
#ifndef KM_MEASURE_STATE_H
#define KM_MEASURE_STATE_H

#include "measure/series.h"

enum km_measure_source {
	KM_SOURCE_NONE = 0,
	KM_SOURCE_TASKS = 1, /* summed over the service's processes */
	KM_SOURCE_LEVEL = 2, /* the cgroup's own figure */
	KM_SOURCE_MAX
};

struct km_measure_key {
	uint64_t service_id;
	uint64_t resource;
};

/* A process's descriptors. */
struct km_candidate {
	uint64_t start_ns;
	uint64_t level;
	uint64_t limit; /* KM_UNKNOWN: none */
	uint32_t tgid;  /* 0: nobody yet */
	uint32_t pad;
};

struct km_measure_row {
	struct km_measure_key key;
	uint64_t seen_ns;         /* newest figure, or when the row was made */
	uint64_t tasks_level;     /* this pass, summed */
	uint64_t level;           /* this pass, the cgroup's */
	uint64_t level_limit;     /* KM_UNKNOWN: none */
	uint32_t tasks;           /* processes in the sum */
	uint32_t has_level;       /* 1: level is of this pass */
	uint32_t source;          /* enum km_measure_source of the series */
	uint32_t stale;           /* 1: no figure for too long */
	struct km_candidate best; /* this pass, descriptors only */
	struct km_candidate own;  /* whose the series is; level is of this pass if own_seen */
	uint32_t own_seen;
	uint32_t pad;
	struct km_series series;
};

struct km_measure {
	struct km_table *rows;
	struct km_table *ends;
	struct km_table *values;
	struct km_value value;                        /* handed out, not state */
	struct km_features features[KM_RESOURCE_MAX]; /* handed out, not state */
	uint64_t features_of[KM_RESOURCE_MAX];        /* ... as of which change */
	uint64_t changes;                             /* of any series */
};

/* rows.c */
struct km_measure_row *km_measure_row(const struct km_measure *m, uint64_t service_id,
                                      enum km_resource r);
/* One sample of one process; -ENOSPC: no room. */
int km_measure_task(struct km_measure *m, uint64_t service_id, const struct km_signal *s);
int km_measure_level(struct km_measure *m, uint64_t service_id, const struct km_signal *s);
/* What was gathered since the last call goes into the series. */
void km_measure_close(struct km_measure_row *row, uint64_t now_ns);
bool km_measure_row_valid(const void *row);

/* A level with its limit, for the series of R. */
int km_measure_limited(struct km_measure *m, uint64_t service_id, enum km_resource r,
                       const struct km_value *v);

/* values.c */
int km_measure_values_new(struct km_table **ret);
/* What S says of SUBJECT's service besides events of its life. -ENOSPC: no room. */
int km_measure_values(struct km_measure *m, const struct km_signal *s,
                      const struct km_subject *subject);
/* What was gathered since the last call becomes values. */
void km_measure_values_close(struct km_measure *m, uint64_t now_ns);

/* ends.c */
int km_measure_end(struct km_measure *m, const struct km_service *s);
void km_measure_forget_ends(struct km_measure *m, uint64_t now_ns);
bool km_measure_ends_valid(const void *row);

#endif
